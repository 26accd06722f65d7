"""What the stored forecasts add up to by category, channel and in all."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from warehouse import sql

# Until a backtest has measured it: one part in twenty of the series' errors is shared, and they are normal.
_USUAL = {"lo80": -1.0, "hi80": 1.0, "lo95": -1.53, "hi95": 1.53}
_USUAL_SHARED = 0.05


def roll_up(engine: Engine) -> int:
    """Replace all totals by the sums of the newest forecasts, in one transaction; returns rows."""
    usual = {"usual_shared": _USUAL_SHARED, "usual_quantiles": json.dumps(_USUAL)}
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
