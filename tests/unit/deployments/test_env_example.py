"""`.env.example` names every setting there is, and no other."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from alerts.settings import AlertSettings
from connectors.settings import ConnectorSettings
from deployments.settings import DeploymentSettings
from flows.settings import WharfSettings

EXAMPLE = Path(__file__).parents[3] / ".env.example"
COMPOSE = Path(__file__).parents[3] / "docker-compose.yml"
SETTINGS = (WharfSettings, ConnectorSettings, AlertSettings, DeploymentSettings)
SECRET = re.compile("SECRET|TOKEN|PASSWORD|API_KEY|SLACK_WEBHOOK|_SID$")


def variables(settings: type[BaseSettings]) -> set[str]:
    """The environment variables a class of settings reads."""
    prefix = settings.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or f"{prefix}{name}").upper()
        for name, field in settings.model_fields.items()
    }


def listed() -> dict[str, str]:
    lines = EXAMPLE.read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert len({name for name, _, _ in pairs}) == len(pairs), "a setting stands twice"
    return {name: value for name, _, value in pairs}


def test_every_setting_is_listed_and_no_other():
    passwords = set(re.findall(r"\$\{([A-Z_]+_PASSWORD)", COMPOSE.read_text()))
    known = passwords.union(*(variables(settings) for settings in SETTINGS))
    assert not known - listed().keys(), "settings missing in .env.example"
    assert not listed().keys() - known, "settings in .env.example that nothing reads"


def test_all_classes_of_settings_are_looked_at():
    import importlib
    import pkgutil

    import alerts
    import connectors
    import deployments
    import flows
    import models
    import warehouse

    found = set()
    for package in (alerts, connectors, deployments, flows, models, warehouse):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("settings"):
                named = vars(importlib.import_module(module.name)).values()
                found |= {c for c in named if isinstance(c, type) and issubclass(c, BaseSettings)}
    assert found - {BaseSettings} == set(SETTINGS)


def test_each_has_a_comment_and_no_secret_has_a_value():
    previous = ""
    for line in EXAMPLE.read_text().splitlines():
        name, _, value = line.partition("=")
        if re.match("[A-Z]", line):
            assert previous.startswith("#"), f"{name} is not explained"
            assert not (SECRET.search(name) and value), f"{name} has a value"
        previous = line


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_example_changes_no_default(settings, monkeypatch, tmp_path):
    for name in listed():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    bare = settings(_env_file=None)
    copied = settings(_env_file=EXAMPLE)
    assert copied.model_dump() == bare.model_dump()
