"""One cheap look at an account: does the token come, is each role there, which marketplaces, which limits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.amazon.controls import RATE
from connectors.amazon.reader import RATE_HEADER
from connectors.amazon.reports import ALL_ORDERS, stamp
from connectors.budget import Rate
from connectors.client import Call, ChannelClient
from connectors.errors import AuthenticationError, ConnectorError
from connectors.finding import Finding, unanswered

_PARTICIPATIONS = Call(
    "getMarketplaceParticipations", Rate(0.016, 15), "sellers/v1/marketplaceParticipations"
)


class _Participation(msgspec.Struct):
    isParticipating: bool = False
    hasSuspendedListings: bool = False


class _Marketplace(msgspec.Struct):
    id: str


class _Entry(msgspec.Struct):
    marketplace: _Marketplace
    participation: _Participation


class _Entries(msgspec.Struct):
    payload: list[_Entry]


def probe(client: ChannelClient, now: datetime) -> Iterator[Finding]:
    """A finding for the token, the marketplaces and each resource. Sends at most one request for each."""
    places = [channel.external_id for channel in client.account.channels]
    try:
        answer = client.send(_PARTICIPATIONS)
    except AuthenticationError as error:
        yield Finding(
            "token", False, str(error), "mend AMAZON_CLIENT_ID, AMAZON_CLIENT_SECRET, AMAZON_REFRESH_TOKEN"
        )
        return
    except ConnectorError as error:
        yield unanswered("token", error, "report it with --debug")
        return
    yield Finding("token", True, "Amazon gives access tokens and answers")
    yield from _marketplaces(answer.body, places)
    if "seller_id" not in client.account.options:
        yield Finding(
            "products",
            False,
            "no seller id",
            "set AMAZON_SELLER_ID; Seller Central shows it as Merchant Token",
        )
    for subject, call in _looks(client, places, now):
        try:
            looked = client.send(call)
        except ConnectorError as error:
            refused = list(_refused(client, call, places)) if isinstance(error, AuthenticationError) else []
            advice = f"grant the role that {call.operation} needs, and authorize again"
            if 0 < len(refused) < len(places):
                advice = (
                    f"take {', '.join(refused)} out of AMAZON_MARKETPLACE_IDS, or authorize the app there"
                )
            yield unanswered(subject, error, advice)
            continue
        rate = looked.headers.get(RATE_HEADER)
        yield Finding(
            subject, True, f"{call.operation} answers" + (f"; {rate} requests a second" if rate else "")
        )


def _refused(client: ChannelClient, call: Call, places: list[str]) -> Iterator[str]:
    """Those of several marketplaces for which a call about all of them is refused."""
    asked = ("marketplaceIds", ",".join(places))
    if len(places) == 1 or asked not in call.params:
        return
    for place in places:
        params = tuple(("marketplaceIds", place) if pair == asked else pair for pair in call.params)
        try:
            client.send(replace(call, params=params))
        except AuthenticationError:
            yield place


def _marketplaces(body: bytes, places: list[str]) -> Iterator[Finding]:
    try:
        entries = msgspec.json.decode(body, type=_Entries).payload
    except msgspec.MsgspecError as error:
        yield Finding("marketplaces", False, f"Amazon's list is not readable: {error}")
        return
    selling = {e.marketplace.id for e in entries if e.participation.isParticipating}
    suspended = {e.marketplace.id for e in entries if e.participation.hasSuspendedListings}
    for place in places:
        if place not in selling:
            yield Finding(
                place, False, "the seller does not sell there", "take it out of AMAZON_MARKETPLACE_IDS"
            )
        elif place in suspended:
            yield Finding(
                place, False, "its listings are suspended", "reactivate them in Seller Central", grave=False
            )
    others = sorted(selling - set(places))
    note = f"; sells too, and is not read: {', '.join(others)}" if others else ""
    yield Finding("marketplaces", True, f"{len(selling & set(places))} of {len(places)} are open{note}")


def _looks(client: ChannelClient, places: list[str], now: datetime) -> Iterator[tuple[str, Call]]:
    recently = stamp(now - timedelta(minutes=10))

    def call(operation: str, path: str, rate: Rate, **params: Any) -> Call:
        return Call(operation, rate, path, params=tuple((name, str(value)) for name, value in params.items()))

    first = places[0]
    yield (
        "orders",
        call(
            "searchOrders",
            "orders/2026-01-01/orders",
            Rate(0.0056, 20),
            lastUpdatedAfter=recently,
            marketplaceIds=",".join(places),
            maxResultsPerPage=1,
        ),
    )
    yield (
        "inventory",
        call(
            "getInventorySummaries",
            "fba/inventory/v1/summaries",
            Rate(2.0, 2),
            granularityType="Marketplace",
            granularityId=first,
            marketplaceIds=first,
        ),
    )
    if seller := client.account.options.get("seller_id"):
        path = f"listings/2021-08-01/items/{seller}"
        yield "products", call("searchListingsItems", path, Rate(5.0, 5), marketplaceIds=first, pageSize=1)
    yield (
        "refunds",
        call("listTransactions", "finances/2024-06-19/transactions", Rate(0.5, 10), postedAfter=recently),
    )
    yield (
        "totals",
        call(
            "getOrderMetrics",
            "sales/v1/orderMetrics",
            RATE,
            marketplaceIds=first,
            interval=f"{stamp(now - timedelta(days=1))}--{stamp(now)}",
            granularity="Total",
        ),
    )
    yield (
        "reports",
        call(
            "getReports", "reports/2021-06-30/reports", Rate(0.0222, 10), reportTypes=ALL_ORDERS, pageSize=1
        ),
    )
