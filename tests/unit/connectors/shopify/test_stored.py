"""What a stored payload is, is told by its content."""

import json
from typing import Any

import pytest

from connectors.errors import ConfigurationError
from connectors.shopify.stored import normalize_stored
from tests.shopify_factories import bag, context, line, order, page, refund

Json = dict[str, Any]


def keys(
    *bodies: bytes, resource: str = "orders", frame: str = "orders", column: str = "external_id"
) -> list[str]:
    normalized = normalize_stored(resource, [(f"{n}.json", body) for n, body in enumerate(bodies)], context())
    return normalized.frame(frame)[column].to_list()


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def edges(told: Json) -> Json:
    return {**told, "lineItems": {"edges": [{"node": node} for node in told["lineItems"]["nodes"]]}}


@pytest.mark.parametrize(
    "body",
    [
        page(order(1)),
        text({"data": {"orders": {"edges": [{"cursor": "x", "node": edges(order(1))}]}}}),
        text({"orders": {"nodes": [order(1)]}}),
        text({"nodes": [order(1)]}),
        text({"edges": [{"node": order(1)}]}),
        text({"data": {"order": order(1)}}),
        text({"data": {"node": order(1)}}),
        text({"data": {"nodes": [order(1)]}}),
        text({"data": {"orderEditCommit": {"order": order(1), "userErrors": []}}}),
        text(order(1)),
        text([order(1)]),
        text([{"data": {"orders": {"nodes": [order(1)]}}}]),
        text({"topic": "orders/updated", "payload": order(1)}),
        b"\xef\xbb\xbf" + text(order(1)),
        text(order(1)) + b"\n",
    ],
)
def test_an_order_is_found_in_any_wrapping(body: bytes):
    assert keys(body) == ["1"]
    assert keys(body, frame="order_items", column="line_id") == ["1"]


def test_records_one_a_line_and_several_files_are_put_together():
    assert keys(text(order(1)) + b"\n" + text(order(2)) + b"\n", text(order(3))) == ["1", "2", "3"]


def bulk_lines(told: Json) -> tuple[Json, list[Json]]:
    root = {name: value for name, value in told.items() if name not in {"lineItems", "refunds"}}
    return root, [{**node, "__parentId": told["id"]} for node in told["lineItems"]["nodes"]]


def test_lines_of_a_bulk_file_find_their_order_wherever_they_stand():
    first, its = bulk_lines(order(1, line(11), line(12)))
    second, other = bulk_lines(order(2, line(21)))

    body = b"\n".join(map(text, [other[0], first, second, its[1], its[0]]))

    normalized = normalize_stored("orders", [("bulk.jsonl", body)], context())
    items = normalized.frame("order_items").sort("line_id")
    assert items.select("order_external_id", "line_id").rows() == [("1", "11"), ("1", "12"), ("2", "21")]


def test_refund_lines_below_a_refund_below_an_order_are_two_levels_down():
    root, lines = bulk_lines(order(1))
    told = refund(9, "10.0")
    del told["refundLineItems"]
    returned = {"quantity": 1, "subtotalSet": bag("10.0"), "totalTaxSet": bag("0.0")}
    returned |= {"lineItem": {"id": "gid://shopify/LineItem/1"}, "__parentId": told["id"]}
    customer = {"id": "gid://shopify/Event/5", "__parentId": root["id"]}

    body = b"\n".join(map(text, [root, *lines, {**told, "__parentId": root["id"]}, returned, customer]))

    normalized = normalize_stored("orders", [("bulk.jsonl", body)], context())
    assert normalized.frame("refunds")["line_id"].to_list() == ["1"]
    assert normalized.frame("order_items")["refunded_quantity"].to_list() == [1]


def test_a_line_whose_order_is_missing_is_refused_and_the_others_load():
    root, lines = bulk_lines(order(1))
    stray = {**line(5), "__parentId": "gid://shopify/Order/404"}

    normalized = normalize_stored("orders", [("x", b"\n".join(map(text, [root, *lines, stray])))], context())

    assert normalized.frame("orders")["external_id"].to_list() == ["1"]
    assert [(r.natural_key, r.field) for r in normalized.rejected] == [("5", "__parentId")]


def test_a_partial_list_of_lines_gives_no_subtotal_and_a_note():
    told = order(1)
    told["lineItems"]["pageInfo"]["hasNextPage"] = True

    normalized = normalize_stored("orders", [("x", text(told))], context())

    assert normalized.frame("orders")["subtotal"].to_list() == [None]
    assert len(normalized.notes) == 1


def test_lines_without_ids_go_by_their_position():
    told = order(1, {"title": "A", "quantity": 1}, {"title": "B", "quantity": 2})

    assert keys(text(told), frame="order_items", column="line_id") == ["1", "2"]


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"data":null,"errors":[{"message":"x"}]}', b'{"orders":[]}']
)
def test_nothing_gives_nothing(body: bytes):
    assert keys(body) == []


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"<html></html>",
        b'{"data": {"orders"',
        b'{"colour": "red"}',
        b'{"errors": []}',
        b"a,b\n1,2",
    ],
)
def test_what_is_none_of_shopifys_is_named(body: bytes):
    with pytest.raises(ConfigurationError, match=r"0\.json"):
        keys(body)


def test_an_unknown_resource_is_named():
    with pytest.raises(ConfigurationError, match="reviews"):
        normalize_stored("reviews", [], context())


def test_a_row_that_only_the_frame_finds_wrong_is_refused_alone():
    told = order(1, line(quantity=10**30)), order(2)

    normalized = normalize_stored("orders", [("x", page(*told))], context())

    assert normalized.frame("orders")["external_id"].to_list() == ["2"]
    assert [r.natural_key for r in normalized.rejected] == ["1"]


def test_a_record_that_is_not_utf8_is_refused_and_the_others_load():
    broken = page(order(1), order(2)).replace(b'"#1001"', b'"#\xff\xfe"')

    normalized = normalize_stored("orders", [("x", broken)], context())

    assert normalized.frame("orders")["external_id"].to_list() == ["2"]
    assert normalized.records == 2
