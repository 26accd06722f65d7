"""Prefect Secret blocks: those accounts.toml names, and with a Docker pool those its containers are given.

Values come from the environment of whoever runs the bootstrap, and are kept encrypted by the Prefect server.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic_settings import BaseSettings


def block_name(setting: str) -> str:
    """The block that keeps a setting: `DATABASE_URL` in `wharf-database-url`."""
    return f"wharf-{setting.lower().replace('_', '-')}"


def setting_name(block: str) -> str:
    """The variable a block of accounts.toml is filled from: `amazon-eu-token` from AMAZON_EU_TOKEN."""
    return block.upper().replace("-", "_")


def configured() -> tuple[dict[str, str], dict[str, str]]:
    """Every setting of ours that is set, plain ones and secrets apart, as a container needs them."""
    from alerts.settings import AlertSettings
    from connectors.settings import ConnectorSettings
    from flows.settings import WharfSettings

    environment = known_environment()
    plain: dict[str, str] = {}
    secret: dict[str, str] = {}
    kinds: tuple[type[BaseSettings], ...] = (WharfSettings, ConnectorSettings, AlertSettings)
    for kind in kinds:
        for field, info in kind.model_fields.items():
            name = str(info.validation_alias or field).upper()
            if value := environment.get(name):
                (secret if SecretStr in _types(info.annotation) else plain)[name] = value
    # where containers find these is the pool's business
    for own in ("WHARF_HOME", "PREFECT_API_URL"):
        plain.pop(own, None)
    return plain, secret


def known_environment() -> Mapping[str, str]:
    """The environment over `.env`."""
    return {
        **{k: v for k, v in dotenv_values(".env").items() if v},
        **{k: v for k, v in os.environ.items() if v},
    }


def of_accounts(path: Path) -> Iterator[str]:
    """The blocks an accounts.toml names; none when there is no file, or none that can be read."""
    try:
        tables = tomllib.loads(path.read_text()).get("accounts", {})
    except (FileNotFoundError, tomllib.TOMLDecodeError):
        return
    for table in tables.values():
        for value in table.values():
            if isinstance(value, dict) and isinstance(value.get("block"), str):
                yield value["block"]


def ensure(values: Mapping[str, str]) -> None:
    """Saves each value as the Secret block of that name; one that is there is replaced."""
    from prefect.blocks.system import Secret

    for name, value in values.items():
        Secret(value=SecretStr(value)).save(name, overwrite=True)


def missing(names: Iterable[str]) -> list[str]:
    """Which of these Secret blocks the server does not have."""
    from prefect.blocks.system import Secret

    absent = []
    for name in names:
        try:
            Secret.load(name)
        except ValueError:
            absent.append(name)
    return absent


def _types(annotation: Any) -> set[Any]:
    return {annotation, *getattr(annotation, "__args__", ())}
