"""Tasks of one run start side by side and share the process's engine."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from flows import connections
from warehouse import engines


def test_tasks_that_start_together_share_one_engine(monkeypatch):
    opened = engines.postgres
    gate = threading.Barrier(4)

    def slowly(url: str):
        time.sleep(0.05)
        return opened(url)

    def ask(_: int):
        gate.wait()
        return connections.postgres()

    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(engines, "postgres", slowly)
    connections.forget()
    try:
        with ThreadPoolExecutor(4) as tasks:
            assert len(set(map(id, tasks.map(ask, range(4))))) == 1
    finally:
        monkeypatch.undo()
        connections.forget()
