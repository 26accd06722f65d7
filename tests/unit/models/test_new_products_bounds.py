"""What a product sells in its first weeks is no measure of how far forecasts of the others may be off."""

import numpy as np

from models.champion import Past
from models.cumulative import calibrate_sums
from models.intervals import calibrate

SERIES, DAYS = 60, 28


def past(begun: int) -> Past:
    """60 young series forecast at 1 a day that sell 1 a day; those from `begun` on had never sold before."""
    level = np.where(np.arange(SERIES) < begun, 1.0, 0.0)
    return Past(
        offset=DAYS,
        y=np.ones((SERIES, DAYS)),
        said={},
        group=np.full(SERIES, 4),
        scale=np.ones(SERIES),
        spread=level.copy(),
        level=level,
        closed=np.zeros((SERIES, DAYS), dtype=np.bool_),
    )


def test_first_sales_of_new_products_do_not_set_the_bounds_of_the_others():
    said = np.where(np.arange(SERIES) < 40, 1.0, 0.0)[:, None] * np.ones(DAYS)
    sums = calibrate_sums([past(begun=40)], [said])
    assert max(abs(error) for table in sums.tables.values() for error in table) < 1e-6
    bounds = calibrate([past(begun=40)], [said], None)
    assert max(abs(error) for table in bounds.residual.values() for error in table.values()) < 1e-6
