"""The fifteen-minute token: asked once, shared by threads, renewed before it ends."""

import threading

import httpx
import pytest

from connectors.errors import AuthenticationError, ProtocolError
from connectors.walmart.auth import WalmartAuth
from tests.walmart_factories import account


class Tokens:
    """A token endpoint that counts, and a clock."""

    def __init__(self, body=None, status=200):
        self.asked = []
        self.now = 1000.0
        self.body, self.status = body, status

    def auth(self, pace: float = 1.0) -> WalmartAuth:
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        return WalmartAuth(account(pace=pace), http, clock=lambda: self.now, sleep=lambda _: None)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.body is not None:
            return httpx.Response(self.status, content=self.body)
        token = {"access_token": f"t{len(self.asked)}", "token_type": "Bearer", "expires_in": 900}
        return httpx.Response(self.status, json=token)


def token(auth):
    return auth.headers()["WM_SEC.ACCESS_TOKEN"]


def test_the_request_for_a_token():
    tokens = Tokens()
    token(tokens.auth())
    (request,) = tokens.asked
    assert request.method == "POST"
    assert request.url.path == "/walmart/v3/token"
    assert request.content == b"grant_type=client_credentials"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["accept"] == "application/json"
    assert request.headers["wm_svc.name"] == "Walmart Marketplace"


@pytest.mark.parametrize(("pace", "life"), [(1.0, 780), (10.0, 78)])
def test_renewed_at_thirteen_minutes_of_the_channels_clock(pace, life):
    tokens = Tokens()
    auth = tokens.auth(pace)
    assert token(auth) == "t1"
    tokens.now += life - 0.1
    assert token(auth) == "t1"
    tokens.now += 0.2
    assert token(auth) == "t2"


def test_renewed_when_refused():
    auth = Tokens().auth()
    assert token(auth) == "t1"
    auth.invalidate()
    assert token(auth) == "t2"


def test_threads_share_one_token():
    tokens = Tokens()
    auth = tokens.auth()
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(token(auth))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["t1"] * 8
    assert len(tokens.asked) == 1


def test_correlation_id_is_new_each_time():
    auth = Tokens().auth()
    assert auth.headers()["WM_QOS.CORRELATION_ID"] != auth.headers()["WM_QOS.CORRELATION_ID"]


def test_xml_token_is_survived():
    xml = b"<OAuthTokenDTO><accessToken>x1</accessToken><expiresIn>900</expiresIn></OAuthTokenDTO>"
    assert token(Tokens(xml).auth()) == "x1"


def test_answer_without_a_token():
    with pytest.raises(ProtocolError, match="holds no token"):
        token(Tokens(b"{}").auth())


def test_refused_client_says_what_to_check_and_no_secret():
    with pytest.raises(AuthenticationError, match="WALMART_CLIENT_SECRET") as caught:
        token(Tokens(b"", 401).auth())
    assert "walmart-sandbox-secret" not in repr(caught.value)
