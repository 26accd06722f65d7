"""What the stored forecasts add up to by category, channel and in all."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, text

from warehouse import sql


def roll_up(engine: Engine, usual_shared: float, usual_quantiles: Mapping[str, float]) -> int:
    """Replace all totals by the sums of the newest forecasts, in one transaction; returns rows.

    The usual ones are for levels no backtest has measured: the part of their errors series share, and by bound the
    quantiles of what totals are off by.
    """
    usual = {"usual_shared": usual_shared, "usual_quantiles": json.dumps(dict(usual_quantiles))}
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM core.forecast_totals"))
        return connection.execute(text(sql.read("forecast_totals")), usual).rowcount


def ahead(engine: Engine, spans: Sequence[int] = (30, 60, 90)) -> list[dict[str, Any]]:
    """Units expected over the next days by level, channel and category (null: all), the whole first."""
    columns = ", ".join(
        f"sum(t.predicted_units) FILTER (WHERE t.forecast_date < f.first + {days})::float8 AS next_{days}_days"
        for days in spans
    )
    statement = (
        f"SELECT t.level, c.name AS channel, t.category, {columns}"
        " FROM core.forecast_totals t LEFT JOIN core.channels c ON c.id = t.channel_id"
        " CROSS JOIN (SELECT min(forecast_date) AS first FROM core.forecasts"
        " WHERE generated_at = (SELECT max(generated_at) FROM core.forecasts)) f"
        " WHERE t.forecast_date >= f.first GROUP BY 1, 2, 3"
        " ORDER BY c.name IS NOT NULL, t.category IS NOT NULL, 4 DESC"
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement)).mappings()]
