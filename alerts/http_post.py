"""One POST of JSON with httpx, its failures sorted by what they say about the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from alerts.senders import Delivery
from alerts.text import one_line

_ANSWER_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """Status, headers and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    text: str


def client(timeout_seconds: float) -> httpx.Client:
    """A client that follows no redirects and trusts no proxy setting of the environment."""
    return httpx.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False)


def post(
    http: httpx.Client,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    extensions: dict[str, object] | None = None,
) -> Answer | Delivery:
    """The answer, or the Delivery an absent one amounts to. URLs are secrets and stay out of the text."""
    try:
        with http.stream("POST", url, content=body, headers=dict(headers), extensions=extensions) as answer:
            text = b""
            for chunk in answer.iter_raw(8192):
                text += chunk
                if len(text) >= _ANSWER_LIMIT:
                    break
            return Answer(answer.status_code, dict(answer.headers), text[:500].decode("utf-8", "replace"))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return Delivery("retry", error=one_line(type(error).__name__), provider_down=True)
    except httpx.HTTPError as error:
        return Delivery("unknown", error=one_line(type(error).__name__), provider_down=True)
