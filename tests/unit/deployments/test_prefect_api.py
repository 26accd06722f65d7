"""Our own questions to a Prefect server: asked again while its database is busy, and told apart when refused."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from deployments import doctor, prefect_client


class Server(BaseHTTPRequestHandler):
    """Answers with the statuses it was given, then 200 and `true`; the version only to who knows the word."""

    busy: ClassVar[list[int]] = []
    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.answer(self.busy.pop(0) if self.busy else 200)

    def do_GET(self) -> None:
        asks = self.path.endswith("/admin/version") and self.headers["authorization"] is None
        self.answer(401 if asks else self.busy.pop(0) if self.busy else 200)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(prefect_client, "_WAITS", (0.01, 0.01))
    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    Server.busy.clear()
    Server.bodies.clear()


def test_a_busy_server_is_asked_again_with_the_same_words(url):
    Server.busy[:] = [503, 503]
    with prefect_client.api(url, None) as api:
        assert api.post("/flow_runs/filter", json={"limit": 1}).json() is True
    assert Server.bodies == [b'{"limit":1}'] * 3


def test_one_that_stays_busy_is_an_answer_and_no_endless_wait(url):
    Server.busy[:] = [503] * 9
    with prefect_client.api(url, None) as api:
        assert api.post("/flow_runs/filter", json={}).status_code == 503
    assert len(Server.bodies) == 3


def test_the_doctor_tells_a_refused_word_from_a_server_that_is_away(url):
    Server.busy[:] = [503]
    (well,) = doctor.prefect(url, "wharf:open-sesame")
    assert well.ok
    (refused,) = doctor.prefect(url, None)
    assert (refused.level, "PREFECT_SERVER_API_AUTH_STRING" in refused.advice) == ("fail", True)
    (away,) = doctor.prefect("http://127.0.0.1:9/api", None)
    assert (away.level, "does not answer" in away.text) == ("fail", True)
