"""A year of the demo merchant, day by day: how many messages, stock-outs announced in time, alarms for nothing.

    python -m bench.alerts [--days 365]

Every morning each listing's stock is judged as `stock_alerts` would, by the rules, episodes and plan of Wharf, and by
the naive rule "below the reorder point" (mean of 28 days x lead time + 7 days of it, told once per listing each time it
falls below). Forecast here is a plain one (mean of the last 28 days in stock, negative binomial), so these are figures
of the rules; a better forecast adds to them. What would have happened is known from the generated world: what buyers
wanted, and what had been ordered from suppliers by that morning.

- announced: an alert that asks to order, or says it runs out, was open `lead` days before the shelf was empty; "late"
  before it was empty, yet not that long
- false: at the moment it was told, stock and everything already ordered would have lasted its horizon, 14 days for low
  stock, 21 for a reorder. A reorder point with a service level of 95 % is reached before it is needed 19 times in 20:
  its column says how much of the safety stock was left over, not that the advice was wrong
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from alerts.episodes import Episode, step
from alerts.plan import plan
from alerts.routes import Recipient, Routes
from alerts.rules import stock_alerts
from connectors.sandbox.catalogue import CATEGORIES
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.orderbook import ticks
from models import inventory
from models.base import Floats
from models.cumulative import CHANCES, LEADS, column

TODAY = date(2026, 10, 5)
LEAD, REVIEW, RECENT = 14, 7, 28
SELLS = 0.03
HORIZON = {"low_stock": LEAD, "restock": LEAD + REVIEW}


@dataclass
class Year:
    """Stock at each morning and what was wanted each day, by listing."""

    names: pl.DataFrame  # series_id, channel, sku, category, one row per cell
    wanted: Floats  # cells x days, units buyers wanted
    available: Floats
    inbound: Floats
    arrivals: Floats  # units that came in on a day
    first: date


@dataclass
class Tally:
    """What one rule told."""

    messages: int = 0
    told: list[tuple[int, int, str]] = field(default_factory=list)  # (cell, day, type)
    spans: dict[tuple[int, str], list[list[int]]] = field(default_factory=dict)  # open from, until


def year_of(days: int) -> Year:
    """The demo merchant's last days, mornings at 06:00 UTC."""
    world = GeneratedWorld(today=TODAY, days=days + 60, future_days=40)
    skus, markets = len(world.catalogue.skus), len(world.markets)
    total = days + 60 + 30
    on_hand = np.zeros((markets * skus, total))
    inbound = np.zeros_like(on_hand)
    for day in range(total):
        at = datetime.combine(world.first_day + timedelta(days=day), datetime.min.time(), UTC)
        hand, reserved, coming, _ = world._all_levels(ticks(at + timedelta(hours=10)))
        on_hand[:, day], inbound[:, day] = np.maximum(hand - reserved, 0), np.maximum(coming, 0)
    listed = world.catalogue.listed.ravel()
    names = pl.DataFrame(
        {
            "channel": [m.channel for m in world.markets for _ in range(skus)],
            "sku": list(world.catalogue.skus) * markets,
            "category": [CATEGORIES[c].name for c in world.catalogue.category] * markets,
            "cell": range(markets * skus),
        }
    ).with_columns(series_id=pl.col("channel") + "|" + pl.col("sku"))
    wanted = world._demand.reshape(markets * skus, -1)[:, :total].astype(np.float64)
    arrivals = np.maximum(inbound[:, :-1] - inbound[:, 1:], 0)
    keep = names.filter(pl.Series(listed))
    cells = keep["cell"].to_numpy()
    return Year(keep, wanted[cells], on_hand[cells], inbound[cells], arrivals[cells], world.first_day)


def lasts(year: Year, cell: int, day: int, horizon: int) -> bool:
    """Whether stock of that morning and what was ordered by then is enough for `horizon` days of what is wanted."""
    stock, coming = year.available[cell, day], year.inbound[cell, day]
    for ahead in range(day, min(day + horizon, year.arrivals.shape[1])):
        arrived = min(year.arrivals[cell, ahead], coming)
        stock, coming = stock + arrived - year.wanted[cell, ahead], coming - arrived
        if stock < 0:
            return False
    return True


def judged(year: Year, day: int) -> pl.DataFrame:
    """The position frame of a morning."""
    recent = year.wanted[:, day - RECENT : day]
    in_stock = year.available[:, day - RECENT : day] > 0
    days = np.maximum(in_stock.sum(axis=1), 1)
    mean = np.where(in_stock, recent, 0).sum(axis=1) / days
    spread = np.maximum(np.where(in_stock, recent, 0).var(axis=1) / np.maximum(mean, 1e-9), 1.05)
    known = mean > 0
    rows = []
    for lead in LEADS:
        mu, odds = mean * lead, 1 / spread
        size = np.maximum(mu * odds / (1 - odds), 1e-9)
        quantiles = stats.nbinom.ppf(np.array(CHANCES)[:, None], size, odds)
        rows.append(
            pl.DataFrame(
                {"series_id": year.names["series_id"], "lead_days": lead, "mean": mu}
                | {column(chance): quantiles[place] for place, chance in enumerate(CHANCES)}
            ).filter(pl.Series(known))
        )
    today = year.first + timedelta(days=day)
    position = year.names.with_columns(
        available=pl.Series(year.available[:, day]).cast(pl.Int64),
        inbound=pl.Series(year.inbound[:, day]).cast(pl.Int64),
    )
    forecast = pl.DataFrame({"series_id": year.names["series_id"], "date": today, "yhat": mean})
    planned = inventory.reorder(
        position.filter(pl.Series(known)),
        forecast,
        pl.concat(rows),
        lead_time_days=LEAD,
        review_days=REVIEW,
        now_date=today,
    )
    return planned.with_columns(
        channel_id=pl.lit(1),
        product_id=pl.lit(1),
        name=pl.col("sku"),
        observed_at=pl.lit(datetime.combine(today, datetime.min.time(), UTC)),
        is_fresh=pl.lit(value=True),
        is_confirmed=pl.lit(value=True),
        lead_time_days=pl.lit(float(LEAD)),
    )


def ours(year: Year, first: int, last: int) -> Tally:
    """Rules, episodes and plan, once a morning."""
    tally, episodes = Tally(), list[Episode]()
    cells = {row["series_id"]: place for place, row in enumerate(year.names.iter_rows(named=True))}
    one = Routes(recipients=(Recipient(name="Ada", email="ada@example.com"),))
    digests = 0
    for day in range(first, last):
        now = datetime.combine(year.first + timedelta(days=day), datetime.min.time(), UTC) + timedelta(
            hours=10
        )
        outcome = step(episodes, stock_alerts(judged(year, day), now), now)
        planned = plan(outcome.transitions, one, now)
        tally.messages += len({message.idempotency_key for message in planned.messages})
        digests += any("digest" in item.reason for item in planned.unsent)
        kept = {(e.fingerprint, e.opened_at): e for e in episodes}
        for change in outcome.transitions:
            opened = datetime.fromisoformat(change.facts["opened_at"])
            ended = now if change.change == "resolved" else None
            row = change.as_dict() | {"opened_at": opened, "resolved_at": ended}
            kept[change.fingerprint, opened] = Episode.from_row(row)
            for channel in change.facts["channels"]:
                cell = cells[f"{channel}|{change.facts['sku']}"]
                spans = tally.spans.setdefault((cell, change.alert_type), [])
                if ended is None and (not spans or spans[-1][1] < day):
                    spans.append([day, last])
                    tally.told.append((cell, day, change.alert_type))
                elif ended is not None and spans:
                    spans[-1][1] = day
        limit = now - timedelta(days=7)
        episodes = [e for e in kept.values() if e.resolved_at is None or e.resolved_at > limit]
    tally.messages += digests
    return tally


def naive(year: Year, first: int, last: int) -> Tally:
    """Below the reorder point: told each time a listing falls below it."""
    tally = Tally()
    below = np.zeros(len(year.wanted), dtype=bool)
    for day in range(first, last):
        mean = year.wanted[:, day - RECENT : day].mean(axis=1)
        now_below = (year.available[:, day] <= mean * (LEAD + REVIEW)) & (mean >= SELLS)
        for cell in np.flatnonzero(now_below & ~below).tolist():
            tally.messages += 1
            tally.told.append((cell, day, "restock"))
            tally.spans.setdefault((cell, "restock"), []).append([day, last])
        for cell in np.flatnonzero(below & ~now_below).tolist():
            tally.spans[cell, "restock"][-1][1] = day
        below = now_below
    return tally


def scored(year: Year, tally: Tally, first: int, last: int) -> dict[str, float]:
    """Counts of one rule."""
    out, in_time, late = 0, 0, 0
    for cell in range(len(year.wanted)):
        for day in range(first + LEAD, last):
            begins = year.available[cell, day] == 0 and year.available[cell, day - 1] > 0
            if not begins or year.wanted[cell, day - RECENT : day].mean() < SELLS:
                continue
            out += 1
            spans = [span for (owner, _), found in tally.spans.items() if owner == cell for span in found]
            early = [start for start, end in spans if start < day <= end + 1]
            in_time += any(start <= day - LEAD for start in early)
            late += bool(early) and not any(start <= day - LEAD for start in early)
    counts: dict[str, float] = {}
    for kind, horizon in HORIZON.items():
        moments = [(cell, day) for cell, day, told in tally.told if told == kind]
        counts[kind] = len(moments)
        counts[f"{kind}_false"] = sum(lasts(year, cell, day, horizon) for cell, day in moments)
    weeks = (last - first) / 7
    return {
        "messages": tally.messages,
        "messages_a_week": tally.messages / weeks,
        **counts,
        "stockouts": out,
        "in_time": in_time,
        "late": late,
    }


def main() -> None:
    """Print the table and write bench-results/alerts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    days = parser.parse_args().days
    year = year_of(days)
    first, last = 60, 60 + days
    results = [
        {"rule": name, **scored(year, rule(year, first, last), first, last)}
        for name, rule in {"wharf": ours, "below reorder point": naive}.items()
    ]
    with pl.Config(tbl_cols=20, float_precision=1, tbl_width_chars=160):
        sys.stdout.write(f"{pl.DataFrame(results)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "alerts.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
