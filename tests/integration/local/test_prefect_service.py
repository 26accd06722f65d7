"""The Prefect server of the local stack: quiet, contained, closed to strangers, and its UI finds it on any port."""

from pathlib import Path

import httpx
import pytest

from deployments import sweeper
from deployments.local.stack import free_port, prefect_service, supervise
from deployments.secret_key import ensure_prefect_auth
from warehouse import engines, schema

pytestmark = [pytest.mark.stack, pytest.mark.prefect]


def test_a_server_beyond_loopback_asks_who_is_there(tmp_path: Path, database_url: str) -> None:
    home, port = tmp_path / "home", free_port()
    auth = ensure_prefect_auth(home, "0.0.0.0", None)
    assert auth
    url = f"http://127.0.0.1:{port}"
    schema.upgrade(database_url, None)
    engine = engines.postgres(database_url)
    with supervise([prefect_service(home, port, host="0.0.0.0", auth=auth)]):
        settings = httpx.get(f"{url}/ui-settings", timeout=120).json()
        refused = httpx.post(f"{url}/api/flow_runs/filter", json={}, timeout=120)
        server = httpx.get(f"{url}/api/admin/settings", auth=tuple(auth.split(":", 1)), timeout=120).json()
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            sweeper.sweep(engine, f"{url}/api")
        assert sweeper.sweep(engine, f"{url}/api", auth=auth) == 0

    assert refused.status_code == 401
    assert settings["api_url"] == "/api"  # relative: right whatever the host and port
    assert settings["auth"] == "BASIC", "the UI knows that it has to ask for it"
    assert server["server"]["analytics_enabled"] is False
    assert server["home"] == str(home / "prefect")
    assert (home / "prefect/prefect.db").exists()
    assert (home / "prefect/ui").is_dir()
    log = (home / "logs/prefect.log").read_text()
    assert auth.split(":")[1] not in log


def test_a_word_is_made_once_and_kept_from_others_and_loopback_needs_none(tmp_path: Path) -> None:
    assert ensure_prefect_auth(tmp_path, "127.0.0.1", None) is None
    made = ensure_prefect_auth(tmp_path, "192.0.2.7", None)
    assert made == ensure_prefect_auth(tmp_path, "0.0.0.0", None)
    assert (tmp_path / "prefect.password").stat().st_mode & 0o077 == 0
