"""What a run shows a person in the Prefect UI: tables, pictures, lineage."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.assets import Asset, AssetProperties
from prefect.context import AssetContext
from prefect.events import emit_event

from flows import repeated_states

repeated_states.install()  # here, as every flow shows something


def _asset(key: str, name: str, description: str) -> Asset:
    return Asset(key=key, properties=AssetProperties(name=name, description=description))


# The tables of the journey, as assets: the open-source server shows them as events in its feed.
STAGING = _asset("postgres://wharf/staging", "staging", "What the marketplaces answered, one table a load")
CORE = _asset("postgres://wharf/core", "core", "Orders, stock and products: the newest version of each")
ROLLUPS = _asset("clickhouse://wharf/analytics", "analytics", "What analysts read, by day")
FORECASTS = _asset(
    "postgres://wharf/core/forecasts", "forecasts", "Daily units ahead by SKU, channel and model"
)
ACCURACY = _asset(
    "postgres://wharf/core/forecast_accuracy", "forecast accuracy", "Past forecasts against what was sold"
)
ALERTS = _asset("postgres://wharf/core/alerts", "alerts", "What a merchant has to hear, an episode a row")

LINEAGE = (
    "`marketplace API` → `staging.*` → `core.orders, order_items, refunds, inventory` → "
    "`core.sales_events` → `analytics.daily_sales_summary` → `core.forecasts` → `core.alerts`"
)


def table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """A table artifact; `key` keeps its history from run to run. Columns that are empty in all rows are left out."""
    told = [
        name for name in (rows[0] if rows else ()) if any(row.get(name) not in (None, "") for row in rows)
    ]
    shown = [{name: row.get(name) for name in told} for row in rows]
    create_table_artifact(key=slug(key), table=shown or [{"": "nothing"}], description=description)


def page(key: str, markdown: str, description: str) -> None:
    """A markdown artifact."""
    create_markdown_artifact(key=slug(key), markdown=markdown, description=description)


def progress(key: str, description: str) -> Callable[[float], None]:
    """A progress bar at 0 %; call what comes back with the per cent done."""
    bar = create_progress_artifact(0.0, key=slug(key), description=description)
    assert isinstance(bar, UUID)

    def show(percent: float) -> None:
        update_progress_artifact(bar, percent)

    return show


def picture(png: bytes, caption: str) -> str:
    """A PNG inside a markdown page; nothing is kept outside Prefect's database."""
    return f"![{caption}](data:image/png;base64,{base64.b64encode(png).decode()})"


def bullet_list(lines: Iterable[str]) -> str:
    """Markdown bullets; marketplace text is made inert."""
    return "\n".join(f"- {inert(line)}" for line in lines)


def inert(text: str) -> str:
    """`text` without the characters markdown and HTML act upon."""
    return re.sub(r"([\\`*_{}\[\]<>|#!])", r"\\\1", text)


def wrote(**figures: int | str) -> None:
    """What the task of an asset wrote, in its event's payload; nothing outside of such a task."""
    context = AssetContext.get()
    for asset in context.downstream_assets if context else ():
        asset.add_metadata(figures)


def was_read(account: str, resource: str, records: int) -> None:
    """An event of the account, in Prefect's feed; an automation tells when a busy account has none for long."""
    emit_event(
        event=f"wharf.{resource}.read",
        resource={"prefect.resource.id": f"wharf.account.{account}", "prefect.resource.name": account},
        payload={"records": records},
    )


def by_day(what: str) -> Callable[[], str]:
    """Names a flow's runs by its parameter `day`, which is today where it is empty: forecast-2026-03-01."""

    def name() -> str:
        return f"{what}-{runtime.flow_run.parameters.get('day') or datetime.now(UTC).date()}"

    return name


def slug(key: str) -> str:
    """A Prefect artifact key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
