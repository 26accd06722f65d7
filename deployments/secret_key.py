"""The key of pseudonyms and encryption for a local stack: made once, kept readable by its owner alone."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr


def ensure_secret_key(home: Path, given: SecretStr | None) -> str:
    """WHARF_SECRET_KEY where it is set (`given`), else the one kept in `home`, made on first use."""
    if given is not None:
        return given.get_secret_value()
    path = home / "secret.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()
