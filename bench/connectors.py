"""Raw pages → canonical frames, per channel, beside plainer ways to read the same pages; and memory by window.

    python -m bench.connectors

The pages are the sandbox's. Ours gives the canonical frames: some sixty columns with discounts, refunds and statuses
worked out, one refusal per bad record. The plain ways give two small frames of eight columns and none of the rules
(`bench.decoding`), so "msgspec typed + columns" is the floor of what decoding costs, not another way to do the work.
"x ours": how many times as fast. Memory is the peak of a process that reads a window of 30 days, and one of 150, page
by page.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import SecretStr

from bench import decoding
from connectors.base import Account, Context, Page, Platform, Resource, Window
from connectors.extract import Tally, fetch
from connectors.registry import PLATFORMS, open_client, resources_of
from connectors.sandbox.app import serving
from connectors.sandbox.generated import DEMO_MARKETS, GeneratedWorld
from connectors.sandbox.state import SandboxState, Secrets
from connectors.settings import load
from connectors.stored import debugging_account

TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
PACE = 5000.0
WINDOWS = (30, 150)
ROUNDS = 3
_OPTIONS = {"seller_id": "A1WHARFSANDBOX", "shop_name": "wharf-demo"}


def main() -> int:
    """Prints both tables and writes bench-results/connectors.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders-a-day", type=float, default=120.0)
    parser.add_argument("--read", nargs=3, metavar=("PLATFORM", "URL", "DAYS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        platform, url, days = arguments.read
        sys.stdout.write(json.dumps(_read(platform, url, int(days))) + "\n")
        return 0
    world = GeneratedWorld(7, today=TODAY.date(), days=170, orders_per_day=arguments.orders_a_day)
    state = SandboxState(world, pace=PACE)
    state.clock.freeze(TODAY)
    with serving(state) as url:
        speed = [row for platform in PLATFORMS for row in _speed(platform, url)]
        memory = [_memory(platform, url) for platform in PLATFORMS]
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=160,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
    ):
        sys.stdout.write(f"{pl.DataFrame(speed)}\n{pl.DataFrame(memory)}\n")
    results = Path("bench-results")
    results.mkdir(exist_ok=True)
    (results / "connectors.json").write_text(json.dumps({"speed": speed, "memory": memory}, indent=2) + "\n")
    return 0


def account(platform: str, url: str, pace: float = PACE) -> Account:
    """An account of the sandbox."""
    secrets = Secrets()
    credentials = {
        "amazon": {
            "client_id": secrets.amazon_client_id,
            "client_secret": secrets.amazon_client_secret,
            "refresh_token": secrets.amazon_refresh_token,
        },
        "shopify": {"access_token": secrets.shopify_access_token},
        "walmart": {"client_id": secrets.walmart_client_id, "client_secret": secrets.walmart_client_secret},
    }[platform]
    paths = {"amazon": "/auth/o2/token", "shopify": "/admin/oauth/access_token", "walmart": "/v3/token"}
    known = {market.external_id for market in DEMO_MARKETS}
    channels = debugging_account(platform, load()).channels  # type: ignore[arg-type]  # a platform's name as it stands
    return Account(
        platform,
        platform,  # type: ignore[arg-type]  # a platform's name as it stands
        f"{url}/{platform}",
        f"{url}/{platform}{paths[platform]}",
        {name: SecretStr(value) for name, value in credentials.items()},
        tuple(channel for channel in channels if platform != "amazon" or channel.external_id in known),
        {**_OPTIONS, "pace": f"{pace:g}"},
    )


def _speed(platform: str, url: str) -> Iterator[dict[str, Any]]:
    """Records a second of each way, for the orders of a week (the API) and of five months (reports, bulk files)."""
    seller = account(platform, url)
    orders = resources_of(platform)["orders"]
    seen: set[str] = set()
    for days in (150, 7):
        with open_client(seller) as client:
            pages = list(
                orders.pages(client, Window(TODAY - timedelta(days=days), TODAY - timedelta(minutes=5)))
            )
        kind = pages[0].kind
        if kind in seen:
            continue
        seen.add(kind)
        context = Context(seller, TODAY)
        found = [orders.normalize(page, context) for page in pages]
        records = sum(part.records for part in found)
        spent = {"ours": _seconds(partial(_all, partial(_normalized, orders, context), pages))}
        plain = decoding.ways(platform, kind)
        _check_same(plain.values(), pages[0], records if len(pages) == 1 else None)
        for name, way in plain.items():
            spent[name] = _seconds(partial(_all, way, pages))
        row = {"channel": platform, "pages": kind, "orders": records}
        row["MB"] = round(sum(len(page.body) for page in pages) / 1e6, 1)
        yield row | {
            "way": "ours: canonical frames",
            "orders/s": round(records / spent["ours"]),
            "x ours": 1.0,
        }
        for name in plain:
            yield row | {
                "way": name,
                "orders/s": round(records / spent[name]),
                "x ours": round(spent["ours"] / spent[name], 2),
            }


def _check_same(ways: Iterable[decoding.Way], page: Page, records: int | None) -> None:
    """The plain ways give the same two frames."""
    first, *others = [way(page) for way in ways]
    for frames in others:
        for mine, its in zip(first, frames, strict=True):
            if not mine.equals(its):
                raise AssertionError(f"the plain ways differ:\n{mine}\n{its}")
    if records is not None and first[0].height != records:
        raise AssertionError(f"{first[0].height} orders instead of {records}")


def _normalized(described: Resource, context: Context, page: Page) -> object:
    return described.normalize(page, context)


def _all(way: Callable[[Page], object], pages: list[Page]) -> None:
    for page in pages:
        way(page)


def _seconds(work: Callable[[], object]) -> float:
    """Processor seconds of the best of a few rounds: the machine may be busy with other things."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def _memory(platform: str, url: str) -> dict[str, Any]:
    row: dict[str, Any] = {"channel": platform}
    peaks = []
    for days in WINDOWS:
        command = [sys.executable, "-m", "bench.connectors", "--read", platform, url, str(days)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
        told = json.loads(done.stdout.splitlines()[-1])
        row[f"records, {days} days"], row[f"peak MB, {days} days"] = told["records"], round(told["peak_mb"])
        peaks.append(told["peak_mb"])
    row["peak, ratio"] = round(peaks[-1] / peaks[0], 2)
    return row


def _read(platform: Platform, url: str, days: int) -> dict[str, float]:
    tally = Tally()
    window = Window(TODAY - timedelta(days=days), TODAY - timedelta(minutes=5))
    orders = resources_of(platform)["orders"]
    with open_client(account(platform, url)) as client:
        for _ in fetch(client, orders, window, key=b"k" * 32, fetched_at=TODAY, tally=tally):
            pass
    return {"records": tally.records, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    sys.exit(main())
