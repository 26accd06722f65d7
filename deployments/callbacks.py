"""Serves the links in messages, takes what providers report, marketplaces' privacy requests and the own shop's cart
events, shows how all is doing, and starts `delivery` when messages wait: `python -m deployments.callbacks --port 8026`.

On loopback, in a container on its own network (`--host 0.0.0.0`); a reverse proxy or tunnel in front of it, named by
WHARF_PUBLIC_URL, makes it reachable. Without one, links work on this machine and providers are asked instead.
"""

import argparse
import asyncio
import threading
from datetime import UTC, datetime

import uvicorn
from starlette.applications import Starlette

from alerts import settings as alert_settings
from alerts.callbacks import Effects, create_app
from alerts.events import ProviderEvent
from deployments import cart_hooks, monitoring, outbox_watch, privacy_hooks
from flows import connections
from warehouse import alerts as store
from warehouse import provider_events


def effects() -> Effects:
    """What a pressed button or a verified event does to the warehouse."""
    engine = connections.postgres()

    def recorded(way: str, events: list[ProviderEvent]) -> None:
        provider_events.record(engine, way, [vars(event) for event in events], datetime.now(UTC))

    return Effects(
        acknowledge=lambda claim: store.acknowledge_episode(engine, claim.fingerprint),
        snooze=lambda claim, until: store.snooze_episode(engine, claim.fingerprint, until),
        recorded=recorded,
    )


def app() -> Starlette:
    """The pages and webhooks that are configured, `/health`, `/fresh` and `/metrics`."""
    settings = alert_settings.load_settings()
    token = settings.twilio_auth_token
    served = create_app(
        effects(),
        clock=lambda: datetime.now(UTC),
        linker=settings.linker(),
        sendgrid_public_key=settings.sendgrid_webhook_public_key,
        twilio_auth_token=token.get_secret_value() if token else None,
        public_url=settings.wharf_public_url,
    )
    served.router.routes += [*monitoring.routes(), *privacy_hooks.routes(), *cart_hooks.routes()]
    return served


def main() -> None:
    """Serve until interrupted."""
    settings = connections.settings()
    parser = argparse.ArgumentParser(prog="deployments.callbacks", description=__doc__)
    parser.add_argument("--port", type=int, default=settings.callbacks_port)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    stop = threading.Event()
    if settings.prefect_api_url:
        word = settings.prefect_auth.get_secret_value() if settings.prefect_auth else None
        start = outbox_watch.starter(settings.prefect_api_url, word)
        watcher = (connections.postgres(), start, stop)
        threading.Thread(target=outbox_watch.watch, args=watcher, daemon=True, name="outbox").start()
    config = uvicorn.Config(app(), host=given.host, port=given.port, log_level="warning", access_log=False)
    try:
        asyncio.run(uvicorn.Server(config).serve())
    finally:
        stop.set()


if __name__ == "__main__":
    main()
