"""Shopify's privacy webhooks, verified and read: customers/data_request, customers/redact, shop/redact.

A body is believed when its HMAC-SHA-256 under the app's client secret is right. Headers are not signed, so what
is asked, and of which shop, is taken from the body alone; a topic header that says otherwise is a forgery.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Topic = Literal["customers/data_request", "customers/redact", "shop/redact"]


class ForgedWebhookError(Exception):
    """Not Shopify's word: nothing may happen."""


@dataclass(frozen=True)
class PrivacyRequest:
    """What is asked. `customers`: how the person is known; `orders`: ids of orders the request names."""

    topic: Topic
    shop: str  # the part before .myshopify.com
    digest: str  # of the body: the same request again has the same
    customers: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


class _Customer(msgspec.Struct):
    id: int | str | None = None
    email: str | None = None


class _Body(msgspec.Struct):
    shop_id: int | str
    shop_domain: str
    customer: _Customer | None = None
    orders_to_redact: list[int | str] | None = None
    orders_requested: list[int | str] | None = None
    data_request: dict[str, Any] | None = None


def privacy_request(body: bytes, signature: str, topic: str, secret: str) -> PrivacyRequest:
    """The request of a signed `body`. Raises ForgedWebhookError for anything else."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise ForgedWebhookError("the signature is no base64") from None
    if not hmac.compare_digest(expected, given):
        raise ForgedWebhookError("the signature is wrong")
    try:
        found = msgspec.json.decode(body, type=_Body)
    except msgspec.MsgspecError:
        raise ForgedWebhookError("the body is no privacy request") from None
    asked = _topic(found)
    if topic != asked:
        raise ForgedWebhookError(f"the topic says {topic[:40]!r}, the signed body is {asked}")
    customer = found.customer or _Customer()
    names = [f"shopify:{customer.id}"] if customer.id else []
    names += [customer.email] if customer.email else []
    orders = found.orders_to_redact or found.orders_requested or []
    return PrivacyRequest(
        topic=asked,
        shop=found.shop_domain.strip().lower().removesuffix(".myshopify.com"),
        digest=hashlib.sha256(body).hexdigest(),
        customers=tuple(names),
        orders=tuple(str(order) for order in orders),
    )


def _topic(found: _Body) -> Topic:
    if found.customer is None:
        return "shop/redact"
    if found.data_request is not None or found.orders_requested is not None:
        return "customers/data_request"
    return "customers/redact"
