"""What the generated merchant's customers would buy on each day if everything were in stock."""

from datetime import date

import numpy as np

from connectors.sandbox.catalogue import CATEGORIES, Catalogue, Floats, black_fridays
from connectors.sandbox.world import Market

# Monday to Sunday.
_WEEK = {
    "amazon": (1.10, 1.05, 1.00, 0.97, 0.92, 0.93, 1.03),
    "shopify": (0.95, 0.92, 0.94, 0.98, 0.98, 1.05, 1.18),
    "walmart": (0.90, 0.88, 0.90, 0.95, 1.07, 1.18, 1.12),
}
_SHARE = {"amazon": 0.45, "shopify": 0.30, "walmart": 0.20}
_GROWTH_A_YEAR = 0.15


def expected_lines(
    rng: np.random.Generator,
    markets: tuple[Market, ...],
    catalogue: Catalogue,
    *,
    first_day: date,
    history: int,
    lines_per_day: float,
) -> Floats:
    """Mean order lines wanted by market, product and day; `lines_per_day` is their mean over the history."""
    _, skus, days = catalogue.price.shape
    season = _seasons(first_day, days)[catalogue.category]
    drift = rng.normal(0, 0.25, (skus, 1)) * (np.arange(days) / 365.25 - days / 730.5)
    alive = np.stack([catalogue.on_sale(day) for day in range(days)], axis=1)
    age = np.arange(days)[None, :] - catalogue.launched[:, None]
    young = np.where((catalogue.launched[:, None] >= 0), 1 - 0.8 * np.exp(-np.maximum(age, 0) / 25), 1.0)
    fading = np.clip((catalogue.ended[:, None] - np.arange(days)) / 150, 0.1, 1.0)
    common = catalogue.popularity[:, None] * season * np.exp(drift) * young * fading * alive
    common *= (1 + _GROWTH_A_YEAR) ** (np.arange(days) / 365.25)
    weekdays = (first_day.weekday() + np.arange(days)) % 7
    frenzy = np.ones(days)
    for friday in black_fridays(first_day, days):
        frenzy[max(friday - 1, 0) : friday + 4] *= 1.5
    wanted = np.empty(catalogue.price.shape)
    for position, market in enumerate(markets):
        siblings = sum(other.platform == market.platform for other in markets)
        first = next(other for other in markets if other.platform == market.platform) == market
        # The first marketplace of a platform is home; the others sell a quarter of it.
        share = _SHARE[market.platform] * (1.0 if siblings == 1 or first else 0.25)
        taste = rng.lognormal(0, 0.4, (skus, 1)) * catalogue.listed[position][:, None]
        usual = np.median(catalogue.price[position], axis=1, keepdims=True)
        cheaper = (usual / catalogue.price[position]) ** catalogue.elasticity[:, None]
        noise = np.exp(rng.normal(0, 0.12, days))
        week = np.array(_WEEK[market.platform])[weekdays]
        wanted[position] = share * taste * common * cheaper * week * frenzy * noise
    wanted *= lines_per_day * history / wanted[:, :, :history].sum()
    return wanted


def _seasons(first_day: date, days: int) -> Floats:
    """Factor around 1 by category and day."""
    day_of_year = (first_day.timetuple().tm_yday - 1 + np.arange(days)) % 365.25
    factors = []
    for category in CATEGORIES:
        wave = 1 + category.swing * np.cos(2 * np.pi * (day_of_year - category.peak_day) / 365.25)
        christmas = category.gift * np.exp(-(((day_of_year - 343) / 14) ** 2) / 2)
        factors.append(np.maximum(wave + christmas, 0.12))
    return np.array(factors)
