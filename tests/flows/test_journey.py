"""From three marketplaces to ClickHouse and an inbox: what analysts and merchants see is what happened."""

from datetime import timedelta

import polars as pl
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from polars.testing import assert_series_equal
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME
from prefect.variables import Variable
from sqlalchemy import text

from connectors.sandbox.faults import Fault
from flows import connections, limits, tracing
from flows import forecast as forecasting
from flows.alerting import stock_alerts
from flows.forecast import Choice, forecast, model_registry, train
from flows.inventory_planning import inventory_planning, what_if
from flows.rollup import roll_up
from flows.sync import sync
from models import registry
from tests.canaries import in_clickhouse, in_files, in_postgres, in_sqlite, in_text, listening
from tests.sandbox_factories import NOON
from warehouse import alerts as store
from warehouse import demand_sums, forecast_totals, read
from warehouse.tables.planning import NAMES as PLANNED

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

FIRST = NOON - timedelta(days=20)


@pytest.fixture(scope="module")
def synced(merchant):
    """Two syncs, the second after twenty days in which orders changed, were cancelled and refunded."""
    merchant.spans = InMemorySpanExporter()
    tracing.send(SimpleSpanProcessor(tracing.inert(merchant.spans)))
    with listening() as merchant.canaries:
        for instant in (FIRST, NOON):
            now = merchant.move_to(instant)
            state = sync(["all"], until=now, return_state=True)
            assert state.is_completed(), state.message
        yield merchant
    merchant.spans.shutdown()


def published() -> pl.DataFrame:
    client = connections.clickhouse()
    try:
        rows = client.query(
            "SELECT c.name AS channel, s.date AS date, p.sku AS sku, sum(s.total_units) AS units,"
            " sum(s.refunded_units) AS refunded_units, sum(s.total_revenue) AS revenue"
            " FROM analytics.daily_sales_summary s"
            " JOIN analytics.channels c ON c.channel_id = s.channel_id"
            " LEFT JOIN analytics.products p ON p.product_id = s.product_id GROUP BY ALL"
        )
        frame = pl.DataFrame(rows.result_rows, schema=rows.column_names, orient="row")
        return frame.with_columns(pl.col("revenue").cast(pl.Decimal(18, 4)))
    finally:
        client.close()


def test_every_day_in_clickhouse_equals_the_truth(synced):
    rolled = roll_up(return_state=True)
    assert rolled.is_completed(), rolled.message
    ours = published().group_by("channel", "date").agg(pl.col("units", "refunded_units", "revenue").sum())
    truth = (
        synced.truth()
        .group_by("channel", "date")
        .agg(pl.col("units", "refunded_units").sum(), revenue=pl.col("revenue").sum())
    )
    # Beyond the first load's span nothing was asked for.
    since = (FIRST - timedelta(days=168)).date()
    theirs = truth.filter(pl.col("date") >= since).sort("channel", "date")
    ours = ours.filter(pl.col("date") >= since).sort("channel", "date")
    compared = theirs.join(ours, on=["channel", "date"], how="full", coalesce=True, suffix="_ours").fill_null(
        0
    )
    wrong = compared.filter(
        (pl.col("units") != pl.col("units_ours"))
        | (pl.col("refunded_units") != pl.col("refunded_units_ours"))
        | ((pl.col("revenue").cast(pl.Float64) - pl.col("revenue_ours").cast(pl.Float64)).abs() > 0.005)
    )
    assert wrong.to_dicts() == []
    assert theirs["units"].sum() > 500


def test_traces_lead_from_a_run_to_its_requests_and_statements(synced):
    spans = {span.context.span_id: span for span in synced.spans.get_finished_spans()}

    def path(span) -> list[str]:
        """Names from the outermost on."""
        above = spans.get(span.parent.span_id) if span.parent else None
        return [*(path(above) if above else []), span.name]

    paths = {" > ".join(path(span)) for span in spans.values()}
    assert "sync-all > ingest-amazon-orders > window > merge > INSERT" in {
        p.rsplit(" ", 1)[0] for p in paths
    }, sorted(paths)
    assert any(
        p.startswith("sync-all > ingest-shopify-orders > window > ") and "orders" in p for p in paths
    ), paths
    window = next(span for span in spans.values() if span.name == "window")
    assert window.attributes.keys() == {"wharf.run", "wharf.account", "wharf.resource", "wharf.window"}


def test_the_same_again_writes_nothing(synced):
    since = synced.now - timedelta(days=10)
    again = sync(
        ["orders"], ["shopify", "walmart"], since=since, until=synced.now, return_state=True
    ).result()
    assert sum(result.records for result in again) > 0
    assert sum(result.inserted + result.updated for result in again) == 0
    assert roll_up(return_state=True).result().days == 0


def test_a_paused_account_is_read_only_where_a_run_names_it(synced):
    Variable.set(limits.PAUSED_ACCOUNTS, ["amazon", "shopify", "walmart"], overwrite=True)
    try:
        state = sync(["inventory"], until=synced.now, return_state=True)
        named = sync(["inventory"], ["walmart"], until=synced.now, return_state=True).result()
    finally:
        Variable.unset(limits.PAUSED_ACCOUNTS)
    assert state.name == "NothingToDo"
    assert "amazon, shopify, walmart" in state.message
    assert [result.account for result in named] == ["walmart"]


def test_one_wrong_credential_fails_its_account_alone(synced, monkeypatch):
    monkeypatch.setenv("WALMART_CLIENT_SECRET", "wrong")
    connections.forget()
    state = sync(["products"], until=synced.now, return_state=True)
    monkeypatch.undo()
    connections.forget()
    assert state.is_failed()
    assert "walmart products" in state.message
    assert {result.account for result in state.result(raise_on_failure=False)} == {"amazon", "shopify"}


def test_a_page_that_dies_moves_no_watermark_and_the_next_run_heals(synced):
    before = read.freshness(connections.postgres()).filter(resource="orders", account="shopify")[
        "read_until"
    ][0]
    later = synced.move_to(synced.now + timedelta(hours=3))  # the same day everywhere
    synced.state.faults.add(Fault(operation="shopify.orders", kind="status", status=400, times=1))
    assert sync(["orders"], ["shopify"], until=later, return_state=True).is_failed()
    stale = read.freshness(connections.postgres()).filter(resource="orders", account="shopify")["read_until"][
        0
    ]
    assert stale == before
    assert sync(["orders"], until=later, return_state=True).is_completed()
    healed = read.freshness(connections.postgres()).filter(resource="orders", account="shopify")[
        "read_until"
    ][0]
    assert healed > before


def test_a_load_that_does_not_add_up_fails_its_run(synced):
    stray = (
        "INSERT INTO core.sales_events (order_id, line_id, channel_id, kind, reference, happened_at, happened_date,"
        " order_date, currency, units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount,"
        " refunded_net_amount, recorded_at) SELECT -1, '1', channel_id, 'sale', '', happened_at, happened_date,"
        " order_date, currency, 1, 1, 0, 1, 0, 0, 0, now() FROM core.sales_events ORDER BY order_date DESC LIMIT 1"
    )
    with connections.postgres().begin() as connection:
        connection.execute(text(stray))
    later = synced.move_to(synced.now + timedelta(hours=3))  # the same day everywhere
    state = sync(["orders"], until=later, return_state=True)
    with connections.postgres().begin() as connection:
        connection.execute(text("DELETE FROM core.sales_events WHERE order_id = -1"))
    assert state.is_failed()
    assert "ledger events belong to an order: 1 events without an order" in state.message
    assert sum(result.inserted for result in state.result(raise_on_failure=False)) > 0  # what was read stays


@pytest.fixture
def in_parts(synced, monkeypatch):
    """A catalogue in a few parts, and only the quick models: the slow ones have tests of their own."""
    series = read.daily_demand(connections.postgres(), until=synced.now.date())["series_id"].n_unique()
    monkeypatch.setattr(forecasting, "SERIES_AT_ONCE", series // 3)
    monkeypatch.setenv("WHARF_FORECAST_MEMBERS", "seasonal_naive ets gradient_boosted")
    connections.settings.cache_clear()
    yield series
    connections.settings.cache_clear()


def test_stock_and_forecast_become_messages_once(synced, in_parts):
    now, known = synced.now, in_parts
    sync(["inventory"], until=now, return_state=True)
    foreseen = forecast(now.date(), 21, "quick", return_state=True)
    assert foreseen.is_completed(), foreseen.message
    assert foreseen.result()["series"] == known
    stored = read.latest_forecasts(connections.postgres())
    assert stored.filter(model="ensemble")["series_id"].n_unique() == known
    assert 0 < stored.filter(model="ets")["series_id"].n_unique() < known  # members of the first part alone
    assert demand_sums.latest(connections.postgres())["series_id"].n_unique() == known
    units = stored.filter(model="ensemble")["yhat"].sum()
    for level in ("total", "channel", "category", "channel and category"):
        added_up = [
            row for row in forecast_totals.ahead(connections.postgres(), (21,)) if row["level"] == level
        ]
        assert sum(row["next_21_days"] for row in added_up) == pytest.approx(units)
    first = stock_alerts(now, return_state=True).result()
    assert first["changes"], "the small world should run low somewhere"
    taken = [message for message in first["sent"] if message["state"] in {"accepted", "delivered"}]
    assert {message["way"] for message in taken} >= {"email", "slack"}
    assert synced.received() == len(taken)
    again = stock_alerts(now, return_state=True).result()
    assert again["sent"] == []
    assert synced.received() == len(taken)
    assert store.listed(connections.postgres()).height == sum(
        c["change"] == "opened" for c in first["changes"]
    )


def test_two_dask_processes_forecast_the_same(synced, in_parts, monkeypatch):
    """A catalogue in parts, each forecast by whichever process of a Dask cluster has room."""
    engine, day = connections.postgres(), synced.now.date()
    before = read.latest_forecasts(engine, ["ensemble"])
    assert len(forecasting.divide.fn(day).parts) > 2
    monkeypatch.setenv("WHARF_TASK_RUNNER", "dask")

    foreseen = forecast(day, 21, "quick", return_state=True)

    assert foreseen.is_completed(), foreseen.message
    after = read.latest_forecasts(engine, ["ensemble"])
    assert (after["generated_at"] > before["generated_at"].max()).all()
    both = before.join(after, on=["series_id", "date"], suffix="_dask")
    assert both.height == before.height == after.height
    for column in ("yhat", "lo80", "hi80", "lo95", "hi95"):
        assert_series_equal(
            both[column], both[f"{column}_dask"], check_names=False, rel_tol=1e-3, abs_tol=1e-3
        )


def test_no_credential_and_no_person_is_found_anywhere(synced, stack_home):
    """Looks at what all of the journey above left behind, and at orders that were refused with all they held."""
    canaries = synced.canaries
    canaries.poison = True
    since = synced.now - timedelta(days=10)
    sync(["orders"], ["amazon", "walmart"], since=since, until=synced.now, return_state=True)
    canaries.poison = False
    refused = read.quarantine(connections.postgres())
    assert {"amazon", "walmart"} <= set(refused["account"]), "nothing was refused: nothing was tried"
    wanted = canaries.all
    assert len(canaries.secrets) >= 8
    assert len(wanted) >= 40
    assert in_text(canaries.log.getvalue(), wanted) == set()
    assert in_text("\n".join(span.to_json() for span in synced.spans.get_finished_spans()), wanted) == set()
    assert in_postgres(wanted) == set()
    assert in_clickhouse(wanted) == set()
    assert in_sqlite(PREFECT_API_DATABASE_CONNECTION_URL.value(), wanted) == set()
    assert in_files(PREFECT_HOME.value(), wanted) == set()
    assert in_files(connections.settings().home, wanted) == set()
    with connections.postgres().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))  # what is in memory goes to the files, too
    assert in_files(stack_home, wanted) == set()


def test_the_plan_from_that_forecast_stands_in_clickhouse(synced):
    day = synced.now.date()
    planned = inventory_planning(day, budget=2000.0, return_state=True)
    assert planned.is_completed(), planned.message
    client = connections.clickhouse()
    try:
        counts = {
            name: client.query(f"SELECT count() FROM analytics.{name}").result_rows[0][0]
            for name in PLANNED
            if name != "season_orders"  # a deployment of its own, asked for one season at a time
        }
        spent, empty = client.query(
            "SELECT toFloat64(sum(order_amount)), countIf(order_quantity <= 0) FROM analytics.replenishment"
            " WHERE within_budget"
        ).result_rows[0]
        levels = client.query(
            "SELECT currency, groupUniqArray(service_level) FROM analytics.replenishment GROUP BY currency"
        ).result_rows
    finally:
        client.close()
    assert all(len(found) == 1 and 0.5 <= found[0] <= 0.95 for _, found in levels)
    assert counts == planned.result()["rows"]
    assert counts["stockout_risk"] == 3 * counts["replenishment"] > 0
    assert counts["sku_classes"] >= counts["replenishment"]
    assert (spent or 0) <= 2000
    assert empty == 0
    then = {row["measure"]: row for row in what_if(price_change=-0.1, day=day, return_state=True).result()}
    assert then["demand"]["change"] > 0.05
    assert then["average_stock"]["change"] > 0


def test_one_sku_and_one_model_are_trained_by_hand_and_the_nights_keep_theirs(
    synced, in_parts, monkeypatch, tmp_path
):
    engine, day = connections.postgres(), synced.now.date()
    before = read.latest_forecasts(engine, ["ensemble"])
    nightly = {path.name for path in model_registry().iterdir()}
    channel, sku = before["series_id"][0].split("|")
    with engine.connect() as connection:
        account = connection.scalar(
            text("SELECT account FROM core.channels WHERE name = :name"), {"name": channel}
        )

    plan = tmp_path / "promotions.csv"
    first, last = day - timedelta(days=40), day + timedelta(days=5)
    plan.write_text(f"sku,channel,first_date,last_date\n{sku},,{first},{last}\n")
    monkeypatch.setenv("WHARF_PROMOTIONS_FILE", str(plan))
    connections.settings.cache_clear()

    trained = train(day, 21, "quick", skus=[sku], account=account, members=["ets"], return_state=True)

    assert trained.is_completed(), trained.message
    after = read.latest_forecasts(engine, ["ensemble"]).join(before, on=["series_id", "date"], how="anti")
    renewed = read.latest_forecasts(engine, ["ensemble"]).filter(
        pl.col("generated_at") > before["generated_at"].max()
    )
    assert after.is_empty()
    assert {series.split("|")[1] for series in renewed["series_id"]} == {sku}
    assert channel in {series.split("|")[0] for series in renewed["series_id"]}
    assert {path.name for path in model_registry().iterdir()} == nightly
    by_hand = model_registry(Choice(skus=(sku,)))
    (version,) = registry.versions(by_hand)
    assert "promo" in registry.manifest_of(by_hand, version)["known"]
    unknown = train(day, 21, "quick", skus=["never-sold"], return_state=True)
    assert "never-sold" in unknown.message
