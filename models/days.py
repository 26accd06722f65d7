"""What the calendar says of a day, and which day a year ago was the like of it: by date, and by Easter."""

import numpy as np

from models.base import Floats, Ints

NEAR_EASTER = (*range(-4, 5), *range(38, 41), *range(48, 52), *range(59, 62))  # the days about MOVING
MOVING = (-2, 0, 1, 39, 49, 50, 60)  # days from Easter that are public holidays somewhere


def calendar(day: Ints) -> dict[str, Floats]:
    """Weekday, day of month, day of year, and the distance to Christmas and to Easter, of a day number."""
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    of_year = _of_year(day).astype(np.float64)
    angle = 2 * np.pi * of_year / 365.25
    easter = from_easter(day)
    return {
        "weekday": ((day + 3) % 7).astype(np.float64),
        "day_of_month": (dates - month.astype("datetime64[D]")).astype(np.float64) + 1,
        "day_of_year": of_year,
        "year_sin": np.sin(angle),
        "year_cos": np.cos(angle),
        "year_sin2": np.sin(2 * angle),
        "year_cos2": np.cos(2 * angle),
        "to_christmas": np.clip(358 - of_year, -10, 60),
        "from_easter": np.where(np.isin(easter, NEAR_EASTER), easter, np.nan),
    }


def same_date_before(day: Ints) -> Ints:
    """Day number of the same day and month a year earlier (1 March for 29 February)."""
    year, of_year = _year(day), _of_year(day)
    shift = np.where(_leap(year - 1) & (of_year >= 59), 1, 0) - np.where(_leap(year) & (of_year >= 60), 1, 0)
    found: Ints = _first_of(year - 1) + of_year + shift
    return found


def same_easter_before(day: Ints) -> Ints:
    """Day number of the day as far from Easter a year earlier."""
    year = _year(day)
    found: Ints = easter_sunday(year - 1) + day - easter_sunday(year)
    return found


def from_easter(day: Ints) -> Ints:
    """Days since this year's Easter Sunday, negative before it."""
    found: Ints = day - easter_sunday(_year(day))
    return found


def easter_sunday(year: Ints) -> Ints:
    """Day number of Easter Sunday (Gregorian; the anonymous algorithm of Meeus, Astronomical Algorithms, ch. 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    k = (32 + 2 * e + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    count = h + k - 7 * m + 114
    month = ((year - 1970) * 12 + count // 31 - 1).astype("datetime64[M]")
    found: Ints = month.astype("datetime64[D]").astype(np.int64) + count % 31
    return found


def promotion_runs(promo: Floats) -> tuple[Floats, Floats, Floats]:
    """For every day of series × days: which day of its promotion, how many are left, days since the last one."""
    on, width = promo > 0, promo.shape[1]
    at = np.arange(width)[None, :]
    begun = np.maximum.accumulate(np.where(~on, at, -1), axis=1)
    ends = np.minimum.accumulate(np.where(~on, at, width)[:, ::-1], axis=1)[:, ::-1]
    last = np.maximum.accumulate(np.where(on, at, -99), axis=1)
    return (
        np.where(on, np.minimum(at - begun, 30.0), 0.0),
        np.where(on, np.minimum(ends - at, 30.0), 0.0),
        np.where(on, 0.0, np.minimum(at - last, 30.0)),
    )


def _year(day: Ints) -> Ints:
    found: Ints = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return found


def _first_of(year: Ints) -> Ints:
    found: Ints = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return found


def _of_year(day: Ints) -> Ints:
    found: Ints = day - _first_of(_year(day))
    return found


def _leap(year: Ints) -> Ints:
    found: Ints = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return found
