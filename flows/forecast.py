"""Truth → accuracy; history → backtest → forecast → reorder points, a part of the catalogue at a time."""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from prefect import flow, get_run_logger, task
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import wait
from prefect.states import Completed, Failed

from flows import accuracy, connections, forecast_pictures, limits, reordering, report, stopping, task_runner
from flows.demand_parts import Part, parts_of
from models import forecast as forecasting
from models import promotions, reconcile, registry
from models.base import MEMBERS, Effort, ForecastSettings
from warehouse import demand_sums, forecast_totals, forecasts, order_counts, plans, read

SERIES_AT_ONCE = 2_000  # bounds memory: a part takes under 1 GB in any process
BUYERS_DAYS = 90  # whose country's holidays count
KEPT_DAYS = 400  # of past forecasts, to be measured against what came
SUMS_KEPT_DAYS = 14  # of series no forecast reached since


@dataclass(frozen=True)
class Outcome:
    """What became of a part: how many series were forecast, or why none."""

    series: int
    failure: str = ""


@dataclass(frozen=True)
class Choice:
    """What a training by hand is about; empty means all."""

    skus: tuple[str, ...] = ()
    account: str | None = None
    members: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Choice()


ALL = Choice()


@dataclass(frozen=True)
class Catalogue:
    """Every product with sales, in parts, and the labels the models must know."""

    parts: list[Part]
    categories: tuple[str, ...]
    channels: tuple[str, ...]

    @property
    def series(self) -> int:
        """How many SKU x channel series there are."""
        return sum(part.series for part in self.parts)


@flow(name="forecast", flow_run_name=report.by_day("forecast"))
def forecast(
    day: date | None = None,
    horizon_days: int | None = None,
    effort: Effort = "full",
    within_minutes: float | None = None,
) -> State[Any]:
    """Measure past forecasts, then forecast every SKU x channel with the stored models, and plan reorders.

    Models that do clearly worse than their backtest promised are trained anew.

    Args:
        day: The first day to forecast. Empty: today.
        horizon_days: How many days ahead. Empty: WHARF_FORECAST_DAYS.
        effort: "full" for the night, "quick" for an answer in a minute or two at some cost in accuracy.
        within_minutes: Start no further part of the catalogue after this time; best sellers come first. Empty: all.
            On Dask all parts start at once.
    """
    has_drifted = accuracy.measure(_now_on(day), return_state=True).result(raise_on_failure=False) is True
    return _foresee(
        day, horizon_days, effort, retrain=True if has_drifted else None, within_minutes=within_minutes
    )


@flow(name="train", flow_run_name=report.by_day("train"))
def train(
    day: date | None = None,
    horizon_days: int | None = None,
    effort: Effort = "full",
    skus: list[str] | None = None,
    account: str | None = None,
    members: list[str] | None = None,
) -> State[Any]:
    """Fit every model anew, measure it against what came, and keep it for the nights of the week.

    With `skus`, `account` or `members` only those are fitted and forecast, at once; the nights go on with the models
    they had, since those must know the whole catalogue.

    Args:
        day: Forecast from this day on, with models that saw the days before it. Empty: today.
        horizon_days: How many days ahead. Empty: WHARF_FORECAST_DAYS.
        effort: "full" for the night, "quick" for an answer in a minute or two at some cost in accuracy.
        skus: Only these SKUs, on every channel. Empty: all.
        account: Only what is sold through this account of WHARF_ACCOUNTS. Empty: all.
        members: Only these models, of those WHARF_FORECAST_MEMBERS may name. Empty: all.
    """
    choice = Choice(tuple(skus or ()), account or None, tuple(members or ()))
    return _foresee(day, horizon_days, effort, retrain=True, choice=choice)


@flow(name="backtest", flow_run_name="backtest-{folds}x{horizon_days}-days")
def backtest(
    horizon_days: int = 28, folds: int = 2, effort: Effort = "full", day: date | None = None
) -> State[Any]:
    """Score every model against what came, from origins the models had not seen past.

    Args:
        horizon_days: How many days each origin is forecast ahead.
        folds: How many origins, this far apart, the newest this many days before the last day known.
        effort: "full" for the night's way, "quick" for an answer in a minute or two.
        day: Nothing from this day on is used. Empty: today.
    """
    scores = score(day or datetime.now(UTC).date(), horizon_days, folds, effort)
    return Completed(message=f"{folds} origins x {horizon_days} days", data=scores)


def _now_on(day: date | None) -> datetime:
    """This instant, on `day` where one is given."""
    now = datetime.now(UTC)
    return now if day is None else datetime.combine(day, now.timetz())


@limits.turn_to_forecast()
def _foresee(
    day: date | None,
    horizon_days: int | None,
    effort: Effort,
    *,
    retrain: bool | None,
    within_minutes: float | None = None,
    choice: Choice = ALL,
) -> State[Any]:
    """One part after the other. A part that fails costs its own series, which keep their last forecast."""
    day = day or datetime.now(UTC).date()
    horizon = horizon_days or connections.settings().forecast_days
    generated_at, started = datetime.now(UTC), time.monotonic()
    catalogue = divide(day, choice)
    if not catalogue.parts:
        return Completed(name="NothingToDo", message="no sales yet", data={"series": 0, "of_series": 0})
    show = report.progress("forecast-progress", f"How many of {catalogue.series} series are forecast")
    asked: dict[str, Any] = {
        "day": day,
        "horizon": horizon,
        "effort": effort,
        "generated_at": generated_at,
        "categories": catalogue.categories,
        "channels": catalogue.channels,
        "choice": choice,
    }
    if choice:
        shutil.rmtree(model_registry(choice), ignore_errors=True)  # of an earlier hand
    state = predict(catalogue.parts[0], **asked, retrain=retrain, history_until=None, return_state=True)
    stopping.check()
    if not state.is_completed():
        return Failed(message=state.message)  # without models there is nothing for the other parts
    first = state.result()
    asked |= {"retrain": False, "history_until": first["history_until"]}
    done, failures = first["series"], list[str]()
    show(100 * done / catalogue.series)
    rest = catalogue.parts[1:]
    if rest and task_runner.is_remote():
        others: Iterable[Outcome] = task_runner.side_by_side(forecast_parts)(rest, asked)
    else:
        others = _in_turn(rest, asked, started, within_minutes)
    reached = 0
    for outcome in others:
        reached += 1
        done += outcome.series
        failures += [outcome.failure] if outcome.failure else []
        show(100 * done / catalogue.series)
    tidy(generated_at)
    roll_up()
    is_cut_short = reached < len(rest)
    summary = {
        **first,
        "series": done,
        "of_series": catalogue.series,
        "horizon_days": horizon,
        "is_cut_short": is_cut_short,
    }
    if failures:
        return Failed(message="; ".join(failures), data=summary)
    message = f"{done} of {catalogue.series} series x {horizon} days"
    if is_cut_short:
        return Completed(name="TimeWasUp", message=f"{message}, best sellers first", data=summary)
    return Completed(message=message, data=summary)


def _in_turn(
    parts: Sequence[Part], asked: dict[str, Any], started: float, within_minutes: float | None
) -> Iterator[Outcome]:
    """One part after the other, as long as there is time: each uses all workers of this machine."""
    longest = time.monotonic() - started
    for part in parts:
        so_far = time.monotonic() - started
        if within_minutes is not None and so_far + longest > 60 * within_minutes:
            return
        state = predict(part, **asked, return_state=True)
        stopping.check()
        longest = max(longest, time.monotonic() - started - so_far)
        yield _outcome(part, state)


@flow(name="forecast-parts", flow_run_name="forecast-parts")
def forecast_parts(parts: list[Part], asked: dict[str, Any]) -> list[Outcome]:
    """All parts at once, wherever the task runner has room."""
    futures = [predict.submit(part, **asked) for part in parts]
    wait(futures)
    return [_outcome(part, future.state) for part, future in zip(parts, futures, strict=True)]


def _outcome(part: Part, state: State[Any]) -> Outcome:
    if state.is_completed():
        return Outcome(state.result()["series"])
    return Outcome(0, f"part {part.number} ({part.series} series): {state.message}")


@task(name="divide", cache_policy=NO_CACHE)
def divide(day: date, choice: Choice = ALL) -> Catalogue:
    """The catalogue, or what of it is chosen, in parts that fit in memory.

    The first part is what the models learn from: half of it best sellers, half any others, always the same ones.
    """
    engine = connections.postgres()
    channels = read.selling_channels(engine, choice.account)
    if not channels and choice.account:
        raise ValueError(
            f"no channel is known of an account {choice.account!r}; `wharf status` lists the accounts"
        )
    found = read.demand_products(engine, day, skus=choice.skus or None, channels=channels)
    if unsold := set(choice.skus) - set(found["sku"].to_list()):
        raise ValueError(f"never sold, so there is nothing to learn from: SKU {', '.join(sorted(unsold))}")
    series = dict(zip(found["product_id"].to_list(), found["series"].to_list(), strict=True))
    categories = tuple(sorted(set(found["category"].fill_null("").to_list())))
    return Catalogue(parts_of(series, SERIES_AT_ONCE), categories, tuple(channels))


@materialize(
    report.FORECASTS,
    asset_deps=[report.CORE],
    name="predict",
    task_run_name="predict-part-{part.number}-of-{part.series}-series",
    cache_policy=NO_CACHE,
)
def predict(
    part: Part,
    day: date,
    horizon: int,
    effort: Effort,
    generated_at: datetime,
    retrain: bool | None,
    categories: tuple[str, ...],
    channels: tuple[str, ...],
    choice: Choice,
    history_until: date | None,
) -> dict[str, Any]:
    """Fit where needed, forecast, plan, store one part; the frames stay in here."""
    log = get_run_logger()
    engine = connections.postgres()
    settings = connections.settings()
    history = read.daily_demand(engine, until=day, products=part.products).filter(
        pl.col("channel").is_in(channels)
    )
    if history.is_empty():
        return {"series": 0, "history_until": history_until, "scores": []}
    last_day = history_until or history["date"].max()
    assert isinstance(last_day, date)
    result = forecasting.run(
        _planned(history, last_day + timedelta(days=horizon)),
        horizon,
        settings=replace(
            _settings(day, effort),
            members=choice.members or settings.members or MEMBERS,
            retrain=retrain,
            origin=last_day,
            categories=categories,
            channels=channels,
        ),
        registry=model_registry(choice),
        progress=lambda step, done, total: log.info("%s: %s of %s", step, done, total),
    )
    for note in result.notes:
        log.warning("%s", note)
    # Stored models were measured when they were trained; those scores still stand.
    scores = result.backtest.scores.to_dicts() if result.backtest else forecasts.latest_scores(engine)
    teaches = part.number == 1
    rows = forecasts.save(
        engine,
        # Beyond what the models are judged by, the members' own forecasts are of no use to anyone.
        result.frame if teaches else result.frame.filter(pl.col("model") == "ensemble"),
        generated_at,
        scores={score["model"]: score for score in scores} if teaches and not choice else None,
        history_until=last_day,
        model_version=None if choice else result.version,
        spreads={level: spread.to_json() for level, spread in result.spreads.items()}
        if teaches and not choice
        else None,
    )
    if result.version and result.backtest and not choice:  # trained just now
        manifest = registry.manifest_of(model_registry(), result.version)
        forecasts.keep_model(engine, result.version, manifest, trained_at=generated_at)
    demand_sums.save(engine, result.cumulative, generated_at=generated_at)
    planned = reordering.plan(engine, settings, day, result.frame, result.cumulative)
    plans.save(engine, planned, generated_at)
    if teaches:
        forecast_pictures.show(history, result)
    written = {"series": result.frame["series_id"].n_unique(), "rows": rows, "plans": planned.height}
    report.wrote(**written)
    return {
        **written,
        "notes": result.notes,
        "scores": scores,
        "history_until": last_day,
    }


@task(name="tidy", cache_policy=NO_CACHE)
def tidy(now: datetime) -> None:
    """Forget forecasts too old to be measured any more, and sums of series that are forecast no longer."""
    engine = connections.postgres()
    forecasts.forget(engine, before=now - timedelta(days=KEPT_DAYS))
    demand_sums.forget(engine, before=now - timedelta(days=SUMS_KEPT_DAYS))


@task(name="roll-up-forecasts", cache_policy=NO_CACHE)
def roll_up() -> None:
    """What the stored forecasts add up to by category, channel and in all; shown for the next 30, 60 and 90 days."""
    engine = connections.postgres()
    usual = reconcile.Spread()
    forecast_totals.roll_up(engine, usual.shared, usual.quantiles)
    report.table(
        "forecast-totals", forecast_totals.ahead(engine), "Units expected, added up over the forecasts"
    )


@task(name="score", cache_policy=NO_CACHE)
def score(day: date, horizon: int, folds: int, effort: Effort) -> list[dict[str, Any]]:
    """Rolling-origin backtest over the part of the catalogue the models learn from; only scores leave it."""
    log = get_run_logger()
    catalogue = divide.fn(day)
    if not catalogue.parts:
        return []
    history = read.daily_demand(connections.postgres(), until=day, products=catalogue.parts[0].products)
    result = forecasting.backtest(
        _planned(history, day),
        horizon,
        folds,
        settings=_settings(day, effort),
        progress=lambda step, done, total: log.info("%s: %s of %s", step, done, total),
    )
    rows: list[dict[str, Any]] = result.scores.to_dicts()
    report.table("backtest-scores", rows, "Errors by model; seasonal_naive is the bar")
    report.table("backtest-levels", result.by_level.to_dicts(), "Errors by level and days ahead")
    forecast_pictures.show_backtest(history, result)
    return rows


def _settings(day: date, effort: Effort) -> ForecastSettings:
    """What the installation says of forecasts, and whose holidays each channel's buyers have."""
    settings = connections.settings()
    since = datetime.combine(day, datetime.min.time(), UTC) - timedelta(days=BUYERS_DAYS)
    channels = order_counts.channels(connections.postgres(), since).drop_nulls("country")
    return ForecastSettings(
        members=settings.members or MEMBERS,
        effort=effort,
        workers=settings.workers,
        countries=dict(channels.select("channel", "country").iter_rows()),
        known_ahead=("promo",) if settings.promotions_file else (),
    )


def _planned(history: pl.DataFrame, until: date) -> pl.DataFrame:
    """`history` and, where WHARF_PROMOTIONS_FILE tells of them, its promotions as far as `until`."""
    file = connections.settings().promotions_file
    return (
        history
        if file is None
        else promotions.with_promotions(history, promotions.read_promotions(file), until)
    )


def model_registry(choice: Choice = ALL) -> Path:
    """Where fitted models are kept between nights; those of a choice apart, until the next."""
    return connections.settings().home / ("models-by-hand" if choice else "models")
