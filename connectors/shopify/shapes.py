"""What we read of the Admin GraphQL objects, as typed structs. Only the fields the canonical frames need.

Everything but ids is optional: sellers' stored payloads come from many queries. Amounts and instants stay
text until Polars parses whole columns of them at once, which is some fifty times faster than one by one.
Names are Shopify's own in snake case; `msgspec` reads the camel-cased ones.
"""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
Id = str | int
Amount = str | int  # "12.50"; whole numbers of hand-made payloads too. Floats arrive as their own text.


class Shape(msgspec.Struct, rename="camel", gc=False):
    """Camel-cased names, unknown fields ignored."""


class PageInfo(Shape):
    has_next_page: bool | None = None
    end_cursor: str | None = None


class Edge(Shape, Generic[T]):
    node: T


class Connection(Shape, Generic[T]):
    """A page of a list; asked for as `nodes` or as `edges`."""

    nodes: list[T] | None = None
    edges: list[Edge[T]] | None = None
    page_info: PageInfo | None = None

    def items(self) -> list[T]:
        """The nodes, whichever way they were asked for."""
        if self.nodes is not None:
            return self.nodes
        return [edge.node for edge in self.edges or ()]

    @property
    def is_partial(self) -> bool:
        """Whether more nodes exist than are here."""
        return self.page_info is not None and self.page_info.has_next_page is True


class Money(Shape):
    amount: Amount
    currency_code: str | None = None


class MoneyBag(Shape):
    """The same amount in the shop's currency (reporting) and in the buyer's."""

    shop_money: Money | None = None
    presentment_money: Money | None = None


class Ref(Shape):
    """An object beside; stored queries may have asked for other fields of it than its id."""

    id: Id | None = None
    sku: Id | None = None  # of a line


class Address(Shape):
    country_code_v2: str | None = msgspec.field(name="countryCodeV2", default=None)
    country_code: str | None = None
    country: str | None = None
    province_code: str | None = None
    province: str | None = None


class Allocation(Shape):
    allocated_amount_set: MoneyBag | None = None
    allocated_amount: Money | None = None  # deprecated


class TaxLine(Shape):
    price_set: MoneyBag | None = None
    price: Amount | None = None


class LineItem(Shape):
    # a query for packing slips may leave the id out: then it goes by its position
    id: Id | None = None
    quantity: int | None = None
    current_quantity: int | None = None
    sku: Id | None = None
    title: Id | None = None
    name: Id | None = None
    variant_title: Id | None = None
    is_gift_card: bool | None = None
    variant: Ref | None = None
    product: Ref | None = None
    original_unit_price_set: MoneyBag | None = None
    original_total_set: MoneyBag | None = None
    discounted_total_set: MoneyBag | None = None
    discounted_unit_price_set: MoneyBag | None = None
    total_discount_set: MoneyBag | None = None
    discount_allocations: list[Allocation] | None = None
    tax_lines: list[TaxLine] | None = None
    # deprecated scalars in the shop's currency
    original_unit_price: Amount | None = None
    original_total: Amount | None = None
    discounted_total: Amount | None = None
    discounted_unit_price: Amount | None = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class RefundLineItem(Shape):
    quantity: int
    id: Id | None = None
    restock_type: str | None = None
    line_item: Ref | None = None
    subtotal_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None
    subtotal: Amount | None = None
    total_tax: Amount | None = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class OrderAdjustment(Shape):
    """Negative for money given back beyond the lines (shipping), positive for what was kept."""

    amount_set: MoneyBag | None = None
    tax_amount_set: MoneyBag | None = None


class Refund(Shape):
    id: Id
    legacy_resource_id: Id | None = None
    created_at: str | None = None
    processed_at: str | None = None
    updated_at: str | None = None
    total_refunded_set: MoneyBag | None = None
    refund_line_items: Connection[RefundLineItem] | None = None
    order_adjustments: Connection[OrderAdjustment] | None = None
    order: Ref | None = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class Fulfillment(Shape):
    """A parcel, or several, sent together."""

    status: str | None = None
    created_at: str | None = None
    delivered_at: str | None = None


class ShippingLine(Shape):
    original_price_set: MoneyBag | None = None


class Order(Shape):
    id: Id
    legacy_resource_id: Id | None = None
    name: Id | None = None
    created_at: str | None = None
    processed_at: str | None = None
    updated_at: str | None = None
    cancelled_at: str | None = None
    closed_at: str | None = None
    closed: bool | None = None
    test: bool | None = None
    currency_code: str | None = None
    taxes_included: bool | None = None
    display_financial_status: str | None = None
    display_fulfillment_status: str | None = None
    customer: Ref | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    subtotal_price_set: MoneyBag | None = None
    total_shipping_price_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None
    total_discounts_set: MoneyBag | None = None
    total_price_set: MoneyBag | None = None
    current_total_price_set: MoneyBag | None = None  # read for its currency only
    total_refunded_set: MoneyBag | None = None
    # the price of all lines before discounts; only the REST shape states it
    total_line_items_price: Amount | None = None
    # deprecated scalars in the shop's currency
    total_shipping_price: Amount | None = None
    total_tax: Amount | None = None
    total_discounts: Amount | None = None
    total_price: Amount | None = None
    total_refunded: Amount | None = None
    shipping_lines: Connection[ShippingLine] | None = None
    line_items: Connection[LineItem] | None = None
    refunds: list[Refund] | Connection[Refund] | None = None
    fulfillments: list[Fulfillment] | Connection[Fulfillment] | None = None
    # only the CSV export's: it names no customer id. No query of ours asks for it.
    customer_email: str | None = msgspec.field(name="(csv email)", default=None)


class Category(Shape):
    full_name: str | None = None
    name: Id | None = None


class InventoryItemCost(Shape):
    id: Id | None = None
    sku: Id | None = None
    unit_cost: Money | None = None
    tracked: bool | None = None
    inventory_levels: "Connection[Level] | None" = None


class ProductOf(Shape):
    """A product's own fields."""

    id: Id
    title: Id | None = None
    vendor: str | None = None
    product_type: str | None = None
    category: Category | None = None
    status: str | None = None
    updated_at: str | None = None


class Variant(Shape):
    id: Id
    sku: Id | None = None
    title: Id | None = None
    barcode: Id | None = None
    price: Amount | Money | None = None
    updated_at: str | None = None
    inventory_item: InventoryItemCost | None = None
    inventory_quantity: int | None = None  # at all places together
    product: ProductOf | None = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class Product(ProductOf):
    variants: Connection[Variant] | None = None


class Quantity(Shape):
    name: str
    quantity: int
    updated_at: str | None = None


class Location(Shape):
    id: Id
    name: Id | None = None


class Level(Shape):
    """Stock of one item at one place."""

    id: Id = ""
    is_active: bool | None = None
    updated_at: str | None = None
    location: Location | None = None
    quantities: list[Quantity] | None = None
    available: int | None = None  # until 2023-04
    item: "InventoryItem | None" = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class InventoryItem(Shape):
    id: Id
    sku: Id | None = None
    tracked: bool | None = None
    updated_at: str | None = None
    variant: Ref | None = None
    inventory_levels: Connection[Level] | None = None


class CartLine(Shape):
    quantity: int
    id: Id | None = None  # a line without one goes by its position
    sku: Id | None = None
    title: Id | None = None
    variant: Ref | None = None
    discounted_total_price_set: MoneyBag | None = None
    original_total_price_set: MoneyBag | None = None
    parent_id: str | None = msgspec.field(name="__parentId", default=None)


class Checkout(Shape):
    id: Id
    created_at: str | None = None
    updated_at: str | None = None
    completed_at: str | None = None
    customer: Ref | None = None
    total_price_set: MoneyBag | None = None
    line_items: Connection[CartLine] | None = None


class Customer(Shape):
    """Nothing that says who: names, addresses and contacts are neither asked for nor decoded."""

    id: Id
    created_at: str | None = None
    updated_at: str | None = None
    number_of_orders: Id | None = None
    amount_spent: Money | None = None
    default_address: Address | None = None


class ReturnLine(Shape):
    id: Id
    quantity: int
    refunded_quantity: int | None = None
    return_reason: str | None = None
    fulfillment_line_item: "FulfillmentLine | None" = None
    with_code_discounted_total_price_set: MoneyBag | None = None


class LineRef(Shape):
    id: Id
    sku: Id | None = None


class FulfillmentLine(Shape):
    line_item: LineRef | None = None


class Return(Shape):
    id: Id
    name: Id | None = None
    status: str | None = None
    created_at: str | None = None
    closed_at: str | None = None
    total_quantity: int | None = None
    order: Ref | None = None
    return_line_items: Connection[ReturnLine] | None = None
    refunds: Connection[Refund] | None = None


class OrderReturns(Shape):
    """An order asked for its returns only."""

    id: Id
    updated_at: str | None = None
    currency_code: str | None = None
    returns: Connection[Return] | None = None
    # where returns were not asked for, or could not be: the REST API has refunds only
    refunds: list[Refund] | Connection[Refund] | None = None
    taxes_included: bool | None = None
