"""A year of the demo merchant, day by day: how many messages, stock-outs announced in time, alarms for nothing.

    python -m bench.alerts [--days 365]

Every morning each listing's stock is judged as `stock_alerts` would, by the rules, episodes and plan of Wharf, and by
the naive rule "below the reorder point" (mean of 28 days x lead time + 7 days of it, told once per listing each time it
falls below). Forecasts are made once a week by the cheap members, from what had been sold by then. What would have
happened is known from the generated world: what buyers wanted, and what had been ordered from suppliers that morning.

- announced: an alert that asks to order, or says it runs out, was open `lead` days before the shelf was empty; "late"
  before it was empty, yet not that long. Untold on its way: a delivery was coming, and came too late
- false: at the moment it was told, stock and everything already ordered would have lasted its horizon, 14 days for low
  stock, 21 for a reorder. Low stock that lasted 15 to 21 days was still worth an order that day (`lasted_21`: longer).
  A reorder point is meant to be reached before it is needed: its column says how often safety stock was left over, not
  that the advice was wrong
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from alerts.episodes import Episode, step
from alerts.plan import plan, plan_digests
from alerts.routes import Recipient, Routes
from alerts.rules import stock_alerts
from connectors.sandbox.catalogue import CATEGORIES
from connectors.sandbox.generated import GeneratedWorld
from connectors.sandbox.orderbook import ticks
from models import forecast as forecasting
from models import inventory, supply
from models.base import Floats, ForecastSettings

TODAY = date(2026, 10, 5)
LEAD, LEAD_SPREAD, REVIEW, RECENT = 14, 3.0, 7, 28  # days; the first three are Wharf's defaults
SERVICE_LEVEL = 0.7  # near what Wharf finds for these merchants, unless another is asked for
BEFORE = 400  # days of history before the year
FORECAST_EVERY = 7
MEMBERS = ("ets", "tsb", "weekday_mean")  # the cheap ones: 52 nights for every seed
SELLS = 0.03
TYPES = {"stockout": "stockout", "critical": "low_stock", "warning": "low_stock", "restock": "restock"}
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
    """What one rule told: messages, the moments something was told first, and what was so on each day."""

    warnings: int = 0  # messages sent at once that something will run out
    empty: int = 0  # messages sent at once that something has
    digests: int = 0
    told: list[tuple[int, int, str]] = field(default_factory=list)  # (cell, day, type)
    warned: set[tuple[int, int]] = field(default_factory=set)  # (cell, day): an alert about it is open


def year_of(days: int, seed: int) -> Year:
    """The last days of the merchant of this seed, mornings at 10:00 UTC."""
    world = GeneratedWorld(seed, today=TODAY, days=days + BEFORE, future_days=40)
    skus, markets = len(world.catalogue.skus), len(world.markets)
    total = days + BEFORE + 30
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


def forecasts(year: Year, day: int) -> forecasting.ForecastResult:
    """What a night before `day` forecast from what had been sold by then; nothing is known of days without stock."""
    shape = year.wanted[:, :day].shape
    there = year.available[:, :day] > 0
    known = pl.DataFrame(
        {
            "series_id": np.repeat(year.names["series_id"].to_numpy(), shape[1]),
            "date": np.tile(np.arange(shape[1]), shape[0]),
            "y": np.where(there, year.wanted[:, :day], 0.0).ravel(),
            "in_stock": there.ravel().astype(np.int8),
        }
    ).with_columns(date=pl.lit(year.first) + pl.duration(days="date"))
    origin = year.first + timedelta(days=day - 1)
    settings = ForecastSettings(members=MEMBERS, workers=1, origin=origin)
    return forecasting.run(known, 30, settings=settings)


def judged(
    year: Year,
    day: int,
    history: pl.DataFrame,
    foreseen: forecasting.ForecastResult,
    level: float = SERVICE_LEVEL,
) -> pl.DataFrame:
    """The position frame of a morning."""
    today = year.first + timedelta(days=day)
    position = year.names.with_columns(
        available=pl.Series(year.available[:, day]).cast(pl.Int64),
        inbound=pl.Series(year.inbound[:, day]).cast(pl.Int64),
    ).filter(pl.col("series_id").is_in(foreseen.cumulative["series_id"].unique().to_list()))
    coming = supply.expected(history.filter(pl.col("date") <= today), today, LEAD)
    planned = inventory.reorder(
        position.join(coming, on="series_id", how="left"),
        foreseen.frame,
        foreseen.cumulative,
        lead_time_days=LEAD,
        lead_time_sd_days=LEAD_SPREAD,
        review_days=REVIEW,
        service_level=level,
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


def moves(year: Year) -> pl.DataFrame:
    """Changes of inbound as inventory_history tells them, which is all Wharf knows of orders to suppliers."""
    changed = np.diff(year.inbound, axis=1, prepend=0.0)
    cell, day = np.nonzero(changed)
    return pl.DataFrame(
        {
            "series_id": year.names["series_id"].gather(cell.tolist()),
            "date": [year.first + timedelta(days=each) for each in day.tolist()],
            "moved": changed[cell, day],
            "first_date": year.first,
        }
    )


def ours(year: Year, first: int, last: int, level: float = SERVICE_LEVEL) -> Tally:
    """Rules, episodes, plan and digest, once a morning."""
    tally, episodes, history = Tally(), dict[tuple[str, datetime], Episode](), moves(year)
    cells = {row["series_id"]: place for place, row in enumerate(year.names.iter_rows(named=True))}
    one = Routes(recipients=(Recipient(name="Ada", email="ada@example.com"),))
    so: set[tuple[int, str]] = set()
    advised: set[str] = set()  # episodes that somebody has heard of: a reorder waits for a digest
    for day in range(first, last):
        now = datetime.combine(year.first + timedelta(days=day), datetime.min.time(), UTC) + timedelta(
            hours=10
        )
        known = [
            e for e in episodes.values() if e.resolved_at is None or e.resolved_at > now - timedelta(days=7)
        ]
        if (day - first) % FORECAST_EVERY == 0:
            foreseen = forecasts(year, day)
        outcome = step(known, stock_alerts(judged(year, day, history, foreseen, level), now), now)
        for change in outcome.transitions:
            opened = datetime.fromisoformat(change.facts["opened_at"])
            row = change.as_dict() | {"opened_at": opened}
            row["resolved_at"] = now if change.change == "resolved" else None
            episodes[change.fingerprint, opened] = Episode.from_row(row)
        still = [e for e in episodes.values() if e.resolved_at is None]
        planned = plan(outcome.transitions, one, now) + plan_digests(still, one, now)
        sent = {m.idempotency_key: m.payload for m in planned.messages}
        kinds = [
            "digest" if one["kind"] == "digest" else one["alerts"][0]["alert_type"] for one in sent.values()
        ]
        tally.digests += kinds.count("digest")
        tally.empty += kinds.count("stockout")
        tally.warnings += len(kinds) - kinds.count("digest") - kinds.count("stockout")
        before, so = so, set[tuple[int, str]]()
        heard = {alert["fingerprint"] for payload in sent.values() for alert in payload["alerts"]}
        for episode in still:
            listed = f"{episode.fingerprint} {episode.opened_at}"
            if episode.alert_type != "restock" or episode.fingerprint in heard:
                advised.add(listed)
            for channel, state in _so(episode):
                cell = cells[f"{channel}|{episode.facts['sku']}"]
                if (cell, TYPES[state]) not in before:
                    tally.told.append((cell, day, TYPES[state]))
                so.add((cell, TYPES[state]))
                if state != "stockout" and listed in advised:
                    tally.warned.add((cell, day))
    return tally


def _so(episode: Episode) -> list[tuple[str, str]]:
    """(channel, state) of every channel an open episode is about: as it is now, or as told and not yet over."""
    facts = episode.facts
    told = facts.get("told_states", {})
    return [*facts["states"].items(), *((name, told[name][0]) for name in facts["held"] if name in told)]


def naive(year: Year, first: int, last: int) -> Tally:
    """Below the reorder point: told each time a listing falls below it."""
    tally = Tally()
    for day in range(first, last):
        mean = year.wanted[:, day - RECENT : day].mean(axis=1)
        below = (year.available[:, day] <= mean * (LEAD + REVIEW)) & (mean >= SELLS)
        for cell in np.flatnonzero(below).tolist():
            if (cell, day - 1) not in tally.warned:
                tally.warnings += 1
                tally.told.append((cell, day, "restock"))
            tally.warned.add((cell, day))
    return tally


def scored(year: Year, tally: Tally, first: int, last: int) -> dict[str, float]:
    """Counts of one rule."""
    lead_of: list[int] = []
    coming = 0  # not told, with a delivery on its way that came too late
    for cell in range(len(year.wanted)):
        for day in range(first + LEAD, last):
            begins = year.available[cell, day] == 0 and year.available[cell, day - 1] > 0
            if not begins or year.wanted[cell, day - RECENT : day].mean() < SELLS:
                continue
            ahead = 0
            while (cell, day - 1 - ahead) in tally.warned:
                ahead += 1
            lead_of.append(ahead)
            coming += int(ahead == 0 and year.inbound[cell, day - 1] > 0)
    counts: dict[str, float] = {}
    for kind, horizon in HORIZON.items():
        moments = [(cell, day) for cell, day, told in tally.told if told == kind]
        counts[kind] = len(moments)
        counts[f"{kind}_false"] = sum(lasts(year, cell, day, horizon) for cell, day in moments)
    low = [(cell, day) for cell, day, told in tally.told if told == "low_stock"]
    counts["low_stock_lasted_21"] = sum(lasts(year, cell, day, LEAD + REVIEW) for cell, day in low)
    return {
        "warnings": tally.warnings,
        "empty": tally.empty,
        "digests": tally.digests,
        "a_week": (tally.warnings + tally.empty + tally.digests) / ((last - first) / 7),
        **counts,
        "stockouts": len(lead_of),
        "in_time": sum(ahead >= LEAD for ahead in lead_of),
        "late": sum(0 < ahead < LEAD for ahead in lead_of),
        "untold_on_its_way": coming,
    }


def main() -> None:
    """Print the table and write bench-results/alerts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--service-level", type=float, default=SERVICE_LEVEL)
    options = parser.parse_args()
    first, last = BEFORE, BEFORE + options.days
    results = []
    for seed in options.seeds:
        year = year_of(options.days, seed)
        rules: dict[str, Callable[[Year, int, int], Tally]] = {
            "wharf": partial(ours, level=options.service_level),
            "below reorder point": naive,
        }
        for name, rule in rules.items():
            results.append({"seed": seed, "rule": name, **scored(year, rule(year, first, last), first, last)})
    with pl.Config(tbl_cols=20, tbl_rows=40, float_precision=1, tbl_width_chars=160):
        sys.stdout.write(f"{pl.DataFrame(results)}\n")
    out = Path("bench-results")
    out.mkdir(exist_ok=True)
    (out / "alerts.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
