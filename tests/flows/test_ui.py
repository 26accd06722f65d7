"""What a data engineer sees: a finished run with its logs, its table and its picture, in a real browser.

    WHARF_SCREENSHOT=run.png pytest tests/flows/test_ui.py

keeps a picture of the run's page.
"""

import base64
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow, get_run_logger, runtime, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows import report
from flows.ingest import Ingested

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mNQSFiAFTEMLQkAAmxIAc8z8pwAAAAASUVORK5CYII="
)


@task(task_run_name="ingest-{account}-{resource}")
def ingest(account: str, resource: str) -> Ingested:
    return Ingested(account, resource, None, NOON, pages=25, records=17_282, inserted=38_129, refused=3)


@flow(name="sync", flow_run_name="sync-orders")
def shown() -> str:
    results = [ingest(account, "orders") for account in ("amazon", "shopify", "walmart")]
    get_run_logger().info("three accounts were read")
    report.table("sync-orders", [result.shown() for result in results], "What was read and written")
    report.page("forecast-largest", report.picture(DOT, "amazon-us KIT-0007"), "The largest series")
    return str(runtime.flow_run.id)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        own = started.chromium.executable_path
        found = shutil.which("chromium") or shutil.which("google-chrome") or (os.path.exists(own) and own)
        if not found:
            pytest.skip("there is no Chromium on this machine")
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
        chromium = started.chromium.launch(executable_path=found, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(browser: Any, served_api: str) -> Iterator[str]:
    """A server with a UI, and this process its client."""
    with temporary_settings({PREFECT_API_URL: served_api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield served_api


def test_a_run_shows_its_logs_its_table_and_its_picture(server, browser):
    run = shown()
    with get_client(sync_client=True) as client:
        kept = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        )
    artifacts = {artifact.key: artifact.id for artifact in kept}
    ui = server.removesuffix("/api")
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(180_000)

    page.goto(f"{ui}/runs/flow-run/{run}")
    page.get_by_text("Completed", exact=True).first.wait_for()
    page.get_by_text("three accounts were read").wait_for()
    if wanted := os.environ.get("WHARF_SCREENSHOT"):
        page.screenshot(path=wanted)

    page.goto(f"{ui}/artifacts/artifact/{artifacts['sync-orders']}")
    page.get_by_text("17,282").first.wait_for()
    headings = page.get_by_role("columnheader").all_inner_texts()
    assert headings[:5] == ["account", "resource", "outcome", "records", "new"]

    page.goto(f"{ui}/artifacts/artifact/{artifacts['forecast-largest']}")
    picture = page.get_by_role("img", name="amazon-us KIT-0007")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") == 8, "the browser shows the picture itself"
    page.close()
