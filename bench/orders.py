"""How soon unusual orders are told, and how often for nothing: outages and lost listings in an invented merchant.

    python -m bench.orders [--sizes 40 400 4000] [--weeks 4] [--every 60] [--cases 8]

For merchants of three sizes: normal weeks judged every so many minutes (each anomaly alert is a false alarm), then
troubles put into the same weeks from any minute on: a channel that takes no orders, a best seller that is delisted, one
that loses its buy box (four in five orders gone). Told: after how many hours, by the rules and episodes of
`anomaly_alerts`, looked at every quarter of an hour with orders read five minutes before. Beside it the soonest that
anybody could tell (`bench.order_oracle`): who knows what every hour should bring, never looks away, and is wrong as
rarely.
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
from bench import order_oracle
from connectors.sandbox.catalogue import CATEGORIES
from connectors.sandbox.generated import GeneratedWorld
from models import order_hours

TODAY = date(2026, 10, 5)  # a Monday, far from the shopping days
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
END = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
BEHIND = timedelta(minutes=5)  # what was read is so old when it is judged
MOST = 96  # hours after which a trouble counts as not told
HOME = "amazon-us"  # the channel that is troubled
SIZES = (40, 400, 4000)


@dataclass
class Trade:
    """Orders by channel, SKU and hour: what a warehouse would answer."""

    world: GeneratedWorld
    placed: pl.DataFrame  # one row per line: channel, sku, category, order, created_at
    counts: pl.DataFrame  # subject, hour_at, orders, last_at
    subjects: pl.DataFrame  # subject, shape, timezone, channel, account, sku, category


def trade_of(orders_per_day: float, seed: int = 7) -> Trade:
    """The last weeks of a merchant of that size."""
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
    ).with_columns(created_at=pl.from_epoch("created", time_unit="us").dt.replace_time_zone("UTC"))
    counts = _counted(placed)
    zones = {market.channel: market.timezone for market in world.markets}
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
    return Trade(world, placed, counts, subjects)


def _counted(placed: pl.DataFrame) -> pl.DataFrame:
    """Orders by hour of each channel, category on it and SKU on it."""
    hourly = placed.with_columns(hour_at=pl.col("created_at").dt.truncate("1h"))
    parts = [
        hourly.group_by("channel", *keys, "hour_at").agg(
            orders=pl.col("order").n_unique().cast(pl.Int64), last_at=pl.col("created_at").max()
        )
        for keys in ([], ["category"], ["sku", "category"])
    ]
    return pl.concat(parts, how="diagonal").with_columns(
        subject=pl.concat_str(
            pl.col("channel"),
            pl.col("category").fill_null("") + "/" + pl.col("sku").fill_null(""),
            separator="/",
        )
    )


def judged(trade: Trade, read_until: datetime) -> pl.DataFrame:
    """The frame the rules read, with orders known up to an instant."""
    until = read_until.replace(minute=0, second=0, microsecond=0)
    known = trade.counts.filter(pl.col("last_at") < read_until)
    windows = order_hours.judge_windows(known, trade.subjects, until, read_until=read_until)
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


def looks(first: datetime, last: datetime, every: timedelta = HOUR) -> Iterator[datetime]:
    """Instants so far apart, both ends included."""
    while first <= last:
        yield first
        first += every


def with_trouble(trade: Trade, hit: pl.Expr, start: datetime, kept: float, seed: int) -> Trade:
    """The troubled channel alone, with only a share of the order lines of `hit` from `start` on."""
    own = trade.placed.filter(pl.col("channel") == HOME)
    luck = pl.Series(np.random.default_rng(seed).random(own.height))
    left = own.filter(~(hit & (pl.col("created_at") >= start)) | (luck < kept))
    subjects = trade.subjects.filter(pl.col("channel") == HOME)
    return replace(trade, placed=left, counts=_counted(left), subjects=subjects)


def told_after(trade: Trade, start: datetime, names: str) -> float | None:
    """Hours from the start of a trouble until an alert names it; None: not within MOST.

    Looked at hour by hour; the quarters of the hour before it was told are tried too, each as the first that told.
    """

    def tells(now: datetime) -> bool:
        titles = Watch([]).sees(judged(trade, now), now)
        return any(names in title and "jumped" not in title for title in titles)

    first = start.replace(minute=0, second=0, microsecond=0) + HOUR
    for hour in looks(first, first + MOST * HOUR):
        if tells(hour):
            quarters = (hour - back * QUARTER for back in (3, 2, 1))
            soonest = next((each for each in quarters if each > start and tells(each)), hour)
            return (soonest + BEHIND - start) / HOUR
    return None


def main() -> None:
    """Print the table and write bench-results/orders.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=4)
    parser.add_argument("--every", type=int, default=60, help="minutes between looks at normal weeks")
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rows = []
    for size in arguments.sizes:
        trade = trade_of(size, arguments.seed)
        false = false_alarms(trade, arguments.weeks, timedelta(minutes=arguments.every))
        sys.stdout.write(f"{size} orders a day: {len(false)} false alarms in {arguments.weeks} weeks\n")
        sys.stdout.write("".join(f"   {at:%m-%d %H:%M}  {title}\n" for at, title in false))
        a_week = len(false) / arguments.weeks if arguments.weeks else None
        for trouble in troubles(trade, arguments.cases):
            rows.append({"orders_a_day": size, "false_a_week": a_week, **trouble})
            sys.stdout.write(f"   {trouble}\n")
            sys.stdout.flush()
    with pl.Config(tbl_rows=40, tbl_cols=20, float_precision=2, tbl_width_chars=200):
        sys.stdout.write(f"{pl.DataFrame(rows)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "orders.json").write_text(json.dumps(rows, indent=1))


def false_alarms(trade: Trade, weeks: int, every: timedelta) -> list[tuple[datetime, str]]:
    """What opens in normal weeks, and when."""
    watch = Watch([])
    return [
        (now, title)
        for now in looks(END - timedelta(weeks=weeks), END - every, every)
        for title in watch.sees(judged(trade, now), now)
    ]


def troubles(trade: Trade, cases: int) -> Iterator[dict[str, float | str | None]]:
    """Of each kind of trouble: hours until told by the rules and by the oracle, over starts spread over the week."""
    best = _best_seller(trade)
    this = pl.col("sku") == best
    for name, hit, kept, said in (
        ("channel down", pl.lit(value=True), 0.0, ": Amazon US"),  # not "… on Amazon US"
        ("delisted", this, 0.0, best),
        ("buy box lost", this, 0.2, best),
    ):
        oracle = order_oracle.Oracle(trade.world, HOME, best if said == best else None, kept)
        ours, bound = [], []
        for case in range(cases):  # any minute of any hour
            start = END - timedelta(weeks=2) + case * timedelta(hours=21, minutes=17)
            hurt = with_trouble(trade, hit, start, kept, seed=case)
            ours.append(told_after(hurt, start, said))
            bound.append(oracle.hours_until_told(hurt.placed.filter(hit), start, MOST))
        yield {
            "trouble": name,
            "orders_a_day_of_it": round(oracle.a_day, 1),
            **_spread("", ours),
            **_spread("oracle ", bound),
        }


def _spread(whose: str, hours: list[float | None]) -> dict[str, float | None]:
    """How many were told, and after how many hours: the soonest, the middle and the longest."""
    known = sorted(each for each in hours if each is not None)
    return {
        f"{whose}told of {len(hours)}": len(known),
        f"{whose}soonest": round(known[0], 1) if known else None,
        f"{whose}median": round(median(known), 1) if known else None,
        f"{whose}longest": round(known[-1], 1) if known else None,
    }


def _best_seller(trade: Trade) -> str:
    lines = trade.placed.filter(pl.col("channel") == HOME)
    return str(lines["sku"].value_counts().sort("count", descending=True)["sku"][0])


if __name__ == "__main__":
    main()
