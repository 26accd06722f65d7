"""The words every connector is written in: account, window, page, resource.

An endpoint is described, not programmed: a `Resource` says how its pages are asked for and how a page
becomes canonical frames. Paging loops, throttling, retries, tokens and size limits live once, in `client.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import polars as pl
from pydantic import SecretStr

from connectors.canonical import COUNT, FLAG, MONEY, TEXT, Normalized

if TYPE_CHECKING:
    from connectors.client import ChannelClient

Platform = Literal["amazon", "shopify", "walmart"]


@dataclass(frozen=True)
class Channel:
    """A place we sell: one marketplace of an account, with its business day and currency."""

    name: str  # unique, e.g. "amazon-us"
    platform: Platform
    external_id: str  # the source's id of it: marketplace id, shop name
    currency: str
    timezone: str


@dataclass(frozen=True)
class Account:
    """One seller account: where it answers, how it proves itself, where it sells."""

    name: str
    platform: Platform
    api_url: str
    auth_url: str
    credentials: Mapping[str, SecretStr] = field(repr=False)
    channels: tuple[Channel, ...]
    options: Mapping[str, str] = field(default_factory=dict)  # seller_id, shop_name, api_version, ...

    def secret(self, name: str) -> str:
        """The credential called `name` in clear, for the one request that needs it."""
        return self.credentials[name].get_secret_value()

    def channel(self, external_id: str | None) -> Channel | None:
        """The channel the source calls `external_id`; None when this account has no such channel."""
        return next((c for c in self.channels if c.external_id == external_id), None)


@dataclass(frozen=True)
class Window:
    """Half-open span of the source's update clock: `since <= t < until`. `since` None: from the beginning."""

    since: datetime | None
    until: datetime

    def slices(self, span: timedelta, earliest: datetime) -> Iterator["Window"]:
        """This window cut into parts of at most `span`, oldest first, beginning at `since` or `earliest`."""
        start = self.since or earliest
        while start < self.until:
            end = min(start + span, self.until)
            yield Window(start, end)
            start = end


@dataclass(frozen=True)
class Page:
    """One answer of the source as it came over the wire, still opaque."""

    body: bytes
    kind: Literal["json", "jsonl", "tsv", "csv", "xml"] = "json"
    charset: str = "utf-8"
    watermark: datetime | None = None  # the source's own cut-off, where it gives one
    expected_records: int | None = None  # how many records the source says the whole slice has


@dataclass(frozen=True)
class Context:
    """What a normalizer needs to know beside the page. Pure: no clock, no settings, no network."""

    account: Account
    fetched_at: datetime  # for sources without an update clock

    @property
    def home(self) -> Channel:
        """The account's first channel: where a record belongs that names none."""
        return self.account.channels[0]


class Horizon(NamedTuple):
    """Where an account's sight into the past ends, and why."""

    earliest: datetime
    why: str


@dataclass(frozen=True)
class Resource:
    """An endpoint, described. `pages` asks for raw pages; `normalize` is pure.

    `kind` is "window" (changes between two instants) or "snapshot" (the whole state each time: what is not
    in it is gone). `lookback` is re-read before the watermark because sources publish late; `delay` is how
    long the newest changes stay invisible; `retention` is how far back the source can look at all: nothing
    older is ever taken for deleted. Where that depends on the account, `limited` asks the source and says why it
    holds, or None where it does not.
    """

    name: str
    platform: Platform
    frames: tuple[str, ...]  # names of canonical frames a page may give
    pages: Callable[["ChannelClient", Window], Iterator[Page]]
    normalize: Callable[[Page, Context], Normalized]
    kind: Literal["window", "snapshot"] = "window"
    lookback: timedelta = timedelta(hours=1)
    delay: timedelta = timedelta(minutes=2)
    retention: timedelta | None = None
    limited: Callable[["ChannelClient"], str | None] | None = None
    # Which of the given ids the source has no more, where it deletes without a word; asked for within reach only.
    gone: Callable[["ChannelClient", Sequence[str]], set[str]] | None = None
    confirm_empty: bool = False  # an empty or all-zero answer is read a second time before it is believed

    def horizon(self, client: "ChannelClient", since: datetime | None, now: datetime) -> Horizon | None:
        """Where sight ends for the client's account, when `since` (None: the beginning) lies before that.

        Sends a request only where `limited` says so and only for such a `since`. Raises ConnectorError.
        """
        if self.retention is None or (since is not None and since >= now - self.retention):
            return None
        why = self.limited(client) if self.limited else f"older {self.name} are not given out"
        return Horizon(now - self.retention, why) if why else None


# What the source itself counts, to hold what was loaded against: one row per channel, business day and basis.
# A figure the source does not give is null. Read by `connectors.registry.control_totals`.
CONTROL_TOTALS = pl.Schema(
    {
        "channel": TEXT,
        "business_date": pl.Date(),  # in the channel's time zone
        "basis": TEXT,  # "ordered": by the day the order was placed; "posted": by the day the money was booked
        "currency": TEXT,
        "orders": COUNT,
        "units": COUNT,  # as ordered, before cancellations of parts and refunds
        "gross_amount": MONEY,  # of the goods as ordered: before discounts, refunds, tax and shipping
        "includes_cancelled": FLAG,  # whether orders that were cancelled are counted; null: the source does not say
        "edits_apart": FLAG,  # whether what an edit adds to an order is counted on the day of the edit
        "untold": TEXT,  # why figures are missing
    }
)
