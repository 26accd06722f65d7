"""A few worker processes for the heavy members: started fresh, one thread each, cleaned up after.

Not a `multiprocessing` pool: that one imports the caller's main module again in every worker (the whole command
line, or Prefect), and a worker that dies breaks the pool. Here a dead worker costs its own job, which is tried
once more and then reported. Jobs are named functions, `package.module:function`, with picklable arguments.
"""

import importlib
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
           "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS")  # fmt: skip
RECYCLE_AFTER = 40  # jobs, after which a worker is replaced: libraries leak
TRIES = 2


@dataclass(frozen=True)
class Job:
    """`function` called with `arguments` in a worker; `alone` asks for a process that does nothing else."""

    name: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True)
class Failure:
    """A job that gave no result: what it said last."""

    job: str
    reason: str


class WorkerDiedError(RuntimeError):
    """The process ended before it answered."""


def run_jobs(
    jobs: Sequence[Job], workers: int, done: Callable[[Job], None] | None = None
) -> dict[str, Any | Failure]:
    """Results by job name, in at most `workers` processes at a time; jobs start in the given order.

    An interrupt of the caller ends the processes at once: a fit may last minutes.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    results: dict[str, Any | Failure] = {}
    lock = threading.Lock()
    crew = _Crew()
    with tempfile.TemporaryDirectory(prefix="wharf-models-") as folder:

        def work(number: int) -> None:
            worker: _Worker | None = None
            try:
                while True:
                    try:
                        job = waiting.get_nowait()
                    except queue.Empty:
                        return
                    result, worker = _run_one(job, worker, Path(folder) / str(number), crew)
                    with lock:
                        results[job.name] = result
                        if done is not None:
                            done(job)
            finally:
                if worker is not None:
                    worker.stop()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(min(workers, len(jobs)))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            crew.dismiss()
            for thread in threads:
                thread.join()
            raise
    return results


def run_here(jobs: Sequence[Job], done: Callable[[Job], None] | None = None) -> dict[str, Any | Failure]:
    """The same in this process, one after the other: for work smaller than the start of a worker."""
    results: dict[str, Any | Failure] = {}
    for job in jobs:
        try:
            results[job.name] = _call(job.function, job.arguments)
        except Exception as error:  # noqa: BLE001 - whatever a library raises becomes a named failure
            results[job.name] = Failure(job.name, _said(error))
        if done is not None:
            done(job)
    return results


def _call(function: str, arguments: dict[str, Any]) -> Any:
    module, name = function.split(":")
    return getattr(importlib.import_module(module), name)(**arguments)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


class _Crew:
    """The processes at work, so that all of them can be ended from outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self.is_dismissed = False

    def hire(self, folder: Path) -> "_Worker":
        """A fresh process. WorkerDiedError once all were dismissed."""
        with self._lock:
            if self.is_dismissed:
                raise WorkerDiedError("interrupted")
            self._workers = [worker for worker in self._workers if worker.process.poll() is None]
            self._workers.append(_Worker(folder))
            return self._workers[-1]

    def dismiss(self) -> None:
        """End every process; none is started again."""
        with self._lock:
            self.is_dismissed = True
            for worker in self._workers:
                worker.process.kill()


def _run_one(
    job: Job, worker: "_Worker | None", folder: Path, crew: _Crew
) -> tuple[Any | Failure, "_Worker | None"]:
    failure = Failure(job.name, "not started")
    for _ in range(TRIES):
        own = job.alone
        if own or worker is None or worker.jobs >= RECYCLE_AFTER:
            if worker is not None and not own:
                worker.stop()
            try:
                fresh = crew.hire(folder / ("alone" if own else "shared"))
            except WorkerDiedError as error:
                return Failure(job.name, str(error)), worker if own else None
            worker = worker if own else fresh
        used = fresh if own or worker is None else worker
        try:
            kind, value = used.ask(job)
        except WorkerDiedError as error:
            failure = Failure(job.name, str(error))
            used.stop()
            worker = worker if own else None
            continue
        if own:
            used.stop()
        return (value, worker) if kind == "result" else (Failure(job.name, str(value)), worker)
    return failure, worker


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        home = Path(__file__).resolve().parents[1]
        path = os.pathsep.join([str(home), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path, "TMPDIR": str(folder)}
        environment |= {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_ENABLE_ONEDNN_OPTS": "0",
        }
        self.jobs = 0
        self.errors = (folder / "stderr.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "models.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment,
        )

    def ask(self, job: Job) -> tuple[str, Any]:
        """("result", value) or ("error", text); WorkerDiedError when the process is gone."""
        self.jobs += 1
        if self.process.stdin is None or self.process.stdout is None:
            raise WorkerDiedError("the worker has no pipe")
        try:
            _write(self.process.stdin, (job.function, job.arguments))
            answer: tuple[str, Any] = _read(self.process.stdout)
        except (EOFError, BrokenPipeError, OSError, pickle.UnpicklingError) as error:
            status = self.process.wait(timeout=10)
            raise WorkerDiedError(f"its worker process ended (status {status})") from error
        return answer

    def stop(self) -> None:
        """End the process: politely by closing its input, then not."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def _write(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(len(data).to_bytes(8, "big"))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Any:
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    data = pipe.read(int.from_bytes(head, "big"))
    return pickle.loads(data)  # noqa: S301 - our own child on our own pipe


def serve() -> None:
    """Answer jobs until the input closes. Libraries may print: only the answers go to the real output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    while True:
        try:
            function, arguments = _read(questions)
        except EOFError:
            return
        try:
            value = ("result", _call(function, arguments))
        except Exception as error:  # noqa: BLE001 - whatever a library raises becomes a named failure
            value = ("error", _said(error))
        _write(answers, value)


if __name__ == "__main__":
    serve()
