"""The first step of every run a worker starts: stand where the code is, so that `.env` and accounts.toml are found."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def stand_in_checkout() -> dict[str, str]:
    """Whichever folder this code was installed from: the checkout here, /app in the image."""
    os.chdir(ROOT)
    return {"directory": str(ROOT)}
