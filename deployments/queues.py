"""The work pool's queues: what is live goes first, and heavy work never takes every place of a worker."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Queue:
    """`priority` 1 is served first; at most `limit` runs of the queue at a time, None: as many as workers take."""

    name: str
    description: str
    priority: int
    limit: int | None


QUEUES = (
    Queue("live", "Syncs, roll-ups and alerts: served first.", 1, None),
    Queue("heavy", "Forecasts, training and backfills: one at a time, after what is live.", 10, 1),
)


def ensure(pool: str) -> None:
    """Creates or updates the queues of `pool` on the server of this process."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        for queue in QUEUES:
            wanted: dict[str, Any] = {
                "description": queue.description,
                "concurrency_limit": queue.limit,
                "priority": queue.priority,
            }
            try:
                known = client.read_work_queue_by_name(queue.name, work_pool_name=pool)
            except ObjectNotFound:
                client.create_work_queue(queue.name, work_pool_name=pool, **wanted)
            else:
                client.update_work_queue(known.id, **wanted)
