import os
from datetime import date, timedelta

import polars as pl

from models import plots
from models.workers import Failure, Job, run_jobs

PNG = b"\x89PNG\r\n\x1a\n"


def test_jobs_run_in_other_processes_and_leave_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    jobs = [Job("pid", "os:getpid"), Job("alone", "os:getpid", alone=True), Job("folder", "tempfile:mkdtemp")]
    seen = []

    results = run_jobs(jobs, 1, lambda job: seen.append(job.name))

    assert seen == ["pid", "alone", "folder"]
    assert len({results["pid"], results["alone"], os.getpid()}) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_fails_or_dies_costs_only_itself():
    jobs = [
        Job("wrong", "math:sqrt", {"x": -1}),
        Job("dead", "os:_exit", {"status": 3}),
        Job("fine", "os:getpid"),
    ]

    results = run_jobs(jobs, 1)

    assert isinstance(results["wrong"], Failure)
    assert "TypeError" in results["wrong"].reason
    assert isinstance(results["dead"], Failure)
    assert "status 3" in results["dead"].reason
    assert isinstance(results["fine"], int)


def ahead(cutoff=None):
    days = [date(2024, 5, 1) + timedelta(days=n) for n in range(14)]
    rows = {
        "series_id": "a",
        "date": days,
        "model": "ensemble",
        "yhat": 5.0,
        "lo80": 3.0,
        "hi80": 8.0,
        "lo95": 1.0,
        "hi95": 9.0,
    }
    frame = pl.DataFrame(rows)
    return frame if cutoff is None else frame.with_columns(cutoff=pl.lit(cutoff), y=pl.lit(4.0))


def test_pictures_are_drawn_even_for_titles_with_dollars_and_days_not_known():
    past = pl.DataFrame({"date": [date(2024, 4, n) for n in range(1, 31)], "y": [3.0] * 20 + [None] * 10})

    assert plots.forecast_plot(past, ahead(), title="Mug $5 $x^2$").startswith(PNG)
    assert plots.backtest_plot(ahead(date(2024, 4, 30)), title="Mug", history=past).startswith(PNG)
    stock = plots.stock_plot(
        ahead(), title="Mug", available=30, inbound=5, reorder_point=20, now=date(2024, 4, 30)
    )
    assert stock.startswith(PNG)
