"""core → the analysts' ClickHouse: whole months of changed days replaced, then compared with PostgreSQL."""

from datetime import date, timedelta
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.assets import materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from connectors.errors import ConfigurationError
from flows import connections, report
from flows.retry import DELAYS, RETRIES, is_transient
from warehouse import breaker, checks, rollup
from warehouse.batch import Published
from warehouse.errors import PublishBusyError
from warehouse.rates import Reporting


@flow(name="roll-up", flow_run_name="roll-up")
def roll_up(since: date | None = None, until: date | None = None) -> State[Any]:
    """Publish every day that changed since the last time, or the days from `since` to `until` again.

    Repeatable any number of times. Ends as Failed when ClickHouse and PostgreSQL then differ.

    Args:
        since: First business day to publish again. Empty, with the next one: the days that changed.
        until: Last business day to publish again, included.
    """
    try:
        published = publish(since, until)
    except PublishBusyError as busy:
        # Whoever publishes now leaves later changes marked; the next roll-up brings them.
        return Completed(name="PublishedByAnother", message=str(busy), data=Published())
    results = compare()
    report.table(
        "roll-up",
        [
            {
                "changed days": published.days,
                "months replaced": ", ".join(f"{month:%Y-%m}" for month in published.months) or "none",
                "rows": published.rows,
                "seconds": round(published.seconds, 1),
            }
        ],
        "What was published to ClickHouse",
    )
    report.table("roll-up-checks", [result.row() for result in results], "PostgreSQL and ClickHouse compared")
    report.page("lineage", report.LINEAGE, "Where the figures come from")
    broken = [result for result in results if not result.ok and result.severity == "fail"]
    if broken:
        return Failed(
            message="; ".join(f"{result.name}: {result.detail}" for result in broken), data=published
        )
    if published.held:
        report.page("roll-up-held", report.bullet_list(published.held), "Figures held back, and why")
        return Completed(name="HeldBack", message="; ".join(published.held), data=published)
    months = len(published.months)
    told = f"changed days: {published.days}, months replaced: {months}, rows: {published.rows:,}"
    return Completed(message=told, data=published)


@materialize(
    report.ROLLUPS,
    asset_deps=[report.CORE],
    name="publish",
    retries=RETRIES,
    retry_delay_seconds=DELAYS,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def publish(since: date | None, until: date | None) -> Published:
    """Replace the months the changed days lie in; days are forgotten only once they can be seen."""
    client = connections.clickhouse()
    try:
        settings = connections.settings()
        published = rollup.publish(
            connections.postgres(),
            client,
            _days(since, until),
            reporting=Reporting(settings.currency, settings.rate_days),
            limits=breaker.Limits(settings.refused_rate, settings.refused_rows),
        )
    finally:
        client.close()
    report.wrote(days=published.days, months=len(published.months), rows=published.rows)
    get_run_logger().info("%s days published, %s rows", published.days, published.rows)
    return published


@task(name="compare", cache_policy=NO_CACHE)
def compare() -> list[checks.CheckResult]:
    """Totals by channel and day in both databases; any difference is a failure."""
    client = connections.clickhouse()
    try:
        return checks.after_publish(connections.postgres(), client)
    finally:
        client.close()


def _days(since: date | None, until: date | None) -> list[date] | None:
    """Every day from `since` to `until`, both included; None when neither is given: what has changed.

    Raises ConfigurationError when they are the wrong way round.
    """
    if since is None and until is None:
        return None
    first, last = since or until, until or since
    assert first is not None
    assert last is not None
    if first > last:
        raise ConfigurationError(f"since ({first}) must not be after until ({last})")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
