"""How long a night takes: train once, then forecast a catalogue in parts from the stored models, as the flow does.

    python -m bench.forecasting_night --series 1000 [--data DATA] [--horizon 30]
    python -m bench.forecasting_night --series 60000 --at-once 2000 --log night.log
    python -m bench.forecasting_night --series 1000 --autoets

The catalogue is drawn from the published sets under DATA (without it: simulated items), each series thinned or
multiplied at random and spread over three channels. Prints wall and CPU seconds (worker processes included) and the
largest memory of any process for the first part, which trains, and for each further one; then one SKU for 30 days from
the stored models, in a process that has imported the libraries before. `--autoets` has statsforecast's AutoETS forecast
the first part too, in one process, so that CPU seconds compare.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

import numpy as np
import polars as pl

from bench.forecasting_sets import m5, online_retail, priced_items, store_items
from models import forecast
from models.base import ForecastSettings

OUT = Path("bench-results")
LAST = date(2026, 6, 30)
DAYS = 800
CATEGORIES = tuple(f"category {number:02d}" for number in range(20))
CHANNELS = ("amazon-us", "shopify", "walmart-us")


@dataclass(frozen=True)
class Cost:
    """What one part cost. `peak_gb`: the largest resident memory of any one process so far."""

    part: str
    series: int
    rows: int
    wall: float
    cpu: float
    peak_gb: float


def main() -> None:
    """Print a line per part, the extrapolation and one SKU on demand; write bench-results/forecasting-night.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--series", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=2_000)
    parser.add_argument("--horizon", type=int, default=30)
    parser.add_argument("--effort", default="quick", choices=["quick", "full"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="write the lines there too")
    parser.add_argument(
        "--stored", type=Path, help="keep the models here; what is there already is not trained"
    )
    parser.add_argument("--autoets", action="store_true", help="what AutoETS costs on the first part")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wharf-night-") as folder:
        registry = asked.stored or Path(folder)
        out = asked.log.open("w") if asked.log else None
        say(out, f"{'part':>14} {'series':>7} {'rows':>9} {'wall s':>8} {'CPU s':>8} {'peak GB':>8}")
        costs, begun = [], time.perf_counter()
        for number, part in enumerate(parts(asked.data, asked.series, asked.at_once)):
            if number == 0 and not asked.stored:
                costs.append(forecast_part("1, training", part, asked, registry, retrain=True))
                show(out, costs[-1])
            costs.append(forecast_part(str(number + 1), part, asked, registry, retrain=None))
            show(out, costs[-1])
        nightly = [cost for cost in costs if "training" not in cost.part]
        wall, cpu = sum(cost.wall for cost in nightly), sum(cost.cpu for cost in nightly)
        say(out, f"night: {asked.series} series in {wall:.0f} s, {cpu:.0f} CPU s; all with drawing the series "
                 f"{time.perf_counter() - begun:.0f} s")  # fmt: skip
        if asked.autoets:
            costs.append(autoets(next(parts(asked.data, asked.series, asked.at_once)), asked.horizon))
            show(out, costs[-1])
        alone = one_sku(asked, registry)
        say(out, f"one SKU, 30 days, all members, from stored models: {alone}")
    OUT.mkdir(exist_ok=True)
    found = {"costs": [asdict(cost) for cost in costs], "wall": wall, "cpu": cpu, "one_sku": alone}
    (OUT / f"forecasting-night-{asked.series}.json").write_text(json.dumps(found, indent=1))


def forecast_part(
    name: str, part: pl.DataFrame, asked: argparse.Namespace, registry: Path, *, retrain: bool | None
) -> Cost:
    """One call of `models.forecast.run`, as the nightly flow makes it."""
    wall, cpu = time.perf_counter(), used_cpu()
    result = forecast.run(part, asked.horizon, settings=settings(asked, retrain), registry=registry)
    wall, cpu = time.perf_counter() - wall, used_cpu() - cpu
    return Cost(name, part["series_id"].n_unique(), result.frame.height, wall, cpu, peak_gb())


def settings(asked: argparse.Namespace, retrain: bool | None) -> ForecastSettings:
    """As flows.forecast sets them: one origin, and all labels known in every part."""
    return ForecastSettings(
        effort=asked.effort, workers=asked.workers, retrain=retrain, origin=LAST, categories=CATEGORIES,
        channels=CHANNELS,
    )  # fmt: skip


def autoets(part: pl.DataFrame, horizon: int) -> Cost:
    """The same series by AutoETS with a season of 7 and both bounds, compiled before the clock starts."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    rows = part.select(unique_id="series_id", ds="date", y="y")
    first = rows.filter(pl.col("unique_id") == rows["unique_id"][0])
    model = StatsForecast(models=[AutoETS(season_length=7)], freq="1d", n_jobs=1)
    model.forecast(df=first, h=2, level=[80, 95])
    wall, cpu = time.perf_counter(), used_cpu()
    said = model.forecast(df=rows, h=horizon, level=[80, 95])
    wall, cpu = time.perf_counter() - wall, used_cpu() - cpu
    return Cost("AutoETS", part["series_id"].n_unique(), said.height, wall, cpu, peak_gb())


def one_sku(asked: argparse.Namespace, registry: Path) -> dict[str, float]:
    """Seconds a single series takes in this process: the middle of seven after a first, which also imports."""
    seconds = []
    for part in parts(asked.data, 8, 1):
        began, spent = time.perf_counter(), used_cpu()
        forecast.run(part, 30, settings=settings(asked, None), registry=registry)
        seconds.append((time.perf_counter() - began, used_cpu() - spent))
    wall, cpu = np.array(seconds[1:]).T
    return {"wall": round(float(np.median(wall)), 2), "worst wall": round(float(wall.max()), 2),
            "CPU": round(float(np.median(cpu)), 2), "wall with imports": round(seconds[0][0], 2)}  # fmt: skip


def parts(data: Path | None, series: int, at_once: int) -> Iterator[pl.DataFrame]:
    """The catalogue, `at_once` series at a time: real histories, thinned or multiplied, so that no two are alike."""
    units, prices = histories(data)
    rng = np.random.default_rng(11)
    days = pl.Series(np.arange(DAYS, dtype=np.int32)).cast(pl.Int32)
    first = LAST - timedelta(days=DAYS - 1)
    for begin in range(0, series, at_once):
        count = min(at_once, series - begin)
        drawn = rng.integers(0, len(units), count)
        factor = rng.lognormal(0.0, 0.6, count)
        y = rng.poisson(np.minimum(units[drawn] * factor[:, None], 1e6)).astype(float)
        number = np.arange(begin, begin + count)
        label = {
            "series_id": [f"{CHANNELS[n % 3]}|sku{n // 3:05d}" for n in number],
            "category": [CATEGORIES[n // 3 % len(CATEGORIES)] for n in number],
            "channel": [CHANNELS[n % 3] for n in number],
        }
        rows = pl.DataFrame(label).with_row_index("row")
        grid = pl.DataFrame({"row": np.repeat(np.arange(count, dtype=np.uint32), DAYS), "day": np.tile(days, count),
                             "y": y.ravel(), "price": prices[drawn].ravel()})  # fmt: skip
        yield grid.join(rows, on="row", maintain_order="left").select(
            "series_id", "y", "price", "category", "channel",
            date=pl.lit(first) + pl.duration(days="day"), in_stock=pl.lit(1.0),
        )  # fmt: skip


def histories(data: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """(units, price) of real series, or simulated ones where there is no DATA, the last DAYS days of each."""
    if data is None:
        sets = [priced_items(Path(), 240, 5).drop("promo", "category", "channel")]
    else:
        sets = [online_retail(data, 600, 5), m5(data, 70, 5), store_items(data, 130, 5)]
    units, prices = [], []
    for frame in sets:
        for one in frame.sort("series_id", "date").partition_by("series_id"):
            y = one["y"].fill_null(0.0).to_numpy()[-DAYS:]
            price = (
                one["price"].fill_null(strategy="forward").fill_null(9.9).to_numpy()
                if "price" in one
                else 9.9
            )
            padded = np.zeros(DAYS)
            padded[-len(y) :] = y
            units.append(padded)
            cost = np.full(DAYS, 9.9)
            cost[-len(y) :] = price[-DAYS:] if isinstance(price, np.ndarray) else price
            prices.append(cost)
    return np.array(units), np.array(prices)


def show(out: TextIO | None, cost: Cost) -> None:
    """One line of the table."""
    say(
        out,
        f"{cost.part:>14} {cost.series:>7} {cost.rows:>9} {cost.wall:>8.1f} {cost.cpu:>8.1f} {cost.peak_gb:>8.2f}",
    )


def say(out: TextIO | None, line: str) -> None:
    """To the terminal, and to the log as it grows."""
    for stream in (sys.stdout, out):
        if stream is not None:
            stream.write(line + "\n")
            stream.flush()


def used_cpu() -> float:
    """CPU seconds of this process and its ended children."""
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def peak_gb() -> float:
    """The largest resident memory of this process or any child that has ended, in GB."""
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return largest / 1_048_576


if __name__ == "__main__":
    main()
