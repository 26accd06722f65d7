"""statsforecast on the origins of a backtest, kept on disk: it is slow, and the same every time."""

import hashlib
import resource
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.base import BOUNDS, ForecastSettings, check_series
from models.panel import Panel, build_panel

LEAST_HISTORY = 28
YEARLY_FROM = 2 * 364 + 28
MEDIAN_OF = ("sf_AutoETS", "sf_CES", "sf_Theta")


def peers(
    series: pl.DataFrame, horizon: int, folds: int, cache: Path
) -> tuple[pl.DataFrame, dict[str, float]]:
    """(forecast rows with `cutoff`, CPU seconds by model): AutoETS, CES, Theta, MSTL(7), MSTL(7, 364), the median.

    All with a season of 7, native bounds, clipped at 0; the median is of the first three, bounds too.
    """
    panel, _ = build_panel(check_series(series), 0, ForecastSettings(), common_end=True)
    frames, seconds = [], dict[str, float]()
    for offset in (horizon * fold for fold in range(folds, 0, -1)):
        cut = panel.cut(offset)
        for name in ("sf_AutoETS", "sf_CES", "sf_Theta", "sf_MSTL7", "sf_MSTL7_364"):
            frame = _kept(cut, name, horizon, cache)
            frames.append(frame.drop("cpu"))
            if not frame.is_empty():
                seconds[name] = seconds.get(name, 0.0) + float(frame["cpu"][0])
    single = pl.concat(frames)
    middle = (
        single.filter(pl.col("model").is_in(MEDIAN_OF))
        .group_by("series_id", "date", "cutoff", maintain_order=True)
        .agg(pl.col("yhat", *BOUNDS).median())
        .with_columns(model=pl.lit("sf_median"))
    )
    seconds["sf_median"] = sum(seconds.get(name, 0.0) for name in MEDIAN_OF)
    return pl.concat([single, middle.select(single.columns)]), seconds


def _kept(cut: Panel, name: str, horizon: int, cache: Path) -> pl.DataFrame:
    """One model's rows at one origin, from the cache where the same history was asked before."""
    digest = hashlib.sha256(f"{name} {horizon} {cut.ids}".encode())
    digest.update(np.nan_to_num(cut.y, nan=-1.0).tobytes() + cut.end.tobytes())
    file = cache / f"{name}-{digest.hexdigest()[:16]}.parquet"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        frame = _asked(cut, name, horizon)
        partial = file.with_suffix(".partial")
        frame.write_parquet(partial)
        partial.replace(file)
    return pl.read_parquet(file)


def _asked(cut: Panel, name: str, horizon: int) -> pl.DataFrame:
    from statsforecast import StatsForecast

    least = YEARLY_FROM if name == "sf_MSTL7_364" else LEAST_HISTORY
    able = [row for row in range(cut.size) if cut.days - cut.start[row] >= least]
    columns = {"series_id": pl.String, "date": pl.Date, "cutoff": pl.Date, "model": pl.String}
    columns |= dict.fromkeys(["yhat", *BOUNDS, "cpu"], pl.Float64)
    if not able:
        return pl.DataFrame(schema=columns)
    long = _long(cut, able)
    StatsForecast(models=[_model(name)], freq=1).forecast(
        df=long.filter(pl.col("unique_id") == cut.ids[able[0]]), h=2
    )  # numba compiles on the first call; that is not the method's price
    began = _cpu()
    said = StatsForecast(models=[_model(name)], freq=1, n_jobs=1).forecast(df=long, h=horizon, level=[80, 95])
    spent = _cpu() - began
    end = np.repeat(cut.end[able], horizon).astype(np.int32)
    ahead = np.tile(np.arange(1, horizon + 1, dtype=np.int32), len(able))
    order = said.with_columns(
        pl.col("unique_id").replace_strict({cut.ids[row]: k for k, row in enumerate(able)}).alias("_k")
    )
    said = order.sort("_k", "ds")
    values = dict(
        zip(["yhat", *BOUNDS], ("m", "m-lo-80", "m-hi-80", "m-lo-95", "m-hi-95"), strict=True)
    )  # fmt: skip
    return pl.DataFrame({
        "series_id": said["unique_id"],
        "date": pl.Series(end + ahead).cast(pl.Date),
        "cutoff": pl.Series(end).cast(pl.Date),
        "model": pl.Series([name] * len(end)),
        **{column: np.maximum(np.nan_to_num(said[theirs].to_numpy().astype(np.float64)), 0.0)
           for column, theirs in values.items()},
        "cpu": np.full(len(end), spent),
    }, schema=columns)  # fmt: skip


def _long(cut: Panel, able: list[int]) -> pl.DataFrame:
    return pl.concat([
        pl.DataFrame({"unique_id": cut.ids[row], "ds": np.arange(cut.start[row], cut.days),
                      "y": np.nan_to_num(cut.y[row, cut.start[row] :])})
        for row in able
    ])  # fmt: skip


def _model(name: str) -> Any:
    from statsforecast.models import MSTL, AutoCES, AutoETS, DynamicOptimizedTheta

    match name:
        case "sf_AutoETS":
            return AutoETS(season_length=7, alias="m")
        case "sf_CES":
            return AutoCES(season_length=7, alias="m")
        case "sf_Theta":
            return DynamicOptimizedTheta(season_length=7, alias="m")
        case "sf_MSTL7":
            return MSTL(season_length=7, trend_forecaster=AutoETS(model="ZZN"), alias="m")
        case _:
            return MSTL(season_length=[7, 364], trend_forecaster=AutoETS(model="ZZN"), alias="m")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
