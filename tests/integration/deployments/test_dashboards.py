"""Every panel's query runs on the databases it names, with Grafana's macros and variables filled in."""

import json
import re
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from deployments.bootstrap import ROOT
from warehouse import engines, roles, schema

GRAFANA = ROOT / "deployments" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}
PANELS = [(name, panel) for name, dashboard in DASHBOARDS.items() for panel in dashboard["panels"]]


@pytest.fixture(scope="module")
def databases(database_url: str, clickhouse: str) -> dict[str, str]:
    schema.upgrade(database_url, clickhouse)
    engine = engines.postgres(database_url)
    roles.grant(engine)
    engine.dispose()
    return {"wharf-postgres": database_url, "wharf-clickhouse": clickhouse}


def filled_in(sql: str) -> str:
    """As Grafana sends it: a span of time, and one channel chosen."""
    span = r"\1 BETWEEN '2026-01-01' AND '2026-02-01'"
    sql = re.sub(r"\$__(?:timeFilter|dateFilter)\(([^)]+)\)", span, sql)
    return re.sub(r"\$\{channel:singlequote\}", "'amazon-us'", sql)


@pytest.mark.parametrize(
    ("name", "panel"), PANELS, ids=lambda value: value if isinstance(value, str) else value["title"]
)
def test_the_query_of_a_panel_runs(name: str, panel: dict[str, Any], databases: dict[str, str]):
    (target,) = panel["targets"]
    url = databases[target["datasource"]["uid"]]
    sql = filled_in(target["rawSql"])
    assert "$" not in sql, "a macro the test does not know"
    if target["datasource"]["type"] == "postgres":
        engine = engines.postgres(url, work="read")
        with engine.connect() as connection:
            connection.execute(text(f"SET ROLE {roles.READER}"))  # who Grafana's login is
            columns = list(connection.execute(text(sql.replace(":", r"\:"))).keys())
        engine.dispose()
    else:
        with engines.clickhouse(url) as client:
            client.query(sql)
            columns = [row[0] for row in client.query(f"DESCRIBE ({sql})").result_rows]
    assert len(set(columns)) == len(columns)
    if panel["type"] == "timeseries":
        assert columns[0] == "time"


def test_dashboards_use_the_data_sources_that_are_provisioned():
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/wharf.yaml").read_text())["datasources"]
    known = {source["uid"]: source["type"] for source in sources}
    logins = [source["user"] for source in sources if "user" in source]
    script = (ROOT / "deployments/docker/postgres/20-grafana.sh").read_text()
    assert [f"CREATE ROLE {login} LOGIN" in script for login in logins] == [True], "nobody makes that login"
    used = {(p["datasource"]["uid"], p["datasource"]["type"]) for _, p in PANELS}
    assert used == set(known.items())
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
