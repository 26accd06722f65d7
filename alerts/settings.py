"""Which providers and recipients there are, from the environment or `.env`. Secrets never print."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerts.errors import AlertConfigError
from alerts.links import Linker
from alerts.routes import Recipient, Routes, load_routes
from alerts.thresholds import Thresholds, first_mistake, load_thresholds

DEFAULT_SLACK = "default"
DEFAULT_WEBHOOK = "default"


class AlertSettings(BaseSettings):
    """Reads SENDGRID_*, FROM_EMAIL, TWILIO_*, SLACK_WEBHOOK_URL, ALERT_WEBHOOK_* and WHARF_*.

    A provider without credentials is simply not used. `http://` is accepted for loopback only.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    sendgrid_api_key: SecretStr | None = None
    sendgrid_api_url: str = "https://api.sendgrid.com"
    sendgrid_webhook_public_key: str | None = None
    from_email: str | None = None
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_from: str | None = None
    twilio_api_url: str = "https://api.twilio.com"
    slack_webhook_url: SecretStr | None = None
    alert_webhook_url: SecretStr | None = None
    alert_webhook_secret: SecretStr | None = None

    wharf_alert_email: str | None = None
    wharf_alert_phone: str | None = None
    wharf_routes_file: Path | None = None
    wharf_thresholds_file: Path | None = None
    wharf_public_url: str | None = None
    wharf_secret_key: SecretStr | None = None
    wharf_timezone: str = "UTC"
    wharf_alert_timeout_seconds: float = Field(default=20, gt=0, le=300)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("sendgrid_api_url", mode="before")
    @classmethod
    def _default_sendgrid(cls, value: object) -> object:
        return value or "https://api.sendgrid.com"

    @field_validator("twilio_api_url", mode="before")
    @classmethod
    def _default_twilio(cls, value: object) -> object:
        return value or "https://api.twilio.com"

    @field_validator("wharf_timezone", mode="before")
    @classmethod
    def _default_zone(cls, value: object) -> object:
        return value or "UTC"

    @field_validator("sendgrid_api_url", "twilio_api_url", "wharf_public_url")
    @classmethod
    def _is_safe_url(cls, value: str | None) -> str | None:
        return None if value is None else safe_url(value)

    @field_validator("slack_webhook_url", "alert_webhook_url")
    @classmethod
    def _is_safe_secret_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            safe_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _providers_are_whole(self) -> "AlertSettings":
        if self.sendgrid_api_key and not self.from_email:
            raise ValueError("SENDGRID_API_KEY is set: FROM_EMAIL must name the sender")
        twilio = (self.twilio_account_sid, self.twilio_auth_token, self.twilio_from)
        if any(twilio) and not all(twilio):
            raise ValueError("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM belong together")
        if self.alert_webhook_url and not self.alert_webhook_secret:
            raise ValueError("ALERT_WEBHOOK_URL is set: ALERT_WEBHOOK_SECRET must sign what is sent")
        return self

    def routes(self) -> Routes:
        """Routes of WHARF_ROUTES_FILE, else one recipient of everything that is configured."""
        if self.wharf_routes_file is not None:
            return load_routes(self.wharf_routes_file)
        slack = DEFAULT_SLACK if self.slack_webhook_url else None
        webhook = DEFAULT_WEBHOOK if self.alert_webhook_url else None
        if not any((self.wharf_alert_email, self.wharf_alert_phone, slack, webhook)):
            return Routes()
        try:
            recipient = Recipient(
                name="default",
                email=self.wharf_alert_email,
                phone=self.wharf_alert_phone,
                slack=slack,
                webhook=webhook,
                timezone=self.wharf_timezone,
                all_clear=True,
            )
        except ValidationError as error:
            raise AlertConfigError(f"WHARF_ALERT_EMAIL, WHARF_ALERT_PHONE: {first_mistake(error)}") from error
        return Routes(recipients=(recipient,))

    def thresholds(self) -> Thresholds:
        """Thresholds of WHARF_THRESHOLDS_FILE, else the defaults."""
        return load_thresholds(self.wharf_thresholds_file)

    def twilio_callback(self) -> str | None:
        """Where Twilio is asked to report; None where it could not reach us: then it is asked instead."""
        if self.wharf_public_url is None or is_loopback(urlsplit(self.wharf_public_url).hostname or ""):
            return None
        return f"{self.wharf_public_url}/events/twilio"

    def linker(self, valid_for: timedelta = timedelta(days=7)) -> Linker | None:
        """Maker of acknowledge and snooze links; None without WHARF_PUBLIC_URL and WHARF_SECRET_KEY."""
        if self.wharf_public_url is None or self.wharf_secret_key is None:
            return None
        return Linker(self.wharf_secret_key.get_secret_value().encode(), self.wharf_public_url, valid_for)


def load_settings() -> AlertSettings:
    """Settings of this environment; AlertConfigError names the first wrong variable, never its value."""
    try:
        return AlertSettings()
    except ValidationError as error:
        raise AlertConfigError(first_mistake(error)) from error


def safe_url(url: str) -> str:
    """The URL; ValueError unless it is https, or http to this machine itself, without user or fragment."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise ValueError("not a URL of the form https://host/path")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return url.rstrip("/")
    raise ValueError("must be https:// (http:// is accepted for this machine only)")


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine by its spelling: localhost, 127.x, ::1."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
