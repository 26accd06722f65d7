"""What a run is called where a person gave it nothing."""

from datetime import UTC, date, datetime

from prefect import runtime

from flows import report


def test_a_run_without_a_day_is_named_after_today(monkeypatch):
    name = report.by_day("forecast")
    monkeypatch.setattr(runtime.flow_run, "parameters", {"day": None}, raising=False)
    assert name() == f"forecast-{datetime.now(UTC).date()}"
    monkeypatch.setattr(runtime.flow_run, "parameters", {"day": date(2026, 3, 1)}, raising=False)
    assert name() == "forecast-2026-03-01"
