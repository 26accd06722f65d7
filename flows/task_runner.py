"""Where tasks that do not wait for one another run: in this process, or on Dask by WHARF_TASK_RUNNER=dask."""

from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from connectors.errors import ConfigurationError
from flows import connections

P = ParamSpec("P")
R = TypeVar("R")


def is_remote() -> bool:
    """Whether tasks leave this process."""
    return connections.settings().task_runner != "local"


def side_by_side(some: Flow[P, R]) -> Flow[P, R]:
    """The flow on Dask: the scheduler of WHARF_DASK_ADDRESS, else processes of its own for as long as it runs.

    Workers need this code, the settings of the environment, and WHARF_HOME on a disk they share: trained models are
    read from there.
    """
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise ConfigurationError(
            "WHARF_TASK_RUNNER=dask needs the extra `dask`: uv sync --extra dask"
        ) from error
    settings = connections.settings()
    if settings.dask_address:
        runner: Any = DaskTaskRunner(address=settings.dask_address)
    else:
        local = {"n_workers": settings.workers, "threads_per_worker": 1, "dashboard_address": None}
        runner = DaskTaskRunner(cluster_kwargs=local)
    return some.with_options(task_runner=runner)
