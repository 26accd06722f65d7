"""Pictures a merchant can read: a forecast with its interval, a backtest against what came, stock running out.

Each function returns the bytes of a PNG. Drawn without a display; colours are safe for colour-blind readers.
"""

import io
from datetime import date
from typing import Any

import polars as pl

INK, GREY, LIGHT = "#1f2937", "#6b7280", "#e5e7eb"
BLUE, ORANGE, GREEN, RED = "#0f62ac", "#d9730d", "#2b8a5f", "#b42318"
SIZE = (9.6, 4.2)


def forecast_plot(history: pl.DataFrame, forecast: pl.DataFrame, *, title: str, days: int = 120) -> bytes:
    """One series: its last `days` of units, then the forecast with 80 % and 95 % bands.

    `history`: date, y. `forecast`: forecast rows of one model.
    """
    figure, axes = _canvas(title, "units a day")
    past = history.sort("date").tail(days)
    ahead = forecast.sort("date")
    _sales(axes, past)
    _bands(axes, ahead, BLUE)
    axes.axvline(ahead["date"].min(), color=GREY, linewidth=0.8, linestyle=(0, (2, 3)))
    _finish(axes, past["date"].to_list() + ahead["date"].to_list())
    return _png(figure)


def backtest_plot(
    backtest: pl.DataFrame, *, title: str, model: str = "ensemble", history: pl.DataFrame | None = None
) -> bytes:
    """One series: what was forecast from each cutoff (line and 80 % band) and what came (dots), naive beside it."""
    figure, axes = _canvas(title, "units a day")
    mine = backtest.filter(pl.col("model") == model).sort("date")
    naive = backtest.filter(pl.col("model") == "seasonal_naive").sort("date")
    shown = mine["date"].to_list()
    if history is not None:
        before = history.filter(pl.col("date") < mine["date"].min()).sort("date").tail(56)
        _sales(axes, before, label=None)
        shown = before["date"].to_list() + shown
    for number, cutoff in enumerate(mine["cutoff"].unique().sort().to_list()):
        part = mine.filter(pl.col("cutoff") == cutoff)
        plain = naive.filter(pl.col("cutoff") == cutoff)
        first = number == 0
        if not plain.is_empty():
            axes.plot(plain["date"].to_list(), plain["yhat"].to_list(), color=ORANGE, linewidth=1.0, alpha=0.8,
                      label="last week again" if first else None)  # fmt: skip
        _bands(axes, part, BLUE, labelled=first, wide=False)
        axes.axvline(cutoff, color=GREY, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.plot(shown[-mine.height :], mine["y"].to_list(), "o", markersize=3, color=INK, label="sold")
    error, plain_error = _wape(mine), _wape(naive)
    note = f"error (WAPE) {error:.0%}" if error is not None else ""
    if plain_error is not None:
        note += f", last week again {plain_error:.0%}"
    axes.text(1.0, 1.02, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=9, color=GREY)
    _finish(axes, shown)
    return _png(figure)


def stock_plot(
    forecast: pl.DataFrame,
    *,
    title: str,
    available: float,
    inbound: float = 0.0,
    reorder_point: float | None = None,
    now: date,
) -> bytes:
    """Stock left if demand is as forecast: middle line, and the 80 % band of fast and slow selling."""
    figure, axes = _canvas(title, "units in stock")
    ahead = forecast.filter(pl.col("date") > now).sort("date")
    days = [now, *ahead["date"].to_list()]
    start = available + inbound

    def left(name: str) -> list[float]:
        return [start, *(max(start - sold, 0.0) for sold in ahead[name].cum_sum().to_list())]

    middle = left("yhat")
    half = (ahead["hi80"] - ahead["yhat"]).to_numpy()
    # a band of the sum: daily errors mostly cancel, so variances add, not bounds
    spread = [0.0, *(float((half[: k + 1] ** 2).sum() ** 0.5) for k in range(len(half)))]
    low = [max(value - s, 0.0) for value, s in zip(middle, spread, strict=True)]
    high = [max(value + s, 0.0) for value, s in zip(middle, spread, strict=True)]
    axes.fill_between(days, low, high, color=BLUE, alpha=0.16, linewidth=0, label="80 % of cases")
    axes.plot(days, middle, color=BLUE, linewidth=2, label="expected stock")
    if reorder_point is not None:
        axes.axhline(reorder_point, color=ORANGE, linewidth=1.2, linestyle="--", label="reorder point")
    empty = next((day for day, value in zip(days, middle, strict=True) if value <= 0), None)
    if empty is not None:
        axes.axvline(empty, color=RED, linewidth=1.2)
        axes.annotate(f"out on {empty:%d %b}", (empty, start * 0.93), xytext=(6, 0), textcoords="offset points",
                      color=RED, fontsize=10, fontweight="bold")  # fmt: skip
    _finish(axes, days)
    return _png(figure)


def _canvas(title: str, unit: str) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # a title comes from a marketplace: its dollar signs are not mathematics
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=12, fontweight="bold", color=INK, pad=10)
    axes.set_ylabel(unit, color=GREY, fontsize=9)
    return figure, axes


def _sales(axes: Any, past: pl.DataFrame, label: str | None = "sold") -> None:
    days, units = past["date"].to_list(), past["y"].to_list()
    axes.plot(days, units, color=INK, linewidth=1.1, label=label)
    unknown = [day for day, value in zip(days, units, strict=True) if value is None]
    if unknown:
        axes.plot(unknown, [0] * len(unknown), "|", color=RED, markersize=6, label="out of stock or unknown")


def _bands(axes: Any, rows: pl.DataFrame, colour: str, *, labelled: bool = True, wide: bool = True) -> None:
    days = rows["date"].to_list()
    if wide:
        axes.fill_between(days, rows["lo95"].to_list(), rows["hi95"].to_list(), color=colour, alpha=0.12, linewidth=0,
                          label="95 % of cases" if labelled else None)  # fmt: skip
    axes.fill_between(days, rows["lo80"].to_list(), rows["hi80"].to_list(), color=colour, alpha=0.22, linewidth=0,
                      label="80 % of cases" if labelled else None)  # fmt: skip
    axes.plot(days, rows["yhat"].to_list(), color=colour, linewidth=2, label="forecast" if labelled else None)


def _finish(axes: Any, days: list[date]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlim(min(days), max(days))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=LIGHT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT)
    axes.tick_params(colors=GREY, labelsize=9, length=0)
    axes.legend(loc="upper left", ncols=5, frameon=False, fontsize=9, labelcolor=INK)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 1.12)  # room for the legend


def _wape(rows: pl.DataFrame) -> float | None:
    known = rows.filter(pl.col("y").is_not_null())
    sold = float(known["y"].sum() or 0.0)
    return float((known["y"] - known["yhat"]).abs().sum()) / sold if sold else None


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
