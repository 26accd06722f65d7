"""Which seller accounts there are: from the environment or `.env`, and more from `accounts.toml`.

A platform without credentials is simply not there. A URL without TLS is accepted for loopback only, and so is
WHARF_PACE, which makes the published rate limits run faster for a sandbox.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.accounts_file import Entry, read_entries
from connectors.amazon.marketplaces import API_URLS, AUTH_URL, channels_of, region_of
from connectors.base import Account, Channel
from connectors.errors import ConfigurationError

WALMART_API_URL = "https://marketplace.walmartapis.com"
SHOPIFY_API_VERSION = "2026-07"
ENV_FILE = ".env"

Resolver = Callable[[str], str]


class ConnectorSettings(BaseSettings):
    """Reads AMAZON_*, SHOPIFY_*, WALMART_* and the WHARF_* that accounts need. Secrets never print."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, frozen=True
    )

    amazon_client_id: SecretStr | None = None
    amazon_client_secret: SecretStr | None = None
    amazon_refresh_token: SecretStr | None = None
    amazon_seller_id: str | None = None
    amazon_marketplace_ids: str | None = None  # separated by commas
    amazon_api_url: str | None = None
    amazon_auth_url: str | None = None

    shopify_shop_name: str | None = None
    shopify_access_token: SecretStr | None = None
    shopify_client_id: SecretStr | None = None
    shopify_client_secret: SecretStr | None = None
    shopify_refresh_token: SecretStr | None = None
    shopify_api_url: str | None = None
    shopify_api_version: str = Field(
        default=SHOPIFY_API_VERSION, pattern=r"^20\d\d-(01|04|07|10)$|^unstable$"
    )
    shopify_currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    shopify_timezone: str | None = None

    walmart_client_id: SecretStr | None = None
    walmart_client_secret: SecretStr | None = None
    walmart_api_url: str | None = None
    walmart_timezone: str = "America/Los_Angeles"

    wharf_home: Path = Path(".wharf")
    wharf_secret_key: SecretStr | None = None
    wharf_currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    wharf_timezone: str = "UTC"
    wharf_pace: float = Field(default=1.0, gt=0, le=100_000)
    wharf_accounts_file: Path = Path("accounts.toml")

    @field_validator("shopify_timezone", "walmart_timezone", "wharf_timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            _zone(value)
        return value


def load() -> ConnectorSettings:
    """The settings. Raises ConfigurationError that names the variable and what is wrong with it."""
    try:
        return ConnectorSettings()
    except ValidationError as error:
        mistake = error.errors(include_input=False, include_url=False)[0]
        name = str(mistake["loc"][0]).upper() if mistake["loc"] else "settings"
        raise ConfigurationError(f"{name}: {mistake['msg'].removeprefix('Value error, ')}") from None


def accounts(settings: ConnectorSettings | None = None, *, resolver: Resolver | None = None) -> list[Account]:
    """Every configured account: one a platform from the environment, then those of `accounts.toml`.

    `resolver` gives the value of a secret by the name of its store's entry, for secrets the file refers to so.
    Raises ConfigurationError when something is half set or contradicts itself.
    """
    settings = settings or load()
    found = [entry for entry in (_amazon(settings), _shopify(settings), _walmart(settings)) if entry]
    found += read_entries(settings.wharf_accounts_file, _environment(), resolver)
    names = [entry.name for entry in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"two accounts are called {name!r}; give the one in accounts.toml another name"
            )
    built: list[Account] = []
    for entry in found:
        built.append(_build(entry, settings, {c.name for account in built for c in account.channels}))
    return built


def _build(entry: Entry, settings: ConnectorSettings, taken: set[str]) -> Account:
    build = {"amazon": _amazon_account, "shopify": _shopify_account, "walmart": _walmart_account}[
        entry.platform
    ]
    account = build(entry, settings)
    channels = tuple(_free_name(channel, entry.name, taken) for channel in account.channels)
    urls = [account.api_url, account.auth_url]
    for url in urls:
        check_url(url, entry.name)
    if settings.wharf_pace != 1 and not all(_is_loopback(urlsplit(url).hostname) for url in urls):
        raise ConfigurationError(
            f"WHARF_PACE is for sandboxes on this machine; account {entry.name!r} talks to "
            f"{urlsplit(account.api_url).hostname}: unset WHARF_PACE"
        )
    options = {**account.options, "pace": f"{settings.wharf_pace:g}", "home": str(settings.wharf_home)}
    return Account(
        name=account.name,
        platform=account.platform,
        api_url=account.api_url.rstrip("/"),
        auth_url=account.auth_url,
        credentials=account.credentials,
        channels=channels,
        options=options,
    )


def _free_name(channel: Channel, account: str, taken: set[str]) -> Channel:
    """A channel's usual name, or one made with the account's when an earlier account has it."""
    if channel.name not in taken:
        return channel
    suffix = channel.name.partition("-")[2]
    return Channel(
        f"{account}-{suffix}", channel.platform, channel.external_id, channel.currency, channel.timezone
    )


# -- the accounts of the environment ----------------------------------------------------------------------


def _amazon(settings: ConnectorSettings) -> Entry | None:
    secrets = {
        "client_id": settings.amazon_client_id,
        "client_secret": settings.amazon_client_secret,
        "refresh_token": settings.amazon_refresh_token,
    }
    if not any(secrets.values()):
        return None
    values = {
        "marketplace_ids": settings.amazon_marketplace_ids,
        "seller_id": settings.amazon_seller_id,
        "api_url": settings.amazon_api_url,
        "auth_url": settings.amazon_auth_url,
    }
    return Entry("amazon", "amazon", _known(values), _all_of("AMAZON", secrets))


def _shopify(settings: ConnectorSettings) -> Entry | None:
    secrets = {
        "access_token": settings.shopify_access_token,
        "client_id": settings.shopify_client_id,
        "client_secret": settings.shopify_client_secret,
        "refresh_token": settings.shopify_refresh_token,
    }
    if not any(secrets.values()):
        return None
    if not secrets["access_token"] or secrets["refresh_token"]:
        _all_of("SHOPIFY", {name: secrets[name] for name in ("client_id", "client_secret")})
    values = {
        "shop_name": settings.shopify_shop_name,
        "api_url": settings.shopify_api_url,
        "api_version": settings.shopify_api_version,
        "currency": settings.shopify_currency,
        "timezone": settings.shopify_timezone,
    }
    return Entry("shopify", "shopify", _known(values), {k: v for k, v in secrets.items() if v})


def _walmart(settings: ConnectorSettings) -> Entry | None:
    secrets = {"client_id": settings.walmart_client_id, "client_secret": settings.walmart_client_secret}
    if not any(secrets.values()):
        return None
    values = {"api_url": settings.walmart_api_url, "timezone": settings.walmart_timezone}
    return Entry("walmart", "walmart", _known(values), _all_of("WALMART", secrets))


def _all_of(prefix: str, secrets: Mapping[str, SecretStr | None]) -> dict[str, SecretStr]:
    missing = [f"{prefix}_{name.upper()}" for name, value in secrets.items() if not value]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} is not set, but other {prefix}_ credentials are")
    return {name: value for name, value in secrets.items() if value}


def _known(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


# -- one account of each platform -------------------------------------------------------------------------


def _amazon_account(entry: Entry, _: ConnectorSettings) -> Account:
    entry.needs("client_id", "client_secret", "refresh_token")
    ids = [part.strip() for part in entry.values.get("marketplace_ids", "").split(",") if part.strip()]
    if not ids:
        raise ConfigurationError(
            f"account {entry.name!r}: AMAZON_MARKETPLACE_IDS is not set; name the marketplaces you sell on, "
            "for example ATVPDKIKX0DER for Amazon.com"
        )
    try:
        region = region_of(ids)
    except ValueError as error:
        raise ConfigurationError(f"account {entry.name!r}: {error}") from None
    return Account(
        name=entry.name,
        platform="amazon",
        api_url=entry.values.get("api_url") or API_URLS[region],
        auth_url=entry.values.get("auth_url") or AUTH_URL,
        credentials=entry.secrets,
        channels=channels_of(dict.fromkeys(ids)),
        options=_known({"seller_id": entry.values.get("seller_id"), "region": region}),
    )


def _shopify_account(entry: Entry, settings: ConnectorSettings) -> Account:
    shop = _shop_name(entry)
    api_url = (entry.values.get("api_url") or f"https://{shop}.myshopify.com").rstrip("/")
    currency = entry.values.get("currency") or settings.shopify_currency or settings.wharf_currency
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ConfigurationError(f"account {entry.name!r}: {currency!r} is no currency code such as EUR")
    zone = entry.values.get("timezone") or settings.shopify_timezone or settings.wharf_timezone
    return Account(
        name=entry.name,
        platform="shopify",
        api_url=api_url,
        auth_url=entry.values.get("auth_url") or f"{api_url}/admin/oauth/access_token",
        credentials=entry.secrets,
        channels=(Channel(f"shopify-{shop}", "shopify", shop, currency, _checked_zone(zone, entry.name)),),
        options={
            "shop_name": shop,
            "api_version": entry.values.get("api_version") or settings.shopify_api_version,
        },
    )


def _shop_name(entry: Entry) -> str:
    """The bare shop name of "shop", "shop.myshopify.com" or "https://shop.myshopify.com/admin"."""
    given = entry.values.get("shop_name", "").strip().lower()
    shop = given.partition("://")[2] or given
    shop = shop.partition("/")[0].removesuffix(".myshopify.com")
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", shop):
        raise ConfigurationError(
            f"account {entry.name!r}: SHOPIFY_SHOP_NAME is {given or 'not set'}; "
            "it is the part before .myshopify.com"
        )
    return shop


def _walmart_account(entry: Entry, settings: ConnectorSettings) -> Account:
    entry.needs("client_id", "client_secret")
    api_url = (entry.values.get("api_url") or WALMART_API_URL).rstrip("/")
    zone = _checked_zone(entry.values.get("timezone") or settings.walmart_timezone, entry.name)
    return Account(
        name=entry.name,
        platform="walmart",
        api_url=api_url,
        auth_url=entry.values.get("auth_url") or f"{api_url}/v3/token",
        credentials=entry.secrets,
        channels=(Channel("walmart-us", "walmart", "us", "USD", zone),),
        options=_known({"market": "us"}),
    )


# -- checks -----------------------------------------------------------------------------------------------


def check_url(url: str, account: str) -> None:
    """Raises ConfigurationError unless credentials may be sent to `url`: https, or http on this machine."""
    parts = urlsplit(url)
    try:
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise ConfigurationError(f"account {account!r}: {_without_user(url)} is no address of an API")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            f"account {account!r}: {url} would send credentials in clear; use https:// (http:// is for loopback only)"
        )


def _without_user(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", url).partition("?")[0]


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin") from None


def _checked_zone(name: str, account: str) -> str:
    try:
        _zone(name)
    except ValueError as error:
        raise ConfigurationError(f"account {account!r}: {error}") from None
    return name


def _environment() -> Mapping[str, str]:
    """The environment over `.env`, which names the secrets of `accounts.toml` too."""
    from dotenv import dotenv_values

    return {
        **{k: v for k, v in dotenv_values(ENV_FILE).items() if v},
        **{k: v for k, v in os.environ.items() if v},
    }


def summary(found: Iterable[Account]) -> list[dict[str, Any]]:
    """What may be shown of accounts: no credential, only which there are."""
    return [
        {
            "account": account.name,
            "platform": account.platform,
            "api": account.api_url,
            "channels": [channel.name for channel in account.channels],
            "credentials": sorted(account.credentials),
        }
        for account in found
    ]
