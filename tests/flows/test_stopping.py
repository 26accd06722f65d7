"""Ctrl-C and SIGTERM end a run at once, wherever it waits, and leave the database as it was."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[2]

# Two threads wait for PostgreSQL: the main one, which cannot act on a signal meanwhile, and a task's.
WAITS_FOR_POSTGRES = """
import threading
from sqlalchemy import text
from flows import connections, stopping

def wait(name):
    with connections.postgres().begin() as connection:
        connection.execute(text(f"INSERT INTO kept VALUES ('{name}')"))
        connection.execute(text("SELECT pg_sleep(600)"))

with stopping.promptly():
    task = threading.Thread(target=wait, args=("task",))
    task.start()
    try:
        wait("main")
    finally:
        task.join()
"""
FITS_A_MODEL = """
from models.workers import Job, run_jobs
run_jobs([Job(str(n), "endless:fit") for n in range(4)], 2)
"""


def started(program: str, tmp_path: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{tmp_path}", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.stack
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_statements_under_way_end_with_the_signal(number, database_url, tmp_path):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS kept (name text)"))
    environment = {"DATABASE_URL": database_url, "CLICKHOUSE_URL": "http://127.0.0.1:1"}
    program = started(WAITS_FOR_POSTGRES, tmp_path, environment)
    asleep = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(asleep) != 2:
            assert program.poll() is None, program.communicate()[1]
            time.sleep(0.05)
        program.send_signal(number)
        program.wait(120)
        assert connection.scalar(asleep) == 0
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 0
    engine.dispose()


def test_a_fit_ends_with_the_signal(tmp_path):
    (tmp_path / "endless.py").write_text(
        "import os, time\ndef fit():\n    open(f'{os.environ[\"STARTED\"]}/{os.getpid()}', 'w'); time.sleep(600)\n"
    )
    (tmp_path / "started").mkdir()
    program = started(FITS_A_MODEL, tmp_path, {"STARTED": str(tmp_path / "started")})
    while len(fits := list((tmp_path / "started").iterdir())) < 2:
        assert program.poll() is None, program.communicate()[1]
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    program.wait(120)
    deadline = time.monotonic() + 120  # whoever adopts the fits collects them in his own time
    while alive := [fit.name for fit in fits if Path(f"/proc/{fit.name}").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)
