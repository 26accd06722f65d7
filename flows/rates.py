"""Exchange rates from the file and the feed the settings name, into core; the days they touch are published again."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from connectors import feed
from flows import connections, report
from flows.retry import DELAYS, RETRIES, is_transient
from flows.rollup import roll_up
from flows.sync import finish
from warehouse import rates, rates_file
from warehouse.rates import Imported, Reporting


@flow(name="rates", flow_run_name="rates")
def load_rates() -> State[Any]:
    """Load WHARF_RATES_FILE and WHARF_RATES_URL, and publish the days whose amounts they change."""
    settings = connections.settings()
    done: dict[str, Imported] = {}
    if settings.rates_file is not None:
        done[settings.rates_file.name] = from_file(settings.rates_file)
    if settings.rates_url:
        done[urlsplit(settings.rates_url).hostname or "feed"] = from_feed(settings.rates_url)
    if not done:
        return Completed(name="NothingToDo", message="neither WHARF_RATES_FILE nor WHARF_RATES_URL is set")
    report.table(
        "rates",
        [
            {"from": name, "rates": r.rates, "new or changed": r.changed, "last day": f"{r.last}"}
            for name, r in done.items()
        ],
        "Exchange rates loaded",
    )
    changed = sum(result.changed for result in done.values())
    loaded: State[Any] = Completed(message=f"{changed} rates new or changed")
    if not any(result.days_to_publish for result in done.values()):
        return loaded
    return finish(loaded, roll_up(return_state=True))


def import_file(path: Path) -> Imported:
    """Rates of one file into core. Raises RatesError naming the line that cannot be read."""
    reporting = _reporting()
    return rates.save(
        connections.postgres(), rates_file.read_file(path, reporting.currency), reporting, path.name
    )


@task(name="rates-from-file", cache_policy=NO_CACHE)
def from_file(path: Path) -> Imported:
    """The configured file."""
    return import_file(path)


@task(
    name="rates-from-feed",
    retries=RETRIES,
    retry_delay_seconds=DELAYS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def from_feed(url: str) -> Imported:
    """The configured feed."""
    reporting = _reporting()
    host = urlsplit(url).hostname or "feed"
    found = rates_file.parse(feed.fetch(url), reporting.currency, host)
    return rates.save(connections.postgres(), found, reporting, host)


def _reporting() -> Reporting:
    settings = connections.settings()
    return Reporting(settings.currency, settings.rate_days)
