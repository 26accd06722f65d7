"""How a channel is reached over HTTP: no redirects, time-outs, few connections."""

import ssl
from functools import cache

import httpx


def open_http() -> httpx.Client:
    """A client of its own; all of them share one set of trusted certificates."""
    return httpx.Client(
        verify=_trusted(),
        follow_redirects=False,
        timeout=httpx.Timeout(30, connect=10),
        limits=httpx.Limits(max_connections=8),
    )


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # reading the certificates takes longer than most requests
