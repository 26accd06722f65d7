"""How soon unusual orders are told, and how often for nothing: outages and lost listings in an invented merchant.

    python -m bench.orders [--weeks 4]

For merchants of three sizes: normal weeks judged hour by hour (every anomaly alert is a false alarm), then troubles
put into the same weeks at many hours of the week: a channel that takes no orders, a best seller that is delisted, one
that loses its buy box (four in five orders gone). Told: within how many hours, by the rules and episodes of
`anomaly_alerts`. Beside it the rule "half of the same hour a week ago".
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from alerts.demand_rules import order_anomalies
from alerts.episodes import Episode, step
from connectors.sandbox.generated import GeneratedWorld
from models import order_hours

TODAY = date(2026, 10, 5)  # a Monday, far from the shopping days
HOUR = timedelta(hours=1)
SIZES = (40, 400, 4000)


@dataclass
class Trade:
    """Orders by channel, SKU and hour: what a warehouse would answer."""

    world: GeneratedWorld
    counts: pl.DataFrame  # subject, hour_at, orders
    subjects: pl.DataFrame  # subject, shape, timezone, channel, account, sku, category


def trade_of(orders_per_day: float, seed: int = 7) -> Trade:
    """The last weeks of a merchant of that size."""
    from connectors.sandbox.catalogue import CATEGORIES

    world = GeneratedWorld(seed, today=TODAY, days=120, orders_per_day=orders_per_day, future_days=40)
    orders, lines = world.book.orders, world.book.lines
    placed = pl.DataFrame(
        {
            "channel": np.array([m.channel for m in world.markets])[orders.channel[lines.order]],
            "sku": np.array(world.book.skus)[lines.product],
            "category": np.array([CATEGORIES[c].name for c in world.catalogue.category])[lines.product],
            "order": lines.order,
            "created": orders.created[lines.order],
        }
    ).with_columns(
        hour_at=pl.from_epoch("created", time_unit="us").dt.replace_time_zone("UTC").dt.truncate("1h")
    )
    zones = {market.channel: market.timezone for market in world.markets}
    parts = [
        _counted(placed, []),
        _counted(placed, ["category"]),
        _counted(placed, ["sku", "category"]),
    ]
    counts = pl.concat(parts, how="diagonal").with_columns(
        subject=pl.concat_str(
            pl.col("channel"),
            pl.col("category").fill_null("") + "/" + pl.col("sku").fill_null(""),
            separator="/",
        )
    )
    subjects = (
        counts.select("subject", "channel", "category", "sku")
        .unique("subject")
        .sort("subject")
        .with_columns(
            shape=pl.col("channel") + "//",
            timezone=pl.col("channel").replace_strict(zones),
            account=pl.col("channel").str.split("-").list.first(),
        )
    )
    return Trade(world, counts.select("subject", "hour_at", "orders"), subjects)


def _counted(placed: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return placed.group_by("channel", *keys, "hour_at").agg(orders=pl.col("order").n_unique().cast(pl.Int64))


def judged(trade: Trade, until: datetime) -> pl.DataFrame:
    """The frame the rules read, at a whole hour."""
    windows = order_hours.judge_windows(trade.counts, trade.subjects, until)
    named = windows.join(trade.subjects.drop("shape", "timezone"), on="subject")
    stock = [
        (market.channel, level.sku, max(level.available, 0))
        for market in trade.world.markets
        for level in trade.world.stock(market.channel, until)
    ]
    levels = pl.DataFrame(stock, schema=["channel", "sku", "available"], orient="row")
    available = levels.group_by("channel", "sku").agg(pl.col("available").sum())
    return named.join(available, on=["channel", "sku"], how="left").with_columns(is_fresh=pl.lit(value=True))


@dataclass
class Watch:
    """Episodes over time."""

    episodes: list[Episode]

    def sees(self, frame: pl.DataFrame, now: datetime) -> list[str]:
        """Titles of what opened."""
        told = {episode.fingerprint for episode in self.episodes}
        outcome = step(self.episodes, order_anomalies(frame, now, told=told), now)
        kept = {(e.fingerprint, e.opened_at): e for e in self.episodes}
        opened = []
        for change in outcome.transitions:
            at = datetime.fromisoformat(change.facts["opened_at"])
            ended = now if change.change == "resolved" else None
            row = change.as_dict() | {"opened_at": at, "resolved_at": ended}
            kept[change.fingerprint, at] = Episode.from_row(row)
            if change.change == "opened":
                opened.append(change.title)
        limit = now - timedelta(days=2)
        self.episodes = [e for e in kept.values() if e.resolved_at is None or e.resolved_at > limit]
        return opened


def hours(first: datetime, last: datetime) -> Iterator[datetime]:
    """Whole hours, both ends included."""
    while first <= last:
        yield first
        first += HOUR


def with_trouble(trade: Trade, hit: pl.Expr, start: datetime, kept: float, seed: int) -> Trade:
    """The same trade with only a share of the orders of `hit` from `start` on."""
    rng = np.random.default_rng(seed)
    rows = trade.counts.join(trade.subjects.select("subject", "channel", "sku"), on="subject", how="left")
    after = rows.select((hit & (pl.col("hour_at") >= start)).fill_null(value=False)).to_series().to_numpy()
    orders = rows["orders"].to_numpy()
    thinned = np.where(after, rng.binomial(orders, kept), orders)
    counts = rows.with_columns(orders=pl.Series(thinned)).select("subject", "hour_at", "orders")
    return replace(trade, counts=counts)


def seen_after(trade: Trade, start: datetime, names: str, most: int = 72) -> int | None:
    """Hours from the start of a trouble until an alert names it; None: not within `most`."""
    watch = Watch([])
    for now in hours(start + HOUR, start + most * HOUR):
        if any(names in title for title in watch.sees(judged(trade, now), now)):
            return round((now - start) / HOUR)
    return None


def main() -> None:
    """Print the table and write bench-results/orders.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    arguments = parser.parse_args()
    weeks = arguments.weeks
    results = []
    end = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    for size in arguments.sizes:
        trade = trade_of(size)
        watch, false = Watch([]), []
        for now in hours(end - timedelta(weeks=weeks), end):
            false += [(f"{now:%m-%d %H}", title) for title in watch.sees(judged(trade, now), now)]
        row = {"orders_a_day": size, "weeks": weeks, "false_a_week": len(false) / weeks}
        sys.stdout.write(f"{size} orders a day: {len(false)} false alarms in {weeks} weeks\n")
        for at, title in false:
            sys.stdout.write(f"   {at}h  {title}\n")
        sys.stdout.flush()
        best = _best_seller(trade)
        troubles = {
            "channel down": (pl.col("channel") == "amazon-us", 0.0, "Amazon US"),
            "delisted": ((pl.col("channel") == "amazon-us") & (pl.col("sku") == best), 0.0, best),
            "buy box lost": ((pl.col("channel") == "amazon-us") & (pl.col("sku") == best), 0.2, best),
        }
        for name, (hit, kept, said) in troubles.items():
            delays = []
            for case in range(8):  # hours spread over the week
                start = end - timedelta(weeks=2) + case * timedelta(hours=21)
                hurt = with_trouble(trade, hit, start, kept, seed=case)
                delays.append(seen_after(hurt, start, said))
            found = [delay for delay in delays if delay is not None]
            row[f"{name}: median hours"] = median(found) if found else None
            row[f"{name}: seen of 8"] = len(found)
            sys.stdout.write(f"   {name}: hours until told {delays}\n")
            sys.stdout.flush()
        results.append(row)
    with pl.Config(tbl_rows=10, tbl_cols=20, float_precision=2, tbl_width_chars=200):
        sys.stdout.write(f"{pl.DataFrame(results)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "orders.json").write_text(json.dumps(results, indent=1))


def _best_seller(trade: Trade) -> str:
    rows = trade.counts.join(trade.subjects, on="subject").filter(
        pl.col("sku").is_not_null(), pl.col("channel") == "amazon-us"
    )
    best = rows.group_by("sku").agg(pl.col("orders").sum()).sort("orders", descending=True)
    return str(best["sku"][0])


if __name__ == "__main__":
    main()
