"""Pictures of the plan: where the value lies, and who may run out."""

import io

import numpy as np
import polars as pl

LEVELS = {"high": "#c0392b", "medium": "#e0a030"}


def classes_plot(classes: pl.DataFrame, risk: pl.DataFrame) -> bytes:
    """PNG: SKUs and their share of value by ABC/XYZ class (left), SKUs by risk and horizon (right)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    table = np.zeros((3, 3), dtype=np.int64)
    for abc, xyz, count in classes.group_by("abc", "xyz").agg(pl.len()).iter_rows():
        table["ABC".index(abc), "XYZ".index(xyz)] = count
    left.imshow(np.log1p(table), cmap="Blues")
    shares = dict(classes.group_by("abc").agg(pl.col("value_share").sum()).iter_rows())
    total = max(sum(shares.values()), 1e-9)
    for row in range(3):
        for column in range(3):
            dark = table[row, column] > table.max() / 3
            left.text(
                column,
                row,
                f"{table[row, column]:,}",
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
    left.set_xticks(range(3), ["X steady", "Y varying", "Z erratic"])
    left.set_yticks(range(3), [f"{name}  {shares.get(name, 0.0) / total:.0%} of value" for name in "ABC"])
    left.set_title("SKUs on channels by class")
    horizons = sorted(risk["horizon_days"].unique().to_list())
    counts = {
        (days, level): count for days, level, count in risk.group_by("horizon_days", "risk").len().iter_rows()
    }
    bottom = np.zeros(len(horizons))
    names = [f"{days} days\n{counts.get((days, 'low'), 0):,} low" for days in horizons]
    for level, colour in LEVELS.items():
        values = [counts.get((days, level), 0) for days in horizons]
        bars = right.bar(names, values, bottom=bottom, color=colour, label=level, width=0.55)
        right.bar_label(
            bars, [f"{value:,}" if value else "" for value in values], label_type="center", color="white"
        )
        bottom += values
    right.set_title("SKUs on channels that may run out")
    right.set_ylim(0, max(float(bottom.max(initial=0.0)) * 1.2, 1.0))
    right.set_yticks([])
    right.legend(frameon=False, ncols=2, loc="upper left")
    for side in ("top", "right"):
        right.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def effects_plot(effects: pl.DataFrame) -> bytes:
    """PNG: price elasticity (left) and the lift of a promotion (right) by group, with 95 % intervals; grey: too few
    price changes were seen, the interval is mostly what is known of goods in general."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = effects.reverse().to_dicts()
    figure = Figure(figsize=(10, 1.4 + 0.32 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    places = range(len(rows))
    for axis, (name, low, high, neutral, title) in zip(
        figure.subplots(1, 2, sharey=True), _EFFECTS, strict=True
    ):
        for place, row in zip(places, rows, strict=True):
            colour = "#a0a0a0" if row["is_prior"] else "#2f6690"
            axis.plot([row[low], row[high]], [place, place], color=colour, linewidth=2.5)
            axis.plot(row[name], place, "o", color=colour)
        axis.axvline(neutral, color="#c0392b", linewidth=0.8, linestyle="--")
        axis.set_yticks(list(places), [row["group"] for row in rows])
        axis.set_title(title)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


_EFFECTS = (
    ("elasticity", "elasticity_lo95", "elasticity_hi95", 0.0, "% of units for 1 % of price"),
    ("promo_lift", "promo_lo95", "promo_hi95", 1.0, "Promoted days: factor on units"),
)


def season_plot(orders: pl.DataFrame) -> bytes:
    """PNG: what is expected to sell in a season, what to have for it, and what of that is there already."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = orders.reverse().to_dicts()
    figure = Figure(figsize=(9.5, 1.6 + 0.34 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    names = [f"{(row['name'] or row['sku'])[:30]}  ({row['channel']})" for row in rows]
    there = [min(row["available"] + row["inbound"], row["season_units"]) for row in rows]
    axis.barh(names, there, color="#8fb3cc", label="there or coming")
    axis.barh(names, [row["order_units"] for row in rows], left=there, color="#2f6690", label="to order")
    axis.plot(
        [row["expected_units"] for row in rows],
        names,
        "|",
        color="#c0392b",
        markersize=14,
        label="expected sales",
    )
    axis.set_xlabel("units")
    axis.legend(frameon=False, loc="lower right")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
