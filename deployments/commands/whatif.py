"""`wharf forecast whatif`: another price, promotion, lead time or service level, from a file or the warehouse."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.files import forecast
from deployments.commands.output import AsJson, emit, shown, writable


def register(_: typer.Typer) -> None:
    """Adds it to `wharf forecast`."""
    forecast.command()(whatif)


def whatif(
    input: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="daily units with a price column; default: the warehouse",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="CSV or parquet, one row per series", dir_okay=False, callback=writable
        ),
    ] = None,
    price_change: Annotated[float, typer.Option(help="percent: -10 is 10 % less")] = 0.0,
    promotion: Annotated[bool, typer.Option("--promotion", help="shown as a promotion, too")] = False,
    lead_time: Annotated[float | None, typer.Option(help="days from ordering to having")] = None,
    service_level: Annotated[float | None, typer.Option(help="0.5 to under 1")] = None,
    horizon: Annotated[int, typer.Option(min=7, max=180, help="days ahead, with --input")] = 28,
    as_json: AsJson = False,
) -> None:
    """Change price, promotion, lead time or service level: demand, stock and cost beside today's."""
    from models import files as model_files
    from models import whatif as model

    scenario = model.Scenario(price_change / 100, promotion, lead_time, service_level)
    answer = _from_file(input, scenario, horizon) if input else _from_warehouse(scenario)
    totals = model.totals(answer)
    if output is not None:
        model_files.write_forecast(answer, output)
    if as_json:
        emit({"series": answer.height, "totals": totals.to_dicts()})
        return
    print(shown(totals, rounded=True))
    low, then, high = (answer[f"demand_then{end}"].sum() for end in ("_lo95", "", "_hi95"))
    print(
        f"{answer.height} series; demand then {then:,.0f}, by the effect's 95 % interval {low:,.0f} to {high:,.0f}"
    )
    if assumed := int(answer["is_assumed"].sum()):
        print(f"  note: {assumed} series showed too few price changes; the effect usual for goods is assumed")


def _from_file(path: Path, scenario: Any, horizon: int) -> Any:
    import polars as pl

    from flows import connections
    from models import files as model_files
    from models import forecast as forecasting
    from models import price_effect, stock_level
    from models import whatif as model
    from models.base import ForecastSettings, SeriesError
    from models.replenishment import Costs

    settings = connections.settings()
    series = model_files.read_series(path)
    if "price" not in series.columns:
        raise SeriesError(
            f"{path}: column 'price' is needed to see what a price does; found {series.columns}"
        )
    members = ("seasonal_naive", "weekday_mean", "tsb", "ets", "gradient_boosted")
    known = series.filter(pl.col("y").is_not_null())
    last = known["date"].max()
    if not isinstance(last, date):
        raise SeriesError(f"{path}: no day has a known y")
    result = forecasting.run(
        known.drop("price", "promo", strict=False),
        horizon,
        settings=ForecastSettings(members=members, workers=1, origin=last),
    )
    extra = [name for name in ("category", "unit_cost") if name in known.columns]
    position = (
        known.sort("date")
        .group_by("series_id")
        .agg(pl.col("price").drop_nulls().last(), pl.col(extra).last())
    )
    today = model.Today(
        settings.lead_time_days,
        settings.review_days,
        settings.service_level or stock_level.USUAL,
        last + timedelta(days=1),
        Costs(settings.order_cost, settings.holding_rate, settings.stock_rate),
    )
    return model.ask(position, result.frame, result.cumulative, price_effect.effects(known), today, scenario)


def _from_warehouse(scenario: Any) -> Any:
    from deployments.commands.services import databases

    with databases():
        from flows.inventory_planning import ask_warehouse

        return ask_warehouse(scenario, datetime.now(UTC).date())
