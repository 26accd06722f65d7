"""One HTTP conversation with a channel: tokens, rate budget, retries, size and time limits, paging.

Everything here exists once for all channels. A channel adds an `Auth` (how a request proves itself) and a
`Reader` (what its answers mean: which are errors, what they say about the rate).
"""

import email.utils
import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

import httpx
from opentelemetry import trace

from connectors.base import Account
from connectors.budget import LocalBudget, Rate, RateBudget
from connectors.decoding import ACCEPTED, EncodingError, decoded
from connectors.errors import (
    AuthenticationError,
    ChannelUnavailableError,
    ConnectorError,
    DeferredError,
    ProtocolError,
    RateLimitError,
    RequestRejectedError,
)
from connectors.https import open_http

# httpx logs every URL at INFO, query tokens included (encode/httpx #2760).
logging.getLogger("httpx").setLevel(logging.WARNING)
log = logging.getLogger(__name__)
_tracer = trace.get_tracer("wharf")  # of nothing, unless flows/tracing.py switched traces on

MAX_BODY = 64 * 2**20  # bytes of one decoded answer; pages of all three channels stay below 10 MiB
MAX_DOWNLOAD = 8 * 2**30  # bytes of one decoded report or bulk file


@dataclass(frozen=True)
class Call:
    """One request. `path` is below the account's API; `url` is absolute and must be on an allowed origin."""

    operation: str  # the channel's own name of it; buckets and error texts use it
    rate: Rate
    path: str = ""
    method: str = "GET"
    url: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    json: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cost: float = 1.0
    authorized: bool = True
    foreign_hosts: tuple[str, ...] = ()  # host suffixes an absolute `url` may have; never sent a credential
    deadline_seconds: float = 60.0


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: httpx.Headers
    body: bytes


class Auth(Protocol):
    """How requests of one account prove themselves."""

    def headers(self) -> Mapping[str, str]:
        """Headers with a token that is valid now; refreshes it when it is about to end."""

    def invalidate(self) -> None:
        """The token was refused: get a new one before the next request."""


class Reader(Protocol):
    """What a channel's answers mean."""

    def check(self, call: Call, answer: Answer) -> None:
        """Raises the ConnectorError an answer stands for; returns when it is a good one."""

    def learned(self, call: Call, answer: Answer) -> tuple[Rate | None, float | None]:
        """The rate and the tokens left that the answer tells, where it does."""


@dataclass
class Limits:
    """How patient a run is, in seconds."""

    attempts: int = 6
    max_wait: float = 900.0  # for the rate budget, summed over the run
    backoff: float = 0.5
    max_backoff: float = 30.0


class ChannelClient:
    """Talks to one account. Not for several threads at once; open one per worker."""

    def __init__(
        self,
        account: Account,
        auth: Auth,
        reader: Reader,
        *,
        budget: RateBudget | None = None,
        limits: Limits | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.account = account
        self.pace = float(account.options.get("pace", "1"))
        self.requests = 0
        self.waited = 0.0
        # What a person should know of the answers, and channels that could not be read, by name, with the reason.
        self.warnings: dict[str, None] = {}
        self.refused: dict[str, str] = {}
        self._auth, self._reader = auth, reader
        self._budget = budget or LocalBudget()
        self._limits = limits or Limits()
        self._http = http or open_http()
        self._sleep = sleep

    def warn(self, told: str) -> None:
        """Keeps, once, what a person should know of the answers though the read goes on; the log gets it too."""
        if told not in self.warnings:
            self.warnings[told] = None
            log.warning("%s: %s", self.account.name, told)

    def refuse(self, channel: str, why: str) -> None:
        """Keeps that a channel could not be read: the others are, and it will be read from where it was left."""
        self.refused[channel] = why
        log.warning("%s: %s cannot be read: %s", self.account.name, channel, why)

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def __enter__(self) -> "ChannelClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, call: Call) -> Answer:
        """The good answer to `call`: waits for the budget, retries what may pass, refreshes tokens once.

        Raises a ConnectorError that names account and operation.
        """
        return self._persist(call, lambda: self._exchange(call))

    def download(self, call: Call, into: BinaryIO) -> httpx.Headers:
        """Streams a large file into `into` and returns the headers; starts over when it was cut."""

        def attempt() -> Answer:
            into.seek(0)
            into.truncate()
            return self._exchange(call, into)

        return self._persist(call, attempt).headers

    def follow(
        self,
        first: Call,
        advance: Callable[[Answer], Call | None],
        fingerprint: Callable[[Answer], bytes] = lambda answer: answer.body,
    ) -> Iterator[Answer]:
        """Every page from `first` on. The end is what the source says (`advance` gives None), never a short page.

        Raises ProtocolError when a request or a page's content repeats: some sources hand out new tokens
        for the same page for ever. `fingerprint` gives the part of an answer that must differ between pages.
        """
        call: Call | None = first
        asked: set[bytes] = set()
        seen: dict[bytes, int] = {}
        number = 0
        while call is not None:
            number += 1
            request = hashlib.sha256(repr((call.path, call.url, call.params, call.json)).encode()).digest()
            if request in asked:
                raise ProtocolError(
                    f"{self._where(call)}: page {number} has a token that was used before; the window is not read"
                )
            asked.add(request)
            answer = self.send(call)
            content = fingerprint(answer)
            digest = hashlib.sha256(content).digest()
            if content and digest in seen:
                raise ProtocolError(
                    f"{self._where(call)}: page {number} repeats page {seen[digest]}; the window is not read"
                )
            seen[digest] = number
            yield answer
            call = advance(answer)

    def pause(self, seconds: float) -> None:
        """Waits between polls: `seconds` of the channel's clock."""
        self._sleep(seconds / self.pace)

    # -- one request -------------------------------------------------------------------------------------

    def _persist(self, call: Call, attempt: Callable[[], Answer]) -> Answer:
        refreshed = False
        for tried in range(1, self._limits.attempts + 1):
            try:
                return attempt()
            except AuthenticationError:
                # A token can end between two requests; a second refusal is a wrong credential.
                if refreshed or not call.authorized:
                    raise
                refreshed = True
                self._auth.invalidate()
            except ChannelUnavailableError as error:
                if tried == self._limits.attempts:
                    raise
                asked_wait = error.retry_after_seconds if isinstance(error, RateLimitError) else None
                ceiling = min(self._limits.max_backoff, self._limits.backoff * 2**tried)
                wait = random.uniform(0, ceiling)  # noqa: S311 full jitter, not a secret
                if asked_wait is not None:
                    # `asked_wait` is by the channel's own word, so it is real seconds whatever the pace.
                    self._budget.block(self._key(call), asked_wait)
                    wait = max(asked_wait, wait / self.pace)
                self._spend_patience(call, wait)
                log.info("%s: %s; trying again in %.1f s", self._where(call), type(error).__name__, wait)
                self._sleep(wait)
        raise ConnectorError(f"{self._where(call)}: gave up after {self._limits.attempts} attempts")

    def _exchange(self, call: Call, into: BinaryIO | None = None) -> Answer:
        wait = self._budget.reserve(
            self._key(call), call.rate.faster(self.pace), call.cost, self._limits.max_wait - self.waited
        )
        if wait > 0:
            self._spend_patience(call, wait)
            self._sleep(wait)
        self.requests += 1
        about = {"wharf.account": self.account.name, "http.request.method": call.method}
        with _tracer.start_as_current_span(
            call.operation, kind=trace.SpanKind.CLIENT, attributes=about
        ) as span:
            answer = self._asked(call, into)
            span.set_attribute("http.response.status_code", answer.status)
            self._judge(call, answer)
        return answer

    def _asked(self, call: Call, into: BinaryIO | None) -> Answer:
        """What the channel says to `call`, whatever it is."""
        started = time.monotonic()
        url = self._url(call)
        headers = {"Accept-Encoding": ACCEPTED, **call.headers}
        if call.authorized:
            headers = {**self._auth.headers(), **headers}
        try:
            with self._http.stream(
                call.method, url, params=call.params or None, json=call.json, data=call.form, headers=headers
            ) as response:
                kept = bytearray()
                cap = MAX_BODY if into is None or response.status_code >= 400 else MAX_DOWNLOAD
                size = 0
                whole = response.is_stream_consumed  # by the transport: what a test's answers come from
                encoding = response.headers.get("content-encoding", "")
                for chunk in response.iter_bytes() if whole else decoded(response.iter_raw(), encoding):
                    size += len(chunk)
                    if size > cap:
                        raise ProtocolError(
                            f"{self._where(call)}: the answer is larger than {cap} bytes; it was cut off"
                        )
                    if time.monotonic() - started > call.deadline_seconds and into is None:
                        raise ChannelUnavailableError(
                            f"{self._where(call)}: no whole answer within {call.deadline_seconds:.0f} s"
                        )
                    if into is not None and response.status_code < 400:
                        into.write(chunk)
                    else:
                        kept += chunk
                return Answer(response.status_code, response.headers, bytes(kept))
        except EncodingError as error:
            raise ProtocolError(f"{self._where(call)}: {error}") from error
        except httpx.HTTPError as error:
            raise ChannelUnavailableError(f"{self._where(call)}: {type(error).__name__}") from error

    def _judge(self, call: Call, answer: Answer) -> None:
        """Learns the rate from an answer and raises what it stands for when it is not a good one."""
        rate, available = self._reader.learned(call, answer)
        if rate is not None or available is not None:
            self._budget.learn(self._key(call), rate, available)
        if 300 <= answer.status < 400:
            raise ProtocolError(f"{self._where(call)}: answered with a redirect, which is never followed")
        self._reader.check(call, answer)

    def _spend_patience(self, call: Call, wait: float) -> None:
        self.waited += wait
        if self.waited > self._limits.max_wait:
            until = datetime.now(UTC) + timedelta(seconds=wait)
            raise DeferredError(
                f"{self._where(call)}: the rate budget is spent; deferred until {until:%Y-%m-%d %H:%M:%S} UTC",
                until,
            )

    def _url(self, call: Call) -> str:
        if call.url is None:
            return self.account.api_url.rstrip("/") + "/" + call.path.lstrip("/")
        target = urlsplit(call.url)
        own = {urlsplit(url)[:2] for url in (self.account.api_url, self.account.auth_url) if url}
        if target[:2] in own:
            return call.url
        host = (target.hostname or "").lower()
        foreign = any(host == name or host.endswith("." + name) for name in call.foreign_hosts)
        if target.scheme == "https" and foreign and not call.authorized and not target.username:
            return call.url
        raise ProtocolError(f"{self._where(call)}: refused to follow a link to {target.scheme}://{host}")

    def _key(self, call: Call) -> str:
        return f"{self.account.name}/{call.operation}"

    def _where(self, call: Call) -> str:
        return f"{self.account.name} {call.operation}"


def reject_by_status(where: str, answer: Answer, detail: str = "") -> None:
    """Raises the error an HTTP status stands for on every channel; returns for 2xx and 3xx."""
    status = answer.status
    if status < 400:
        return
    text = f"{where}: HTTP {status}{': ' + detail if detail else ''}"
    if status == 429:
        raise RateLimitError(text, retry_after(answer.headers))
    if status in {408, 423, 425} or status >= 500:
        raise ChannelUnavailableError(text)
    if status in {401, 403}:
        raise AuthenticationError(text)
    raise RequestRejectedError(text)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header: a number or an HTTP date (RFC 9110 10.2.3); None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max((at - (now or datetime.now(UTC))).total_seconds(), 0.0)
