"""Control totals and the look at an account."""

import gzip
from datetime import date, timedelta
from decimal import Decimal

from connectors.amazon.probe import probe
from connectors.base import Context
from connectors.canonical import merge_normalized
from connectors.exports import amazon_orders
from connectors.registry import control_totals
from tests.amazon_bench import bench
from tests.amazon_factories import CA, FETCHED, ORDER, US, Shop, account, report, report_line, sale


def test_amazons_own_totals_of_each_business_day():
    # Midnight in Los Angeles is 08:00 UTC.
    gone = sale(4, 30, cancelled_at=FETCHED)
    with bench(Shop(sale(1, 3), sale(2, 5), sale(3, 30), gone)) as it:
        [channel] = it.account.channels
        totals = control_totals(it.client, channel, date(2026, 2, 25), date(2026, 3, 1)).to_dicts()
    assert [
        (day["business_date"].day, day["orders"], day["units"], day["gross_amount"]) for day in totals[2:]
    ] == [
        (27, 1, 3, Decimal("25.0000")),
        (28, 1, 3, Decimal("25.0000")),
        (1, 1, 3, Decimal("25.0000")),
    ]
    assert sum(day["orders"] for day in totals) == 3
    assert {(day["currency"], day["basis"], day["includes_cancelled"]) for day in totals} == {
        ("USD", "ordered", None)
    }


def test_a_long_span_is_asked_for_in_parts():
    with bench(Shop(sale(1, 3))) as it:
        totals = control_totals(it.client, it.account.channels[0], date(2025, 9, 1), date(2026, 3, 1))
        assert it.asked("getOrderMetrics") == 3
    assert totals["business_date"].to_list() == [date(2025, 9, 1) + timedelta(days=n) for n in range(182)]


def test_a_sound_account():
    with bench(Shop(sale(1), listings=1)) as it:
        findings = list(probe(it.client, FETCHED))
    assert [f.subject for f in findings if not f.ok] == []
    assert {"token", "orders", "inventory", "products", "refunds", "totals", "reports", "marketplaces"} == {
        f.subject for f in findings
    }
    assert any("requests a second" in f.text for f in findings)


def test_a_missing_role_and_a_foreign_marketplace_are_named():
    denied = {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
    with bench(Shop(sale(1), listings=1), places=(US, CA)) as it:
        it.break_("listTransactions", "status", status=403, body=denied, times=None)
        wrong = {f.subject: f for f in probe(it.client, FETCHED) if not f.ok}
    assert set(wrong) == {CA, "orders", "refunds"}
    assert "role" in wrong["refunds"].text
    assert wrong[CA].advice.endswith("AMAZON_MARKETPLACE_IDS")


def test_dead_credentials_end_the_look():
    with bench(Shop()) as it:
        it.break_("token", "status", status=400, body={"error": "invalid_grant"}, times=None)
        [finding] = probe(it.client, FETCHED)
    assert (finding.subject, finding.ok) == ("token", False)
    assert "AMAZON_REFRESH_TOKEN" in finding.advice


def test_a_merchants_own_download_is_read_packed_or_not(tmp_path):
    body = report(report_line(), report_line(sku="SKU-2"), charset="cp1252")
    context = Context(account(), FETCHED)
    for name, content in [
        ("a.txt", body),
        ("a.txt.gz", gzip.compress(body)),
        ("a.csv", body.replace(b"\t", b",")),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        read = merge_normalized([amazon_orders.orders(page, context) for page in amazon_orders.pages(path)])
        assert read.frame("orders")["external_id"].to_list() == [ORDER]
        assert read.frame("order_items").height == 2
