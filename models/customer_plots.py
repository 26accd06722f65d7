"""Pictures of customers: who comes back, by cohort; who they are, by segment."""

import io

import numpy as np
import polars as pl

from models.segments import PROTOTYPES

MOST_COHORTS = 18


def cohorts_plot(retention: pl.DataFrame, customers: pl.DataFrame, title: str) -> bytes:
    """PNG: share of each month's new customers with an order in later months (left), segments by customers and
    revenue (right). `retention` and `customers` are of one currency; the newest, unfinished month is left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    months = retention["cohort_month"].unique().sort().to_list()[-MOST_COHORTS:]
    last = max(retention["months_since"].to_list(), default=0)
    width = max(min(last, MOST_COHORTS), 1)
    share = np.full((len(months), width), np.nan)
    sizes = dict.fromkeys(months, 0)
    newest = pl.col("months_since").max().over("cohort_month")
    shown = retention.filter(pl.col("cohort_month").is_in(months)).with_columns(
        is_over=pl.col("months_since") < newest
    )
    for row in shown.iter_rows(named=True):
        cohort, since = months.index(row["cohort_month"]), row["months_since"]
        sizes[row["cohort_month"]] = row["customers"]
        if row["is_over"] and 1 <= since <= width:
            share[cohort, since - 1] = row["active"] / row["customers"]
    image = left.imshow(share * 100, cmap="YlGnBu", aspect="auto", vmin=0)
    if width <= 12:
        for at, value in np.ndenumerate(share):
            if np.isfinite(value):
                left.text(at[1], at[0], f"{value:.0%}", ha="center", va="center", fontsize=7)
    figure.colorbar(image, ax=left, label="% with an order")
    left.set_xticks(range(width), [str(one + 1) for one in range(width)])
    left.set_yticks(range(len(months)), [f"{m:%Y-%m}  {sizes[m]:,}" for m in months], fontsize=8)
    left.set_xlabel("months after the first order")
    left.set_title(title)
    groups = customers.group_by("segment").agg(n=pl.len(), revenue=pl.col("amount").cast(pl.Float64).sum())
    by_name = {row["segment"]: row for row in groups.iter_rows(named=True)}
    names = [name for name in reversed(list(PROTOTYPES)) if name in by_name]
    places = np.arange(len(names))
    for offset, measure, colour in ((0.2, "n", "#8fb3cc"), (-0.2, "revenue", "#2f6690")):
        total = sum(by_name[name][measure] for name in names) or 1
        shares = [by_name[name][measure] / total for name in names]
        label = "of customers" if measure == "n" else "of revenue"
        bars = right.barh(places + offset, shares, height=0.38, color=colour, label=label)
        right.bar_label(bars, [f"{value:.0%}" for value in shares], fontsize=8, padding=2)
    right.set_yticks(places, names)
    right.set_xticks([])
    right.set_title("Segments" if names else "Segments: too few customers")
    if names:
        right.legend(frameon=False, fontsize=8)
    for side in ("top", "right", "bottom"):
        right.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def topics_plot(by_month: pl.DataFrame) -> bytes:
    """PNG: what buyers spoke of (`reviews.by_month`), by tone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tones = {"negative": "#c0392b", "neutral": "#c9c9c9", "positive": "#3b8a5a"}
    topics = by_month.filter(pl.col("topic") != "all").group_by("topic").agg(pl.col(*tones).sum())
    rows = topics.sort("negative", "topic", descending=[False, True]).to_dicts()
    figure = Figure(figsize=(9, 1.6 + 0.32 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    left = [0] * len(rows)
    for tone, colour in tones.items():
        counts = [row[tone] for row in rows]
        bars = axis.barh([row["topic"] for row in rows], counts, left=left, color=colour, label=tone)
        axis.bar_label(
            bars, [str(n) if n else "" for n in counts], label_type="center", fontsize=8, color="white"
        )
        left = [before + n for before, n in zip(left, counts, strict=True)]
    axis.set_title("What buyers speak of, and how")
    axis.set_xlabel("texts")
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def funnel_plot(hours: pl.DataFrame) -> bytes:
    """PNG: sessions by step of the own shop (left), carts left by hour of the day (right). `hours`: of
    `funnel.by_hour`; sessions are counted once a product and hour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = {"views": "looked", "adds": "put in the cart", "checkouts": "began to pay", "purchases": "bought"}
    figure = Figure(figsize=(10, 3.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    counts = [int(hours[step].sum()) for step in steps]
    bars = left.barh(list(steps.values())[::-1], counts[::-1], color="#2f6690")
    most = max(counts[0], counts[1], 1)
    left.bar_label(bars, [f"{n:,}  {n / most:.0%}" for n in counts[::-1]], padding=4, fontsize=9)
    left.set_xlim(0, most * 1.25)
    left.set_xticks([])
    left.set_title("Sessions and products, this month")
    by_hour = hours.group_by("hour").agg(pl.col("adds", "abandoned").sum()).sort("hour")
    share = [100 * row["abandoned"] / row["adds"] if row["adds"] else 0.0 for row in by_hour.to_dicts()]
    right.bar(by_hour["hour"].to_list(), share, color="#8fb3cc")
    right.set_xticks(range(0, 24, 3))
    right.set_title("Carts left, % of those filled, by hour")
    for axis in (left, right):
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
