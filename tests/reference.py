"""Public reference material (official API models, published data sets) that some tests check against.

It is not part of the project: a test that wants it skips, with a reason, where it is absent.
"""

import os
from pathlib import Path

import pytest


def reference(relative: str) -> Path:
    """Path of a reference file; skips the calling test when there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    root = Path(os.environ.get("WHARF_REFERENCE", beside))
    path = root / relative
    if not path.exists():
        pytest.skip(f"reference material {relative} is not here (set WHARF_REFERENCE to its folder)")
    return path
