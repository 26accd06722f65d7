"""Where Shopify's privacy webhooks arrive: POST /privacy/shopify. Answered when the work is done.

Shopify sends a request again until it is answered with 200, so what failed halfway is done again; what was done
already is answered and nothing happens.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.base import Account
from connectors.shopify.webhooks import ForgedWebhookError, PrivacyRequest, privacy_request
from deployments.commands.privacy import write_private
from flows import connections, redaction

log = logging.getLogger(__name__)
_BODY_LIMIT = 1024 * 1024


def routes() -> list[Route]:
    """The endpoint, for whichever app listens where Shopify can reach it."""
    return [Route("/privacy/shopify", _shopify, methods=["POST"])]


async def _shopify(request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return Response(status_code=413)
    signature = request.headers.get("x-shopify-hmac-sha256", "")
    topic = request.headers.get("x-shopify-topic", "")
    try:
        asked, account = _verified(body, signature, topic)
    except ForgedWebhookError as error:
        log.warning("a privacy webhook was refused: %s", error)
        return Response(status_code=401)
    await run_in_threadpool(carry_out, asked, account)
    return Response(status_code=200)


def _verified(body: bytes, signature: str, topic: str) -> tuple[PrivacyRequest, Account]:
    """The request and the account whose secret signed it. Raises ForgedWebhookError when none did."""
    reason = ForgedWebhookError("no Shopify account has a client secret")
    for account in connections.accounts().values():
        secret = account.credentials.get("client_secret") if account.platform == "shopify" else None
        if not secret:
            continue
        try:
            asked = privacy_request(body, signature, topic, secret.get_secret_value())
        except ForgedWebhookError as error:
            reason = error
            continue
        if asked.shop == account.options.get("shop_name"):
            return asked, account
        reason = ForgedWebhookError("it is signed for another shop")
    raise reason


def carry_out(asked: PrivacyRequest, account: Account) -> bool:
    """Do what is asked, unless it was done; whether anything was to do."""
    if _is_done(asked.digest):
        return False
    counts: dict[str, Any]
    if asked.topic == "shop/redact":
        counts = redaction.redact_account(account.name).rows
    elif not asked.customers and not asked.orders:
        counts = {}
    else:
        who = redaction.person(asked.customers, account.name, asked.orders)
        if asked.topic == "customers/redact":
            counts = redaction.redact(who).rows
        else:
            told = redaction.disclose(who)
            name = f"data-request-{datetime.now(UTC):%Y%m%d}-{asked.digest[:8]}.json"
            path = connections.settings().home.absolute() / "privacy" / name
            write_private(path, redaction.as_json(told))
            log.warning("somebody asks what is held of him; send him %s and delete it", path)
            counts = {"orders told": len(told["orders"]), "carts told": len(told["carts"])}
    _note(asked, account, counts)
    return True


def _is_done(digest: str) -> bool:
    with connections.postgres().connect() as connection:
        return bool(
            connection.scalar(
                text("SELECT EXISTS (SELECT FROM ops.privacy_requests WHERE digest = :digest)"),
                {"digest": digest},
            )
        )


def _note(asked: PrivacyRequest, account: Account, counts: dict[str, Any]) -> None:
    with connections.postgres().begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.privacy_requests (digest, account, topic, counts)"
                " VALUES (:digest, :account, :topic, CAST(:counts AS jsonb)) ON CONFLICT DO NOTHING"
            ),
            {
                "digest": asked.digest,
                "account": account.name,
                "topic": asked.topic,
                "counts": json.dumps(counts),
            },
        )
