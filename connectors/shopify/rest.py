"""The REST Admin API's objects, turned into the GraphQL shapes: webhooks and older stored payloads have them.

Ids are numbers, names are in snake case, amounts are text in the shop's currency; newer versions say each
amount a second time as a `*_set` with the buyer's currency beside it.
"""

from decimal import Decimal
from typing import TypeVar

from connectors.shopify.money import number
from connectors.shopify.rest_shapes import (
    RestAddress,
    RestCheckout,
    RestCustomer,
    RestLevel,
    RestLine,
    RestOrder,
    RestProduct,
    RestRef,
    RestRefund,
    RestReturn,
    RestSet,
    RestTransaction,
    RestVariant,
)
from connectors.shopify.shapes import (
    Address,
    Allocation,
    Amount,
    CartLine,
    Checkout,
    Connection,
    Customer,
    Fulfillment,
    FulfillmentLine,
    Id,
    InventoryItem,
    InventoryItemCost,
    Level,
    LineItem,
    LineRef,
    Location,
    Money,
    MoneyBag,
    Order,
    OrderAdjustment,
    OrderReturns,
    Product,
    Quantity,
    Ref,
    Refund,
    RefundLineItem,
    Return,
    ReturnLine,
    ShippingLine,
    TaxLine,
    Variant,
)
from connectors.shopify.sheets import BadValueError

T = TypeVar("T")


# REST's words for the two states, in GraphQL's: one order must not change its words with the way it came.
_FULFILLMENT = {None: "UNFULFILLED", "fulfilled": "FULFILLED", "partial": "PARTIALLY_FULFILLED"}


def order(raw: RestOrder) -> Order:
    """The GraphQL shape of a REST order. Raises BadValueError for an amount that cannot be computed with."""
    code = raw.currency
    return Order(
        id=raw.id,
        name=_named(raw.name) or _named(raw.order_number),
        created_at=raw.created_at,
        processed_at=raw.processed_at,
        updated_at=raw.updated_at,
        cancelled_at=raw.cancelled_at,
        closed_at=raw.closed_at,
        test=raw.test,
        currency_code=code,
        taxes_included=raw.taxes_included,
        display_financial_status=_upper(raw.financial_status),
        display_fulfillment_status=_FULFILLMENT.get(raw.fulfillment_status) or _upper(raw.fulfillment_status),
        customer=_ref(raw.customer),
        shipping_address=_address(raw.shipping_address),
        billing_address=_address(raw.billing_address),
        total_discounts_set=_bag(raw.total_discounts_set, raw.total_discounts, code),
        total_shipping_price_set=_bag(raw.total_shipping_price_set, None, code),
        total_tax_set=_bag(raw.total_tax_set, raw.total_tax, code),
        total_price_set=_bag(raw.total_price_set, raw.total_price, code),
        total_line_items_price=_stated(raw.total_line_items_price_set, raw.total_line_items_price),
        shipping_lines=_connection(
            [ShippingLine(_bag(line.price_set, line.price, code)) for line in raw.shipping_lines or ()],
            raw.shipping_lines,
        ),
        line_items=_connection(
            [_line(line, n, code) for n, line in enumerate(raw.line_items or ())], raw.line_items
        ),
        refunds=None if raw.refunds is None else [_refund(refund, code) for refund in raw.refunds],
        fulfillments=[
            Fulfillment(status=_upper(sent.status), created_at=sent.created_at)
            for sent in raw.fulfillments or ()
        ],
    )


def order_returns(raw: RestOrder) -> OrderReturns:
    """What came back of a REST order: its refunds, for the REST API has no returns."""
    return OrderReturns(
        id=raw.id,
        updated_at=raw.updated_at,
        currency_code=raw.currency,
        refunds=[_refund(refund, raw.currency) for refund in raw.refunds or ()],
        taxes_included=raw.taxes_included,
    )


def refund(raw: RestRefund) -> Refund:
    """The GraphQL shape of a refund that came alone, as the webhook refunds/create brings it."""
    paid_in = [entry.currency for entry in raw.transactions or () if entry.currency]
    told = _refund(raw, paid_in[0] if paid_in else None)
    told.order = None if raw.order_id is None else Ref(raw.order_id)
    return told


def returned(raw: RestReturn) -> Return:
    """The GraphQL shape of a return as the webhooks returns/* bring it."""
    lines = []
    for line in raw.return_line_items or ():
        of = line.fulfillment_line_item.line_item if line.fulfillment_line_item else None
        lines.append(
            ReturnLine(
                id=line.id,
                quantity=line.quantity,
                refunded_quantity=line.refunded_quantity,
                return_reason=_upper(line.return_reason),
                fulfillment_line_item=FulfillmentLine(LineRef(of.id, of.sku)) if of and of.id else None,
            )
        )
    return Return(
        id=raw.id,
        name=raw.name,
        status=_upper(raw.status),
        created_at=raw.created_at,
        closed_at=raw.closed_at,
        order=_ref(raw.order),
        return_line_items=_connection(lines, raw.return_line_items),
    )


def customer(raw: RestCustomer) -> Customer:
    """The GraphQL shape of a REST customer."""
    return Customer(
        id=raw.id,
        created_at=raw.created_at,
        updated_at=raw.updated_at,
        number_of_orders=raw.orders_count,
        amount_spent=None if raw.total_spent is None else Money(raw.total_spent, raw.currency),
        default_address=_address(raw.default_address),
    )


def product(raw: RestProduct) -> Product:
    """The GraphQL shape of a REST product."""
    return Product(
        id=raw.id,
        title=raw.title,
        vendor=raw.vendor,
        product_type=raw.product_type,
        # Older versions had no status: published then meant active.
        status=_upper(raw.status) or ("ACTIVE" if raw.published_at else None),
        updated_at=raw.updated_at,
        variants=_connection([variant(entry) for entry in raw.variants or ()], raw.variants),
    )


def variant(raw: RestVariant) -> Variant:
    """The GraphQL shape of a REST variant."""
    return Variant(
        id=raw.id,
        sku=raw.sku,
        title=raw.title,
        barcode=raw.barcode,
        price=raw.price,
        updated_at=raw.updated_at,
        inventory_quantity=raw.inventory_quantity,
        inventory_item=InventoryItemCost(id=raw.inventory_item_id) if raw.inventory_item_id else None,
    )


def inventory_level(raw: RestLevel) -> InventoryItem:
    """The GraphQL shape of a REST inventory level: an item with one level. REST does not say its SKU.

    Raises BadValueError when it names no item.
    """
    item_id = raw.id if raw.inventory_item_id is None else raw.inventory_item_id
    if item_id is None:
        raise BadValueError("inventory_item_id", "a stock level that does not say of what")
    if raw.location_id is None:
        return InventoryItem(id=item_id, sku=raw.sku, tracked=raw.tracked)
    quantities = [] if raw.available is None else [Quantity("available", raw.available, raw.updated_at)]
    level = Level(
        id=raw.location_id,
        updated_at=raw.updated_at,
        location=Location(raw.location_id),
        quantities=quantities,
    )
    return InventoryItem(id=item_id, sku=raw.sku, inventory_levels=Connection(nodes=[level]))


def checkout(raw: RestCheckout) -> Checkout:
    """The GraphQL shape of a REST abandoned checkout."""
    lines = [
        CartLine(
            id=line.id,
            quantity=line.quantity,
            sku=line.sku,
            title=line.title,
            variant=Ref(line.variant_id) if line.variant_id is not None else None,
            discounted_total_price_set=_bag(None, line.line_price, raw.currency),
            original_total_price_set=_bag(None, _times(line.price, line.quantity), raw.currency),
        )
        for line in raw.line_items or ()
    ]
    return Checkout(
        id=raw.id,
        created_at=raw.created_at,
        updated_at=raw.updated_at,
        completed_at=raw.completed_at,
        customer=_ref(raw.customer),
        total_price_set=_bag(None, raw.total_price, raw.currency),
        line_items=_connection(lines, raw.line_items),
    )


def _line(raw: RestLine, position: int, code: str | None) -> LineItem:
    return LineItem(
        # Only drafts and checkouts have lines without an id; a position keeps them apart.
        id=raw.id if raw.id is not None else f"{position}",
        quantity=raw.quantity,
        current_quantity=raw.current_quantity,
        sku=raw.sku,
        title=raw.title,
        name=raw.name,
        variant_title=raw.variant_title,
        is_gift_card=raw.gift_card,
        variant=Ref(raw.variant_id) if raw.variant_id is not None else None,
        product=Ref(raw.product_id) if raw.product_id is not None else None,
        original_unit_price_set=_bag(raw.price_set, raw.price, code),
        total_discount_set=_bag(raw.total_discount_set, raw.total_discount, code),
        discount_allocations=None
        if raw.discount_allocations is None
        else [Allocation(_bag(entry.amount_set, entry.amount, code)) for entry in raw.discount_allocations],
        tax_lines=None
        if raw.tax_lines is None
        else [TaxLine(_bag(tax.price_set, tax.price, code)) for tax in raw.tax_lines],
    )


def _refund(raw: RestRefund, code: str | None) -> Refund:
    lines = [
        RefundLineItem(
            quantity=line.quantity,
            id=line.id,
            restock_type=line.restock_type,
            line_item=Ref(
                line.line_item_id
                if line.line_item_id is not None
                else (line.line_item.id if line.line_item else None),
                line.line_item.sku if line.line_item else None,
            ),
            subtotal_set=_bag(line.subtotal_set, line.subtotal, code),
            total_tax_set=_bag(line.total_tax_set, line.total_tax, code),
        )
        for line in raw.refund_line_items or ()
    ]
    adjustments = [
        OrderAdjustment(
            _bag(entry.amount_set, entry.amount, code), _bag(entry.tax_amount_set, entry.tax_amount, code)
        )
        for entry in raw.order_adjustments or ()
    ]
    return Refund(
        id=raw.id,
        created_at=raw.created_at,
        processed_at=raw.processed_at,
        total_refunded_set=_paid_back(raw, code),
        refund_line_items=Connection(nodes=lines),
        order_adjustments=Connection(nodes=adjustments),
    )


def _paid_back(raw: RestRefund, code: str | None) -> MoneyBag | None:
    """Successful refund transactions, in the shop's currency; null when they are not here or in another one."""
    if raw.transactions is None:
        return None
    paid = Decimal(0)
    for entry in raw.transactions:
        if entry.kind not in {None, "refund"} or entry.status not in {None, "success"}:
            continue
        amount = _shop_amount(entry, code)
        if amount is None:
            return None
        paid += number(amount, "refunds.transactions.amount")
    return MoneyBag(shop_money=Money(f"{paid:f}", code))


def _bag(both: RestSet | None, plain: Amount | None, code: str | None) -> MoneyBag | None:
    """The plain amount first: it is in the order's own currency by definition, a pair may not be."""
    if plain is not None and plain != "":
        return MoneyBag(Money(plain, code))
    if both is None or (both.shop_money is None and both.presentment_money is None):
        return None
    shop, shown = both.shop_money, both.presentment_money
    return MoneyBag(
        Money(shop.amount, shop.currency_code) if shop else None,
        Money(shown.amount, shown.currency_code) if shown else None,
    )


def _stated(both: RestSet | None, plain: Amount | None) -> str | None:
    bag = _bag(both, plain, None)
    return None if bag is None or bag.shop_money is None else str(bag.shop_money.amount)


def _shop_amount(entry: RestTransaction, code: str | None) -> str | None:
    """A transaction's amount in the shop's currency: its plain amount is in the transaction's own."""
    if entry.amount is not None and entry.currency in {None, code}:
        return str(entry.amount)
    money = entry.amount_set.shop_money if entry.amount_set else None
    return None if money is None else str(money.amount)


def _times(price: Amount | None, quantity: int) -> str | None:
    return None if price is None else f"{number(str(price), 'line_items.price') * quantity:f}"


def _ref(raw: RestRef | None) -> Ref | None:
    return None if raw is None or raw.id is None else Ref(raw.id)


def _address(raw: RestAddress | None) -> Address | None:
    if raw is None:
        return None
    return Address(
        country_code=raw.country_code,
        country=raw.country,
        province_code=raw.province_code,
        province=raw.province,
    )


def _connection(items: list[T], given: object) -> Connection[T] | None:
    return None if given is None else Connection(nodes=items)


def _named(value: Id | None) -> str | None:
    return None if value in {None, ""} else str(value)


def _upper(value: str | None) -> str | None:
    return None if value is None else value.upper()
