"""What we read of the REST Admin API's objects, as typed structs: webhooks, and payloads sellers kept of older days."""

import msgspec

from connectors.shopify.shapes import Amount, Id


class RestShape(msgspec.Struct, gc=False):
    """Snake-cased names, unknown fields ignored."""


class RestMoney(RestShape):
    amount: Amount
    currency_code: str | None = None


class RestSet(RestShape):
    shop_money: RestMoney | None = None
    presentment_money: RestMoney | None = None


class RestRef(RestShape):
    id: Id | None = None
    sku: Id | None = None  # of a line


class RestAddress(RestShape):
    country_code: str | None = None
    country: str | None = None
    province_code: str | None = None
    province: str | None = None


class RestAllocation(RestShape):
    amount: Amount | None = None
    amount_set: RestSet | None = None


class RestTax(RestShape):
    price: Amount | None = None
    price_set: RestSet | None = None


class RestLine(RestShape):
    quantity: int
    id: Id | None = None
    current_quantity: int | None = None
    sku: Id | None = None
    title: Id | None = None
    name: Id | None = None
    variant_title: Id | None = None
    variant_id: Id | None = None
    product_id: Id | None = None
    gift_card: bool | None = None
    price: Amount | None = None
    price_set: RestSet | None = None
    total_discount: Amount | None = None
    total_discount_set: RestSet | None = None
    discount_allocations: list[RestAllocation] | None = None
    tax_lines: list[RestTax] | None = None
    line_price: Amount | None = None  # checkouts


class RestRefundLine(RestShape):
    id: Id | None = None
    restock_type: str | None = None
    line_item_id: Id | None = None
    line_item: RestRef | None = None
    quantity: int = 0
    subtotal: Amount | None = None
    subtotal_set: RestSet | None = None
    total_tax: Amount | None = None
    total_tax_set: RestSet | None = None


class RestAdjustment(RestShape):
    amount: Amount | None = None
    amount_set: RestSet | None = None
    tax_amount: Amount | None = None
    tax_amount_set: RestSet | None = None


class RestTransaction(RestShape):
    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    amount_set: RestSet | None = None
    currency: str | None = None


class RestRefund(RestShape):
    id: Id
    order_id: Id | None = None
    created_at: str | None = None
    processed_at: str | None = None
    refund_line_items: list[RestRefundLine] | None = None
    order_adjustments: list[RestAdjustment] | None = None
    transactions: list[RestTransaction] | None = None


class RestReturnedOf(RestShape):
    line_item: RestRef | None = None


class RestReturnLine(RestShape):
    id: Id
    quantity: int
    refunded_quantity: int | None = None
    return_reason: str | None = None
    fulfillment_line_item: RestReturnedOf | None = None


class RestReturn(RestShape):
    """The body of the webhooks returns/*; the REST API itself has no returns."""

    id: Id
    name: Id | None = None
    status: str | None = None
    created_at: str | None = None
    closed_at: str | None = None
    order: RestRef | None = None
    return_line_items: list[RestReturnLine] | None = None


class RestFulfillment(RestShape):
    status: str | None = None
    created_at: str | None = None


class RestShippingLine(RestShape):
    price: Amount | None = None
    price_set: RestSet | None = None


class RestOrder(RestShape):
    id: Id
    name: Id | None = None
    order_number: Id | None = None
    created_at: str | None = None
    processed_at: str | None = None
    updated_at: str | None = None
    cancelled_at: str | None = None
    closed_at: str | None = None
    test: bool | None = None
    currency: str | None = None
    taxes_included: bool | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    customer: RestRef | None = None
    shipping_address: RestAddress | None = None
    billing_address: RestAddress | None = None
    total_line_items_price: Amount | None = None
    total_line_items_price_set: RestSet | None = None
    total_discounts: Amount | None = None
    total_discounts_set: RestSet | None = None
    total_shipping_price_set: RestSet | None = None
    shipping_lines: list[RestShippingLine] | None = None
    total_tax: Amount | None = None
    total_tax_set: RestSet | None = None
    total_price: Amount | None = None
    total_price_set: RestSet | None = None
    line_items: list[RestLine] | None = None
    refunds: list[RestRefund] | None = None
    fulfillments: list[RestFulfillment] | None = None


class RestCustomer(RestShape):
    id: Id
    created_at: str | None = None
    updated_at: str | None = None
    orders_count: Id | None = None
    total_spent: Amount | None = None
    currency: str | None = None
    default_address: RestAddress | None = None


class RestVariant(RestShape):
    id: Id
    product_id: Id | None = None
    sku: Id | None = None
    title: Id | None = None
    barcode: Id | None = None
    price: Amount | None = None
    updated_at: str | None = None
    inventory_item_id: Id | None = None
    inventory_quantity: int | None = None


class RestProduct(RestShape):
    id: Id
    title: Id | None = None
    vendor: str | None = None
    product_type: str | None = None
    status: str | None = None
    published_at: str | None = None
    updated_at: str | None = None
    variants: list[RestVariant] | None = None


class RestLevel(RestShape):
    """A stock level, or an inventory item, which says no quantity."""

    id: Id | None = None
    inventory_item_id: Id | None = None
    location_id: Id | None = None
    tracked: bool | None = None
    available: int | None = None
    updated_at: str | None = None
    sku: Id | None = None  # not Shopify's: some apps store it beside


class RestCheckout(RestShape):
    id: Id
    created_at: str | None = None
    updated_at: str | None = None
    completed_at: str | None = None
    currency: str | None = None
    customer: RestRef | None = None
    total_price: Amount | None = None
    line_items: list[RestLine] | None = None
