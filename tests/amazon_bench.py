"""A running sandbox with one Amazon seller, and a client of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon import RESOURCES, open_client
from connectors.base import Account, Context, Window
from connectors.canonical import Normalized, merge_normalized
from connectors.client import ChannelClient, Limits
from connectors.sandbox.app import serving
from connectors.sandbox.faults import Fault
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import World
from tests.amazon_factories import FETCHED, US, account

PACE = 5000.0
UNTIL = FETCHED - timedelta(minutes=3)
PATIENT = Limits(backoff=0.001, max_backoff=0.01, attempts=4)


class Bench:
    """A running sandbox and a client of it."""

    def __init__(self, state: SandboxState, client: ChannelClient, asked: Account) -> None:
        self.state, self.client, self.account = state, client, asked

    def read(self, resource: str, since: datetime | None = None, until: datetime = UNTIL) -> Normalized:
        """All frames of a resource in a window."""
        described = RESOURCES[resource]
        pages = described.pages(self.client, Window(since, until))
        context = Context(self.account, FETCHED)
        return merge_normalized([described.normalize(page, context) for page in pages])

    def asked(self, operation: str) -> int:
        """How many requests an operation got."""
        return sum(self.state.requests.counts().get(f"amazon.{operation}", {}).values())

    def break_(self, operation: str, kind: str, **rule: Any) -> None:
        self.state.faults.add(
            Fault.model_validate({"operation": f"amazon.{operation}", "kind": kind, **rule})
        )


@contextmanager
def bench(world: World, *, pace: float = PACE, places: tuple[str, ...] = (US,)) -> Iterator[Bench]:
    state = SandboxState(world, pace=pace)
    state.clock.freeze(FETCHED)
    with serving(state) as url:
        asked = account(f"{url}/amazon", pace, places)
        with open_client(asked, limits=PATIENT) as client:
            yield Bench(state, client, asked)
