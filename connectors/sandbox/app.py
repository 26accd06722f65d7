"""The sandbox server: three platform APIs over one merchant's world, and the controls behind `/_sandbox`.

    python -m connectors.sandbox.app --port 8090 --pace 60 --seed 7
    python -m connectors.sandbox.app --port 8090 --replay lines.csv --mapping mapping.toml

It listens on 127.0.0.1 only: it accepts public secrets and its controls ask for none.
"""

import argparse
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from connectors.exports.mapping import MappingError, read_mapping
from connectors.sandbox import amazon_api, shopify_api, walmart_api
from connectors.sandbox.control import control_routes
from connectors.sandbox.exchange import ExchangeMiddleware
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import World

HOST = "127.0.0.1"


def create_app(state: SandboxState) -> Starlette:
    """The whole sandbox over `state`: `/amazon`, `/shopify`, `/walmart` and `/_sandbox`."""
    mounts = [
        Mount("/amazon", routes=amazon_api.routes(state)),
        Mount("/shopify", routes=shopify_api.routes(state)),
        Mount("/walmart", routes=walmart_api.routes(state)),
        Mount("/_sandbox", routes=control_routes(state)),
    ]
    app = Starlette(routes=mounts, middleware=[Middleware(ExchangeMiddleware, state=state)])
    app.state.sandbox = state
    return app


@contextlib.contextmanager
def serving(state: SandboxState, port: int = 0) -> Iterator[str]:
    """The sandbox in a thread of this process, for tests; yields its base URL (`port` 0: any free one)."""
    listener = _listener(port)
    server = uvicorn.Server(_config(state))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.005)
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def serve(state: SandboxState, port: int) -> None:
    """The sandbox in the foreground until it is interrupted. Raises OSError when the port is taken."""
    listener = _listener(port)
    with contextlib.closing(listener):
        listener.listen()  # from the next line on whoever asks is answered, if not at once
        sys.stdout.write(
            f"sandbox marketplaces on http://{HOST}:{listener.getsockname()[1]}; Ctrl-C ends them\n"
        )
        sys.stdout.flush()
        uvicorn.Server(_config(state)).run(sockets=[listener])


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(state: SandboxState) -> uvicorn.Config:
    # A cut answer is an error to uvicorn and would be logged with a traceback: it is meant here.
    return uvicorn.Config(
        create_app(state), log_level="critical", access_log=False, timeout_graceful_shutdown=2, lifespan="off"
    )


def build_world(
    *,
    seed: int = 7,
    today: date | None = None,
    skus: int = 45,
    days: int = 790,
    orders_per_day: float = 40.0,
    replay: Sequence[Path] = (),
    mapping: Path | None = None,
) -> World:
    """A generated world, or the replay of a merchant's files when some are named.

    A world that shall be met again tomorrow needs the same `today` (default: the day it is made).
    """
    if replay:
        from connectors.sandbox.replay import ReplayWorld

        return ReplayWorld(replay, read_mapping(mapping) if mapping else None)
    from connectors.sandbox.generated import GeneratedWorld

    return GeneratedWorld(
        seed=seed,
        today=today or datetime.now(UTC).date(),
        skus=skus,
        days=days,
        orders_per_day=orders_per_day,
    )


def clock_start(world: World) -> datetime | None:
    """What the clock says at first: a replay begins when its files are just over, an invented world now."""
    last: datetime | None = getattr(world, "last_instant", None)
    return last + timedelta(hours=1) if last is not None else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the module; `wharf sandbox serve` does the same."""
    parser = argparse.ArgumentParser(prog="connectors.sandbox.app", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--pace", type=float, default=1.0, help="how many times faster the limits run")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--skus", type=int, default=45)
    parser.add_argument("--days", type=int, default=790)
    parser.add_argument("--orders-per-day", type=float, default=40.0)
    parser.add_argument("--today", type=date.fromisoformat, help="where the invented history ends")
    parser.add_argument("--clock", type=datetime.fromisoformat, help="what the world's clock says at start")
    parser.add_argument("--freeze", action="store_true", help="the world's clock stands still")
    parser.add_argument("--replay", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--mapping", type=Path, help="TOML file that names the columns of --replay")
    options = parser.parse_args(arguments)
    try:
        world = build_world(
            seed=options.seed,
            today=options.today,
            skus=options.skus,
            days=options.days,
            orders_per_day=options.orders_per_day,
            replay=options.replay,
            mapping=options.mapping,
        )
        state = SandboxState(world, pace=options.pace)
        start = options.clock or clock_start(world)
        if start is not None:
            state.clock.set(start)
        if options.freeze:
            state.clock.freeze()
        serve(state, options.port)
    except (MappingError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"sandbox: port {options.port} on {HOST} cannot be used: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
