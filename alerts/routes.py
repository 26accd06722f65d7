"""Who hears of what, by which way and when: recipients from a TOML file, from rows, or one from settings.

```toml
[[recipients]]
name = "Ada"
email = "ada@example.com"
phone = "+4915112345678"
slack = "default"                     # name of a webhook in the settings; its URL is a secret
accounts = ["amazon"]                 # empty: all; likewise categories, alert_types
severities = ["critical", "warning"]
locale = "de-DE"
timezone = "Europe/Berlin"
quiet_hours = "22:00-07:00"           # critical breaks them unless critical_breaks_quiet = false
digest_at = "08:00"                   # info waits for the digest
advice_day = "monday"                 # and what to order, what lies and what trends for the digest of this day
all_clear = true
escalate_to = "Bo"                    # when nobody acknowledges a critical alert
escalate_after_minutes = 30
[recipients.ways]
critical = ["sms", "email", "slack"]
warning = ["email"]
```
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from alerts.alert import Severity
from alerts.errors import AlertConfigError
from alerts.localize import Locale
from alerts.thresholds import first_mistake

Way = Literal["email", "sms", "slack", "webhook"]
WAYS: tuple[str, ...] = get_args(Way)
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[str, ...] = get_args(Weekday)
_QUIET = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")
_EMAIL = re.compile(r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\".]+$|^[^@\s<>,;\"]+@localhost$")
_PHONE = re.compile(r"^\+[1-9]\d{6,14}$")

# SMS costs money and wakes people: critical only, unless a route says otherwise.
DEFAULT_WAYS: dict[Severity, tuple[Way, ...]] = {
    Severity.CRITICAL: ("email", "sms", "slack", "webhook"),
    Severity.WARNING: ("email", "slack", "webhook"),
    Severity.INFO: ("email", "webhook"),
}


class Recipient(BaseModel):
    """One person or system, and what they want to hear."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    email: str | None = None
    phone: str | None = None
    slack: str | None = None
    webhook: str | None = None
    accounts: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    alert_types: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = tuple(Severity)
    ways: Mapping[Severity, tuple[Way, ...]] = Field(default_factory=lambda: dict(DEFAULT_WAYS))
    locale: str = "en-US"
    timezone: str = "UTC"
    quiet_hours: str | None = None
    critical_breaks_quiet: bool = True
    digest_at: time = time(8)
    digest_severities: tuple[Severity, ...] = (Severity.INFO,)
    advice_day: Weekday | None = "monday"  # what to order and the like waits for it; None: every day
    digest_over: int = Field(default=5, ge=1)  # more new alerts than this at once become one digest
    all_clear: bool = False
    escalate_to: str | None = None
    escalate_after_minutes: int = Field(default=30, ge=1)
    blocked: Mapping[Way, str] = Field(default_factory=dict)  # way → why: bounced, unsubscribed, opted out

    @field_validator("email")
    @classmethod
    def _is_email(cls, value: str | None) -> str | None:
        if value is not None and not _EMAIL.match(value):
            raise ValueError("not an e-mail address")
        return value

    @field_validator("phone")
    @classmethod
    def _is_phone(cls, value: str | None) -> str | None:
        if value is not None and not _PHONE.match(value):
            raise ValueError("not a phone number in the form +15551234567")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("not a time zone such as Europe/Berlin") from error
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _is_span(cls, value: str | None) -> str | None:
        if value is not None and not _QUIET.match(value):
            raise ValueError("quiet hours are written 22:00-07:00")
        return value

    @model_validator(mode="after")
    def _has_a_way(self) -> "Recipient":
        if not any((self.email, self.phone, self.slack, self.webhook)):
            raise ValueError("a recipient needs one of email, phone, slack, webhook")
        return self

    @property
    def reader(self) -> Locale:
        """How this recipient reads figures."""
        return Locale(self.locale, self.timezone)

    def address(self, way: str) -> str | None:
        """Where this way reaches the recipient; None when it does not."""
        return {"email": self.email, "sms": self.phone, "slack": self.slack, "webhook": self.webhook}[way]

    def ways_for(self, severity: Severity) -> tuple[str, ...]:
        """Ways for a severity that have an address and are not blocked, in order of preference."""
        wanted = self.ways.get(severity, DEFAULT_WAYS[severity])
        return tuple(way for way in wanted if self.address(way) and way not in self.blocked)

    def quiet_until(self, now: datetime) -> datetime | None:
        """End of the quiet hours `now` lies in, in their own zone; None outside them."""
        if self.quiet_hours is None:
            return None
        parts = [int(part) for part in re.findall(r"\d+", self.quiet_hours)]
        start, end = time(parts[0], parts[1]), time(parts[2], parts[3])
        zone = ZoneInfo(self.timezone)
        local = now.astimezone(zone)
        clock = local.timetz().replace(tzinfo=None)
        inside = start <= clock < end if start < end else clock >= start or clock < end
        if not inside or start == end:
            return None
        day = local.date() + timedelta(days=1 if clock >= end else 0)
        return datetime.combine(day, end, zone)


class Routes(BaseModel):
    """All recipients. Names are unique; `escalate_to` names one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipients: tuple[Recipient, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> "Routes":
        names = [recipient.name for recipient in self.recipients]
        if len(set(names)) != len(names):
            raise ValueError("two recipients have the same name")
        for recipient in self.recipients:
            if recipient.escalate_to is not None and recipient.escalate_to not in names:
                raise ValueError(f"{recipient.name} escalates to an unknown recipient")
        return self

    def without(self, suppressed: Collection[tuple[str, str]]) -> "Routes":
        """The routes with (way, address) pairs left out that a provider refuses; plans then say so."""
        return Routes(
            recipients=tuple(
                recipient.model_copy(
                    update={
                        "blocked": {
                            way: "the provider refuses this address"
                            for way in WAYS
                            if (way, recipient.address(way)) in suppressed
                        }
                        | dict(recipient.blocked)
                    }
                )
                for recipient in self.recipients
            )
        )

    def with_rows(self, rows: Iterable[Mapping[str, Any]]) -> "Routes":
        """The routes with recipients of a table added; one of the same name replaces the file's."""
        added = recipients_from_rows(rows)
        names = {recipient.name for recipient in added}
        kept = tuple(recipient for recipient in self.recipients if recipient.name not in names)
        try:
            return Routes(recipients=(*kept, *added))
        except ValidationError as error:
            raise AlertConfigError(f"recipients: {first_mistake(error)}") from error

    def named(self, name: str) -> Recipient | None:
        """The recipient of that name."""
        return next((recipient for recipient in self.recipients if recipient.name == name), None)


def told(recipient: Recipient) -> dict[str, str]:
    """A recipient in one row for a person to read."""
    ways = {severity.value: " ".join(recipient.ways_for(severity)) for severity in Severity}
    return {
        "name": recipient.name,
        **{severity: ways[severity] or "-" for severity in ("critical", "warning", "info")},
        "accounts": " ".join(recipient.accounts) or "all",
        "quiet hours": recipient.quiet_hours or "-",
        "digest": f"{recipient.digest_at:%H:%M}",
        "zone": recipient.timezone,
        "escalates to": recipient.escalate_to or "-",
        "refused": "; ".join(f"{way}: {why}" for way, why in recipient.blocked.items()) or "-",
    }


def load_routes(path: Path) -> Routes:
    """Routes of a TOML file. A wrong file is named with its first mistake."""
    try:
        return Routes.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise AlertConfigError(f"cannot read routes {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise AlertConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise AlertConfigError(f"{path}: {first_mistake(error)}") from error


def recipients_from_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Recipient, ...]:
    """Recipients from rows named like the fields; null means the default."""
    try:
        return tuple(
            Recipient.model_validate({key: value for key, value in row.items() if value is not None})
            for row in rows
        )
    except ValidationError as error:
        raise AlertConfigError(f"recipients: {first_mistake(error)}") from error
