"""What `Staging` makes of a page before it is copied: no database needed."""

import polars as pl
import pytest

from tests.warehouse_factories import HOUR, T0, frame, line, order
from warehouse.errors import StagingError
from warehouse.load import _conform, _csv, _is_tangled, _with_seq, session_name


def seq(rows, name="order_items", parents=(), page=1):
    parent = frame("orders", parents) if parents else None
    return (_with_seq(frame(name, rows), name, page, parent)["seq"] - page * 4096).to_list()


def test_a_plain_page_has_one_version():
    orders, lines = [order("A"), order("B")], [line("A"), line("B"), line("B", "2")]
    assert seq(orders, "orders") == [0, 0]
    assert seq(lines, parents=orders) == [0, 0, 0]
    assert not _is_tangled(frame("orders", orders), "orders", None)
    assert not _is_tangled(frame("order_items", lines), "order_items", frame("orders", orders))


@pytest.mark.parametrize(
    ("lines", "versions"),
    [
        ([("A", "1"), ("A", "2"), ("A", "1")], [0, 0, 1]),
        ([("A", "1"), ("A", "1"), ("A", "2")], [0, 1, 1]),
        ([("A", "1"), ("B", "1"), ("A", "1"), ("B", "1")], [0, 0, 1, 0]),
    ],
)
def test_lines_of_an_order_that_comes_twice_are_told_apart(lines, versions):
    orders = [order("A"), order("B"), order("A", updated=T0 + HOUR)]
    assert seq(orders, "orders") == [0, 0, 1]
    assert seq([line(*keys) for keys in lines], parents=orders) == versions


def test_a_repeated_line_of_one_order_is_a_duplicate_not_a_version():
    assert seq([line("A"), line("A"), line("A", "2")], parents=[order("A")]) == [0, 0, 0]


@pytest.mark.parametrize(
    ("lines", "parents"),
    [
        ([line("A"), line("A")], [order("A")]),
        ([line("B")], [order("A")]),
        ([line("A")], []),
    ],
    ids=["twice", "another order", "no orders"],
)
def test_pages_that_need_a_choice_are_noticed(lines, parents):
    parent = frame("orders", parents) if parents else None
    assert _is_tangled(frame("order_items", lines), "order_items", parent)


def test_later_pages_have_higher_versions():
    assert _with_seq(frame("orders", [order("A")]), "orders", 2, None)["seq"][0] > (
        _with_seq(frame("orders", [order("A")] * 9), "orders", 1, None)["seq"].max()
    )


def test_a_frame_with_other_columns_is_refused_by_name():
    with pytest.raises(StagingError, match="customer_ref"):
        _conform(frame("orders", [order("A")]).with_columns(customer_ref=pl.lit("email:x")), "orders")
    with pytest.raises(StagingError, match="total"):
        _conform(frame("orders", [order("A")]).drop("total"), "orders")


def test_null_and_empty_text_are_told_apart():
    rows = pl.DataFrame({"a": ["", None, 'x"y,\n'], "at": [T0, None, None]})
    assert _csv(rows) == b'"",2026-03-02T12:00:00.000000Z\n,\n"x""y,\n",\n'


def test_session_names_fit_postgresql_and_end_sharply():
    assert session_name("a", "orders", "r1") == "wharf:stage:a:orders:r1"
    assert len(session_name("ä" * 60, "orders", "r1").encode()) <= 63
