"""Services: ready before use, restarted when they fall, and never left behind."""

import dataclasses
import os
import signal
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from deployments.local.errors import LocalServiceError
from deployments.local.ports import free_port, is_free, require_port
from deployments.local.services import Service, answers, python_service
from deployments.local.supervisor import end_orphan, supervise
from tests.local_factories import eventually, processes_over, python

pytestmark = pytest.mark.stack


def service(home: Path, name: str, code: str = "import time; time.sleep(600)", **options: object) -> Service:
    """Python code as a service; its command line names `home`, so that `processes_over` finds it."""
    settings = {"env": {}, "ready": lambda: True, "log": home / "logs" / f"{name}.log", "grace_seconds": 60.0}
    argv = [sys.executable, "-c", textwrap.dedent(code), str(home)]
    return Service(name=name, argv=argv, **(settings | options))  # type: ignore[arg-type]  # wrong ones too


def web(home: Path) -> tuple[Service, int]:
    port = free_port()
    arguments = ["--bind", "127.0.0.1", "--directory", str(home), str(port)]
    url = f"http://127.0.0.1:{port}/"
    return python_service("web", "http.server", arguments, home=home, url=url), port


def test_services_are_ready_inside_and_gone_after(tmp_path: Path) -> None:
    described, port = web(tmp_path)
    with supervise([service(tmp_path, "idle"), described]) as supervisor:
        assert not is_free(port)
        assert set(supervisor.pids()) == {"idle", "web"}
        assert all(psutil.Process(pid).is_running() for pid in supervisor.pids().values())

    assert is_free(port)
    assert processes_over(tmp_path) == []
    assert list((tmp_path / "run").iterdir()) == []


def test_they_stop_in_reverse_order(tmp_path: Path) -> None:
    code = """
        import pathlib, signal, sys, time
        home = pathlib.Path(sys.argv[1])
        def end(*_):
            with (home / "order").open("a") as file:
                file.write(NAME)
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        (home / NAME).touch()
        while True:
            time.sleep(1)
    """
    services = [
        service(tmp_path, name, code.replace("NAME", repr(name)), ready=(tmp_path / name).exists)
        for name in "abc"
    ]
    with supervise(services):
        pass

    assert (tmp_path / "order").read_text() == "cba"


def test_one_that_needs_another_waits_for_it(tmp_path: Path) -> None:
    first = service(
        tmp_path,
        "first",
        "import pathlib, sys, time; time.sleep(0.5); (pathlib.Path(sys.argv[1]) / 'up').touch(); time.sleep(600)",
        ready=(tmp_path / "up").exists,
    )
    second = service(
        tmp_path,
        "second",
        "import pathlib, sys, time; assert (pathlib.Path(sys.argv[1]) / 'up').exists(); time.sleep(600)",
        needs=("first",),
    )
    with supervise([first, second]) as supervisor:
        assert set(supervisor.pids()) == {"first", "second"}


def test_one_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    broken = service(tmp_path, "broken", "raise SystemExit('no such thing')", ready=lambda: False)
    with (
        pytest.raises(LocalServiceError, match=r"broken ended while starting \(status 1\): no such thing"),
        supervise([service(tmp_path, "idle"), broken]),
    ):
        pytest.fail("it started")

    assert processes_over(tmp_path) == []


def test_one_that_is_never_ready_is_named(tmp_path: Path) -> None:
    slow = service(tmp_path, "slow", ready=lambda: False, patience_seconds=0.3)
    with pytest.raises(LocalServiceError, match="slow has not been ready within"), supervise([slow]):
        pytest.fail("it started")

    assert processes_over(tmp_path) == []


def test_one_that_ignores_sigterm_and_its_children_are_killed(tmp_path: Path) -> None:
    stubborn = """
        import pathlib, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", ignoring, sys.argv[1]])
        (pathlib.Path(sys.argv[1]) / "ready").touch()
        time.sleep(600)
    """
    with supervise(
        [service(tmp_path, "stubborn", stubborn, ready=(tmp_path / "ready").exists, grace_seconds=0.3)]
    ):
        assert len(processes_over(tmp_path)) == 2

    assert processes_over(tmp_path) == []


def test_what_falls_is_started_again(tmp_path: Path) -> None:
    checked = threading.Event()
    with (
        pytest.MonkeyPatch.context() as patch,
        supervise([service(tmp_path, "idle")]) as supervisor,
    ):
        patch.setattr("deployments.local.supervisor._PROBE_SECONDS", 0.1)
        supervisor.keep_up(checks=[checked.set])
        first = supervisor.pids()["idle"]
        os.kill(first, signal.SIGKILL)

        eventually(lambda: supervisor.pids().get("idle", first) != first)
        assert checked.wait(120)

    assert processes_over(tmp_path) == []


def test_what_no_longer_answers_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.local.supervisor._PROBE_SECONDS", 0.1)
    described, port = web(tmp_path)
    monkeypatch.setattr("deployments.local.supervisor._PROBES_FAILED", 1)
    quick = dataclasses.replace(described, patience_seconds=240.0, grace_seconds=0.5)
    with supervise([quick], restart=True) as supervisor:
        first = supervisor.pids()["web"]
        supervisor._children["web"].started -= 240  # long enough ago to have to answer
        os.kill(first, signal.SIGSTOP)

        eventually(lambda: supervisor.pids().get("web", first) != first)
        eventually(lambda: answers(f"http://127.0.0.1:{port}/"))


SUPERVISED = """
    import subprocess, sys, time
    from pathlib import Path
    from deployments.local.services import Service
    from deployments.local.supervisor import supervise
    home = Path(sys.argv[1])
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', "
    code += "sys.argv[1]]); open(sys.argv[1] + '/ready', 'w').close(); time.sleep(600)"
    argv = [sys.executable, "-c", code, str(home / "work")]
    (home / "work").mkdir()
    service = Service("idle", argv, {}, (home / "work/ready").exists, home / "logs/idle.log")
    try:
        with supervise([service], restart=True):
            print("up", flush=True)
            time.sleep(600)
    except KeyboardInterrupt:
        print("down", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_supervisor(tmp_path: Path, how: signal.Signals) -> None:
    supervisor = python(SUPERVISED, tmp_path)
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "up\n"
    assert len(processes_over(tmp_path / "work")) == 2  # the service and its child

    supervisor.send_signal(how)
    output, errors = supervisor.communicate(timeout=240)

    if how is signal.SIGKILL:
        eventually(lambda: processes_over(tmp_path / "work") == [])
    else:
        assert (output, errors, supervisor.returncode) == ("down\n", "", 0)
        assert processes_over(tmp_path / "work") == []


def test_an_orphan_is_ended_at_the_next_start(tmp_path: Path) -> None:
    described = service(tmp_path, "idle")
    orphan = python("import time; time.sleep(600)", tmp_path, start_new_session=True)
    created = psutil.Process(orphan.pid).create_time()
    described.pid_file.parent.mkdir(parents=True)
    described.pid_file.write_text(
        f'{{"pid": {orphan.pid}, "created": {created}, "supervisor": 1, "supervisor_created": 0}}'
    )

    reaper = threading.Thread(target=orphan.wait)  # as the system does for a true orphan
    reaper.start()

    with supervise([described]) as supervisor:
        reaper.join()
        assert orphan.returncode == -signal.SIGTERM
        assert supervisor.pids()["idle"] != orphan.pid
    orphan.communicate()


def test_a_recycled_pid_is_no_orphan(tmp_path: Path) -> None:
    other = python("import time; time.sleep(600)", tmp_path, start_new_session=True)
    pid_file = tmp_path / "idle.json"
    pid_file.write_text(f'{{"pid": {other.pid}, "created": 1.0, "supervisor": 1, "supervisor_created": 0}}')

    end_orphan(pid_file)

    assert other.poll() is None
    assert not pid_file.exists()
    other.kill()
    other.communicate()


def test_a_port_in_use_names_who_to_ask() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalServiceError) as caught:
            require_port(port, "the Prefect UI", setting="PREFECT_PORT")
    text = str(caught.value)
    assert f"port {port} for the Prefect UI is in use" in text
    assert "set PREFECT_PORT" in text
    assert "\n" not in text
    assert require_port(port, "the Prefect UI") == port
