"""Public reference material (official API models, published data sets) that some tests check against.

It is not part of the project: a test that wants it skips, with a reason, where it is absent. It is looked
for in the folder WHARF_REFERENCE, then in the folders beside the checkout.
"""

import os
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[1]


def reference(relative: str) -> Path:
    """Path of a reference file; skips the calling test when there is none."""
    named = os.environ.get("WHARF_REFERENCE")
    roots = [Path(named)] if named else sorted(p for p in _CHECKOUT.parent.iterdir() if p.is_dir())
    for root in roots:
        if root != _CHECKOUT and (root / relative).exists():
            return root / relative
    pytest.skip(f"reference material {relative} is not here (set WHARF_REFERENCE to its folder)")
