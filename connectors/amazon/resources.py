"""What is read from Amazon, and how its pages are asked for.

Windows are half open in the channel's update clock; the API's ends are inclusive, so an edge may be read
twice, never not at all. Limits are the published ones, overridden by what each answer tells.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec

from connectors.amazon import normalize
from connectors.amazon.normalize.returned import MARKETPLACE
from connectors.amazon.paging import Next, content_of, following, one_by_one, reading, together
from connectors.amazon.reports import (
    ALL_ORDERS,
    FBA_RETURNS,
    FEEDBACK,
    MERCHANT_RETURNS,
    Wanted,
    read_reports,
    stamp,
)
from connectors.amazon.stock_pages import inventory_pages, product_pages
from connectors.base import Page, Resource, Window
from connectors.budget import Rate
from connectors.client import Answer, Call, ChannelClient

RETENTION = timedelta(days=730)  # orders and reports; older ones are not given
REPORT_FROM = timedelta(
    days=14
)  # longer windows are read from reports: the API gives 100 orders in 3 minutes
REPORT_SPAN = timedelta(days=30)
FEEDBACK_SPAN = timedelta(days=360)  # few lines a day; sellers ask for a year at once
FINANCE_SPAN = timedelta(days=30)  # more than 180 days would be answered with nothing at all
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX"

_ORDERS = Rate(0.0056, 20)
_FINANCES = Rate(0.5, 10)


# -- orders ------------------------------------------------------------------------------------------------


class _OrdersAnswer(msgspec.Struct):
    orders: msgspec.Raw
    pagination: Next | None = None
    lastUpdatedBefore: datetime | None = None


def order_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Orders changed in the window: from the API, or from reports when the window is long."""
    start = window.since or window.until - RETENTION
    start = max(start, window.until - RETENTION)
    if window.until - start <= REPORT_FROM:
        yield from together(client, partial(_order_api, client, Window(start, window.until)))
        return
    slices = list(Window(start, window.until).slices(REPORT_SPAN, start))
    yield from together(
        client, lambda places: read_reports(client, [Wanted(ALL_ORDERS, places, part) for part in slices])
    )


def _order_api(client: ChannelClient, window: Window, places: tuple[str, ...]) -> Iterator[Page]:
    assert window.since is not None
    first = Call(
        "searchOrders",
        _ORDERS,
        "orders/2026-01-01/orders",
        params=(
            ("lastUpdatedAfter", stamp(window.since)),
            ("lastUpdatedBefore", stamp(window.until)),
            ("marketplaceIds", ",".join(places)),
            ("maxResultsPerPage", "100"),
            ("includedData", INCLUDED),
        ),
    )
    read = reading("searchOrders", _OrdersAnswer)

    def advance(answer: Answer) -> Call | None:
        page = read(answer)
        return following(first, "paginationToken", page.pagination.nextToken if page.pagination else None)

    for answer in client.follow(first, advance, lambda answer: content_of(bytes(read(answer).orders))):
        yield Page(answer.body, watermark=read(answer).lastUpdatedBefore)


# -- refunds, returns and feedback -----------------------------------------------------------------------------------


class _Transactions(msgspec.Struct):
    transactions: msgspec.Raw = msgspec.Raw(b"[]")
    nextToken: str | None = None


class _FinancesAnswer(msgspec.Struct):
    payload: _Transactions


def refund_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Transactions posted in the window: refunds and fees. Pages may be empty before the end."""
    start = max(window.since or window.until - RETENTION, window.until - RETENTION)
    read = reading("listTransactions", _FinancesAnswer)
    for part in Window(start, window.until).slices(FINANCE_SPAN, start):
        assert part.since is not None
        # No marketplace is named: US orders shipped by the merchant would be missing.
        first = Call(
            "listTransactions",
            _FINANCES,
            "finances/2024-06-19/transactions",
            params=(("postedAfter", stamp(part.since)), ("postedBefore", stamp(part.until))),
        )

        def advance(answer: Answer, first: Call = first) -> Call | None:
            return following(first, "nextToken", read(answer).payload.nextToken)

        def content(answer: Answer) -> bytes:
            return content_of(bytes(read(answer).payload.transactions))

        for answer in client.follow(first, advance, content):
            yield Page(answer.body)


def return_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """Both returns reports of every marketplace, in slices."""
    yield from _by_marketplace(client, window, (FBA_RETURNS, MERCHANT_RETURNS), REPORT_SPAN, "order-id")


def feedback_pages(client: ChannelClient, window: Window) -> Iterator[Page]:
    """The feedback report of every marketplace, in slices."""
    yield from _by_marketplace(client, window, (FEEDBACK,), FEEDBACK_SPAN, None)


def _by_marketplace(
    client: ChannelClient, window: Window, kinds: tuple[str, ...], span: timedelta, key_column: str | None
) -> Iterator[Page]:
    """Reports that do not say where an order was placed: one for each marketplace, its id added to each line."""
    start = max(window.since or window.until - RETENTION, window.until - RETENTION)
    slices = list(Window(start, window.until).slices(span, start))

    def read(place: str) -> Iterator[Page]:
        extra = (MARKETPLACE, place)
        wanted = [Wanted(kind, (place,), part, key_column, extra=extra) for part in slices for kind in kinds]
        return read_reports(client, wanted)

    yield from one_by_one(client, read)


RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name="orders",
            platform="amazon",
            frames=("orders", "order_items"),
            pages=order_pages,
            normalize=normalize.orders,
            lookback=timedelta(minutes=30),
            # Two minutes by the rule, one for clocks that are not quite alike.
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="products",
            platform="amazon",
            frames=("products",),
            pages=product_pages,
            normalize=normalize.products,
            kind="snapshot",
        ),
        Resource(
            name="inventory",
            platform="amazon",
            frames=("inventory",),
            pages=inventory_pages,
            normalize=normalize.inventory,
            kind="snapshot",
            confirm_empty=True,
        ),
        Resource(
            name="refunds",
            platform="amazon",
            frames=("refunds", "fees"),
            pages=refund_pages,
            normalize=normalize.refunds,
            lookback=timedelta(hours=48),  # how late Amazon may post
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="returns",
            platform="amazon",
            frames=("returns",),
            pages=return_pages,
            normalize=normalize.returns,
            lookback=timedelta(days=3),
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
        Resource(
            name="feedback",
            platform="amazon",
            frames=("feedback",),
            pages=feedback_pages,
            normalize=normalize.feedback,
            lookback=timedelta(days=3),  # the report knows days, and no hours
            delay=timedelta(minutes=3),
            retention=RETENTION,
        ),
    )
}
