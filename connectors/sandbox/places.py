"""Where the generated merchant's buyers live, and what tax their orders carry there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A region of a country; `weight` is its share of the orders, `tax` a rate."""

    country: str
    region: str | None
    weight: float
    tax: float


PLACES: dict[str, tuple[Place, ...]] = {
    "US": (
        Place("US", "CA", 16, 0.0775),
        Place("US", "TX", 12, 0.0825),
        Place("US", "FL", 10, 0.07),
        Place("US", "NY", 9, 0.08875),
        Place("US", "IL", 5, 0.0825),
        Place("US", "PA", 5, 0.06),
        Place("US", "WA", 4, 0.095),
        Place("US", "GA", 4, 0.07),
        Place("US", "OR", 2, 0.0),
        Place("US", "MT", 1, 0.0),
    ),
    "CA": (
        Place("CA", "ON", 40, 0.13),
        Place("CA", "QC", 22, 0.14975),
        Place("CA", "BC", 14, 0.12),
        Place("CA", "AB", 12, 0.05),
        Place("CA", "NS", 3, 0.14),
    ),
    "DE": (
        Place("DE", None, 70, 0.19),
        Place("AT", None, 14, 0.20),
        Place("FR", None, 8, 0.20),
        Place("IT", "MI", 4, 0.22),
        Place("IT", "RM", 4, 0.22),
    ),
    "GB": (Place("GB", "ENG", 84, 0.20), Place("GB", "SCT", 9, 0.20), Place("IE", "D", 7, 0.23)),
}

COUNTRIES: tuple[str, ...] = tuple(sorted({place.country for some in PLACES.values() for place in some}))
REGIONS: tuple[str, ...] = tuple(
    sorted({place.region for some in PLACES.values() for place in some if place.region is not None})
)
