"""The places we sell, as settings name them. A merge refuses rows of channels that are not here."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sqlalchemy import Engine, text


class ChannelLike(Protocol):
    """What the warehouse wants to know about a channel."""

    @property
    def name(self) -> str: ...
    @property
    def platform(self) -> Any: ...
    @property
    def external_id(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def timezone(self) -> str: ...


def ensure(engine: Engine, account: str, channels: Iterable[ChannelLike]) -> dict[str, int]:
    """Have a row for each channel of `account`; returns ids by name.

    A changed time zone moves no past business day: it counts for orders merged from now on.
    """
    ids: dict[str, int] = {}
    with engine.begin() as connection:
        for channel in channels:
            values: Mapping[str, Any] = {
                "name": channel.name,
                "platform": str(channel.platform),
                "account": account,
                "external_id": channel.external_id,
                "currency": channel.currency,
                "timezone": channel.timezone,
            }
            connection.execute(text(_ENSURE), values)
            found = connection.scalar(
                text("SELECT id FROM core.channels WHERE name = :name"), {"name": channel.name}
            )
            assert found is not None
            ids[channel.name] = int(found)
    return ids


_ENSURE = """
    INSERT INTO core.channels AS c (name, platform, account, external_id, currency, timezone)
    VALUES (:name, :platform, :account, :external_id, :currency, :timezone)
    ON CONFLICT (name) DO UPDATE SET
        platform = EXCLUDED.platform, account = EXCLUDED.account, external_id = EXCLUDED.external_id,
        currency = EXCLUDED.currency, timezone = EXCLUDED.timezone, is_active = true
    WHERE (c.platform, c.account, c.external_id, c.currency, c.timezone, c.is_active)
          IS DISTINCT FROM
          (EXCLUDED.platform, EXCLUDED.account, EXCLUDED.external_id, EXCLUDED.currency, EXCLUDED.timezone, true)
"""
