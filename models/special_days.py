"""Days on which nobody buys as usual: public holidays and the shopping days around Thanksgiving. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median

from models.order_hours import Special

_SEEN_DOUBT = 0.25  # last year's factor, give or take
_UNSEEN_DOUBT = 0.6
_AROUND_DAYS = 28


def special_days(country: str | None, years: tuple[int, ...]) -> dict[date, str]:
    """Name of each special day of those years. `country`: ISO alpha-2; None or unknown: shopping days only."""
    import holidays

    found: dict[date, str] = {}
    if country and country in holidays.list_supported_countries(include_aliases=False):
        found.update(
            {day: name.split(";")[0] for day, name in holidays.country_holidays(country, years=years).items()}
        )
    for year in years:
        friday = _black_friday(year)
        shopping = ("Black Friday", "the Saturday after", "the Sunday after", "Cyber Monday")
        found.update({friday + timedelta(days=after): name for after, name in enumerate(shopping)})
        eves = {date(year, 12, 24): "Christmas Eve", date(year, 12, 31): "New Year's Eve"}
        found.update({day: name for day, name in eves.items() if day not in found})
    return found


def effects(country: str | None, first: date, last: date, daily: Mapping[date, float]) -> dict[date, Special]:
    """How each special day from `first` to `last` differs, by what the same day brought a year before.

    `daily`: orders by day, as far back as known; a day without its like a year before has no factor, only doubt.
    """
    names = special_days(country, tuple(range(first.year - 1, last.year + 1)))
    return {
        day: _effect(day, name, names, daily)
        for day, name in names.items()
        if first <= day <= last
    }  # fmt: skip


def _effect(day: date, name: str, names: Mapping[date, str], daily: Mapping[date, float]) -> Special:
    before = next(
        (other for other, called in names.items() if called == name and 340 <= (day - other).days <= 390),
        None,
    )
    if before is None or before not in daily:
        return Special(1.0, _UNSEEN_DOUBT)
    around = [
        daily[before + timedelta(days=off)]
        for off in range(-_AROUND_DAYS, _AROUND_DAYS + 1, 7)
        if off and before + timedelta(days=off) in daily and before + timedelta(days=off) not in names
    ]
    if len(around) < 3 or median(around) <= 0:
        return Special(1.0, _UNSEEN_DOUBT)
    seen = daily[before]
    # A day of few orders tells little: pulled towards 1.
    return Special(min(max((seen + 10) / (median(around) + 10), 0.1), 10.0), _SEEN_DOUBT)


def _black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)
