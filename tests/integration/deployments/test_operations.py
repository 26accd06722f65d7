"""Files, refused records and the doctor, through the command itself: on real databases and the three sandboxes."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from deployments import cli
from flows import connections
from tests.order_file_factories import sold, write_csv
from tests.sandbox_environment import small_merchant
from warehouse import schema

pytestmark = [pytest.mark.prefect, pytest.mark.stack]
PACE = 300.0
PLACE = ["--platform", "shopify", "--currency", "EUR", "--timezone", "Europe/Berlin"]


@pytest.fixture(scope="module")
def settings(database_url, clickhouse, prefect_api, tmp_path_factory):
    schema.upgrade(database_url, clickhouse)
    addresses = {
        "DATABASE_URL": database_url,
        "CLICKHOUSE_URL": clickhouse,
        "PREFECT_API_URL": prefect_api,
    }
    with small_merchant(tmp_path_factory.mktemp("operations"), pace=PACE, **addresses) as (_, sandbox):
        yield sandbox


@pytest.fixture
def wharf(settings, monkeypatch, capfd):
    """Runs a command; gives its status and the one JSON object it printed."""

    def run(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["wharf", *map(str, arguments), "--json"])
        connections.forget()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        lines = out.splitlines()
        assert len(lines) == 1, (out, err)
        return ended.value.code, json.loads(lines[0])

    return run


def rows(statement: str, **values: object) -> list[tuple]:
    with connections.postgres().connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def lines_of(path: Path, *more: dict) -> Path:
    return write_csv(
        path,
        [
            sold("A1", "RED", 2, "5.00"),
            sold("A1", "BLUE", 1, "3.00"),
            sold("A2", "RED", "x", "5.00"),
            sold("A3", "BLUE", 4, "3.00"),
            *more,
        ],
    )


def test_a_file_goes_into_a_channel_of_its_own_and_twice_changes_nothing(wharf, tmp_path):
    file = lines_of(tmp_path / "lines.csv")
    status, first = wharf("import", file, "--format", "mapped", "--account", "old-shop", *PLACE)
    assert status == 0
    assert first["rows"][0]["inserted"] > 0
    assert first["rows"][0]["refused"] == 1
    held = "SELECT o.external_id, o.total FROM core.orders o JOIN core.channels c ON c.id = o.channel_id"
    held += " WHERE c.name = 'old-shop' ORDER BY 1"
    before = rows(held)
    assert [(key, str(total)) for key, total in before] == [("A1", "13.0000"), ("A3", "12.0000")]
    _, again = wharf("import", file, "--format", "mapped", "--account", "old-shop", *PLACE)
    assert (again["rows"][0]["inserted"], again["rows"][0]["updated"]) == (0, 0)
    assert rows(held) == before
    ledger = rows("SELECT kind, outcome FROM ops.runs WHERE account = 'old-shop'")
    assert ledger == [("import", "degraded")] * 2
    assert rows("SELECT count(*) FROM ops.watermarks WHERE account = 'old-shop'") == [(0,)]


def test_what_the_api_brought_wins_over_a_file(wharf, tmp_path):
    status, synced = wharf(
        "sync", "orders", "--account", "shopify", "--since", "2026-02-20", "--until", "2026-03-01"
    )
    assert status == 0, synced
    ours = (
        "SELECT o.external_id, o.total, o.source_updated_at, sum(i.quantity), count(*) FROM core.orders o"
        " JOIN core.order_items i ON i.order_id = o.id JOIN core.channels c ON c.id = o.channel_id"
        " WHERE c.account = 'shopify' GROUP BY 1, 2, 3 ORDER BY 1"
    )
    before = rows(ours)
    assert before
    external_id, _, at, *_ = before[0]
    # The same order by the file, as of the very instant the API names, with other amounts.
    file = write_csv(
        tmp_path / "history.csv", [sold(external_id, "OTHER", 99, "1.00", Date=f"{at:%Y-%m-%d %H:%M:%S}")]
    )
    _, told = wharf("import", file, "--format", "mapped", "--account", "shopify")
    assert told["rows"][0]["updated"] == 0
    assert rows(ours) == before


def test_a_refused_record_is_loaded_once_it_can_be_read(wharf):
    order = {
        "id": "gid://shopify/Order/991",
        "legacyResourceId": "991",
        "name": "#991",
        "createdAt": "2026-02-01T10:00:00Z",
        "updatedAt": "2026-02-01T10:05:00Z",
        "currencyCode": "USD",
        "lineItems": {"nodes": []},
    }
    insert = (
        "INSERT INTO ops.quarantine (account, channel, resource, natural_key, field, reason, raw)"
        " VALUES ('shopify', 'shopify', 'orders', :key, 'total', 'was not understood', CAST(:raw AS jsonb))"
        " RETURNING id"
    )
    with connections.postgres().begin() as connection:
        good = connection.scalar(text(insert), {"key": "991", "raw": json.dumps(order)})
        bad = {**order, "id": "gid://shopify/Order/992", "createdAt": "yesterday"}
        still = connection.scalar(text(insert), {"key": "992", "raw": json.dumps(bad)})
    status, told = wharf("quarantine", "replay", "--account", "shopify")
    assert status == 0
    by_id = {record["id"]: record for record in told["records"]}
    assert by_id[good]["loaded"], by_id[good]
    assert not by_id[still]["loaded"]
    assert "'yesterday' is not an instant" in by_id[still]["reason"]
    assert rows("SELECT replayed_at IS NOT NULL FROM ops.quarantine WHERE id = :id", id=good) == [(True,)]
    assert rows("SELECT count(*) FROM core.orders WHERE external_id = '991'") == [(1,)]
    _, again = wharf("quarantine", "replay", good)
    assert "already" in again["records"][0]["reason"]


def test_rows_the_warehouse_refused_are_tried_with_their_order(wharf):
    with connections.postgres().begin() as connection:
        found = connection.execute(
            text(
                "SELECT id, natural_key FROM ops.quarantine WHERE account = 'old-shop' AND replayed_at IS NULL"
            )
        ).all()
    assert found, "the line with the quantity x"
    _, told = wharf("quarantine", "replay", "--account", "old-shop")
    assert not any(record["loaded"] for record in told["records"])
    assert "import it again" in told["records"][0]["reason"]


def test_status_says_how_fresh_everything_is(wharf, capfd, monkeypatch):
    _, told = wharf("status")
    # What was only imported from files has no freshness.
    assert {row["account"] for row in told["status"]} == {"shopify"}
    assert told["totals"]["orders"] > 3
    monkeypatch.setattr(sys, "argv", ["wharf", "status"])
    with pytest.raises(SystemExit):
        cli.main()
    out = capfd.readouterr().out
    assert "just now" in out or "ago" in out
    assert "open alerts" in out


def test_the_doctor_finds_nothing_grave_with_the_sandbox(wharf, settings):
    settings.set_clock({"freeze": datetime.now(UTC).isoformat()})  # the doctor asks about now
    status, told = wharf("doctor")
    graves = [finding for finding in told["findings"] if finding["level"] == "fail"]
    assert not graves
    assert status == 0
    looked_at = {(finding["account"], finding["subject"]) for finding in told["findings"]}
    assert {("", "postgres"), ("", "clickhouse"), ("", "clock"), ("", "prefect")} <= looked_at
    assert {("amazon", "token"), ("shopify", "orders"), ("walmart", "inventory")} <= looked_at


def test_the_doctor_names_a_wrong_credential_and_ends_with_1(wharf, monkeypatch):
    monkeypatch.setenv("WALMART_CLIENT_SECRET", "wrong")
    status, told = wharf("doctor", "--account", "walmart")
    assert status == 1
    (found,) = [finding for finding in told["findings"] if finding["level"] == "fail"]
    assert (found["account"], found["subject"]) == ("walmart", "token")
    assert "WALMART_CLIENT_SECRET" in found["advice"]
    assert "wrong" not in json.dumps(told).replace("wrong credential", "")
