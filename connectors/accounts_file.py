"""`accounts.toml`: further seller accounts. It names secrets, it never holds them.

    [accounts.amazon-eu]
    platform = "amazon"
    marketplace_ids = ["A1PA6795UKMFR9", "A13V1IB3VIYZZH"]
    seller_id = "A1EXAMPLE"
    client_id = { env = "AMAZON_EU_CLIENT_ID" }
    client_secret = { env = "AMAZON_EU_CLIENT_SECRET" }
    refresh_token = { block = "amazon-eu-refresh-token" }   # a Prefect Secret block

Where two accounts sell in one place, the later one's channel is called "<account>-<place>".
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr

from connectors.base import Platform
from connectors.errors import ConfigurationError

SECRETS = frozenset(["client_id", "client_secret", "refresh_token", "access_token"])
PLAIN = frozenset(
    [
        "marketplace_ids",
        "seller_id",
        "shop_name",
        "api_url",
        "auth_url",
        "api_version",
        "currency",
        "timezone",
    ]
)


@dataclass(frozen=True)
class Entry:
    """One account as it was written down: plain values and resolved secrets."""

    name: str
    platform: Platform
    values: Mapping[str, str]
    secrets: Mapping[str, SecretStr] = field(repr=False)

    def needs(self, *names: str) -> None:
        """Raises ConfigurationError when one of these secrets is missing."""
        missing = [name for name in names if name not in self.secrets]
        if missing:
            raise ConfigurationError(f"account {self.name!r}: {', '.join(missing)} is missing")


def read_entries(
    path: Path, environment: Mapping[str, str], resolver: Callable[[str], str] | None
) -> list[Entry]:
    """The accounts of the file, in its order; none when there is no file. Raises ConfigurationError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    try:
        tables = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not readable: {error}") from None
    unknown = set(tables) - {"accounts"}
    entries = tables.get("accounts", {})
    if unknown or not isinstance(entries, dict):
        raise ConfigurationError(f"{path}: accounts stand in tables such as [accounts.amazon-eu]")
    return [_entry(path, name, table, environment, resolver) for name, table in entries.items()]


def _entry(
    path: Path,
    name: str,
    table: Any,
    environment: Mapping[str, str],
    resolver: Callable[[str], str] | None,
) -> Entry:
    where = f"{path}: account {name!r}"
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", name) or not isinstance(table, dict):
        raise ConfigurationError(f"{where}: a name has small letters, digits and hyphens")
    platform = table.get("platform")
    if platform not in get_args(Platform):
        raise ConfigurationError(f"{where}: platform is one of {', '.join(get_args(Platform))}")
    values: dict[str, str] = {}
    secrets: dict[str, SecretStr] = {}
    for key, value in table.items():
        if key == "platform":
            continue
        if key in SECRETS:
            secrets[key] = SecretStr(_secret(f"{where}: {key}", value, environment, resolver))
        elif key not in PLAIN:
            raise ConfigurationError(f"{where}: unknown entry {key}")
        elif isinstance(value, list) and all(isinstance(part, str) for part in value):
            values[key] = ",".join(value)
        elif isinstance(value, str):
            values[key] = value
        else:
            raise ConfigurationError(f"{where}: {key} is text")
    return Entry(name, cast(Platform, platform), values, secrets)


def _secret(
    where: str, value: Any, environment: Mapping[str, str], resolver: Callable[[str], str] | None
) -> str:
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"env", "block"}:
        raise ConfigurationError(
            f'{where}: a secret does not stand in the file; write {{ env = "NAME" }} or {{ block = "name" }}'
        )
    kind, name = next(iter(value.items()))
    if kind == "env":
        found = environment.get(str(name))
        if not found:
            raise ConfigurationError(f"{where}: the environment variable {name} is not set")
        return found
    if resolver is None:
        raise ConfigurationError(f"{where}: secret blocks can be read only where Prefect runs; use env")
    return resolver(str(name))
