"""The receivers as one small server: `python -m alerts.receivers.app --port 8025 --inbox DIR`."""

import argparse
import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from alerts.receivers import hooks_api, inbox, mail_api, sms_api
from alerts.receivers.faults import Faults
from alerts.receivers.ledger import Ledger

# What the receivers accept unless told otherwise. They are no secrets: nothing leaves this machine.
SENDGRID_KEY = "SG.local"
TWILIO_SID = "AC" + "0" * 32
TWILIO_TOKEN = "local"  # noqa: S105 opens nothing but this receiver
TWILIO_FROM = "+15005550006"
WEBHOOK_SECRET = "whsec_bG9jYWwtcmVjZWl2ZXItc2VjcmV0"  # noqa: S105 likewise
SLACK_PATH = "/services/T000/B000/local"
WEBHOOK_PATH = "/hooks/merchant"


def create_app(
    inbox_folder: Path,
    *,
    sendgrid_key: str = SENDGRID_KEY,
    twilio_sid: str = TWILIO_SID,
    twilio_token: str = TWILIO_TOKEN,
    webhook_secret: str = WEBHOOK_SECRET,
    sms_pace: timedelta = timedelta(seconds=1),
) -> Starlette:
    """All four receivers. `sms_pace` is how long an SMS stays queued, and then sent, before it is delivered."""
    app = Starlette(
        routes=[*mail_api.routes(), *sms_api.routes(), *hooks_api.routes(), *inbox.routes()],
    )
    app.state.ledger = Ledger(inbox_folder)
    app.state.faults = Faults()
    app.state.sendgrid_key = sendgrid_key
    app.state.twilio_sid = twilio_sid
    app.state.twilio_token = twilio_token
    app.state.webhook_secret = webhook_secret
    app.state.sms_pace = sms_pace
    return app


def environment(
    base_url: str, email: str = "merchant@example.com", phone: str = "+15551234567"
) -> dict[str, str]:
    """Settings that send every alert to a receiver at `base_url`, as environment variables."""
    return {
        "SENDGRID_API_KEY": SENDGRID_KEY,
        "SENDGRID_API_URL": base_url,
        "FROM_EMAIL": "alerts@example.com",
        "TWILIO_ACCOUNT_SID": TWILIO_SID,
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_FROM": TWILIO_FROM,
        "TWILIO_API_URL": base_url,
        "SLACK_WEBHOOK_URL": base_url + SLACK_PATH,
        "ALERT_WEBHOOK_URL": base_url + WEBHOOK_PATH,
        "ALERT_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WHARF_ALERT_EMAIL": email,
        "WHARF_ALERT_PHONE": phone,
    }


class _Protocol(H11Protocol):
    """Tells the app its connection, so that a fault can break it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            await inner({**scope, "wharf.transport": self.transport}, receive, send)

        self.app = with_transport


def server(app: Starlette, port: int, host: str = "127.0.0.1") -> uvicorn.Server:
    """A server that is ready to run, on loopback, with quiet logs."""
    return uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, http=_Protocol, log_level="warning", lifespan="off")
    )


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="alerts.receivers", description=__doc__)
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--inbox", type=Path, default=Path("inbox"))
    arguments = parser.parse_args()
    asyncio.run(server(create_app(arguments.inbox), arguments.port).serve())


if __name__ == "__main__":
    main()
