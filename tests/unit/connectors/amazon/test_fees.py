"""Fees of transactions as sellers see them in finances 2024-06-19."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.amazon.normalize.finances import transactions
from connectors.amazon.stored import stored_context
from connectors.canonical import Normalized
from tests.amazon_factories import FETCHED, US

Json = dict[str, Any]
CONTEXT = stored_context(FETCHED)


def read(*told: Json) -> Normalized:
    return transactions(json.dumps({"payload": {"transactions": told}}).encode(), CONTEXT)


def part(kind: str, amount: float | None, *below: Json) -> Json:
    money = {} if amount is None else {"breakdownAmount": {"currencyCode": "USD", "currencyAmount": amount}}
    return {"breakdownType": kind, "breakdowns": list(below), **money}


def transaction(*breakdowns: Json, items: bool = True, **changes: Any) -> Json:
    context = {"contextType": "ProductContext", "sku": "MUG", "asin": "B1", "quantityShipped": 1}
    return {
        "transactionType": "Shipment",
        "transactionId": "T1",
        "transactionStatus": "RELEASED",
        "postedDate": "2026-02-01T10:00:00Z",
        "relatedIdentifiers": [{"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": "1-1"}],
        "totalAmount": {"currencyCode": "USD", "currencyAmount": 5.0},
        "marketplaceDetails": {"marketplaceId": US},
        "items": [{"breakdowns": list(breakdowns), "contexts": [context]}] if items else [],
        "breakdowns": [] if items else list(breakdowns),
    } | changes


def fees(normalized: Normalized) -> list[tuple[str, str, Decimal]]:
    return [(row["fee_id"], row["fee_type"], row["amount"]) for row in normalized.frame("fees").to_dicts()]


def test_the_fees_of_a_line_have_their_names_and_not_their_parts():
    commission = part("Commission", -1.5, part("Base", -1.4), part("Tax", -0.1))
    sent = part("FBA Fees", None, part("FBAPerUnitFulfillmentFee", -3.22, part("Base", -3.22)))
    read_ = read(transaction(part("Product Charges", 10.0), part("Amazon Fees", -4.72, commission, sent)))

    assert fees(read_) == [
        ("T1/MUG#1/Commission", "Commission", Decimal("1.5")),
        ("T1/MUG#1/FBAPerUnitFulfillmentFee", "FBAPerUnitFulfillmentFee", Decimal("3.22")),
    ]
    [first, _] = read_.frame("fees").to_dicts()
    assert (first["channel"], first["order_external_id"], first["sku"], first["currency"]) == (
        "amazon-us",
        "1-1",
        "MUG",
        "USD",
    )
    assert first["posted_at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)


def test_two_fees_of_one_name_stay_two():
    told = transaction(part("AmazonFees", -3.0, part("Commission", -1.0), part("Commission", -2.0)))

    assert [fee[0] for fee in fees(read(told))] == ["T1/MUG#1/Commission", "T1/MUG#1/Commission#2"]


def test_a_deferred_transaction_and_its_release_are_the_same_fees():
    fee = part("AmazonFees", -1.0, part("Commission", -1.0))
    release = transaction(fee, transactionId="T2")
    release["relatedIdentifiers"].append(
        {"relatedIdentifierName": "DEFERRED_TRANSACTION_ID", "relatedIdentifierValue": "T1"}
    )

    assert fees(read(transaction(fee, transactionStatus="DEFERRED"), release)) == [
        ("T1/MUG#1/Commission", "Commission", Decimal(1))
    ]


def test_a_charge_for_no_order_is_a_fee_as_a_whole():
    storage = transaction(
        items=False,
        transactionType="ServiceFee",
        description="FBA storage fee",
        relatedIdentifiers=[],
        totalAmount={"currencyCode": "USD", "currencyAmount": -12.34},
    )
    payout = transaction(items=False, transactionType="Transfer", transactionId="T9")
    [row] = read(storage, payout).frame("fees").to_dicts()

    assert (row["fee_type"], row["amount"], row["order_external_id"]) == (
        "FBA storage fee",
        Decimal("12.34"),
        None,
    )


def test_an_amount_that_is_none_refuses_its_transaction_alone():
    told = read(
        transaction(part("AmazonFees", None, part("Commission", "many"))),  # type: ignore[arg-type]  # a wrong one
        transaction(part("AmazonFees", None, part("Commission", -1.0)), transactionId="T2"),
    )

    assert [refused.natural_key for refused in told.rejected] == ["T1"]
    assert len(fees(told)) == 1
