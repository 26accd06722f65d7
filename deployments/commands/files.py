"""Commands that work on files alone: no database, no Prefect, nothing to start."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.output import AsJson, emit, shown, writable

Input = Annotated[Path, typer.Option("--input", help="CSV or parquet", exists=True, dir_okay=False)]
Output = Annotated[Path, typer.Option("--output", help="CSV or parquet", dir_okay=False, callback=writable)]
Platform = Annotated[str, typer.Option("--platform", help="amazon, shopify or walmart")]
Resource = Annotated[
    str, typer.Option("--resource", help="orders, products, inventory, returns, carts, customers or feedback")
]
Country = Annotated[
    str | None, typer.Option("--country", help="whose public holidays Prophet knows, e.g. DE; default none")
]
Horizon = Annotated[int, typer.Option("--horizon", min=1, max=366, help="days ahead")]


def _named(members: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in members.split(","))


def _known(members: str | None) -> str | None:
    from models.base import MEMBERS

    if members and (unknown := set(_named(members)) - set(MEMBERS)):
        raise typer.BadParameter(f"there is no model {min(unknown)!r}; there are {', '.join(MEMBERS)}")
    return members


Members = Annotated[
    str | None, typer.Option("--members", help="comma-separated models; default all", callback=_known)
]


class Effort(Enum):
    """How much work a forecast may be."""

    quick = "quick"
    full = "full"


forecast = typer.Typer(help="Daily units ahead with 80 % and 95 % bounds, from a file.", no_args_is_help=True)
risk = typer.Typer(help="The probability that each item runs out, from a file.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(normalize)
    app.add_typer(forecast, name="forecast")
    app.command()(anomalies)
    app.add_typer(risk, name="risk")


def normalize(
    platform: Platform,
    resource: Resource,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Show what the normalizers make of stored API answers, as one JSON object."""
    from connectors.stored import normalize_files

    answer = normalize_files(platform, resource, paths)
    print(json.dumps(answer, ensure_ascii=False, indent=None if as_json else 2))


@forecast.command()
def run(
    input: Input,
    output: Output,
    horizon: Horizon = 28,
    effort: Annotated[Effort, typer.Option(help="quick trades a little accuracy for time")] = Effort.quick,
    members: Members = None,
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 2,
    country: Country = None,
    totals: Annotated[
        Path | None,
        typer.Option(
            help="write the blend by category, channel and in all here, too",
            dir_okay=False,
            callback=writable,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast every series of --input and write series_id,date,model,yhat,lo80,hi80,lo95,hi95."""
    from models import files as model_files
    from models import forecast as forecasting

    series = model_files.read_series(input)
    with _progress() as show:
        result = forecasting.run(
            series, horizon, settings=_settings(effort, members, workers, country), progress=show
        )
    model_files.write_forecast(result.frame, output)
    if totals is not None:
        model_files.write_forecast(result.totals, totals)
    _say(as_json, f"{_count(series)} series x {horizon} days -> {output}", result.notes, output=str(output))


@forecast.command()
def backtest(
    input: Input,
    output: Output,
    horizon: Horizon = 28,
    folds: Annotated[int, typer.Option(min=1, max=26, help="rolling origins, `horizon` days apart")] = 2,
    effort: Annotated[Effort, typer.Option(help="quick trades a little accuracy for time")] = Effort.quick,
    members: Members = None,
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 2,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Forecast from past days as if the rest were unknown, and write the forecasts beside what came."""
    from models import files as model_files
    from models import forecast as forecasting

    series = model_files.read_series(input)
    with _progress() as show:
        result = forecasting.backtest(
            series, horizon, folds, settings=_settings(effort, members, workers, country), progress=show
        )
    model_files.write_forecast(result.frame, output)
    if not as_json:
        print(shown(result.scores, rounded=True))
        print(shown(result.by_level, rounded=True))
    _say(
        as_json,
        f"{_count(series)} series, {folds} origins x {horizon} days -> {output}",
        result.notes,
        output=str(output),
        scores=result.scores.to_dicts(),
        by_class=result.by_class.to_dicts(),
        by_level=result.by_level.to_dicts(),
    )


def anomalies(input: Input, output: Output, as_json: AsJson = False) -> None:
    """Mark what does not fit: timestamp,value in; expected, score and is_anomaly beside it out."""
    from models import anomaly
    from models import files as model_files

    with _naming(input):
        rows, refused = anomaly.readable(model_files.read_table(input))
    found = anomaly.judge(rows)
    model_files.write_table(found, output)
    count = int(found["is_anomaly"].sum())
    _say(
        as_json,
        f"{count} anomalies in {found.height} rows -> {output}",
        _first(refused),
        anomalies=count,
        rows=found.height,
        refused=len(refused),
    )


@risk.callback()
def score(
    context: typer.Context,
    input: Annotated[Path | None, typer.Option("--input", exists=True, dir_okay=False)] = None,
    output: Annotated[Path | None, typer.Option("--output", dir_okay=False, callback=writable)] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="a file made by `wharf risk train`", exists=True, dir_okay=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score --input (one row per item) and write item_id,probability,risk to --output."""
    if context.invoked_subcommand:
        return
    if input is None or output is None:
        raise typer.BadParameter("both --input and --output are needed")
    from models import files as model_files
    from models import risk as risk_model

    kept = model or _kept_risk_model()
    known = risk_model.RiskModel.load(kept) if kept.exists() else None
    with _naming(input):
        items, refused = risk_model.sound(model_files.read_table(input))
    scored = risk_model.score(items, known)
    model_files.write_table(scored, output)
    high = int((scored["risk"] == "high").sum())
    how = f"by the model of {kept}" if kept.exists() else "from first principles (see: wharf risk train)"
    _say(
        as_json,
        f"{scored.height} items, {high} at high risk, {how} -> {output}",
        _first(refused),
        items=scored.height,
        high=high,
        refused=len(refused),
    )


@risk.command()
def train(
    input: Input,
    model: Annotated[Path | None, typer.Option("--model", help="where to keep it")] = None,
    base_rate: Annotated[
        float | None, typer.Option(help="share of stock-outs in life, where the rows hold more: 0.01")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit on rows that carry a `stockout` column of 0 and 1; `wharf risk` uses the result from then on."""
    from models import files as model_files
    from models import risk as risk_model

    with _naming(input):
        trained = risk_model.train(model_files.read_table(input), base_rate=base_rate)
    kept = model or _kept_risk_model()
    kept.parent.mkdir(parents=True, exist_ok=True)
    trained.save(kept)
    told = ", ".join(f"{name} {value:.3f}" for name, value in trained.scores.items())
    _say(as_json, f"kept in {kept}; on rows held back: {told}", (), model=str(kept), scores=trained.scores)


def _kept_risk_model() -> Path:
    from flows.settings import WharfSettings

    return WharfSettings().home / "models" / "risk.json"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors about a file's content say which file."""
    from models.base import SeriesError

    try:
        yield
    except SeriesError as error:
        if str(path) in str(error):
            raise
        raise SeriesError(f"{path}: {error}") from error


def _first(refused: list[str], most: int = 10) -> list[str]:
    """What was refused, as notes: the first few, and how many there are."""
    return refused[:most] + ([f"{len(refused)} such rows in all"] if len(refused) > most else [])


def _settings(effort: Effort, members: str | None, workers: int, country: str | None) -> Any:
    from models.base import MEMBERS, ForecastSettings

    chosen = _named(members) if members else MEMBERS
    countries = {"": country.upper()} if country else {}
    return ForecastSettings(effort=effort.value, workers=workers, members=chosen, countries=countries)


def _progress() -> Any:
    from deployments.progress import steps

    return steps()


def _count(series: Any) -> int:
    return int(series["series_id"].n_unique())


def _say(as_json: bool, line: str, notes: Any, **figures: Any) -> None:
    """One line for a person, or one JSON object for a program."""
    if as_json:
        emit({**figures, "notes": list(notes)})
        return
    print(line)
    for note in notes:
        print(f"  note: {note}")
