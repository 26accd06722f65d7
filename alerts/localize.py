"""Numbers and dates as a recipient reads them. The words stay English; figures follow the locale."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# language or locale → (thousands separator, decimal separator, date form)
_FORMS = {
    "en": (",", ".", "{day} {month} {year}"),
    "en-us": (",", ".", "{month} {day}, {year}"),
    "en-ca": (",", ".", "{month} {day}, {year}"),
    "de": (".", ",", "{day:02}.{number:02}.{year}"),
    "de-ch": ("’", ".", "{day:02}.{number:02}.{year}"),
    "fr": ("\u202f", ",", "{day:02}/{number:02}/{year}"),
    "es": (".", ",", "{day:02}/{number:02}/{year}"),
    "es-mx": (",", ".", "{day:02}/{number:02}/{year}"),
    "it": (".", ",", "{day:02}/{number:02}/{year}"),
    "pt": (".", ",", "{day:02}/{number:02}/{year}"),
    "nl": (".", ",", "{day:02}-{number:02}-{year}"),
    "pl": ("\u00a0", ",", "{day:02}.{number:02}.{year}"),
    "sv": ("\u00a0", ",", "{year}-{number:02}-{day:02}"),
    "ja": (",", ".", "{year}/{number:02}/{day:02}"),
}


@dataclass(frozen=True)
class Locale:
    """How one person writes figures: a tag such as `de-DE`, and the zone their clock shows."""

    tag: str = "en-US"
    timezone: str = "UTC"

    @property
    def _form(self) -> tuple[str, str, str]:
        tag = self.tag.replace("_", "-").lower()
        return _FORMS.get(tag) or _FORMS.get(tag.split("-")[0]) or _FORMS["en"]

    def number(self, value: float | int, digits: int | None = None) -> str:
        """1,234 or 1.234: whole from ten upwards, one decimal below, unless `digits` says otherwise."""
        if digits is None:
            digits = 0 if abs(value) >= 10 or float(value).is_integer() else 1
        group, point, _ = self._form
        text = f"{value:,.{digits}f}"
        return text.replace(",", "\0").replace(".", point).replace("\0", group)

    def percent(self, rate: float) -> str:
        """A rate of 0 to 1 in per cent; never a false 0 % or 100 %."""
        if 0 < rate < 0.01:
            return "under 1%"
        if 0.99 < rate < 1:
            return "over 99%"
        return f"{self.number(round(rate * 100), 0)}%"

    def date(self, value: dt.date | dt.datetime | str) -> str:
        """A day, in this person's zone when an instant is given."""
        day = _as_date(value, self.timezone)
        return self._form[2].format(
            day=day.day, month=_MONTHS[day.month - 1], number=day.month, year=day.year
        )

    def day_and_month(self, value: dt.date) -> str:
        """A short axis label: `Nov 21`, `21 Nov` or `21.11.`."""
        form = self._form[2]
        if "{month}" in form:
            parts = "{month} {day}" if form.startswith("{month}") else "{day} {month}"
            return parts.format(day=value.day, month=_MONTHS[value.month - 1])
        mark = next(c for c in form if c in "./-")
        return f"{value.day:02}{mark}{value.month:02}" + ("." if mark == "." else "")

    def instant(self, value: dt.datetime | str) -> str:
        """Day and clock time in this person's zone, with the zone's name."""
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        local = moment.astimezone(ZoneInfo(self.timezone))
        return f"{self.date(local)}, {local:%H:%M} {local.tzname()}"


def _as_date(value: dt.date | dt.datetime | str, timezone: str) -> dt.date:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value) if "T" in value else dt.date.fromisoformat(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(ZoneInfo(timezone)).date() if value.tzinfo else value.date()
    return value


DEFAULT = Locale()
