"""Starting services, keeping them up, and leaving none of them behind."""

import contextlib
import functools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from deployments.local.errors import LocalServiceError
from deployments.local.files import open_log, read_state, tail, write_state
from deployments.local.services import Service
from deployments.local.watcher import alive, end_groups

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 15.0
_PROBES_FAILED = 4
_BACKOFF_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)
_STEADY_SECONDS = 120.0


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes]
    started: float
    log_start: int
    restarts: int = 0
    restart_at: float | None = None
    probe_at: float = 0.0
    failed_probes: int = 0


class Supervisor:
    """The children of this process, in the order of their start."""

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        self._watcher: subprocess.Popen[str] | None = None
        self._keeping: threading.Thread | None = None
        self._ended = threading.Event()

    def start(self, services: Sequence[Service]) -> None:
        """Start all; those that need others wait for them."""
        for service in services:
            for name in service.needs:
                self._await_ready(self._children[name])
            end_orphan(service.pid_file)
            self._children[service.name] = self._spawn(service)

    def await_ready(self) -> None:
        """Wait until all are ready. LocalServiceError names the one that failed, and the last line of its log."""
        for child in list(self._children.values()):
            self._await_ready(child)

    def keep_up(self, *, checks: Sequence[Callable[[], None]] = ()) -> None:
        """From now on, start again what ends or no longer answers, in the background. `checks` are called now and
        then to look after what is not a child, such as the embedded databases; what they find wrong is logged."""
        self._keeping = threading.Thread(target=self._keep_up, args=(checks,), name="supervisor", daemon=True)
        self._keeping.start()

    def _keep_up(self, checks: Sequence[Callable[[], None]]) -> None:
        check_at = time.monotonic() + _PROBE_SECONDS
        while not self._ended.wait(0.5):
            jobs = [functools.partial(self._look_after, child) for child in self._children.values()]
            if time.monotonic() >= check_at:
                jobs += map(functools.partial, checks)
                check_at = time.monotonic() + _PROBE_SECONDS
            for job in jobs:
                try:
                    job()
                except LocalServiceError as error:
                    logger.warning("%s", error)

    def stop(self) -> None:
        """Stop all in reverse order; a second Ctrl-C meanwhile kills what is left."""
        self._ended.set()
        try:
            if self._keeping is not None:
                self._keeping.join()
            for name in reversed(list(self._children)):
                self._stop(self._children[name])
                del self._children[name]
        except KeyboardInterrupt:
            end_groups({child.process.pid for child in self._children.values()}, 0.0)
            for child in self._children.values():
                child.process.wait()
                child.service.pid_file.unlink(missing_ok=True)
            self._children.clear()
        finally:
            if self._watcher is not None and self._watcher.stdin is not None:
                self._watcher.stdin.close()
                self._watcher.wait()
                self._watcher = None

    def pids(self) -> dict[str, int]:
        """Each running child's process."""
        return {
            name: child.process.pid for name, child in self._children.items() if child.process.poll() is None
        }

    # one child

    def _spawn(self, service: Service) -> _Child:
        log = open_log(service.log)
        log_start = os.fstat(log).st_size
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                list(service.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own: stopped as a whole, and not by our Ctrl-C
                env={**os.environ, **_no_proxy(), **service.env},
            )
        except OSError as error:
            raise LocalServiceError(
                f"{service.name} cannot be started: {error.strerror}: {service.argv[0]}"
            ) from None
        finally:
            os.close(log)
        self._tell_watcher("+", process.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            _remember(service.pid_file, process.pid)
        return _Child(service, process, time.monotonic(), log_start)

    def _await_ready(self, child: _Child) -> None:
        service = child.service
        deadline = child.started + service.patience_seconds
        while not service.ready():
            status = child.process.poll()
            if status is not None:
                raise LocalServiceError(
                    f"{service.name} ended while starting (status {status}): {_last_line(child)}"
                )
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"{service.name} has not been ready within {service.patience_seconds:.0f} s: see {service.log}"
                )
            time.sleep(0.1)

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                fresh = self._spawn(child.service)
                fresh.restarts = child.restarts + 1
                self._children[child.service.name] = fresh
                logger.info("%s runs again", child.service.name)
        elif child.process.poll() is not None:
            self._plan_restart(child, f"ended with status {child.process.returncode}: {_last_line(child)}")
        elif now - child.started > child.service.patience_seconds and now >= child.probe_at:
            child.probe_at = now + _PROBE_SECONDS
            child.failed_probes = 0 if child.service.ready() else child.failed_probes + 1
            if child.failed_probes >= _PROBES_FAILED:
                self._plan_restart(child, "no longer answers")

    def _plan_restart(self, child: _Child, why: str) -> None:
        self._stop(child)
        if time.monotonic() - child.started > _STEADY_SECONDS:
            child.restarts = 0
        wait = _BACKOFF_SECONDS[min(child.restarts, len(_BACKOFF_SECONDS) - 1)]
        child.restart_at = time.monotonic() + wait
        logger.warning("%s %s; starting it again in %.0f s", child.service.name, why, wait)

    def _stop(self, child: _Child) -> None:
        """The leader first, so that it can end its own children in order; then whatever is left of the group."""
        process = child.process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(child.service.grace_seconds)
            except subprocess.TimeoutExpired:
                logger.info("%s does not stop on request: killing it", child.service.name)
        if alive(process.pid):
            end_groups({process.pid}, 2.0 if process.poll() is not None else 0.0)
        process.wait()
        self._tell_watcher("-", process.pid)
        child.service.pid_file.unlink(missing_ok=True)

    def _tell_watcher(self, sign: str, group: int) -> None:
        if self._watcher is None:
            self._watcher = subprocess.Popen(
                [sys.executable, "-m", "deployments.local.watcher"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
        if self._watcher.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._watcher.stdin.write(f"{sign}{group}\n")
                self._watcher.stdin.flush()


@contextlib.contextmanager
def supervise(
    services: Sequence[Service],
    *,
    restart: bool = False,
    checks: Sequence[Callable[[], None]] = (),
    wait: bool = True,
) -> Iterator[Supervisor]:
    """The services, all ready (or, without `wait`, once `await_ready` says so); stopped in reverse order on leaving,
    whatever the reason. With `restart` they (and what `checks` look after) are kept up meanwhile. SIGTERM counts as
    Ctrl-C unless the program handles it."""
    supervisor = Supervisor()
    with _sigterm_interrupts():
        try:
            supervisor.start(services)
            if wait:
                supervisor.await_ready()
            if restart:
                supervisor.keep_up(checks=checks)
            yield supervisor
        finally:
            supervisor.stop()


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if not ours:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_orphan(pid_file: Path) -> None:
    """End a service whose supervisor is gone without having stopped it; one that is supervised is left alone."""
    state = read_state(pid_file)
    if state is None:
        pid_file.unlink(missing_ok=True)
        return
    if is_same_process(state.get("supervisor"), state.get("supervisor_created")):
        return
    if is_same_process(state.get("pid"), state.get("created")):
        end_groups({int(state["pid"])}, 5.0)
    pid_file.unlink(missing_ok=True)


def _remember(pid_file: Path, pid: int) -> None:
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    ours = process_mark()
    write_state(
        pid_file,
        {**process_mark(pid), "supervisor": ours["pid"], "supervisor_created": ours["created"]},
    )


def process_mark(pid: int | None = None) -> dict[str, float]:
    """What tells a process (default: this one) from a later one of the same number; for `is_same_process`."""
    process = psutil.Process(pid)
    return {"pid": process.pid, "created": process.create_time()}


def is_same_process(pid: int | None, created: float | None) -> bool:
    """Whether the process of that number is still the one that was noted: numbers are used again."""
    if pid is None or created is None:
        return False
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - created) < 0.01)
    except psutil.Error:
        return False


def _last_line(child: _Child) -> str:
    lines = [line.strip() for line in tail(child.service.log, start=child.log_start) if line.strip()]
    return f"{lines[-1]} (all of it: {child.service.log})" if lines else f"see {child.service.log}"


def _no_proxy() -> dict[str, str]:
    """A proxy from the environment must not stand between our own processes."""
    if not any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        return {}
    exempt = ",".join(
        filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1,localhost"])
    )
    return {"NO_PROXY": exempt, "no_proxy": exempt}
