"""A catalogue in parts that fit in memory; the first one teaches the models all others use."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random


@dataclass(frozen=True)
class Part:
    """Products whose series are forecast together. The first part teaches the models all others use."""

    number: int
    products: list[int]
    series: int


def parts_of(series: dict[int, int], at_once: int) -> list[Part]:
    """Parts of about `at_once` series from products (best seller first) and how many series each has."""
    if sum(series.values()) <= at_once:
        return [Part(1, list(series), sum(series.values()))] if series else []
    best = _filled(series, list(series), at_once // 2)
    others = list(series)[len(best) :]
    drawn = set(_filled(series, Random(7).sample(others, len(others)), at_once // 2))  # noqa: S311 the same draw every night
    waiting = [product for product in others if product not in drawn]
    found = [best + sorted(drawn)]
    left = sum(series[product] for product in waiting)
    # Of equal size, so that no stump is left at the end.
    fair = min(at_once, ceil(left / ceil(left / at_once)) + max(series.values())) if left else 0
    while waiting:
        found.append(_filled(series, waiting, fair))
        waiting = waiting[len(found[-1]) :]
    return [Part(n, part, sum(series[product] for product in part)) for n, part in enumerate(found, 1)]


def _filled(series: dict[int, int], products: Sequence[int], most: int) -> list[int]:
    """The first products that have `most` series together, at least one."""
    total, taken = 0, list[int]()
    for product in products:
        total += series[product]
        if taken and total > most:
            break
        taken.append(product)
    return taken
