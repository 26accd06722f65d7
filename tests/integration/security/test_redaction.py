"""Somebody erased is nowhere, and stays nowhere whatever arrives, from wherever."""

import json
from contextlib import closing, nullcontext
from datetime import timedelta

import pytest
from sqlalchemy import text

from connectors.privacy import pseudonym
from deployments.commands import privacy
from flows import connections, redaction
from tests.integration.security.conftest import SECRET
from tests.warehouse_factories import T0, Place, line, order
from warehouse import channels, merge, rollup, runs
from warehouse import redaction as store
from warehouse.batch import Span
from warehouse.load import Staging
from warehouse.tables import metadata

ADA, BOB = (pseudonym(f"email:{name}@example.com", SECRET.encode()) for name in ("ada", "bob"))


def sold(name, key, **over):
    return order(name, customer_key=key, ship_region="CA", ship_country="US", **over)


def page(*orders):
    return {"orders": list(orders), "order_items": [line(found["external_id"]) for found in orders]}


@pytest.fixture
def held(settings, loader):
    loader.load(page(sold("1", ADA), sold("2", ADA), sold("3", BOB)))
    loader.load(
        {"carts": [{"channel": "shopify-test", "external_id": "c1", "created_at": T0, "customer_key": ADA}]}
    )
    return loader


def publish():
    with closing(connections.clickhouse()) as client:
        rollup.publish(connections.postgres(), client)


def in_clickhouse():
    with closing(connections.clickhouse()) as client:
        return {
            row[0] for row in client.query("SELECT customer_key FROM analytics.customer_cohorts").result_rows
        }


def everywhere(engine, needle):
    """Tables whose rows contain `needle` anywhere."""
    with engine.connect() as connection:
        return [
            f"{table.schema}.{table.name}"
            for table in metadata.sorted_tables
            if connection.scalar(
                text(f"SELECT EXISTS (SELECT FROM {table.schema}.{table.name} t WHERE t::text ILIKE :n)"),
                {"n": f"%{needle}%"},
            )
        ]


def test_an_address_erases_its_person_and_nobody_else(held):
    publish()
    assert set(everywhere(held.engine, ADA)) == {"core.carts", "core.orders"}
    assert in_clickhouse() == {ADA, BOB}
    done = redaction.redact(redaction.person(["Ada@Example.com "]))
    assert done.rows == {"core.orders": 2, "core.carts": 1}
    assert everywhere(held.engine, ADA) == []
    assert in_clickhouse() == {BOB}
    assert held.rows("SELECT external_id, customer_key, ship_region, ship_country FROM core.orders ORDER BY 1") == [
        ("1", None, None, "US"), ("2", None, None, "US"), ("3", BOB, "CA", "US"),
    ]  # fmt: skip
    assert held.one("SELECT count(*) FROM core.sales_events") == 3, "the sales stay"
    assert redaction.redact(redaction.person(["ada@example.com"])).rows == {}


def test_what_arrives_again_stays_without_him(held):
    publish()
    redaction.redact(redaction.person([ADA]))
    newer = T0 + timedelta(days=1)
    held.load(page(sold("1", ADA, updated=newer), sold("9", ADA, at=newer)))
    # The same order by a file that calls him something else.
    held.load(page(sold("2", "f" * 32, updated=newer)))
    publish()
    assert everywhere(held.engine, ADA) == everywhere(held.engine, "f" * 32) == []
    assert in_clickhouse() == {BOB}


def test_a_merge_that_had_read_him_already_leaves_him_out(held):
    """Staged before the erasure, merged after it."""
    run = runs.start(held.engine, "sync", account="shopify", resource="orders")
    with Staging(held.engine, "early") as staging:
        from tests.warehouse_factories import frame

        staging.add({"orders": frame("orders", [sold("5", ADA)])})
        redaction.redact(redaction.person([ADA]))
        merge.commit(held.engine, staging, run=run, lease=None, window=Span(T0, T0), advance_watermark=False)
    assert held.one("SELECT customer_key FROM core.orders WHERE external_id = '5'") is None


def test_in_one_account_only(held):
    channels.ensure(held.engine, "other", [Place("shopify-other")])
    held.load(page({**sold("7", ADA), "channel": "shopify-other"}))
    publish()
    redaction.redact(redaction.person(["ada@example.com"], "other"))
    keys = dict(held.rows("SELECT external_id, customer_key FROM core.orders"))
    assert keys == {"1": ADA, "2": ADA, "3": BOB, "7": None}
    assert in_clickhouse() == {ADA, BOB}, "known elsewhere, and counted by that alone"


def test_a_marketplaces_id_and_named_orders(held):
    by_id = pseudonym("shopify:123456", SECRET.encode())
    held.load(page(sold("11", by_id)))
    redaction.redact(redaction.person(["gid://shopify/Customer/123456"], orders=["3", "77"]))
    held.load(page(sold("77", BOB)))
    keys = dict(held.rows("SELECT external_id, customer_key FROM core.orders"))
    assert keys == {"1": ADA, "2": ADA, "3": None, "11": None, "77": None}


def test_free_text_and_refused_records_go_too(held):
    with held.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.quarantine (account, channel, resource, natural_key, field, reason, raw) VALUES"
                " ('shopify', '', 'orders', '1', 'f', 'r', '{}'), ('shopify', '', 'orders', '3', 'f', 'r', '{}')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO ops.schema_notes (account, resource, note) VALUES ('a', 'b', 'wrote ADA@example.com')"
            )
        )
    redaction.redact(redaction.person(["ada@example.com"]))
    assert held.rows("SELECT natural_key FROM ops.quarantine") == [("3",)]
    assert held.one("SELECT note FROM ops.schema_notes") == "wrote [erased]"


def test_a_restore_to_before_the_erasure_is_undone(held):
    redaction.redact(redaction.person([ADA]))
    with held.engine.begin() as connection:  # as an old backup would leave it
        connection.execute(text("DELETE FROM ops.tombstones"))
        connection.execute(
            text("UPDATE core.orders SET customer_key = :ada WHERE external_id = '1'"), {"ada": ADA}
        )
    redaction.reapply()
    assert everywhere(held.engine, ADA) == []


def test_he_is_told_what_is_held(held):
    told = json.loads(redaction.as_json(redaction.disclose(redaction.person(["ada@example.com"]))))
    assert [found["order_id"] for found in told["orders"]] == ["1", "2"]
    assert told["orders"][0]["items"][0]["sku"] == "SKU-1"
    assert [found["cart_id"] for found in told["carts"]] == ["c1"]


def test_what_is_written_to_a_file_is_told_a_program_as_json(held, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(privacy, "databases", nullcontext)
    privacy.disclose(["ada@example.com"], output=tmp_path / "ada.json", as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "orders": 2,
        "carts": 1,
        "output": str(tmp_path / "ada.json"),
    }


def test_every_table_that_names_customers_is_reached():
    named = {f"{t.schema}.{t.name}" for t in metadata.sorted_tables if "customer_key" in t.columns}
    assert named >= {"core.orders", "core.carts"}
    personal = {column.name for table in metadata.sorted_tables for column in table.columns} & {
        "email",
        "phone",
        "name1",
        "customer_id",
    }
    assert not personal


def test_refused_records_are_ciphertext_and_keys_can_change(held, settings):
    settings.setenv("WHARF_ENCRYPTION_KEYS", "first")
    connections.forget()
    run = held.run()
    with Staging(held.engine, "sealed", seal=connections.vault().seal) as staging:
        from connectors.canonical import Rejected

        staging.add({}, [Rejected("8", "total", "no number", '{"note": "canary"}')])
        merge.commit(held.engine, staging, run=run, lease=None, window=Span(T0, T0), advance_watermark=False)
    stored = held.one("SELECT raw FROM ops.quarantine")
    assert everywhere(held.engine, "canary") == []
    assert connections.vault().open(stored) == {"note": "canary"}
    settings.setenv("WHARF_ENCRYPTION_KEYS", "second first")
    connections.forget()
    assert store.reseal(held.engine, connections.vault().renew) == 1
    settings.setenv("WHARF_ENCRYPTION_KEYS", "second")
    connections.forget()
    assert connections.vault().open(held.one("SELECT raw FROM ops.quarantine")) == {"note": "canary"}


def test_refused_records_expire(held):
    with held.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.quarantine (account, channel, resource, natural_key, field, reason, raw, refused_at)"
                " VALUES ('a', '', 'orders', 'old', 'f', 'r', '{}', clock_timestamp() - interval '31 days'),"
                " ('a', '', 'orders', 'new', 'f', 'r', '{}', clock_timestamp() - interval '29 days')"
            )
        )
    assert store.expire(held.engine, 30) == 1
    assert held.rows("SELECT natural_key FROM ops.quarantine WHERE raw IS NULL") == [("old",)]
