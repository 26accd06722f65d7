"""A small public file from the network, such as the ECB's exchange rates: https only, bounded in size and time."""

import time
from urllib.parse import urlsplit

import httpx

from connectors.errors import ChannelUnavailableError, ConfigurationError

_MAX_BYTES = 16 << 20
_SECONDS = 60.0


def fetch(url: str) -> bytes:
    """What `url` answers. Raises ConfigurationError for a URL that is not https (loopback excepted),
    ChannelUnavailableError when it does not answer, answers with an error, or with more than 16 MB."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    ):
        raise ConfigurationError(
            f"WHARF_RATES_URL must be an https:// address, not {parts.scheme or 'without'}://"
        )
    deadline = time.monotonic() + _SECONDS
    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=20, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise ChannelUnavailableError(
                    f"{parts.hostname} answered {answer.status_code} for the exchange rates"
                )
            for chunk in answer.iter_bytes(1 << 16):
                body += chunk
                if len(body) > _MAX_BYTES or time.monotonic() > deadline:
                    raise ChannelUnavailableError(
                        f"{parts.hostname}: the exchange rates are too large or too slow"
                    )
    except httpx.HTTPError as error:
        raise ChannelUnavailableError(f"{parts.hostname}: {type(error).__name__}") from error
    return bytes(body)
