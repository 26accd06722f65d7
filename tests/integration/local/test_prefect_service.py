"""The Prefect server of the local stack: quiet, contained, and its UI finds it on any port."""

import json
import urllib.request
from pathlib import Path

import pytest

from deployments.local.stack import free_port, prefect_service, supervise

pytestmark = [pytest.mark.stack, pytest.mark.prefect]


def test_a_server_starts_under_its_home_and_reports_to_nobody(tmp_path: Path) -> None:
    port = free_port()
    described = prefect_service(tmp_path / "home", port)
    with supervise([described]):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ui-settings") as answer:
            settings = json.load(answer)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/admin/settings") as answer:
            server = json.load(answer)

    assert settings["api_url"] == "/api"  # relative: right whatever the host and port
    assert server["server"]["analytics_enabled"] is False
    assert server["home"] == str(tmp_path / "home/prefect")
    assert (tmp_path / "home/prefect/prefect.db").exists()
    assert (tmp_path / "home/prefect/ui").is_dir()
