"""Plain ways from raw pages of orders to two small typed frames, for `bench.connectors` to be held against.

Each way gives the same frames (asserted), with a handful of columns and none of the rules: no discounts, refunds or
statuses, no keys checked, no bad record kept apart. So they are a floor, not a substitute.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import polars as pl

from bench import decoding_shapes as shapes
from connectors.base import Page

MONEY = pl.Decimal(18, 4)
ORDERS: dict[str, pl.DataType] = {"id": pl.String(), "ordered_at": pl.String(), "country": pl.String()}
ITEMS: dict[str, pl.DataType] = {
    "order_id": pl.String(),
    "line_id": pl.String(),
    "sku": pl.String(),
    "units": pl.Int64(),
    "price": MONEY,
}
Frames = tuple[pl.DataFrame, pl.DataFrame]
Way = Callable[[Page], Frames]
_Row = tuple[Any, ...]


def ways(channel: str, kind: str) -> dict[str, Way]:
    """The plain ways for the pages of a channel, by name; the first three differ by how they decode."""
    if kind in ("tsv", "csv"):
        return {"csv + from_dicts": _csv_dicts, "pl.read_csv": _csv_polars}
    parents, children, typed = _CHANNELS[channel, kind]
    return {
        "json + from_dicts": lambda page: _from_dicts(channel, _plain(page, json.loads)),
        "orjson + from_dicts": lambda page: _from_dicts(channel, _plain(page, orjson.loads)),
        "orjson + columns": lambda page: _columns(parents, children, _plain(page, orjson.loads)),
        "msgspec typed + columns": typed,
    }


def _plain(page: Page, decode: Callable[[bytes], Any]) -> list[Any]:
    """The page's orders as dicts; of a bulk file the lines as well."""
    if page.kind == "jsonl":
        return [decode(line) for line in page.body.splitlines()]
    whole = decode(page.body)
    if "orders" in whole:
        return list(whole["orders"])
    return list(whole["data"]["orders"]["nodes"] if "data" in whole else whole["list"]["elements"]["order"])


def _columns(
    parents: Callable[[list[Any]], Iterable[_Row]],
    children: Callable[[list[Any]], Iterable[_Row]],
    found: list[Any],
) -> Frames:
    return _frame(parents(found), ORDERS), _frame(children(found), ITEMS)


def _frame(rows: Iterable[_Row], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    loose = {name: pl.String() if kind == MONEY else kind for name, kind in schema.items()}
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    frame = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=loose)
    return frame.with_columns(pl.col(name).cast(kind) for name, kind in schema.items() if kind == MONEY)


# -- Polars does it all --------------------------------------------------------------------------------------

_PATHS: dict[str, tuple[dict[str, list[str]], list[str], dict[str, list[str]]]] = {
    "amazon": (
        {
            "id": ["orderId"],
            "ordered_at": ["createdTime"],
            "country": ["recipient", "deliveryAddress", "countryCode"],
        },
        ["orderItems"],
        {
            "line_id": ["orderItemId"],
            "sku": ["product", "sellerSku"],
            "units": ["quantityOrdered"],
            "price": ["product", "price", "unitPrice", "amount"],
        },
    ),
    "shopify": (
        {"id": ["id"], "ordered_at": ["processedAt"], "country": ["shippingAddress", "countryCodeV2"]},
        ["lineItems", "nodes"],
        {
            "line_id": ["id"],
            "sku": ["sku"],
            "units": ["quantity"],
            "price": ["originalUnitPriceSet", "shopMoney", "amount"],
        },
    ),
    "walmart": (
        {
            "id": ["purchaseOrderId"],
            "ordered_at": ["orderDate"],
            "country": ["shippingInfo", "postalAddress", "country"],
        },
        ["orderLines", "orderLine"],
        {
            "line_id": ["lineNumber"],
            "sku": ["item", "sku"],
            "units": ["orderLineQuantity", "amount"],
            "price": ["charges", "charge", "0", "chargeAmount", "amount"],
        },
    ),
}


def _from_dicts(channel: str, found: list[Any]) -> Frames:
    of_order, lines, of_line = _PATHS[channel]
    if any("__parentId" in record for record in found):
        orders = pl.from_dicts([r for r in found if "__parentId" not in r], infer_schema_length=None)
        line = pl.from_dicts([r for r in found if "/LineItem/" in r["id"]], infer_schema_length=None)
        items = line.select(order_id="__parentId", **{name: _at(path) for name, path in of_line.items()})
    else:
        orders = pl.from_dicts(found, infer_schema_length=None)
        exploded = orders.select(order_id=_at(of_order["id"]), line=_at(lines)).explode("line")
        items = exploded.select("order_id", **{name: _at(["line", *path]) for name, path in of_line.items()})
    heads = orders.select(**{name: _at(path) for name, path in of_order.items()})
    return heads.cast(pl.Schema(ORDERS)), items.cast(pl.Schema(ITEMS))


def _at(path: list[str]) -> pl.Expr:
    value = pl.col(path[0])
    for name in path[1:]:
        value = value.list.get(0) if name == "0" else value.struct.field(name)
    return value


# -- orjson, then one list a column --------------------------------------------------------------------------


_UNPRICED: dict[str, Any] = {"unitPrice": {"amount": None}}


def _amazon_orders(found: list[Any]) -> Iterator[_Row]:
    nowhere: dict[str, Any] = {"deliveryAddress": {"countryCode": None}}
    return (
        (o["orderId"], o["createdTime"], o.get("recipient", nowhere)["deliveryAddress"]["countryCode"])
        for o in found
    )


def _amazon_items(found: list[Any]) -> Iterator[_Row]:
    for order in found:
        number = order["orderId"]
        for line in order["orderItems"]:
            product = line["product"]
            price = product.get("price", _UNPRICED)["unitPrice"]["amount"]
            yield number, line["orderItemId"], product.get("sellerSku"), line["quantityOrdered"], price


def _shopify_orders(found: list[Any]) -> Iterator[_Row]:
    heads = (o for o in found if "__parentId" not in o)
    return ((o["id"], o["processedAt"], (o["shippingAddress"] or {}).get("countryCodeV2")) for o in heads)


def _shopify_items(found: list[Any]) -> Iterator[_Row]:
    for record in found:
        if "__parentId" in record and "/LineItem/" not in record["id"]:
            continue
        number = record.get("__parentId") or record["id"]
        lines = [record] if "__parentId" in record else record.get("lineItems", {"nodes": ()})["nodes"]
        for line in lines:
            price = line["originalUnitPriceSet"]["shopMoney"]["amount"]
            yield number, line["id"], line["sku"], line["quantity"], price


def _walmart_orders(found: list[Any]) -> Iterator[_Row]:
    return (
        (o["purchaseOrderId"], str(o["orderDate"]), o["shippingInfo"]["postalAddress"]["country"])
        for o in found
    )


def _walmart_items(found: list[Any]) -> Iterator[_Row]:
    for order in found:
        number = order["purchaseOrderId"]
        for line in order["orderLines"]["orderLine"]:
            price = str(line["charges"]["charge"][0]["chargeAmount"]["amount"])
            units = int(line["orderLineQuantity"]["amount"])
            yield number, line["lineNumber"], line["item"]["sku"], units, price


# -- msgspec straight into structs of just these fields, then one list a column -------------------------------


def _amazon_typed(page: Page) -> Frames:
    found = shapes.amazon.decode(page.body).orders
    heads = [
        (o.orderId, o.createdTime, o.recipient.deliveryAddress.countryCode if o.recipient else None)
        for o in found
    ]
    lines = [
        (
            o.orderId,
            i.orderItemId,
            i.product.sellerSku,
            i.quantityOrdered,
            i.product.price.unitPrice.amount if i.product.price else None,
        )
        for o in found
        for i in o.orderItems
    ]
    return _frame(heads, ORDERS), _frame(lines, ITEMS)


def _shopify_typed(page: Page) -> Frames:
    if page.kind == "jsonl":
        every = page.body.splitlines()
        below = [line for line in every if line.startswith(b'{"id":"gid://shopify/LineItem/')]
        roots = [line for line in every if b"__parentId" not in line]
        found = shapes.shopify_heads.decode(b"[" + b",".join(roots) + b"]")
        pairs = [(line.parent, line) for line in shapes.shopify_lines.decode(b"[" + b",".join(below) + b"]")]
    else:
        found = shapes.shopify.decode(page.body).data.orders.nodes
        pairs = [
            (order.id, line) for order in found for line in (order.lineItems.nodes if order.lineItems else ())
        ]
    heads = [
        (o.id, o.processedAt, o.shippingAddress.countryCodeV2 if o.shippingAddress else None) for o in found
    ]
    lines = [(n, i.id, i.sku, i.quantity, i.originalUnitPriceSet.shopMoney.amount) for n, i in pairs]
    return _frame(heads, ORDERS), _frame(lines, ITEMS)


def _walmart_typed(page: Page) -> Frames:
    found = shapes.walmart.decode(page.body).list.elements.order
    heads = [(o.purchaseOrderId, str(o.orderDate), o.shippingInfo.postalAddress.country) for o in found]
    lines = [
        (
            o.purchaseOrderId,
            line.lineNumber,
            line.item.sku,
            int(line.orderLineQuantity.amount),
            bytes(line.charges.charge[0].chargeAmount.amount).decode(),
        )
        for o in found
        for line in o.orderLines.orderLine
    ]
    return _frame(heads, ORDERS), _frame(lines, ITEMS)


_CHANNELS: dict[tuple[str, str], tuple[Any, Any, Way]] = {
    ("amazon", "json"): (_amazon_orders, _amazon_items, _amazon_typed),
    ("shopify", "json"): (_shopify_orders, _shopify_items, _shopify_typed),
    ("shopify", "jsonl"): (_shopify_orders, _shopify_items, _shopify_typed),
    ("walmart", "json"): (_walmart_orders, _walmart_items, _walmart_typed),
}


# -- reports -------------------------------------------------------------------------------------------------


def _csv_dicts(page: Page) -> Frames:
    text = page.body.decode(page.charset, errors="replace")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=_sign(page), quoting=csv.QUOTE_NONE))
    return _of_report(pl.from_dicts(rows, infer_schema_length=None))


def _csv_polars(page: Page) -> Frames:
    text = page.body.decode(page.charset, errors="replace").encode()
    return _of_report(pl.read_csv(text, separator=_sign(page), quote_char=None, infer_schema=False))


def _sign(page: Page) -> str:
    return "\t" if page.kind == "tsv" else ","


def _of_report(lines: pl.DataFrame) -> Frames:
    lines = lines.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep())
    heads = lines.select(id="amazon-order-id", ordered_at="purchase-date", country="ship-country").unique(
        "id", maintain_order=True
    )
    items = lines.select(
        order_id="amazon-order-id",
        line_id="sku",
        sku="sku",
        units=pl.col("quantity").cast(pl.Int64),
        price=pl.col("item-price").cast(MONEY),
    )
    return heads, items
