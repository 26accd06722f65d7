"""What the platform itself needs to know; channels and alert providers have settings of their own."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal, TypedDict
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.errors import ConfigurationError


class OwnDatabases(TypedDict):
    """Addresses of databases that are not embedded."""

    database_url: str | None
    clickhouse_url: str | None


class WharfSettings(BaseSettings):
    """Reads DATABASE_URL, CLICKHOUSE_URL, WHARF_HOME and so on from the environment or `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    clickhouse_url: SecretStr | None = Field(default=None, validation_alias="CLICKHOUSE_URL")
    clickhouse_cluster: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.{}-]+$", validation_alias="WHARF_CLICKHOUSE_CLUSTER"
    )
    prefect_api_url: str | None = Field(default=None, validation_alias="PREFECT_API_URL")
    # name:word, asked of everybody who talks to that server
    prefect_auth: SecretStr | None = Field(default=None, validation_alias="PREFECT_API_AUTH_STRING")
    home: Path = Field(default=Path(".wharf"), validation_alias="WHARF_HOME")
    secret_key: SecretStr | None = Field(default=None, validation_alias="WHARF_SECRET_KEY")
    # Newest first, separated by spaces; WHARF_SECRET_KEY reads, too, and seals where none is listed.
    encryption_keys: SecretStr | None = Field(default=None, validation_alias="WHARF_ENCRYPTION_KEYS")
    # The most Amazon's data protection policy allows is 30.
    raw_days: int = Field(default=30, ge=1, le=30, validation_alias="WHARF_RAW_DAYS")
    log_format: Literal["text", "json"] = Field(default="text", validation_alias="WHARF_LOG_FORMAT")
    traces: Literal["off", "otlp"] = Field(default="off", validation_alias="WHARF_TRACES")
    timezone: str = Field(default="UTC", validation_alias="WHARF_TIMEZONE")
    currency: str = Field(default="USD", validation_alias="WHARF_CURRENCY", pattern="^[A-Z]{3}$")
    # Where exchange rates come from besides `wharf rates import`, and how old one may be on a day without
    rates_file: Path | None = Field(default=None, validation_alias="WHARF_RATES_FILE")
    rates_url: str | None = Field(default=None, validation_alias="WHARF_RATES_URL")
    rate_days: int = Field(default=7, ge=0, le=31, validation_alias="WHARF_RATE_DAYS")
    # A run that refused more than both holds its account's published figures back
    refused_rate: float = Field(default=0.05, ge=0, le=1, validation_alias="WHARF_REFUSED_RATE")
    refused_rows: int = Field(default=20, ge=0, validation_alias="WHARF_REFUSED_ROWS")
    lead_time_days: int = Field(default=14, ge=1, le=365, validation_alias="WHARF_LEAD_TIME_DAYS")
    review_days: int = Field(default=7, ge=1, le=90, validation_alias="WHARF_REVIEW_DAYS")
    # None: the level at which there is stock_share of a plain min/max rule's stock, found anew every day
    service_level: float | None = Field(default=None, gt=0.5, lt=1, validation_alias="WHARF_SERVICE_LEVEL")
    stock_share: float = Field(default=0.9, gt=0, le=5, validation_alias="WHARF_STOCK_SHARE")
    lead_time_spread_days: float = Field(
        default=3.0, ge=0, le=90, validation_alias="WHARF_LEAD_TIME_SPREAD_DAYS"
    )
    order_cost: float = Field(default=5.0, gt=0, validation_alias="WHARF_ORDER_COST")
    holding_rate: float = Field(default=0.25, gt=0, le=10, validation_alias="WHARF_HOLDING_RATE")
    stock_rate: float = Field(default=4.0, gt=0, le=20, validation_alias="WHARF_STOCK_RATE")
    purchase_budget: float | None = Field(default=None, ge=0, validation_alias="WHARF_PURCHASE_BUDGET")
    transfer_days: float = Field(default=5.0, ge=0, le=90, validation_alias="WHARF_TRANSFER_DAYS")
    transfer_cost: float = Field(default=10.0, ge=0, validation_alias="WHARF_TRANSFER_COST")
    transfer_unit_cost: float = Field(default=0.5, ge=0, validation_alias="WHARF_TRANSFER_UNIT_COST")
    # The merchant's own shop sends its cart events with this key; without one they are not taken
    events_key: SecretStr | None = Field(default=None, min_length=16, validation_alias="WHARF_EVENTS_KEY")
    # Cart events older than this are deleted; what was published of them stays
    event_days: int = Field(default=400, ge=31, le=3650, validation_alias="WHARF_EVENT_DAYS")
    forecast_days: int = Field(default=90, ge=1, le=180, validation_alias="WHARF_FORECAST_DAYS")
    first_load_days: int = Field(default=730, ge=1, validation_alias="WHARF_FIRST_LOAD_DAYS")
    workers: int = Field(default=2, ge=1, le=64, validation_alias="WHARF_WORKERS")
    # Which models forecast, by name and separated by spaces; empty: all
    forecast_members: str = Field(default="", validation_alias="WHARF_FORECAST_MEMBERS")
    # The merchant's own promotions, past and ahead: sku,channel,first_date,last_date
    promotions_file: Path | None = Field(default=None, validation_alias="WHARF_PROMOTIONS_FILE")
    # Where the parts of a large catalogue are forecast: one after the other here, or side by side on Dask
    task_runner: Literal["local", "dask"] = Field(default="local", validation_alias="WHARF_TASK_RUNNER")
    # tcp://host:port of a Dask scheduler; without one the run starts WHARF_WORKERS processes of its own
    dask_address: str | None = Field(default=None, validation_alias="WHARF_DASK_ADDRESS")
    # Where `wharf up` listens: its Prefect server here, all else on 127.0.0.1
    prefect_host: str = Field(default="127.0.0.1", validation_alias="WHARF_PREFECT_HOST")
    prefect_port: int = Field(default=4200, ge=1, le=65535, validation_alias="WHARF_PREFECT_PORT")
    clickhouse_port: int = Field(default=8123, ge=1, le=65535, validation_alias="WHARF_CLICKHOUSE_PORT")
    sandbox_port: int = Field(default=8040, ge=1, le=65535, validation_alias="WHARF_SANDBOX_PORT")
    inbox_port: int = Field(default=8025, ge=1, le=65535, validation_alias="WHARF_INBOX_PORT")
    callbacks_port: int = Field(default=8026, ge=1, le=65535, validation_alias="WHARF_CALLBACKS_PORT")

    @field_validator("prefect_auth")
    @classmethod
    def _name_and_word(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[^:]+:.{8,}", value.get_secret_value()):
            raise ValueError("PREFECT_API_AUTH_STRING is a name, a colon and a word of 8 letters or more")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"WHARF_TIMEZONE={value!r} is no time zone; use a name such as Europe/Berlin"
            ) from error
        return value

    @property
    def members(self) -> tuple[str, ...]:
        """The models that forecast; empty: all."""
        return tuple(self.forecast_members.split())

    @property
    def own_databases(self) -> "OwnDatabases":
        """The user's own servers; None: the embedded one."""
        urls = (url.get_secret_value() if url else None for url in (self.database_url, self.clickhouse_url))
        database_url, clickhouse_url = urls
        if clickhouse_url and self.clickhouse_cluster:
            from warehouse import cluster

            clickhouse_url = cluster.with_cluster(clickhouse_url, self.clickhouse_cluster)
        return {"database_url": database_url, "clickhouse_url": clickhouse_url}

    @cached_property
    def pseudonym_key(self) -> bytes:
        """The key customer references are turned into pseudonyms with.

        Raises ConfigurationError when there is none: a guessable pseudonym would be personal data.
        """
        if self.secret_key is None:
            raise ConfigurationError(
                "WHARF_SECRET_KEY is not set; `wharf up` makes one in WHARF_HOME, or set your own"
            )
        return self.secret_key.get_secret_value().encode()

    @property
    def sealing_secrets(self) -> list[str]:
        """The secrets of what is encrypted at rest, newest first. Raises ConfigurationError when there is none."""
        listed = self.encryption_keys.get_secret_value().split() if self.encryption_keys else []
        return [*listed, self.pseudonym_key.decode()]


class WorkFailedError(Exception):
    """A flow ended as failed; the text is its own message. Commands end with status 1."""
