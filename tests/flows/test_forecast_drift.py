"""Forecasts that have become clearly worse than promised are told, and trained anew, but not every night."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow
from sqlalchemy import text

from flows import accuracy, connections
from warehouse import forecasts, schema

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

NOW = datetime(2026, 3, 11, 4, tzinfo=UTC)
_DAY = "INSERT INTO core.forecast_accuracy VALUES (:day, 1, 'ensemble', 0, true, 100, 200, :wrong, 0, 80, 95, :day)"


@pytest.fixture
def measured(database_url, prefect_api, monkeypatch, tmp_path):
    """Says how wrong each of the last fourteen days was where 60 of 200 units were promised; then measures."""
    schema.upgrade(database_url, None)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WHARF_HOME", str(tmp_path))
    monkeypatch.setenv("WHARF_SECRET_KEY", "a key for tests, thirty-two bytes")
    connections.forget()
    engine = connections.postgres()
    promised = '{"ensemble": {"model": "ensemble", "wape": 0.3, "bias": 0.0, "cover80": 0.8}}'
    with engine.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE core.forecast_accuracy, core.forecast_runs, core.trained_models, core.alerts CASCADE"
            )
        )
        connection.execute(
            text(
                "INSERT INTO core.forecast_runs (generated_at, horizon_days, series, rows, scores)"
                " VALUES (:at, 30, 1, 1, CAST(:scores AS jsonb))"
            ),
            {"at": NOW - timedelta(days=20), "scores": promised},
        )

    def wrong(units):
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM core.forecast_accuracy"))
            for back in range(1, 15):
                row = {"day": NOW.date() - timedelta(days=back), "wrong": units + back % 3}
                connection.execute(text(_DAY), row)
        return flow(accuracy.measure.fn, name="measure")(NOW)

    yield wrong
    connections.forget()


def told():
    with connections.postgres().connect() as connection:
        return connection.execute(text("SELECT alert_type, message FROM core.alerts")).all()


def test_drift_is_told_and_trained_away_once(measured):
    assert measured(60) is False
    assert told() == []

    assert measured(90) is True
    ((kind, message),) = told()
    assert kind == "forecast_drift"
    assert "46% of the units wrong" in message
    assert "had 30%" in message

    trained = {"hash": "h", "data_from": None, "data_until": None, "series": 1, "scores": []}
    forecasts.keep_model(connections.postgres(), "v1", trained, trained_at=NOW - timedelta(days=2))
    assert measured(90) is False  # the new models need days to show what they are worth
