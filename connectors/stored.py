"""Stored answers of a platform → one JSON object, in the column names people query the warehouse by.

For looking at one seller's case: no database, no network, no account needed. What a file is, is told by its content.

- Money is a decimal string without exponent: at least two decimal places, at most four, no zeros behind those.
- Instants are ISO 8601 in UTC with Z; `order_date` is the channel's business day. Absent is null.
- `customer_key` is the pseudonym under WHARF_SECRET_KEY, or under a fixed key for debugging where that is not set:
  then it tells customers of one output apart and means nothing elsewhere.
- A record that occurs twice, in one file or several, is shown once: the last one.
- A record that cannot be read is quarantined and its neighbours are shown; a file that cannot be read, or holds
  nothing of what was asked for, is an error, and so is an answer that says nothing but what went wrong. One that says
  so beside records is read, with a note. That is the same for every platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from connectors.amazon.marketplaces import MARKETPLACES, channels_of
from connectors.base import Account, Channel, Context, Platform
from connectors.canonical import KEYS, Normalized
from connectors.errors import ConfigurationError, ConnectorError, ProtocolError
from connectors.files import read_plain
from connectors.privacy import pseudonymize
from connectors.registry import PLATFORMS
from connectors.settings import ConnectorSettings, load

DEBUGGING_KEY = b"wharf normalize: not a secret, for debugging only"
RESOURCES: Mapping[str, tuple[str, ...]] = {
    "orders": ("orders", "order_items", "refunds"),
    "products": ("products",),
    "inventory": ("inventory",),
    "returns": ("returns", "refunds"),
    "carts": ("carts", "cart_items"),
    "customers": ("customers",),
    "feedback": ("feedback",),
}
# Canonical column → its name in the warehouse, where the two differ.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "order_items": {"order_external_id": "order_id"},
    "refunds": {"order_external_id": "order_id"},
    "returns": {"order_external_id": "order_id"},
    "feedback": {"order_external_id": "order_id"},
    "products": {"title": "listing_title", "price": "listing_price"},
    "cart_items": {"cart_external_id": "cart_id"},
}


def normalize_files(platform: str, resource: str, paths: Sequence[Path]) -> dict[str, list[Any]]:
    """The records of `paths` as lists named after their tables, with "quarantined" and "notes" beside them.

    Raises ConfigurationError for an unknown platform or resource, UnreadableFileError for a file that cannot be opened
    or read.
    """
    if platform not in PLATFORMS:
        raise ConfigurationError(f"there is no platform {platform!r}; there are {', '.join(PLATFORMS)}")
    if resource not in RESOURCES:
        raise ConfigurationError(f"there is no resource {resource!r}; there are {', '.join(RESOURCES)}")
    settings = load()
    account = debugging_account(cast(Platform, platform), settings)
    bodies = [(path.name, _read(path)) for path in paths]
    normalized = _normalized(platform, resource, bodies, Context(account, datetime.now(UTC)))
    secret = settings.wharf_secret_key
    key = secret.get_secret_value().encode() if secret else DEBUGGING_KEY
    zones = {channel.name: ZoneInfo(channel.timezone) for channel in account.channels}
    shown: dict[str, list[Any]] = {
        name: rows(name, pseudonymize(normalized.frame(name), key), zones) for name in RESOURCES[resource]
    }
    shown["quarantined"] = [
        {"natural_key": refused.natural_key, "field": refused.field, "reason": refused.reason}
        for refused in normalized.rejected
    ]
    shown["notes"] = list(normalized.notes)
    return shown


class UnreadableFileError(ProtocolError):
    """A file is not what it was given for."""


def _normalized(
    platform: str, resource: str, bodies: list[tuple[str, bytes]], context: Context
) -> Normalized:
    module = import_module(f"connectors.{platform}.stored")
    if resource not in module.RESOURCES:
        return Normalized(notes=(f"{platform} has no {resource}",))
    for name, body in bodies:
        if not body.strip(b"\xef\xbb\xbf \t\r\n"):
            raise UnreadableFileError(f"not readable as {resource} of {platform}: {name}: the file is empty")
    errors = [f"{name}: the answer says {said}" for name, body in bodies if (said := _error_in(body))]
    try:
        normalized: Normalized = module.normalize_stored(resource, bodies, context)
    except ConnectorError as error:
        told = errors[0] if errors else error
        raise UnreadableFileError(f"not readable as {resource} of {platform}: {told}") from None
    if not normalized.rejected and all(frame.is_empty() for frame in normalized.frames.values()):
        errors += [f"{name}: holds none" for name, body in bodies if not _may_be_empty(body)]
        if errors:
            raise UnreadableFileError(f"not readable as {resource} of {platform}: {errors[0]}")
    return replace(normalized, notes=(*normalized.notes, *errors))


def _error_in(body: bytes) -> str | None:
    """What an answer in JSON says went wrong, as its code and words; None where it says nothing of the kind."""
    if not body.lstrip().startswith(b"{") or b'"error' not in body:
        return None
    try:
        answer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        found = msgspec.json.decode(answer.get("errors") or answer.get("error") or b"null")
    except msgspec.MsgspecError:
        return None
    if isinstance(found, dict) and isinstance(found.get("error"), list):
        found = found["error"]
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        return _one_line(first) if isinstance(first, str) and first else None
    extensions = first.get("extensions")
    code = first.get("code") or (extensions.get("code") if isinstance(extensions, dict) else None)
    words = first.get("message") or first.get("description") or first.get("info")
    return _one_line(": ".join(str(part) for part in (code, words) if part)) or None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _may_be_empty(body: bytes) -> bool:
    """Whether a body can be an answer without records: JSON, or a table that ends after its header."""
    stripped = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    return stripped[:1] in (b"{", b"[") or any(sign in stripped.partition(b"\n")[0] for sign in (b"\t", b","))


def debugging_account(platform: Platform, settings: ConnectorSettings) -> Account:
    """An account that has every place the platform's payloads may speak of, and no credential."""
    if platform == "amazon":
        wanted = [part.strip() for part in (settings.amazon_marketplace_ids or "").split(",")]
        first = [marketplace for marketplace in wanted if marketplace in MARKETPLACES]
        channels = channels_of(dict.fromkeys([*first, *MARKETPLACES]))
    elif platform == "shopify":
        shop = (settings.shopify_shop_name or "shop").lower().removesuffix(".myshopify.com")
        currency = settings.shopify_currency or ""  # a price that does not say its currency has none
        zone = settings.shopify_timezone or settings.wharf_timezone
        channels = (Channel(f"shopify-{shop}", "shopify", shop, currency, zone),)
    else:
        channels = (Channel("walmart-us", "walmart", "us", "USD", settings.walmart_timezone),)
    options = {"shop_name": channels[0].external_id, "api_version": settings.shopify_api_version}
    return Account(platform, platform, "https://localhost", "https://localhost", {}, channels, options)


def rows(name: str, frame: pl.DataFrame, zones: Mapping[str, ZoneInfo]) -> list[dict[str, Any]]:
    """A canonical frame as JSON rows in the warehouse's column names."""
    names = _NAMES.get(name, {})
    # A stock level may name its item by nothing but `external_id`: without it different items would be one.
    key = [*KEYS[name], *(["external_id"] if name == "inventory" else [])]
    unique = frame.unique(subset=key, keep="last", maintain_order=True)
    shown = []
    for row in unique.iter_rows(named=True):
        plain = {names.get(column, column): _plain(value) for column, value in row.items()}
        if name == "orders":
            plain["order_date"] = _day(row["ordered_at"], zones.get(row["channel"]))
        shown.append(plain)
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def money(value: Decimal) -> str:
    """A decimal without exponent, two to four places: "12.50", "0.3333"."""
    text = f"{value:.4f}"
    text = text[:-2] if text.endswith("00") else text.removesuffix("0")
    return "0.00" if text == "-0.00" else text


def _day(at: datetime | None, zone: ZoneInfo | None) -> str | None:
    return at.astimezone(zone or UTC).date().isoformat() if at else None


def _read(path: Path) -> bytes:
    try:
        return read_plain(path)
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}") from None
