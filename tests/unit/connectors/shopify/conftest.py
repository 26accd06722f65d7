"""What `wharf normalize` shows of a stored Shopify payload."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.stored import normalize_files

Show = Callable[[str, Any], dict[str, list[Any]]]


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.delenv("SHOPIFY_CURRENCY", raising=False)
    monkeypatch.chdir(tmp_path)

    def show(resource: str, payload: Any) -> dict[str, list[Any]]:
        path = tmp_path / "payload"
        path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        return normalize_files("shopify", resource, [path])

    return show
