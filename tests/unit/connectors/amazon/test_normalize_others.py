"""Stock, listings, refunds and returns."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.amazon import normalize
from connectors.base import Page
from connectors.errors import ProtocolError
from tests.amazon_factories import CA, DE, ORDER, US, context, one

D = Decimal


def page(content: Any) -> Page:
    return Page(json.dumps(content).encode())


# -- stock -------------------------------------------------------------------------------------------------


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "sellerSku": "SKU-1",
        "asin": "B000000001",
        "fnSku": "X1",
        "lastUpdatedTime": "2026-02-01T10:00:00Z",
        "totalQuantity": 30,
        "inventoryDetails": {
            "fulfillableQuantity": 10,
            "inboundWorkingQuantity": 1,
            "inboundShippedQuantity": 2,
            "inboundReceivingQuantity": 3,
            "reservedQuantity": {"totalReservedQuantity": 4},
            "researchingQuantity": {"totalResearchingQuantity": 5},
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": 6},
        },
    } | changes


def stock(*summaries: Any, place: str = US) -> Any:
    payload = {"granularity": {"granularityType": "Marketplace", "granularityId": place}}
    return normalize.inventory(
        page({"payload": payload | {"inventorySummaries": list(summaries)}}), context()
    )


def test_stock_in_amazons_network():
    row = one(stock(summary()), "inventory")
    assert row["warehouse_location"] == f"FBA:{US}"
    counts = {name.removeprefix("quantity_"): row[name] for name in row if name.startswith("quantity_")}
    assert counts == {"available": 10, "reserved": 4, "inbound": 6, "on_hand": 24, "unavailable": 11}
    assert row["source_updated_at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)


def test_stock_without_details_or_date_says_null_and_not_zero():
    row = one(stock(summary(lastUpdatedTime="", inventoryDetails=None)), "inventory")
    assert row["source_updated_at"] is None
    assert (row["quantity_available"], row["quantity_on_hand"]) == (None, None)


def test_stock_of_a_marketplace_belongs_to_its_channel():
    assert one(stock(summary(), place=DE), "inventory")["channel"] == "amazon-de"


def test_a_sku_under_two_labels_is_added_up():
    row = one(stock(summary(), summary(fnSku="X2", totalQuantity=8)), "inventory")
    assert (row["quantity_available"], row["quantity_on_hand"]) == (20, 26)


def test_negative_stock_is_legal():
    assert (
        one(stock(summary(inventoryDetails={"fulfillableQuantity": -2})), "inventory")["quantity_available"]
        == -2
    )


def test_a_bad_summary_is_refused_alone():
    read = stock(summary(), {"asin": "B1"}, summary(sellerSku="SKU-2", totalQuantity="many"))
    assert read.frame("inventory")["sku"].to_list() == ["SKU-1"]
    assert [(r.natural_key, r.field) for r in read.rejected] == [
        ("B1", "sellerSku"),
        ("SKU-2", "totalQuantity"),
    ]


def test_stock_that_is_no_page_is_an_error_and_not_an_empty_shelf():
    with pytest.raises(ProtocolError):
        normalize.inventory(page({"errors": []}), context())


def test_the_merchants_own_stock_comes_from_his_listings():
    listings = [
        {"sku": "A", "fulfillmentAvailability": [{"fulfillmentChannelCode": "DEFAULT", "quantity": 7}]},
        {"sku": "B", "fulfillmentAvailability": [{"fulfillmentChannelCode": "AMAZON_NA", "quantity": 9}]},
        {"sku": "C"},
    ]
    for listing in listings:
        listing["summaries"] = [{"marketplaceId": US, "asin": "B1"}]
    row = one(normalize.inventory(page({"items": listings}), context()), "inventory")
    assert (row["sku"], row["warehouse_location"], row["quantity_available"]) == ("A", "MFN", 7)


# -- listings ----------------------------------------------------------------------------------------------


def listing(sku: str = "SKU-1", asin: str = "B000000001", **changes: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "summaries": [
            {
                "marketplaceId": US,
                "asin": asin,
                "productType": "MUG",
                "status": ["BUYABLE"],
                "itemName": "A mug",
                "lastUpdatedDate": "2026-02-01T10:00:00Z",
            }
        ],
        "offers": [
            {"marketplaceId": US, "offerType": "B2B", "price": {"amount": "8.00", "currencyCode": "USD"}},
            {"marketplaceId": US, "offerType": "B2C", "price": {"amount": "9.99", "currencyCode": "USD"}},
        ],
    } | changes


def products(listings: list[Any], catalog: list[Any] | None = None) -> Any:
    found: dict[str, Any] = {"marketplaceId": US, "listings": {"items": listings}}
    if catalog is not None:
        found["catalog"] = {"items": catalog}
    return normalize.products(page(found), context())


def test_a_listing_with_what_the_catalog_knows():
    branch = {"displayName": "Mugs", "parent": {"displayName": "Kitchen", "parent": {"displayName": "Home"}}}
    item = {
        "asin": "B000000001",
        "summaries": [{"marketplaceId": US, "brand": "Clay & Co", "itemName": "Mug, blue"}],
        "classifications": [{"marketplaceId": US, "classifications": [branch]}],
        "identifiers": [
            {"marketplaceId": US, "identifiers": [{"identifierType": "UPC", "identifier": "0123"}]}
        ],
    }
    row = one(products([listing()], [item]), "products")
    assert (row["external_id"], row["sku"], row["title"], row["name"]) == (
        "B000000001",
        "SKU-1",
        "A mug",
        "Mug, blue",
    )
    assert (row["brand"], row["category"], row["barcode"]) == ("Clay & Co", "Home > Kitchen > Mugs", "0123")
    assert (row["price"], row["currency"], row["is_active"]) == (D("9.99"), "USD", True)


def test_a_listing_the_catalog_does_not_know():
    row = one(products([listing()], []), "products")
    assert (row["category"], row["brand"], row["name"]) == ("MUG", None, "A mug")


def test_one_sku_in_two_marketplaces_is_two_listings():
    both = listing()
    both["summaries"] = [*both["summaries"], {"marketplaceId": CA, "asin": "B000000001", "status": []}]
    both["offers"].append(
        {"marketplaceId": CA, "offerType": "B2C", "price": {"amount": "13", "currencyCode": "CAD"}}
    )
    read = products([both])
    assert read.frame("products").select("channel", "currency", "is_active").rows() == [
        ("amazon-ca", "CAD", False),
        ("amazon-us", "USD", True),
    ]


def test_two_skus_of_one_asin_keep_an_id_of_their_own():
    read = products([listing("B"), listing("A")])
    assert read.frame("products").select("sku", "external_id").rows() == [
        ("A", "B000000001"),
        ("B", "B000000001/B"),
    ]


def test_a_listing_without_asin_is_known_by_its_sku():
    assert one(products([{"sku": "ONLY"}]), "products")["external_id"] == "ONLY"


def test_the_listings_report():
    body = (
        b"item-name\tseller-sku\tprice\tquantity\topen-date\tasin1\tstatus\n"
        b"Tasse\tA/1 b\t9.99\t3\t2026-02-01 10:00:00 CET\tB1\tActive\n"
        b"\tB\t\t\t2013-01-07 07:35:42 PST\tB2\tInactive\n"
        b"Bad\tC\tcheap\t\t\tB3\tActive\n"
    )
    read = normalize.products(Page(body, "tsv"), context())
    rows = read.frame("products").to_dicts()
    assert [(row["sku"], row["price"], row["is_active"]) for row in rows] == [
        ("A/1 b", D("9.99"), True),
        ("B", None, False),
    ]
    assert rows[0]["source_updated_at"] == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert [refused.natural_key for refused in read.rejected] == ["C"]


# -- refunds -----------------------------------------------------------------------------------------------


def leaf(kind: str, value: Any, *parts: Any) -> dict[str, Any]:
    amount = {"currencyAmount": value, "currencyCode": "USD"}
    return {"breakdownType": kind, "breakdownAmount": amount, "breakdowns": list(parts) or None}


def refund(*breakdowns: Any, sku: str = "SKU-1", **changes: Any) -> dict[str, Any]:
    return {
        "transactionType": "Refund",
        "transactionId": "T1",
        "transactionStatus": "RELEASED",
        "postedDate": "2026-02-05T10:00:00Z",
        "relatedIdentifiers": [{"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": ORDER}],
        "totalAmount": {"currencyAmount": -9.0, "currencyCode": "USD"},
        "marketplaceDetails": {"marketplaceId": US},
        "items": [
            {
                "contexts": [{"contextType": "ProductContext", "sku": sku, "quantityShipped": 1}],
                "breakdowns": list(breakdowns),
            }
        ],
    } | changes


def refunds(*transactions: Any) -> Any:
    return normalize.refunds(page({"payload": {"transactions": list(transactions)}}), context())


GIVEN = (
    leaf("ProductCharges", -19.95, leaf("OurPricePrincipal", -19.95)),
    leaf("Tax", -1.85, leaf("OurPriceTax", -1.6), leaf("ShippingTax", -0.25)),
    leaf("Shipping", -3.00, leaf("ShippingPrincipal", -3.00)),
    leaf("PromoRebates", 1.00, leaf("OurPriceDiscount", 1.00)),
    leaf("AmazonFees", 2.4, leaf("Commission", 2.99, leaf("Base", 2.99)), leaf("RefundCommission", -0.59)),
    leaf("MarketplaceFacilitatorTax-Principal", 1.6),
)


def test_a_refund_is_what_the_buyer_got_back_without_fees_and_withheld_tax():
    row = one(refunds(refund(*GIVEN)), "refunds")
    assert (row["amount"], row["net_amount"]) == (D("23.80"), D("18.95"))
    assert (row["line_id"], row["quantity"], row["refund_id"]) == ("SKU-1#1", 1, "T1")
    assert row["refunded_at"] == datetime(2026, 2, 5, 10, tzinfo=UTC)
    assert (row["order_external_id"], row["channel"], row["currency"]) == (ORDER, "amazon-us", "USD")


def test_containers_without_content_still_count():
    assert one(refunds(refund(leaf("ProductCharges", -5), leaf("Tax", -1))), "refunds")["net_amount"] == D(5)


def test_other_transactions_are_passed_over():
    read = refunds(refund(*GIVEN, transactionType="Shipment"), refund(transactionType="ServiceFee"))
    assert read.frame("refunds").is_empty()
    assert read.records == 2
    assert read.rejected == ()


def test_a_released_refund_is_the_deferred_one_again():
    deferred = refund(*GIVEN, transactionStatus="DEFERRED")
    released = refund(*GIVEN, transactionId="T2", transactionStatus="DEFERRED_RELEASED")
    released["relatedIdentifiers"].append(
        {"relatedIdentifierName": "DEFERRED_TRANSACTION_ID", "relatedIdentifierValue": "T1"}
    )
    assert one(refunds(deferred, released), "refunds")["refund_id"] == "T1"


def test_money_given_back_for_the_order_as_a_whole_names_no_line():
    row = one(
        refunds(refund(items=[], totalAmount={"currencyAmount": -7.5, "currencyCode": "USD"})), "refunds"
    )
    assert (row["line_id"], row["amount"], row["net_amount"]) == (None, D("7.50"), None)


def test_a_refund_of_no_order_is_noted():
    read = refunds(refund(*GIVEN, relatedIdentifiers=None))
    assert read.frame("refunds").is_empty()
    assert read.notes == ("refunds that name no order are left out",)


def test_a_refund_without_a_date_is_refused():
    read = refunds(refund(*GIVEN, postedDate=None), refund(*GIVEN, transactionId="T2"))
    assert read.frame("refunds")["refund_id"].to_list() == ["T2"]
    assert read.rejected[0].field == "postedDate"


def test_an_empty_page_of_finances_is_no_error():
    assert normalize.refunds(page({"payload": {"nextToken": "x"}}), context()).frame("refunds").is_empty()


# -- returns -----------------------------------------------------------------------------------------------

_FBA = "return-date order-id sku asin quantity reason status license-plate-number customer-comments marketplace-id"
FBA = _FBA.replace(" ", "\t") + "\n"


def returns(text: str) -> Any:
    return normalize.returns(Page(text.encode(), "tsv"), context())


def test_units_that_came_back_to_amazon():
    row = one(
        returns(
            FBA
            + f"2026-02-07T10:00:00+00:00\t{ORDER}\tSKU-1\tB1\t1\tDEFECTIVE\tReimbursed\tLPN1\tbroken\t{DE}\n"
        ),
        "returns",
    )
    assert (row["channel"], row["return_id"], row["return_line_id"], row["line_id"]) == (
        "amazon-de",
        "LPN1",
        "1",
        "SKU-1#1",
    )
    assert (row["quantity"], row["reason"], row["status"], row["amount"]) == (
        1,
        "DEFECTIVE",
        "Reimbursed",
        None,
    )


def test_a_bad_return_is_refused_without_the_buyers_words():
    read = returns(FBA + f"2026-02-07T10:00:00+00:00\t{ORDER}\tSKU-1\tB1\tsome\tX\tY\tLPN1\tcall me\t{US}\n")
    assert read.frame("returns").is_empty()
    assert read.rejected[0].field == "quantity"
    assert "call me" not in read.rejected[0].raw


def test_returns_to_the_merchant_as_amazon_writes_them():
    names = [
        "Order ID",
        "Return request date",
        "Amazon RMA ID",
        "Merchant SKU",
        "Return quantity",
        "Currency code",
    ]
    head = "\t".join([*names, "Return delivery date", "Refunded Amount"]) + "\n"
    row = one(returns(head + f"{ORDER}\t14-Jul-2025\tRMA1\tSKU-1\t2\tUSD\t\t21.38\n"), "returns")
    # a day of the marketplace, which is seven hours behind in summer
    assert row["returned_at"] == datetime(2025, 7, 14, 7, tzinfo=UTC)
    assert (row["quantity"], row["amount"], row["currency"]) == (2, Decimal("21.38"), "USD")


def test_returns_to_the_merchant():
    names = ["Order ID", "Return request date", "Return request status", "Amazon RMA ID", "Merchant SKU"]
    head = "\t".join([*names, "Return quantity", "Return reason"]) + "\n"
    row = one(
        returns(head + f"{ORDER}\t2026-02-07T10:00:00+00:00\tApproved\tRMA1\tSKU-1\t2\tCR-SWITCHEROO\n"),
        "returns",
    )
    assert (row["return_id"], row["quantity"], row["reason"], row["sku"]) == (
        "RMA1",
        2,
        "CR-SWITCHEROO",
        "SKU-1",
    )
