"""Pictures of the plan: where the value lies, and who may run out."""

import io

import numpy as np
import polars as pl

LEVELS = {"high": "#c0392b", "medium": "#e0a030", "low": "#7fa37f"}


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
            left.text(column, row, str(table[row, column]), ha="center", va="center")
    left.set_xticks(range(3), ["X steady", "Y varying", "Z erratic"])
    left.set_yticks(range(3), [f"{name}  {shares.get(name, 0.0) / total:.0%} of value" for name in "ABC"])
    left.set_title("SKUs on channels by class")
    horizons = sorted(risk["horizon_days"].unique().to_list())
    bottom = np.zeros(len(horizons))
    for name, colour in LEVELS.items():
        counts = [
            risk.filter((pl.col("horizon_days") == one) & (pl.col("risk") == name)).height for one in horizons
        ]
        right.bar([f"{one} days" for one in horizons], counts, bottom=bottom, color=colour, label=name)
        bottom += counts
    right.set_title("Risk of running out")
    right.legend(frameon=False)
    for side in ("top", "right"):
        right.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
