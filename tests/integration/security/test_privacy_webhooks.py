"""Shopify's privacy webhooks: forged ones do nothing, true ones are done once."""

import asyncio
import base64
import hashlib
import hmac
import json

import httpx
import pytest
from starlette.applications import Starlette

from connectors.privacy import pseudonym
from deployments import privacy_hooks
from tests.integration.security.conftest import SECRET
from tests.warehouse_factories import order

BY_ID, BY_MAIL = (pseudonym(name, SECRET.encode()) for name in ("shopify:191167", "email:john@example.com"))
CUSTOMER = {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"}
SHOP = {"shop_id": 954889, "shop_domain": "ada.myshopify.com"}
REDACT = {**SHOP, "customer": CUSTOMER, "orders_to_redact": [33]}
ASK = {**SHOP, "customer": CUSTOMER, "orders_requested": [33], "data_request": {"id": 9999}}


@pytest.fixture
def held(settings, loader, engine):
    from warehouse import channels

    loader.account = "shopify"
    channels.ensure(engine, "shopify", loader_places())
    loader.load(
        {
            "orders": [
                order("11", customer_key=BY_ID),
                order("22", customer_key=BY_MAIL),
                order("33", customer_key="a" * 32),
                order("44", customer_key="b" * 32),
            ]
        }
    )
    return loader


def loader_places():
    from tests.warehouse_factories import SHOP as PLACE

    return [PLACE]


def send(body, *, topic="customers/redact", secret="hush hush", raw=None):
    content = json.dumps(body).encode()
    mark = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()

    async def ask():
        app = Starlette(routes=privacy_hooks.routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://wharf") as http:
            return await http.post(
                "/privacy/shopify",
                content=raw or content,
                headers={"X-Shopify-Hmac-Sha256": mark, "X-Shopify-Topic": topic},
            )

    return asyncio.run(ask()).status_code


def known(held):
    return {row[0] for row in held.rows("SELECT external_id FROM core.orders WHERE customer_key IS NOT NULL")}


def test_a_true_one_erases_by_id_address_and_order_and_only_once(held):
    assert send(REDACT) == 200
    assert known(held) == {"44"}
    assert send(REDACT) == 200
    assert held.one("SELECT count(*) FROM ops.privacy_requests") == 1
    assert held.one("SELECT count(*) FROM ops.runs WHERE kind = 'redact'") == 1


def test_forged_changed_and_relabelled_ones_do_nothing(held):
    assert send(REDACT, secret="guessed") == 401
    assert send(REDACT, raw=json.dumps({**REDACT, "orders_to_redact": [44]}).encode()) == 401
    assert send(ASK, topic="customers/redact") == 401, "a captured question must not become an order"
    assert send({**REDACT, "shop_domain": "other.myshopify.com"}) == 401
    assert send(["no", "request"]) == 401
    assert known(held) == {"11", "22", "33", "44"}
    assert held.one("SELECT count(*) FROM ops.privacy_requests") == 0


def test_a_question_gives_a_readable_file(held, tmp_path):
    assert send(ASK, topic="customers/data_request") == 200
    (file,) = (tmp_path / "home" / "privacy").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert [found["order_id"] for found in json.loads(file.read_text())["orders"]] == ["11", "22", "33"]
    assert send(ASK, topic="customers/data_request") == 200
    assert len(list(file.parent.iterdir())) == 1
    assert known(held) == {"11", "22", "33", "44"}


def test_a_whole_shop(held):
    assert send(SHOP, topic="shop/redact") == 200
    assert known(held) == set()
