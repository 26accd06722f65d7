"""The picture of an e-mail: stock and what the forecast leaves of it, until it runs out. PNG bytes."""

import io
from datetime import date, timedelta
from typing import Any

from alerts.alert import Facts
from alerts.localize import DEFAULT, Locale

_DAYS_SHOWN = 21  # ahead, at least: room for a delivery and for the labels
_INK, _GREY, _GRID = "#1d2939", "#667085", "#eaecf0"
_STOCK, _AHEAD, _BAND, _ALARM, _ARRIVES = "#344054", "#2e6fdb", "#bcd3f8", "#b42318", "#067647"


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
    shown = max(days[-1], today + timedelta(days=_DAYS_SHOWN))
    axes.set_xlim(min([d for d, _ in observed] + [today]), shown)
    axes.axvline(today, color=_GREY, linewidth=0.7, linestyle=(0, (2, 2)))
    axes.text(today, top * 1.16, "today ", color=_GREY, fontsize=6.5, va="center", ha="right")
    _reorder_line(axes, chart.get("reorder_point"), top, locale)
    if lead_time_days is not None:
        _arrival(axes, today + timedelta(days=round(lead_time_days)), top)
    if chart.get("runs_out") and chart["expected"][0][1] > 0:
        _run_out(axes, date.fromisoformat(chart["runs_out"]), top, locale)
    _dress(axes, locale)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _steps(axes: Any, past: list[tuple[date, float]]) -> None:
    axes.step(
        [day for day, _ in past], [units for _, units in past], where="post", color=_STOCK, linewidth=1.6
    )


def _arrival(axes: Any, day: date, top: float) -> None:
    """When a delivery ordered today would be there; left out when it is beyond the picture."""
    from matplotlib.dates import date2num

    if date2num(day) > axes.get_xlim()[1]:
        return
    axes.axvline(day, color=_ARRIVES, linewidth=0.9, linestyle=(0, (2, 2)))
    left, right = axes.get_xlim()
    roomy = right - date2num(day) > (right - left) * 0.28  # the label goes to the side where it fits
    text = " delivery if ordered today " if roomy else "delivery if ordered today "
    axes.text(
        day, top * 1.16, text, color=_ARRIVES, fontsize=6.5, va="center", ha="left" if roomy else "right"
    )


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
    from matplotlib.dates import date2num

    left, right = axes.get_xlim()
    roomy = right - date2num(day) > (right - left) * 0.27
    axes.plot([day, day], [0, top * 0.75], color=_ALARM, linewidth=0.8)
    axes.plot([day], [0], marker="o", markersize=4.5, color=_ALARM, clip_on=False, zorder=5)
    axes.annotate(
        f"runs out about {locale.day_and_month(day)}", (day, top * 0.75), textcoords="offset points",
        xytext=(3 if roomy else -3, 0), ha="left" if roomy else "right", va="center",
        fontsize=6.8, color=_ALARM, fontweight="bold", zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 1.0},
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
