"""Secrets a local stack makes for itself, once: kept in its folder, readable by its owner alone."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from alerts.settings import is_loopback
from connectors.errors import ConfigurationError
from flows.settings import WharfSettings


def ensure_secret_key(home: Path, settings: WharfSettings) -> str:
    """WHARF_SECRET_KEY where it is set, else the one kept in `home`, made on first use.

    ConfigurationError where that file can be read by others and the installation is more than this machine's own.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = home / "secret.key"
    if is_open(path) and is_shared(settings):
        raise ConfigurationError(
            f"{path} can be read by others on this machine: chmod 600 it, or set WHARF_SECRET_KEY to what it holds"
        )
    return _kept(path)


def is_shared(settings: WharfSettings) -> bool:
    """Whether more than this machine takes part: Prefect listens beyond it, or a database is elsewhere."""
    urls = (settings.database_url, settings.clickhouse_url)
    hosts = [urlsplit(url.get_secret_value()).hostname for url in urls if url]
    return not all(is_loopback(host) for host in (settings.prefect_host, *hosts) if host)


def is_open(path: Path) -> bool:
    """Whether it is there and others than its owner may read it."""
    try:
        return bool(path.stat().st_mode & 0o044)
    except OSError:
        return False


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
