"""The sandbox as a server: its controls, and how it starts and refuses to."""

import asyncio
import io
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from connectors.sandbox import app
from connectors.sandbox.control import control_routes
from connectors.sandbox.state import SandboxState
from tests.sandbox_factories import NOON, HandWorld, line, order, small_world


class Controls:
    """`/_sandbox` without a socket."""

    def __init__(self, state: SandboxState) -> None:
        self._app = Starlette(routes=control_routes(state))

    def ask(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, **kwargs)

        return asyncio.run(answer())

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.ask("GET", path, **kwargs)

    def post(self, path: str, wish: object) -> httpx.Response:
        return self.ask("POST", path, json=wish)

    def delete(self, path: str) -> httpx.Response:
        return self.ask("DELETE", path)


def controls() -> tuple[SandboxState, Controls]:
    state = SandboxState(HandWorld(order(1, NOON, line(1, "A", 2, "10.00"))), pace=5)
    return state, Controls(state)


def test_health_says_what_there_is():
    _, client = controls()

    answer = client.get("/health").json()

    assert answer["ok"]
    assert answer["pace"] == 5
    assert [market["channel"] for market in answer["markets"]] == ["shop"]


def test_the_clock_can_be_set_frozen_and_let_go():
    state, client = controls()

    client.post("/clock", {"freeze": "2026-03-02T00:00:00+00:00"})
    assert client.get("/clock").json()["now"] == "2026-03-02T00:00:00+00:00"
    assert client.post("/clock", {"freeze": False}).json()["frozen"] is False
    assert client.post("/clock", {"now": "2020-01-01T00:00:00+00:00"}).json()["now"].startswith("2020-01-01")
    assert abs(client.post("/clock", {"offset_seconds": 60}).json()["offset_seconds"]) == 60
    assert state.clock.is_frozen is False


@pytest.mark.parametrize("wish", [{}, {"now": "yesterday"}, {"now": "2020-01-01"}, {"offset_seconds": "far"}])
def test_a_wish_that_makes_no_clock_is_refused(wish: dict[str, Any]):
    assert controls()[1].post("/clock", wish).status_code == 400


def test_faults_can_be_added_seen_and_cleared():
    state, client = controls()

    added = client.post("/faults", [{"kind": "empty", "operation": "x"}, {"kind": "status", "status": 503}])
    assert [fault["kind"] for fault in added.json()["faults"]] == ["empty", "status"]
    assert state.faults.next("x") is not None
    assert client.post("/faults", {"kind": "nonsense"}).status_code == 400
    assert client.delete("/faults").json() == {"faults": []}


def test_requests_are_counted_with_the_refused_ones():
    state, client = controls()
    state.requests.note("amazon.orders", 200)
    state.requests.note("amazon.orders", 429)

    assert client.get("/requests").json() == {
        "operations": {"amazon.orders": {"200": 1, "429": 1}},
        "total": 2,
        "throttled": 1,
    }
    assert client.delete("/requests").json()["total"] == 0


def test_tokens_can_be_ended():
    state, client = controls()
    token = state.tokens.issue("amazon", 3600)

    client.delete("/tokens")

    assert not state.tokens.valid(token)


def test_the_truth_is_told_as_of_now():
    state, client = controls()

    state.clock.freeze(NOON)
    shop = client.get("/truth", params={"channel": "shop"}).json()["channels"]["shop"]

    assert shop["totals"]["revenue"] == "20.0000"
    assert client.get("/truth", params={"channel": "nowhere"}).status_code == 400


def test_it_serves_on_loopback_and_ends():
    with app.serving(SandboxState(small_world())) as url:
        assert httpx.get(f"{url}/_sandbox/health").json()["ok"]
        assert httpx.get(f"{url}/amazon/no/such/thing").status_code >= 400
        assert httpx.get(f"{url}/_sandbox/requests").json()["total"] == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/_sandbox/health")


def test_a_cut_answer_reaches_the_client_as_a_broken_one():
    state = SandboxState(small_world())
    with app.serving(state) as url:
        httpx.post(f"{url}/_sandbox/faults", json={"kind": "cut", "operation": "GET /amazon/*", "size": 3})
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/amazon/no/such/thing")


def test_a_log_it_is_redirected_to_says_where_it_is_once_it_is_there(monkeypatch: pytest.MonkeyPatch):
    log = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(log))

    def run(_server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        host, port = sockets[0].getsockname()
        socket.create_connection((host, port), timeout=5).close()
        assert f"http://{host}:{port};" in log.getvalue().decode()

    monkeypatch.setattr(uvicorn.Server, "run", run)

    assert app.main(["--port", "0", "--skus", "6", "--days", "30"]) == 0


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind((app.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port), "--skus", "6", "--days", "30"]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_a_broken_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "lines.csv").write_text("a,b\n1,2\n")

    assert app.main(["--port", "1", "--replay", str(tmp_path / "lines.csv")]) == 2

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "lines.csv: cannot tell which column" in error


def test_a_replay_begins_when_its_files_are_over(tmp_path: Path):
    lines = tmp_path / "lines.csv"
    lines.write_text("order_id,date,sku,qty,price\n1,2011-05-01,A,1,2.50\n")

    world = app.build_world(replay=[lines])
    start = app.clock_start(world)

    assert start is not None
    assert start.date().isoformat() == "2011-05-01"
    assert app.clock_start(small_world()) is None
