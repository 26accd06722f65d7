"""The local stack in one place: what `wharf up`, `wharf demo`, single commands and tests start things with.

with data_services(home, database_url=None, clickhouse_url=None) as databases:
    with supervise([prefect_service(home, 4200), python_service("sandbox", "connectors.sandbox.app", home=home)]):
        …
"""

from deployments.local.data import DataServices, data_services
from deployments.local.errors import LocalServiceError
from deployments.local.ports import free_port, is_free, require_port
from deployments.local.services import (
    Service,
    answers,
    prefect_environment,
    prefect_service,
    python_service,
    reached_at,
)
from deployments.local.supervisor import Supervisor, end_orphan, supervise

__all__ = [
    "DataServices",
    "LocalServiceError",
    "Service",
    "Supervisor",
    "answers",
    "data_services",
    "end_orphan",
    "free_port",
    "is_free",
    "prefect_environment",
    "prefect_service",
    "python_service",
    "reached_at",
    "require_port",
    "supervise",
]
