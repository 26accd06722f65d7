"""Commands use what a running `wharf up` on the same folder offers, and nothing a dead one left behind."""

import os
import subprocess
import sys

from deployments.local.files import read_state, write_state
from deployments.running import announced, join


def home_of(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path


def test_the_servers_of_a_running_stack_are_used(tmp_path, monkeypatch):
    home = home_of(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("SHOPIFY_SHOP_NAME", "mine")
    with announced(home, {"PREFECT_API_URL": "http://127.0.0.1:1/api", "SHOPIFY_SHOP_NAME": "theirs"}):
        assert join(home)
        assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
        assert os.environ["SHOPIFY_SHOP_NAME"] == "mine"
    monkeypatch.delenv("PREFECT_API_URL")
    assert not join(home)
    assert "PREFECT_API_URL" not in os.environ


def test_what_a_killed_one_left_is_not(tmp_path, monkeypatch):
    home = home_of(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with announced(home, {"PREFECT_API_URL": "http://127.0.0.1:1/api"}):
        state = read_state(home / "run" / "up.json")
        write_state(home / "run" / "up.json", {**state, "pid": gone.pid})
        assert not join(home)
    assert "PREFECT_API_URL" not in os.environ
