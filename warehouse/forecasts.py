"""Forecasts into core: every generation is kept, so that accuracy can be measured when the truth arrives."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine, text

from warehouse.batch import Run
from warehouse.load import copy_frame

_COLUMNS = ("series_id", "date", "model", "yhat", "lo80", "hi80", "lo95", "hi95")
# Of a row that was there, xmax is the transaction that changed it.
_SAVE = """
    WITH saved AS (
    INSERT INTO core.forecasts (
        product_id, channel_id, forecast_date, model_type, predicted_units, lower_80, upper_80, lower_95, upper_95,
        generated_at
    )
    SELECT p.id, c.id, i.date, i.model, i.yhat, i.lo80, i.hi80, i.lo95, i.hi95, :generated_at
    FROM incoming i
    JOIN core.channels c ON c.name = split_part(i.series_id, '|', 1)
    JOIN core.products p ON p.sku = substr(i.series_id, strpos(i.series_id, '|') + 1)
    ON CONFLICT (product_id, channel_id, generated_at, model_type, forecast_date) DO UPDATE SET
        predicted_units = EXCLUDED.predicted_units, lower_80 = EXCLUDED.lower_80, upper_80 = EXCLUDED.upper_80,
        lower_95 = EXCLUDED.lower_95, upper_95 = EXCLUDED.upper_95
    RETURNING (xmax = 0) AS is_new
    )
    SELECT count(*) AS rows, coalesce(bool_or(is_new), false) AS is_new FROM saved
"""
_SAVE_RUN = """
    INSERT INTO core.forecast_runs AS r (
        run_id, generated_at, history_until, horizon_days, series, rows, scores, model_version, spreads
    )
    SELECT :run_id, :generated_at, :history_until, count(DISTINCT date), count(DISTINCT series_id), count(*),
           CAST(:scores AS jsonb), :model_version, CAST(:spreads AS jsonb)
    FROM incoming
    ON CONFLICT (generated_at) DO UPDATE SET
        series = r.series + CASE WHEN :is_new THEN EXCLUDED.series ELSE 0 END,
        rows = r.rows + CASE WHEN :is_new THEN EXCLUDED.rows ELSE 0 END,
        scores = CASE WHEN EXCLUDED.scores = '{}' THEN r.scores ELSE EXCLUDED.scores END
"""


def save(
    engine: Engine,
    frame: pl.DataFrame,
    generated_at: datetime,
    run: Run | None = None,
    *,
    scores: Mapping[str, Any] | None = None,
    history_until: date | None = None,
    model_version: str | None = None,
    spreads: Mapping[str, Any] | None = None,
) -> int:
    """Keep a forecast frame (series_id "<channel>|<sku>", date, model, yhat, bounds); returns rows kept.

    A generation may come in parts; saving the same part again overwrites it. Series of channels or products
    that are not in core are left out.
    """
    rows = frame.select(*_COLUMNS)
    values = {
        "run_id": run.id if run else None,
        "generated_at": generated_at,
        "history_until": history_until,
        "scores": json.dumps(dict(scores or {}), default=str),
        "model_version": model_version,
        "spreads": json.dumps(dict(spreads or {})),
    }
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE incoming (series_id text, date date, model text, yhat numeric, lo80 numeric,"
                " hi80 numeric, lo95 numeric, hi95 numeric) ON COMMIT DROP"
            )
        )
        copy_frame(connection, "incoming", rows)
        saved = connection.execute(text(_SAVE), values).one()
        connection.execute(text(_SAVE_RUN), {**values, "is_new": saved.is_new})
    return int(saved.rows)


def keep_model(engine: Engine, version: str, manifest: Mapping[str, Any], *, trained_at: datetime) -> None:
    """Note a stored version of the models in the registry; one already noted stays as it is.

    `manifest`: hash, data_from, data_until, series and scores, as the version's own file says.
    """
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO core.trained_models"
                " (name, version, trained_at, data_from, data_until, series, scores, sha256, path)"
                " VALUES ('ensemble', :version, :trained_at, :data_from, :data_until, :series,"
                " CAST(:scores AS jsonb), :sha256, :version) ON CONFLICT (name, version) DO NOTHING"
            ),
            {
                "version": version,
                "trained_at": trained_at,
                "sha256": manifest["hash"],
                "data_from": manifest["data_from"],
                "data_until": manifest["data_until"],
                "series": manifest["series"],
                "scores": json.dumps({"errors": manifest["scores"]}, default=str),
            },
        )


def trained_at(engine: Engine) -> datetime | None:
    """When the newest models were trained; None before the first."""
    with engine.connect() as connection:
        newest: datetime | None = connection.scalar(text("SELECT max(trained_at) FROM core.trained_models"))
    return newest


def forget(engine: Engine, *, before: datetime) -> int:
    """Drop generations made before an instant, except the newest of each series; returns rows dropped."""
    with engine.begin() as connection:
        return connection.execute(
            text(
                "DELETE FROM core.forecasts f USING (SELECT product_id, channel_id, max(generated_at) AS newest"
                " FROM core.forecasts GROUP BY 1, 2) n WHERE n.product_id = f.product_id"
                " AND n.channel_id = f.channel_id AND f.generated_at < n.newest AND f.generated_at < :before"
            ),
            {"before": before},
        ).rowcount


def has_any(engine: Engine) -> bool:
    """Whether anything was ever forecast."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT EXISTS (SELECT FROM core.forecast_runs)")))


def latest_scores(engine: Engine) -> list[dict[str, Any]]:
    """Backtest scores of the newest generation that has any, one mapping a model; empty before the first."""
    with engine.connect() as connection:
        scores = connection.scalar(
            text(
                "SELECT scores FROM core.forecast_runs WHERE scores <> '{}' ORDER BY generated_at DESC LIMIT 1"
            )
        )
    return list(scores.values()) if scores else []
