"""What the generated merchant sells: products, where they are listed, and their prices day by day.

Axes of the arrays: m market, p product, d day (0 is the first day of history). Prices are in
ten-thousandths of the market's currency and already include that day's promotion.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from connectors.sandbox.orderbook import SCALE, Flags, Ints
from connectors.sandbox.world import Market

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Category:
    """A family of products with one season."""

    name: str
    code: str
    brand: str
    prices: tuple[float, float]  # usual range in US dollars
    peak_day: int  # of the year
    swing: float  # how strong the season is
    gift: float  # how much more sells before Christmas
    refund_rate: float
    things: tuple[str, ...]


CATEGORIES = (
    Category("Kitchen", "KIT", "Nordlys", (9, 55), 340, 0.15, 0.9, 0.045,
             ("Café Crème Mug", "Cast Iron Pan", "Chef's Knife 20 cm", "Glass Storage Jar", "Tea Kettle",
              "Salad Bowl", "Cutting Board", "Espresso Cups, Set of 4")),
    Category("Garden", "GAR", "Grünwerk", (7, 70), 140, 0.75, 0.0, 0.04,
             ("Watering Can", "Pruning Shears", "Herb Planter", "Bird Feeder", "Solar Lantern",
              "Garden Gloves", "Folding Chair", "Rain Gauge")),
    Category("Toys", "TOY", "Piñata & Co", (8, 45), 345, 0.1, 2.2, 0.05,
             ("Wooden Train", "Puzzle 500 Pieces", "Plush Bear", "Marble Run", "Spinning Top",
              "Building Blocks", "Kite", "Finger Puppets")),
    Category("Home Textiles", "TEX", "Hygge Høst", (12, 80), 20, 0.35, 0.5, 0.11,
             ("Wool Throw", "Linen Cushion", "Cotton Bath Towel", "Flannel Sheet Set", "Door Mat",
              "Blackout Curtain", "Knitted Pouf")),
    Category("Beauty", "BEA", "Eau Claire", (6, 38), 120, 0.05, 0.6, 0.03,
             ("Olive Soap Bar", "Hand Cream", "Rose Water Tonic", "Beard Oil", "Bath Salts",
              "Lip Balm Trio", "Clay Mask")),
    Category("Outdoor", "OUT", "Trailhead", (14, 95), 190, 0.6, 0.3, 0.07,
             ("Camping Lantern", "Steel Bottle 750 ml", "Trekking Poles", "Dry Bag", "Picnic Blanket",
              "Headlamp", "Hammock", "Travel Mug")),
)  # fmt: skip
_VARIANTS = ("", "Blue", "Sage Green", "Ochre", "Large", "Small", "Natural", "Charcoal")
# Dollars for one unit of a currency, every day the same
DOLLARS_FOR = {"USD": Decimal(1), "CAD": Decimal("0.73"), "EUR": Decimal("1.09"), "GBP": Decimal("1.28")}
# What a dollar's worth costs on a market, tax included where the market shows prices so.
_PRICE_LEVEL = {"USD": 1.0, "CAD": 1.38, "EUR": 1.08, "GBP": 0.93}


@dataclass
class Catalogue:
    """Products in columns."""

    skus: list[str]
    titles: list[str]
    barcodes: list[str]
    category: Ints
    cost: Ints  # in US dollars x 10,000: the merchant buys in dollars
    popularity: Floats
    elasticity: Floats
    lead_days: Ints
    launched: Ints  # day; at or below 0: before the history
    ended: Ints  # day from which it is not sold any more
    listed: Flags  # m x p
    by_marketplace: Flags  # m x p: the marketplace's warehouse ships it
    price: Ints  # m x p x d
    promotion: Ints  # m x p x d, percent off

    def on_sale(self, day: int) -> Flags:
        """Which products are sold on `day`."""
        return (self.launched <= day) & (day < self.ended)


def make_catalogue(
    rng: np.random.Generator,
    markets: tuple[Market, ...],
    skus: int,
    *,
    first_day: date,
    history: int,
    days: int,
) -> Catalogue:
    """A catalogue of `skus` products for `days` days from `first_day`, of which `history` lie behind us."""
    category = np.arange(skus) % len(CATEGORIES)
    rank = rng.permutation(skus) + 1
    low = np.array([CATEGORIES[c].prices[0] for c in category], dtype=float)
    high = np.array([CATEGORIES[c].prices[1] for c in category], dtype=float)
    base = low * (high / low) ** rng.random(skus)
    launched = np.full(skus, -1, dtype=np.int64)
    ended = np.full(skus, days + 1, dtype=np.int64)
    fates = rng.permutation(skus)
    newcomers, leavers = fates[: max(skus // 8, 1)], fates[-max(skus // 12, 1) :]
    launched[newcomers] = rng.integers(history // 3, max(history - 20, history // 3 + 1), len(newcomers))
    ended[leavers] = rng.integers(history // 2, history + 30, len(leavers))
    listed = rng.random((len(markets), skus)) < 0.75
    listed[0] = True
    by_marketplace = rng.random((len(markets), skus)) < 0.6
    by_marketplace[[m.platform == "shopify" for m in markets]] = False
    promotion = _promotions(rng, markets, skus, first_day, days)
    return Catalogue(
        skus=[f"{CATEGORIES[c].code}-{number:04d}" for number, c in enumerate(category, start=1)],
        titles=[_title(number, CATEGORIES[c]) for number, c in enumerate(category)],
        barcodes=[_barcode(number) for number in range(1, skus + 1)],
        category=category,
        cost=np.rint(base * rng.uniform(0.3, 0.5, skus) * 100).astype(np.int64) * (SCALE // 100),
        popularity=rank**-0.7 * rng.lognormal(0, 0.25, skus),
        elasticity=rng.uniform(1.2, 2.8, skus),
        lead_days=rng.integers(6, 28, skus),
        launched=launched,
        ended=ended,
        listed=listed,
        by_marketplace=by_marketplace,
        price=_prices(rng, markets, base, promotion),
        promotion=promotion,
    )


def _title(number: int, category: Category) -> str:
    turn = number // len(CATEGORIES)
    thing = category.things[turn % len(category.things)]
    variant = turn // len(category.things)
    name = f"{category.brand} {thing}"
    if variant == 0:
        return name
    suffix = _VARIANTS[variant % len(_VARIANTS)]
    edition = variant // len(_VARIANTS)
    return f"{name}, {suffix or 'Classic'}" + (f" No. {edition + 1}" if edition else "")


def _barcode(number: int) -> str:
    """An EAN-13 with its check digit, in the range kept for internal use."""
    body = f"20{number:010d}"
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body)) % 10
    return f"{body}{check}"


def _promotions(
    rng: np.random.Generator, markets: tuple[Market, ...], skus: int, first_day: date, days: int
) -> Ints:
    """Percent off by market, product and day: three own weeks a year, and the days around Black Friday."""
    percent = np.zeros((len(markets), skus, days), dtype=np.int64)
    for market in range(len(markets)):
        count = rng.poisson(3 * days / 365, skus)
        for product in np.flatnonzero(count):
            for start in rng.integers(0, days, count[product]):
                length = int(rng.integers(4, 11))
                percent[market, product, start : start + length] = int(rng.choice([10, 15, 20, 25, 30]))
    for day in black_fridays(first_day, days):
        joins = rng.random((len(markets), skus)) < 0.6
        window = percent[:, :, max(day - 3, 0) : day + 4]
        np.maximum(window, np.where(joins, 20, 0)[:, :, None], out=window)
    return percent


def black_fridays(first_day: date, days: int) -> list[int]:
    """Day numbers of the Fridays after the fourth Thursday of November."""
    found = []
    for year in range(first_day.year, (first_day + timedelta(days=days)).year + 1):
        first = date(year, 11, 1)
        friday = first + timedelta(days=(3 - first.weekday()) % 7 + 22)
        if 0 <= (friday - first_day).days < days:
            found.append((friday - first_day).days)
    return found


def _prices(rng: np.random.Generator, markets: tuple[Market, ...], base: Floats, promotion: Ints) -> Ints:
    """List prices that move two or three times in the span, with promotions taken off, to the cent."""
    _, skus, days = promotion.shape
    level = np.ones((skus, days))
    for product in range(skus):
        for day in rng.integers(0, days, 1 + int(rng.integers(0, 3))):
            level[product, day:] *= rng.choice([0.93, 0.96, 1.04, 1.07, 1.12])
    price = np.empty(promotion.shape, dtype=np.int64)
    for position, market in enumerate(markets):
        full = base[:, None] * level * _PRICE_LEVEL.get(market.currency, 1.0)
        shelf = np.maximum(np.rint(full), 2) * 100 - 1  # 12.99, in cents
        price[position] = np.rint(shelf * (100 - promotion[position]) / 100).astype(np.int64) * (SCALE // 100)
    return price
