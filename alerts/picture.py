"""The picture of an e-mail: stock and what the forecast leaves of it, until it runs out. PNG bytes."""

import io
from datetime import date, timedelta
from typing import Any

from alerts.alert import Facts
from alerts.localize import DEFAULT, Locale

_INK, _GREY, _GRID = "#1d2939", "#667085", "#eaecf0"
_STOCK, _AHEAD, _BAND, _ALARM = "#344054", "#2e6fdb", "#bcd3f8", "#b42318"


def stock_picture(chart: Facts, locale: Locale = DEFAULT, lead_time_days: float | None = None) -> bytes:
    """1,120 × 400 pixels, meant to be shown at half that size; the same chart gives the same bytes."""
    from matplotlib.figure import Figure

    observed = [(date.fromisoformat(day), units) for day, units in chart["observed"]]
    expected = [(date.fromisoformat(row[0]), *row[1:]) for row in chart["expected"]]
    today = expected[0][0]
    figure = Figure(figsize=(5.6, 2.0), dpi=200, facecolor="white")
    axes = figure.add_axes((0.075, 0.16, 0.905, 0.72))
    days = [row[0] for row in expected]
    axes.fill_between(
        days, [row[2] for row in expected], [row[3] for row in expected], color=_BAND, alpha=0.7, linewidth=0
    )
    axes.plot(days, [row[1] for row in expected], color=_AHEAD, linewidth=1.6, linestyle=(0, (4, 2)))
    if observed:
        past = [*observed, (today, expected[0][1])] if observed[-1][0] < today else observed
        _steps(axes, past)
    top = max([units for _, units in observed] + [row[3] for row in expected] + [1.0])
    axes.set_ylim(0, top * 1.22)
    axes.set_xlim(min([d for d, _ in observed] + [today]), max(days[-1], today + timedelta(days=7)))
    _mark(axes, today, top * 1.16, "today", _GREY, locale)
    _reorder_line(axes, chart.get("reorder_point"), top, locale)
    if chart.get("runs_out"):
        _run_out(axes, date.fromisoformat(chart["runs_out"]), top, locale)
    if lead_time_days is not None:
        arrival = today + timedelta(days=round(lead_time_days))
        if arrival <= axes_end(days[-1], today):
            axes.axvline(arrival, color="#067647", linewidth=0.9, linestyle=(0, (1, 2)))
    _dress(axes, locale)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _steps(axes: Any, past: list[tuple[date, float]]) -> None:
    axes.step(
        [day for day, _ in past], [units for _, units in past], where="post", color=_STOCK, linewidth=1.6
    )


def axes_end(last: date, today: date) -> date:
    """The last day shown."""
    return max(last, today + timedelta(days=7))


def _mark(axes: Any, day: date, height: float, text: str, colour: str, _: Locale) -> None:
    axes.axvline(day, color=colour, linewidth=0.7, linestyle=(0, (2, 2)))
    axes.text(day, height, f" {text}", color=colour, fontsize=6.5, va="center", ha="left")


def _reorder_line(axes: Any, point: float | None, top: float, locale: Locale) -> None:
    if point is None or point <= 0 or point > top * 1.15:
        return
    axes.axhline(point, color=_GREY, linewidth=0.7, linestyle=(0, (1, 2)))
    text = f"reorder point {locale.number(point, 0)}"
    axes.annotate(
        text, (0, point), xycoords=("axes fraction", "data"), xytext=(3, 2), textcoords="offset points",
        fontsize=6.2, color=_GREY,
    )  # fmt: skip


def _run_out(axes: Any, day: date, top: float, locale: Locale) -> None:
    axes.plot([day], [0], marker="o", markersize=5, color=_ALARM, clip_on=False, zorder=5)
    axes.annotate(
        f"runs out about {locale.date(day)}", (day, 0), xytext=(0, 13), textcoords="offset points",
        fontsize=6.8, color=_ALARM, fontweight="bold", ha="center",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.2},
    )  # fmt: skip


def _dress(axes: Any, locale: Locale) -> None:
    from matplotlib.dates import AutoDateLocator, num2date
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#d0d5dd")
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: locale.number(value, 0)))
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=7))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: locale.day_and_month(num2date(value).date()))
    )
    axes.tick_params(length=0, labelsize=6.5, colors=_GREY)
    axes.set_title("Pieces available", loc="left", fontsize=7.5, color=_INK, pad=5, fontweight="bold")
