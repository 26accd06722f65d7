"""A credential goes to the account's own origins and nowhere else, whatever a marketplace's answer links to."""

import contextlib
import gzip
import io
import tracemalloc
import zlib

import httpx
import pytest

from connectors import client as module
from connectors.client import Call
from connectors.decoding import EncodingError, decoded
from connectors.errors import ConnectorError, ProtocolError
from tests.unit.connectors.test_client import LIST, Fake

HOST = "api.example"
EVIL = "evil.example"
OTHER_HOSTS = [
    EVIL, f"{HOST}.{EVIL}", f"{EVIL}.{HOST}", f"www.{HOST}", f"{HOST}.", f"x{HOST}", f"{HOST}x", "api-example",
    "API.EXAMPLE.evil.example", "apiexample", "api.example%2eevil.example", "api.example%00.evil.example",
    "аpi.example", "api。example", "ａpi.example", "xn--pi-7kc.example",
    "api.exаmple", "api\u200b.example", "ap\u0131.example",
    "127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:169.254.169.254]", "169.254.169.254", "2852039166",
    "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518", "metadata.google.internal",
    "100.100.100.200", "[fd00:ec2::254]",
]  # fmt: skip
TRICKS = [
    *(f"https://{host}/next" for host in OTHER_HOSTS),
    # who is the user, who is the host
    f"https://{HOST}@{EVIL}/", f"https://{HOST}:443@{EVIL}/", f"https://{HOST}%40{EVIL}/", f"https://user@{HOST}/",
    f"https://user:pw@{HOST}/", f"https://{EVIL}#@{HOST}/", f"https://{EVIL}?@{HOST}/", f"https://{EVIL}\\@{HOST}/",
    f"https://{HOST}\\@{EVIL}/", f"https://{HOST}\\.{EVIL}/", f"https:{EVIL}/next", f"https:/{EVIL}/next",
    f"https:///{EVIL}/",
    # another scheme or port, or none
    f"http://{HOST}/next", f"//{EVIL}/next", f"//{HOST}/next", f"ftp://{HOST}/", f"file://{HOST}/etc/passwd",
    "file:///etc/passwd",
    f"gopher://{HOST}/", f"ws://{HOST}/", f"https://{HOST}:444/", f"https://{HOST}:80/",
    f"https://{HOST}:8443/", "javascript:alert(1)",
    "data:text/plain,x", f"https+unix://{HOST}/", f"http://{HOST}:443/", f"blob:https://{HOST}/1",
    # characters a parser may drop
    f" https://{EVIL}/", f"https://{EVIL}\t/", f"https://{EVIL}\r\nHost: {HOST}/", f"ht\ntps://{EVIL}/",
    f"\x00https://{EVIL}/",
    f"https://{HOST}\r\n.{EVIL}/", f"https://{HOST}\t.{EVIL}/", f"https://{HOST} .{EVIL}/",
    f"https://[{HOST}]@{EVIL}/",
    "https://", "://", "", "?page=2", f"{EVIL}/next", "../../next", f"https://{EVIL}/{HOST}",
    f"https://{EVIL}/https://{HOST}/",
]  # fmt: skip


def test_there_are_enough_of_them():
    assert len(set(TRICKS)) >= 60


@pytest.mark.parametrize("url", TRICKS)
def test_a_link_elsewhere_is_never_sent_a_credential(url):
    fake = Fake(lambda *_: httpx.Response(200))
    with contextlib.suppress(ConnectorError, httpx.InvalidURL, ValueError):
        fake.client().send(Call("list", LIST.rate, url=url))
    for request in fake.asked:
        reached = (request.url.scheme, request.url.host, request.url.port)
        assert reached == ("https", HOST, None), f"{url!r} reached {reached}"
        assert "@" not in request.url.netloc.decode()


@pytest.mark.parametrize("url", [trick for trick in TRICKS if EVIL in trick or "169" in trick])
def test_nor_is_a_download_started_there(url):
    fake = Fake(lambda *_: httpx.Response(200))
    call = Call("get", LIST.rate, url=url, authorized=False, foreign_hosts=("files.example",))
    with pytest.raises((ConnectorError, httpx.InvalidURL, ValueError)):
        fake.client().download(call, io.BytesIO())
    assert not fake.asked


def test_files_on_a_named_foreign_host_come_without_a_credential():
    fake = Fake(lambda *_: httpx.Response(200, content=b"rows"))
    into = io.BytesIO()
    url = "https://bucket.files.example/report?signature=1"
    fake.client().download(
        Call("get", LIST.rate, url=url, authorized=False, foreign_hosts=("files.example",)), into
    )
    assert into.getvalue() == b"rows"
    assert "token" not in fake.asked[0].headers
    with pytest.raises(ProtocolError, match="refused to follow"):
        fake.client().download(Call("get", LIST.rate, url=url, foreign_hosts=("files.example",)), into)


class Bomb(httpx.SyncByteStream):
    """64 MiB of zeros, sent as chunks of 64 KiB."""

    def __init__(self, encoding: str) -> None:
        zeros = bytes(64 * 2**20)
        self.body = zlib.compress(zeros, 1) if encoding == "deflate" else gzip.compress(zeros, 1)
        if encoding == "gzip, gzip":
            self.body = gzip.compress(self.body, 1)

    def __iter__(self):
        for start in range(0, len(self.body), 2**16):
            yield self.body[start : start + 2**16]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("gzip", "larger than"), ("deflate", "larger than"), ("gzip, gzip", "not asked for")],
)
def test_a_bomb_ends_at_the_cap_and_costs_little_memory(encoding, told, monkeypatch):
    monkeypatch.setattr(module, "MAX_BODY", 4 * 2**20)
    bomb = Bomb(encoding)
    fake = Fake(lambda *_: httpx.Response(200, headers={"Content-Encoding": encoding}, stream=bomb))
    tracemalloc.start()
    with pytest.raises(ProtocolError, match=told):
        fake.client().send(LIST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_answers_are_decoded_however_they_are_cut():
    text = b"".join(b"%d," % number for number in range(30_000))
    raw = zlib.compressobj(wbits=-15)
    bodies = {
        "gzip": gzip.compress(text[:1000]) + gzip.compress(text[1000:]),
        "deflate": zlib.compress(text),
        "Deflate": raw.compress(text) + raw.flush(),
        "": text,
    }
    for encoding, body in bodies.items():
        for size in (97, 5000, len(body)):
            chunks = (body[start : start + size] for start in range(0, len(body), size))
            assert b"".join(decoded(chunks, encoding)) == text


def test_a_broken_or_cut_answer_is_an_error():
    body = gzip.compress(b"some text that is long enough")
    for broken in (body[:-4], body[:12], b"no gzip at all"):
        with pytest.raises(EncodingError):
            list(decoded([broken], "gzip"))
