"""`/reports/2021-06-30` of the sandbox: asked for, made after a while, downloaded packed from a link."""

import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from connectors.sandbox.amazon_feedback import FEEDBACK_HEADER, feedback_lines
from connectors.sandbox.amazon_gate import ApiError, Ask, invalid, iso
from connectors.sandbox.amazon_orders import REPORT_HEADER, asin, order_id, report_lines, report_numbers
from connectors.sandbox.amazon_refunds import SHIPMENT, MoneyIndex
from connectors.sandbox.faults import bend
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import Market, Order, Refund

ALL_ORDERS = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"
FBA_RETURNS = "GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA"
MERCHANT_RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"
FEEDBACK = "GET_SELLER_FEEDBACK_DATA"
SPAN, FEEDBACK_SPAN = timedelta(days=31), timedelta(days=365)
QUEUED, MADE = 5.0, 20.0  # seconds after which a report is begun and done
LINK_LIFE = 300  # seconds
_RETURNS = (
    "return-date order-id sku asin fnsku product-name quantity fulfillment-center-id detailed-disposition "
    "reason status license-plate-number customer-comments"
).split()
_MERCHANT = [
    "Order ID", "Order date", "Return request date", "Return request status", "Amazon RMA ID", "Merchant RMA ID",
    "Label type", "Label cost", "Currency code", "Return carrier", "Tracking ID", "Label to be paid by", "A-to-Z Claim",
    "Is prime", "ASIN", "Merchant SKU", "Item Name", "Return quantity", "Return Reason", "In policy", "Return type",
    "Resolution", "Invoice number", "Return delivery date", "Order Amount", "Order quantity", "SafeT Action reason",
    "SafeT claim id", "SafeT claim state", "SafeT claim creation time", "SafeT claim reimbursement amount",
    "Refunded Amount",
]  # fmt: skip
_LISTINGS = (
    "item-name seller-sku price quantity open-date asin1 product-id fulfillment-channel status".split()
)
_HEADERS = {
    ALL_ORDERS: REPORT_HEADER,
    FBA_RETURNS: _RETURNS,
    MERCHANT_RETURNS: _MERCHANT,
    LISTINGS: _LISTINGS,
    FEEDBACK: FEEDBACK_HEADER,
}


class _Wish(msgspec.Struct):
    reportType: str
    marketplaceIds: list[str]
    dataStartTime: datetime | None = None
    dataEndTime: datetime | None = None
    reportOptions: dict[str, str] | None = None


@dataclass(frozen=True)
class _Report:
    report_id: str
    wish: _Wish
    markets: tuple[Market, ...]
    since: datetime
    until: datetime
    made_at: datetime  # the world's clock when it was asked for
    asked: float


class Reports:
    """The reports endpoints over one running sandbox."""

    def __init__(
        self, state: SandboxState, index: MoneyIndex, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._state, self._index, self._clock = state, index, clock
        self._reports: dict[str, _Report] = {}
        self._links: dict[str, str] = {}
        self._numbers = itertools.count(50_000_000_001)
        self._lock = threading.Lock()

    def create(self, ask: Ask) -> dict[str, Any]:
        """`POST /reports/2021-06-30/reports`."""
        try:
            wish = msgspec.json.decode(ask.body, type=_Wish)
        except msgspec.MsgspecError as error:
            raise invalid(f"body: {error}") from None
        if wish.reportType not in _HEADERS:
            raise invalid(f"Report type {wish.reportType} is not supported.")
        known = ask.state.markets("amazon")
        markets = tuple(market for market in known if market.external_id in wish.marketplaceIds)
        if not wish.marketplaceIds or len(markets) < len(set(wish.marketplaceIds)):
            raise ApiError(403, "Unauthorized", "Access to requested resource is denied.")
        # Left out, the start is "now": a report about nothing.
        since, until = _aware(wish.dataStartTime) or ask.now, _aware(wish.dataEndTime) or ask.now
        if since > until:
            raise invalid("dataStartTime lies after dataEndTime.")
        if until - since > (FEEDBACK_SPAN if wish.reportType == FEEDBACK else SPAN):
            raise invalid("The date range is longer than this report allows.")
        with self._lock:
            report_id = str(next(self._numbers))
            self._reports[report_id] = _Report(
                report_id, wish, markets, since, min(until, ask.now), ask.now, self._clock()
            )
        return {"reportId": report_id}

    def listing(self, ask: Ask) -> dict[str, Any]:
        """`GET /reports/2021-06-30/reports`: the newest ones."""
        wanted = ask.listed("reportTypes", 10)
        if not wanted and ask.param("nextToken") is None:
            raise invalid("reportTypes or nextToken is required.")
        limit = ask.whole("pageSize", 10, 100)
        with self._lock:
            found = [report for report in self._reports.values() if report.wish.reportType in wanted]
        return {"reports": [self._record(report) for report in found[::-1][:limit]]}

    def one(self, ask: Ask) -> dict[str, Any]:
        """`GET /reports/2021-06-30/reports/{reportId}`. A poisoned `processingStatus` makes a report fail."""
        report = self._reports.get(ask.request.path_params["report_id"])
        if report is None:
            raise ApiError(404, "NotFound", "The report does not exist.")
        record: dict[str, Any] = bend([self._record(report)], ask.fault)[0]
        if record["processingStatus"] == "FATAL":
            record["reportDocumentId"] = f"fatal.{report.report_id}"
        elif record["processingStatus"] != "DONE":
            record.pop("reportDocumentId", None)
        return record

    def document(self, ask: Ask) -> dict[str, Any]:
        """`GET /reports/2021-06-30/documents/{reportDocumentId}`: a link for five minutes."""
        document_id = ask.request.path_params["document_id"]
        if document_id.rpartition(".")[2] not in self._reports:
            raise ApiError(404, "NotFound", "The document does not exist.")
        link = self._state.tokens.issue("amazon-document", max(LINK_LIFE, 5 * self._state.pace))
        self._links[link] = document_id
        url = ask.request.url
        return {
            "reportDocumentId": document_id,
            "url": f"{url.scheme}://{url.netloc}{ask.request.scope.get('root_path', '')}/documents/{link}",
            "compressionAlgorithm": "GZIP",
        }

    def download_route(self) -> Route:
        """Where the links lead. They carry their own proof; a request with the account's token is refused."""

        def endpoint(request: Request) -> Response:
            self._state.faults.next("amazon.download")
            link = request.path_params["link"]
            if request.headers.get("x-amz-access-token"):
                return Response(
                    "<Error><Code>InvalidArgument</Code></Error>", 400, media_type="application/xml"
                )
            if not self._state.tokens.valid(link, "amazon-document"):
                return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
            kind, _, report_id = self._links[link].rpartition(".")
            report = self._reports[report_id]
            if kind == "fatal":
                lines = iter(['{"errorDetails": "The report could not be generated."}'])
                return StreamingResponse(_packed(lines, "utf-8"), media_type="application/json")
            charset = "cp1252" if report.wish.reportType == FBA_RETURNS else "utf-8"
            name = {"cp1252": "Cp1252", "utf-8": "UTF-8"}[charset]
            return StreamingResponse(
                _packed(self._lines(report), charset),
                headers={"content-type": f"text/tab-separated-values; charset={name}"},
            )

        return Route("/documents/{link}", endpoint)

    # -- content -------------------------------------------------------------------------------------------

    def _record(self, report: _Report) -> dict[str, Any]:
        age = (self._clock() - report.asked) * self._state.pace
        status = "IN_QUEUE" if age < QUEUED else "IN_PROGRESS" if age < MADE else "DONE"
        record: dict[str, Any] = {
            "reportId": report.report_id,
            "reportType": report.wish.reportType,
            "marketplaceIds": report.wish.marketplaceIds,
            "dataStartTime": iso(report.since),
            "dataEndTime": iso(report.until),
            "createdTime": iso(report.made_at),
            "processingStatus": status,
        }
        if status == "DONE" and self._is_empty(report):
            record["processingStatus"] = "CANCELLED"
        elif status == "DONE":
            record["reportDocumentId"] = f"amzn1.spdoc.{report.report_id}"
        return record

    def _is_empty(self, report: _Report) -> bool:
        lines = self._lines(report)
        next(lines)
        return next(lines, None) is None

    def _lines(self, report: _Report) -> Iterator[str]:
        kind = report.wish.reportType
        yield "\t".join(_HEADERS[kind]) + "\n"
        for market in report.markets:
            if kind == ALL_ORDERS:
                numbers = report_numbers(
                    self._state.world, market, report.since, report.until, report.made_at
                )
                yield from report_lines(self._state.world, market, numbers, report.made_at)
            elif kind == LISTINGS:
                yield from self._listing_lines(market, report.made_at)
            elif kind == FEEDBACK:
                yield from feedback_lines(
                    self._state.world, market, report.since, report.until, report.made_at
                )
            else:
                yield from self._return_lines(market, report)

    def _return_lines(self, market: Market, report: _Report) -> Iterator[str]:
        wanted = "marketplace" if report.wish.reportType == FBA_RETURNS else "merchant"
        moved = self._index.between(market.channel, report.since, report.until, report.made_at)
        entries = [entry for entry in moved if entry[2] != SHIPMENT]
        for start in range(0, len(entries), 1000):
            for order, refund in self._index.movements(entries[start : start + 1000], report.made_at):
                if refund is not None and refund.is_return and order.fulfilled_by == wanted:
                    yield from _returned(order, refund, wanted, ZoneInfo(market.timezone))

    def _listing_lines(self, market: Market, now: datetime) -> Iterator[str]:
        own = {
            s.sku: s.available for s in self._state.world.stock(market.channel, now) if s.location == "MFN"
        }
        for product in self._state.world.products(market.channel, now):
            opened = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=product.number)
            quantity = str(max(own[product.sku], 0)) if product.sku in own else ""
            identity = asin(product.number)
            yield (
                "\t".join(
                    [
                        product.title,
                        product.sku,
                        f"{product.price:.2f}",
                        quantity,
                        opened.strftime("%Y-%m-%d %H:%M:%S UTC"),
                        identity,
                        identity,
                        "DEFAULT" if quantity else "AMAZON_NA",
                        "Active" if product.is_active else "Inactive",
                    ]
                )
                + "\n"
            )


def _returned(order: Order, refund: Refund, by: str, zone: ZoneInfo) -> Iterator[str]:
    """Lines of goods that came back: one a unit from Amazon, one a line from the merchant."""
    by_number = {line.number: line for line in order.lines}
    at = refund.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    for part in refund.lines:
        line = by_number[part.line_number]
        sku, title, identity = line.sku or "", line.title.replace("\t", " "), asin(line.product_number)
        if by == "merchant":
            came = f"{refund.at.astimezone(zone):%d-%b-%Y}"
            told = {
                "Order ID": order_id(order.number),
                "Order date": f"{order.created_at.astimezone(zone):%d-%b-%Y}",
                "Return request date": came,
                "Return request status": "Completed",
                "Amazon RMA ID": f"RMA{order.number}-{refund.number}-{line.number}",
                "Currency code": order.currency,
                "ASIN": identity,
                "Merchant SKU": sku,
                "Item Name": title,
                "Return quantity": str(part.quantity),
                "Return Reason": "CR-UNWANTED_ITEM",
                "Return delivery date": came,
                "Order quantity": str(line.quantity),
            }
            yield "\t".join(told.get(name, "") for name in _MERCHANT) + "\n"
            continue
        for unit in range(part.quantity):
            plate = f"LPN{order.number:08d}{refund.number:02d}{line.number:02d}{unit:03d}"
            fields = [at, order_id(order.number), sku, identity, identity, title, "1", "PHX7", "SELLABLE"]
            yield "\t".join([*fields, "UNWANTED_ITEM", "Unit returned to inventory", plate, ""]) + "\n"


def _packed(lines: Iterator[str], charset: str) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for batch in iter(lambda: "".join(itertools.islice(lines, 2000)), ""):
        yield packer.compress(batch.encode(charset, "replace"))
    yield packer.flush()


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
