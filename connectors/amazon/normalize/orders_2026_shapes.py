"""The fields of an order of Orders 2026-01-01 that Wharf keeps. Source: model orders_2026-01-01.

What is not named here is not even decoded. Required is what the model requires, and nothing else. `gc=False`: an answer
is a tree, and telling the collector so halves the time it takes to look at one.
"""

from typing import Any

import msgspec


class Money(msgspec.Struct, gc=False):
    amount: Any = None
    currencyCode: str | None = None


class Detail(msgspec.Struct, gc=False):
    subtype: str | None = None
    value: Money | None = None


class Part(msgspec.Struct, gc=False):
    type: str | None = None
    subtotal: Money | None = None
    detailedBreakdowns: list[Detail] | None = None


class ItemProceeds(msgspec.Struct, gc=False):
    proceedsTotal: Money | None = None
    breakdowns: list[Part] | None = None


class OrderProceeds(msgspec.Struct, gc=False):
    grandTotal: Money | None = None
    breakdowns: list[Part] | None = None


class Price(msgspec.Struct, gc=False):
    unitPrice: Money | None = None


class Product(msgspec.Struct, gc=False):
    asin: str | int | None = None
    title: str | None = None
    sellerSku: str | int | None = None
    price: Price | None = None


class Cancellation(msgspec.Struct, gc=False):
    cancellationExecution: dict[str, Any] | None = None


class ItemFulfillment(msgspec.Struct, gc=False):
    quantityFulfilled: Any = None
    quantityUnfulfilled: Any = None


class Item(msgspec.Struct, gc=False):
    orderItemId: str | int
    quantityOrdered: Any
    product: Product
    proceeds: ItemProceeds | None = None
    cancellation: Cancellation | None = None
    fulfillment: ItemFulfillment | None = None


class SalesChannel(msgspec.Struct, gc=False):
    channelName: str
    marketplaceId: str | None = None


class Buyer(msgspec.Struct, gc=False):
    buyerEmail: str | None = None


class Address(msgspec.Struct, gc=False):
    countryCode: str | None = None
    stateOrRegion: str | None = None


class Recipient(msgspec.Struct, gc=False):
    deliveryAddress: Address | None = None


class TimeWindow(msgspec.Struct, gc=False):
    latestDateTime: Any = None


class OrderFulfillment(msgspec.Struct, gc=False):
    fulfillmentStatus: str | None = None
    fulfilledBy: str | None = None
    shipByWindow: TimeWindow | None = None
    deliverByWindow: TimeWindow | None = None


class PackageStatus(msgspec.Struct, gc=False):
    status: str | None = None


class Package(msgspec.Struct, gc=False):
    """Of orders the merchant sends; Amazon's own have none."""

    shipTime: Any = None
    packageStatus: PackageStatus | None = None


class Associated(msgspec.Struct, gc=False):
    associationType: str | None = None


class Order(msgspec.Struct, gc=False):
    """One order with all its lines."""

    orderId: str
    createdTime: Any
    lastUpdatedTime: Any
    salesChannel: SalesChannel
    orderItems: list[Item]
    associatedOrders: list[Associated] | None = None
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: OrderProceeds | None = None
    fulfillment: OrderFulfillment | None = None
    packages: list[Package] | None = None


class Page(msgspec.Struct, gc=False):
    """One answer of searchOrders."""

    orders: list[Order]
