"""Secrets a local stack makes for itself, once: kept in its folder, readable by its owner alone."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from alerts.settings import is_loopback


def ensure_secret_key(home: Path, given: SecretStr | None) -> str:
    """WHARF_SECRET_KEY where it is set (`given`), else the one kept in `home`, made on first use."""
    if given is not None:
        return given.get_secret_value()
    return _kept(home / "secret.key")


def ensure_prefect_auth(home: Path, host: str, given: SecretStr | None) -> str | None:
    """What a Prefect server on `host` asks of everybody: PREFECT_API_AUTH_STRING where it is set (`given`).

    Without one it asks nothing on loopback; beyond, one is made: whoever may start runs, may run code.
    """
    if given is not None:
        return given.get_secret_value()
    return None if is_loopback(host) else f"wharf:{_kept(home / 'prefect.password')}"


def _kept(path: Path) -> str:
    """The word in `path`, made on first use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()
