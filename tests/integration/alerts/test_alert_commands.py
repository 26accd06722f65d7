"""`wharf alerts`: what is open, who hears of it, and from when on something is worth a message."""

import json
import sys

import pytest

from alerts.episodes import step
from alerts.rules import stock_alerts
from deployments import cli
from flows import connections, deciding
from tests.alerts_factories import NOW, position, sold_out
from warehouse import alerts as store
from warehouse import schema

pytestmark = pytest.mark.stack


@pytest.fixture
def wharf(database_url, clickhouse, tmp_path, monkeypatch, capfd):
    """Runs `wharf alerts …`; gives its status and what it printed, as JSON where it can be."""
    schema.upgrade(database_url, clickhouse)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CLICKHOUSE_URL", clickhouse)
    monkeypatch.setenv("WHARF_HOME", str(tmp_path))
    connections.forget()

    def run(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["wharf", "alerts", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out = capfd.readouterr().out.strip()
        return ended.value.code or 0, json.loads(out) if "--json" in arguments else out

    yield run
    connections.forget()


@pytest.fixture
def open_alert(wharf):
    """The number of an open alert."""
    found = step([], stock_alerts(position(sold_out(product_id=None, channel_id=None)), NOW), NOW)
    store.apply(connections.postgres(), [change.as_dict() for change in found.transitions], [], NOW)
    (alert,) = wharf("list", "--json")[1]["alerts"]
    assert alert["title"].startswith("Out of stock")
    return str(alert["id"])


def states(wharf):
    return [alert["state"] for alert in wharf("list", "--json")[1]["alerts"]]


def test_an_alert_is_acknowledged_and_snoozed_by_its_number(wharf, open_alert):
    assert wharf("ack", open_alert, "--json")[0] == 0
    assert states(wharf) == ["acknowledged"]
    status, said = wharf("snooze", open_alert, "--hours", "3")
    assert (status, said.startswith(f"alert {open_alert} is quiet until ")) == (0, True)
    assert states(wharf) == ["snoozed"]
    assert wharf("ack", "999999")[0] == 1


def test_a_threshold_is_set_for_one_sku_and_forgotten_again(wharf):
    scope = {"scope": "sku", "name": "MUG-01", "setting": "stock.critical_days"}
    said = wharf("set", "stock.critical_days", "10", "--sku", "MUG-01", "--json")
    assert said == (0, {**scope, "value": 10})
    assert deciding.current_thresholds().stock_for("amazon", None, "MUG-01").critical_days == 10
    assert deciding.current_thresholds().stock_for("amazon", None, "PAN-01").critical_days == 7
    assert wharf("set", "stock.no_such", "10")[0] == 2
    assert wharf("unset", "stock.critical_days", "--sku", "MUG-01", "--json")[1] == {
        **scope,
        "forgotten": True,
    }
    assert wharf("unset", "stock.critical_days", "--sku", "MUG-01")[1].endswith("it was not set there")
    assert deciding.current_thresholds().stock_for("amazon", None, "MUG-01").critical_days == 7


def test_recipients_of_a_file_are_kept_in_the_database(wharf, tmp_path):
    file = tmp_path / "recipients.toml"
    file.write_text('[[recipients]]\nname = "Ada"\nemail = "ada@example.com"\nquiet_hours = "22:00-07:00"\n')
    (told,) = wharf("recipients", "--load", str(file), "--json")[1]["recipients"]
    assert (told["name"], told["quiet hours"], told["critical"]) == ("Ada", "22:00-07:00", "email")
    assert [one.name for one in deciding.audience()[0].recipients] == ["Ada"]
    assert wharf("recipients", "--remove", "Ada", "--json")[1]["recipients"] == []
