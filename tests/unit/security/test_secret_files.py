"""Files with secrets that others may read: told by the doctor, and refused where others take part."""

import sys
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from deployments import cli, doctor
from deployments.secret_key import ensure_secret_key, is_shared
from flows import connections
from flows.settings import WharfSettings

ELSEWHERE = {"DATABASE_URL": "postgresql://wharf:x@db.example.com/wharf"}
LISTENS = {"WHARF_PREFECT_HOST": "0.0.0.0"}
HERE = {"DATABASE_URL": "postgresql://wharf:x@127.0.0.1:5432/wharf", "WHARF_PREFECT_HOST": "localhost"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a key of its own, in an otherwise empty folder and environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("WHARF_SECRET_KEY", "DATABASE_URL", "CLICKHOUSE_URL", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    ensure_secret_key(tmp_path / ".wharf", WharfSettings())
    return tmp_path / ".wharf"


@pytest.mark.parametrize(("environment", "shared"), [(ELSEWHERE, True), (LISTENS, True), (HERE, False)])
def test_a_key_others_can_read_is_refused_where_more_than_this_machine_takes_part(home, environment, shared):
    settings = WharfSettings.model_validate(environment)
    kept = ensure_secret_key(home, settings)
    (home / "secret.key").chmod(0o644)
    assert is_shared(settings) == shared
    if shared:
        with pytest.raises(ConfigurationError, match="chmod 600"):
            ensure_secret_key(home, settings)
    else:
        assert ensure_secret_key(home, settings) == kept


def test_the_doctor_names_each_of_them_and_what_to_do(home):
    assert list(doctor.secret_files(home, shared=True)) == []
    Path(".env").touch(mode=0o644)
    (home / "secret.key").chmod(0o640)
    for shared, level in ((False, "warn"), (True, "fail")):
        found = list(doctor.secret_files(home, shared=shared))
        assert [finding.level for finding in found] == [level] * 2
        assert [finding.advice.split(",")[0] for finding in found] == [
            f"chmod 600 {home / 'secret.key'}",
            "chmod 600 .env",
        ]


def test_a_command_on_databases_elsewhere_ends_before_it_asks_them(home, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", ELSEWHERE["DATABASE_URL"])
    monkeypatch.setattr(sys, "argv", ["wharf", "status"])
    (home / "secret.key").chmod(0o604)
    connections.forget()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    connections.forget()
    err = capsys.readouterr().err
    assert (ended.value.code, len(err.splitlines())) == (2, 1)
    assert "secret.key can be read by others" in err
