"""Time stamps as people's files write them."""

import polars as pl

# In which unit a number of this size counts since 1970.
_EPOCHS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))
_CLOCKS = (" %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
_YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d")
_MONTH_FIRST, _DAY_FIRST = "%m/%d/%Y", "%d/%m/%Y"


def instants(stamps: pl.Series) -> pl.Series:
    """Instants in microseconds without a zone; null where one cannot be read.

    Numbers are seconds since 1970, or milli-, micro- or nanoseconds where that many seconds would be far off. Text
    with an offset is brought to UTC; text without one is a clock's time as it stands. 03/04/2024 is the fourth of
    March, unless a stamp of the column can only have the day first; 03.04.2024 is the third of April.
    """
    kind = stamps.dtype
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
        plain = stamps.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else stamps
        return plain.cast(pl.Datetime("us"))
    text = stamps.cast(pl.String).str.strip_chars()
    if text.str.contains(r"^(19|20)\d{6}$").all():
        return text.str.to_datetime("%Y%m%d", time_unit="us", strict=False)
    number = text.cast(pl.Float64, strict=False)
    typical = number.abs().median()
    if isinstance(typical, float):
        per_second = next((unit for limit, unit in _EPOCHS if typical < limit), 1_000_000_000)
        return (number / per_second * 1_000_000).round().cast(pl.Int64, strict=False).cast(pl.Datetime("us"))
    return _written(text)


def _written(text: pl.Series) -> pl.Series:
    clock = text.str.replace("T", " ").str.replace(r"^(\d+[-/.]\d+[-/.]\d+ \d+)$", "${1}:00")
    clock = clock.str.replace(r"^(\d{4}-\d\d?)$", "${1}-01")  # a month stands for its first day
    at = _first_of(clock, [day + time for day in _YEAR_FIRST for time in _CLOCKS])
    month_first = _first_of(clock, [_MONTH_FIRST + time for time in _CLOCKS])
    day_first = _first_of(clock, [_DAY_FIRST + time for time in _CLOCKS])
    at = at.fill_null(day_first if day_first.null_count() < month_first.null_count() else month_first)
    at = at.fill_null(_first_of(clock, ["%d.%m.%Y" + time for time in _CLOCKS]))
    if not at.null_count():
        return at
    zoned = clock.str.replace(r"\[[\w/+-]+\]$", "").str.replace(r" ?(Z|UTC|GMT)$", "+0000")
    zoned = zoned.str.replace(r" ?([+-]\d\d):?(\d\d)$", "${1}${2}").str.replace(r"(:.*[+-]\d\d)$", "${1}00")
    for time in _CLOCKS[:2]:
        aware = zoned.str.to_datetime(f"%Y-%m-%d{time}%z", time_unit="us", strict=False, time_zone="UTC")
        at = at.fill_null(aware.dt.replace_time_zone(None))
    return at


def _first_of(text: pl.Series, forms: list[str]) -> pl.Series:
    """Each text by the first form that fits it."""
    at = pl.Series([None] * len(text), dtype=pl.Datetime("us"))
    for form in forms:
        if not at.null_count():
            break
        at = at.fill_null(text.str.to_datetime(form, time_unit="us", strict=False))
    return at
