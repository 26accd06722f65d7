"""The smallest valid Walmart payloads; a test states only what it is about."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from connectors.base import Account, Channel, Context, Page
from connectors.canonical import Normalized

FETCHED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDERED_MS = 1_772_366_400_000  # 2026-03-01 12:00 UTC


def account(url: str = "http://127.0.0.1:1/walmart", pace: float = 1.0, **options: str) -> Account:
    return Account(
        name="walmart",
        platform="walmart",
        api_url=url,
        auth_url=f"{url}/v3/token",
        credentials={
            "client_id": SecretStr("walmart-sandbox-client"),
            "client_secret": SecretStr("walmart-sandbox-secret"),
        },
        channels=(Channel("walmart-us", "walmart", "us", "USD", "America/Los_Angeles"),),
        options={"pace": f"{pace:g}", **options},
    )


def context() -> Context:
    return Context(account(), FETCHED)


def charge(
    amount: Any = 10, tax: Any = None, kind: str = "PRODUCT", name: str = "ItemPrice"
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "chargeType": kind,
        "chargeName": name,
        "chargeAmount": {"currency": "USD", "amount": amount},
    }
    made["tax"] = (
        None if tax is None else {"taxName": "Tax1", "taxAmount": {"currency": "USD", "amount": tax}}
    )
    return made


def statuses(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        "orderLineStatus": [
            {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": amount}}
            for status, amount in pairs
        ]
    }


def line(number: Any = "1", quantity: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "lineNumber": number,
        "item": {"productName": "Mug", "sku": "SKU-1"},
        "charges": {"charge": [charge()]},
        "orderLineQuantity": {"unitOfMeasurement": "EACH", "amount": quantity},
        "statusDate": ORDERED_MS + 60_000,
        "orderLineStatuses": statuses(("Created", quantity)),
        **changes,
    }


def order(number: str = "3000001", *lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "purchaseOrderId": number,
        "customerOrderId": "200001",
        "customerEmailId": "ABC@relay.walmart.com",
        "orderDate": ORDERED_MS,
        "shippingInfo": {
            "phone": "5551234567",
            "postalAddress": {
                "name": "Jane Canary",
                "address1": "1 Canary Row",
                "state": "CA",
                "country": "USA",
            },
        },
        "orderLines": {"orderLine": list(lines) or [line()]},
        "shipNode": {"type": "SellerFulfilled"},
        **changes,
    }


def orders_page(*orders: dict[str, Any], **meta: Any) -> Page:
    body = {
        "list": {
            "meta": {"totalCount": len(orders), "limit": 200, **meta},
            "elements": {"order": list(orders)},
        }
    }
    return page(body)


def page(body: Any) -> Page:
    return Page(json.dumps(body).encode())


def refund(*charges: dict[str, Any], refund_id: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "refundCharges": {"refundCharge": [{"refundReason": "Others", "charge": entry} for entry in charges]}
    }
    return {"refundId": refund_id, **made} if refund_id else made


def rows(normalized: Normalized, name: str) -> list[dict[str, Any]]:
    return normalized.frame(name).to_dicts()


def only(normalized: Normalized, name: str) -> dict[str, Any]:
    found = rows(normalized, name)
    assert len(found) == 1, (name, found, normalized.rejected)
    return found[0]
