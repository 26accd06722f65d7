"""The tables on several machines: every statement becomes one the engine can read, and none changes without a cluster.

No cluster runs here: the statements are parsed, not executed.
"""

import re

import pytest
from alembic import command
from sqlalchemy import Engine, event

from warehouse import cluster, engines, schema
from warehouse.tables.analytics import metadata

PUBLISHING = (
    "DROP TABLE IF EXISTS analytics.{0}__stage",
    "CREATE TABLE analytics.{0}__stage AS analytics.{0}",
    "ALTER TABLE analytics.{0} REPLACE PARTITION '202603' FROM analytics.{0}__stage",
    "ALTER TABLE analytics.{0} DROP PARTITION '202603'",
)


@pytest.fixture(scope="module")
def migrating(clickhouse):
    """Every statement the migrations run, there and back."""
    said = []

    def note(_, __, statement, *rest):
        said.append(statement.replace("%%", "%"))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        command.upgrade(schema._config("clickhouse", clickhouse), "head")
        command.downgrade(schema._config("clickhouse", clickhouse), "base")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return said


def test_every_statement_is_one_the_engine_reads(migrating, clickhouse):
    publishing = [line.format(table.name) for table in metadata.tables.values() for line in PUBLISHING]
    asked = [one for statement in [*migrating, *publishing] for one in cluster.statements(statement, "wharf")]
    quoted = ", ".join("'" + one.replace("\\", "\\\\").replace("'", "''") + "'" for one in asked)
    with engines.clickhouse(clickhouse) as client:
        unread = f"SELECT q FROM (SELECT arrayJoin([{quoted}]) AS q) WHERE formatQueryOrNull(q) IS NULL"
        assert client.query(unread).result_rows == []
    changing = [one for one in asked if re.match("CREATE|DROP", one)]
    assert all("ON CLUSTER 'wharf'" in one for one in changing)
    assert not any(re.search(r"Engine MergeTree\b", one) for one in changing)
    for table in metadata.tables.values():
        fronts = [one for one in changing if f".{table.name} ON CLUSTER" in one and "Distributed(" in one]
        assert bool(fronts) == cluster.is_sharded(table.name), table.name


def test_without_a_cluster_nothing_changes(migrating):
    assert all(cluster.statements(statement, None) == [statement] for statement in migrating)


def test_rows_go_where_they_are_and_columns_everywhere():
    swap, gone, named = (
        cluster.statements(statement, "{cluster}")
        for statement in (
            PUBLISHING[2].format("daily_margin"),
            PUBLISHING[3].format("daily_margin"),
            "ALTER TABLE analytics.daily_margin ADD COLUMN x Int64",
        )
    )
    assert swap[-1].startswith(
        "ALTER TABLE analytics.daily_margin__shard ON CLUSTER '{cluster}' REPLACE PARTITION '202603'"
        " FROM analytics.daily_margin__stage__shard SETTINGS allow_replace_partition_from_empty_source = 1"
    )
    assert gone == [
        "ALTER TABLE analytics.daily_margin__shard ON CLUSTER '{cluster}' DROP PARTITION '202603'"
    ]
    assert [re.split(r" ON CLUSTER ", one)[0].split(".")[1] for one in named] == [
        "daily_margin__shard",
        "daily_margin",
    ]


def test_the_name_travels_in_the_address():
    url = cluster.with_cluster("https://u:p@host:8443/analytics?secure=true", "{cluster}")
    assert cluster.in_url(url) == "{cluster}"
    assert engines.clickhouse_url(url) == engines.clickhouse_url(
        "https://u:p@host:8443/analytics?secure=true"
    )
    assert cluster.in_url("http://127.0.0.1:8123/analytics") is None
