"""Pictures of how places and products do."""

import io
from typing import Any

import polars as pl

MOST_PLACES, MOST_PRODUCTS, MOST_LOSSES = 12, 9, 3
GOOD, BAD, QUIET = "#3b8a5a", "#c0392b", "#8fb3cc"
PARTS = {
    "goods_cost": ("cost of goods", "#8c8c8c"),
    "fees": ("fees", "#e0a030"),
    "refunded": ("refunds", "#c0392b"),
    "contribution": ("left over", "#3b8a5a"),
}


def regions_plot(regions: pl.DataFrame) -> bytes:
    """PNG: revenue of the largest places, with their growth against the 91 days before; the channel with most of it."""
    figure, axes = _figure(1, (9.5, 4.2))
    channel, currency = regions.row(0, named=True)["channel"], regions.row(0, named=True)["currency"]
    shown = regions.filter((pl.col("channel") == channel) & (pl.col("currency") == currency)).head(
        MOST_PLACES
    )
    rows = shown.reverse().to_dicts()
    colours = [
        QUIET if row["own_growth"] is None else GOOD if row["own_growth"] >= 0 else BAD for row in rows
    ]
    bars = axes[0].barh(
        [row["place"] or "unknown" for row in rows], [row["revenue"] for row in rows], color=colours
    )
    told = ["" if row["growth"] is None else f"{row['growth']:+.0%}" for row in rows]
    axes[0].bar_label(bars, told, padding=4, fontsize=9)
    axes[0].set_title(f"{channel}: revenue by region, 91 days, {currency}; growth against the 91 days before")
    axes[0].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.supxlabel("green: grew more than the channel; red: less", fontsize=9)
    return _png(figure)


def earnings_plot(earnings: pl.DataFrame) -> bytes:
    """PNG: what becomes of 100 of sales on each channel (left), and the products that earn most and least (right),
    those of known cost in the currency with most sales."""
    figure, axes = _figure(2, (11.5, 4.2))
    known = earnings.drop_nulls("contribution")
    names = list(PARTS)
    summed = known.group_by("channel", "currency").agg(pl.col("net_sales", *names).sum()).sort("channel")
    summed = summed.filter(pl.col("net_sales") > 0)
    left = [0.0] * summed.height
    labels = [f"{row['channel']}\n{row['currency']}" for row in summed.to_dicts()]
    for part, (label, colour) in PARTS.items():
        share = [100 * row[part] / row["net_sales"] if row["net_sales"] else 0.0 for row in summed.to_dicts()]
        bars = axes[0].barh(labels, share, left=left, color=colour, label=label)
        axes[0].bar_label(bars, [f"{value:.0f}" if value >= 4 else "" for value in share], label_type="center",
                          fontsize=8, color="white")  # fmt: skip
        left = [before + max(value, 0.0) for before, value in zip(left, share, strict=True)]
    axes[0].set_title("Of 100 of sales, 365 days")
    axes[0].legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=4)
    axes[0].set_xticks([])
    axes[0].set_ylim(-0.6, max(summed.height - 0.4, 1.0))
    currency = known.group_by("currency").agg(pl.col("net_sales").sum()).sort("net_sales").row(-1)[0]
    ranked = known.filter(pl.col("currency") == currency).sort(
        "contribution", "sku", descending=[True, False]
    )
    ends = pl.concat([ranked.head(MOST_PRODUCTS), ranked.tail(MOST_LOSSES)]).unique(maintain_order=True)
    rows = ends.reverse().to_dicts()
    bars = axes[1].barh(
        range(len(rows)),
        [row["contribution"] for row in rows],
        color=[GOOD if row["contribution"] >= 0 else BAD for row in rows],
    )
    axes[1].set_yticks(
        range(len(rows)), [f"{row['name'][:26]}  ({row['channel']})" for row in rows], fontsize=8
    )
    rates = [
        f"{row['contribution_rate']:.0%}" if row["contribution_rate"] is not None else "" for row in rows
    ]
    axes[1].bar_label(bars, rates, padding=4, fontsize=8)
    axes[1].set_title(f"Earned most and least, {currency}; share of sales")
    axes[1].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return _png(figure)


def delivery_plot(weeks: pl.DataFrame, places: pl.DataFrame) -> bytes:
    """PNG: share of orders sent by the promised instant, or where nothing is promised days to sending, by week (left);
    days from order to delivery by place, of the channel that tells most (right).

    `weeks`: rows `channel, week` and `places`: rows `channel, ship_country, ship_region` with the measures of
    `delivery_performance`.
    """
    figure, axes = _figure(2, (11.0, 3.9))
    promised = weeks.filter(pl.col("shipped_on_time_rate").is_not_null())
    shown = promised if promised.height else weeks.filter(pl.col("shipped") > 0)
    measure = pl.col("shipped_on_time_rate") * 100 if promised.height else pl.col("days_to_ship")
    for (channel,), of_channel in shown.sort("week").group_by("channel", maintain_order=True):
        line = of_channel.select("week", value=measure)
        axes[0].plot(line["week"].to_list(), line["value"].to_list(), label=str(channel), marker=".")
    axes[0].set_title("Sent by the promised instant, %" if promised.height else "Days from order to sending")
    axes[0].set_ylim(0, 102 if promised.height else None)
    axes[0].tick_params(axis="x", labelrotation=30, labelsize=8)
    if shown.height:
        axes[0].legend(frameon=False, fontsize=8)
    told = places.filter(pl.col("delivered") > 0)
    if told.height:
        most = (
            told.group_by("channel")
            .agg(pl.col("delivered").sum())
            .sort("delivered", "channel")["channel"][-1]
        )
        days = (pl.col("days_to_deliver") * pl.col("delivered")).sum() / pl.col("delivered").sum()
        of_place = (
            told.filter(pl.col("channel") == most)
            .group_by("ship_country", "ship_region")
            .agg(days, pl.col("delivered", "delivered_late", "delivered_on_time").sum())
            .sort("delivered", descending=True)
            .head(MOST_PLACES)
        )
        rows = of_place.reverse().to_dicts()
        labels = ["-".join(part for part in (row["ship_country"], row["ship_region"]) if part) or "unknown"
                  for row in rows]  # fmt: skip
        bars = axes[1].barh(labels, [row["days_to_deliver"] for row in rows], color=QUIET)
        known = [row["delivered_late"] + row["delivered_on_time"] for row in rows]
        late = [
            f"{row['delivered_late'] / n:.0%} late" if n else "" for row, n in zip(rows, known, strict=True)
        ]
        axes[1].bar_label(bars, late, padding=4, fontsize=8)
        axes[1].set_title(f"{most}: days from order to delivery, by region")
    else:
        axes[1].set_axis_off()
        axes[1].set_title("No channel tells of deliveries")
    return _png(figure)


def conversion_plot(conversion: pl.DataFrame) -> bytes:
    """PNG: share of checkouts that end in an order, by hour (left) and by segment (right). `conversion`: rows of
    `funnel.conversion` of one currency."""
    figure, axes = _figure(2, (10.5, 3.8))
    for axis, by in zip(axes, ("hour", "segment"), strict=True):
        summed = conversion.group_by(by).agg(pl.col("orders", "left_checkouts").sum()).sort(by)
        rows = summed.with_columns(
            rate=pl.col("orders") / (pl.col("orders") + pl.col("left_checkouts"))
        ).to_dicts()
        names = [str(row[by]) or "not known" for row in rows]
        bars = axis.bar(names, [100 * row["rate"] for row in rows], color="#2f6690")
        axis.set_ylim(0, 100)
        axis.set_title(f"Checkouts that end in an order, %, by {by}")
        if by == "segment":
            axis.bar_label(bars, [f"{row['orders'] + row['left_checkouts']:,}" for row in rows], fontsize=8)
            axis.set_xlabel("above the bars: checkouts")
        else:
            axis.set_xticks(range(0, len(names), 3), names[::3])
    return _png(figure)


def _figure(columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.subplots()] if columns == 1 else list(figure.subplots(1, columns))
    for axis in axes:
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    return figure, axes


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
