"""Credentials that accounts.toml refers to by the name of a Prefect Secret block: `{ block = "name" }`."""

from typing import Any

from prefect.blocks.system import Secret

from connectors.errors import ConfigurationError


def value_of(name: str) -> str:
    """The text in Secret block `name`. Raises ConfigurationError when there is none, or Prefect does not answer."""
    try:
        block: Any = Secret.load(name)
    except ValueError as error:
        raise ConfigurationError(
            f"there is no Secret block {name!r}; make it in Prefect's UI under Blocks, or with `prefect block create`"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"Secret block {name!r} cannot be read, is Prefect at PREFECT_API_URL? ({type(error).__name__})"
        ) from error
    value = block.get()
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"Secret block {name!r} holds no text")
    return value
