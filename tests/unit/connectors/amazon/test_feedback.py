"""What buyers say of the seller: the report of every country, and nothing that says who they are."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.amazon import normalize
from connectors.amazon.stored import normalize_stored, stored_context
from connectors.base import Page
from connectors.canonical import FEEDBACK, Normalized
from connectors.errors import ProtocolError
from connectors.sandbox.amazon_orders import order_id
from connectors.stored import normalize_files
from tests.amazon_bench import bench
from tests.amazon_factories import CA, DE, FETCHED, JP, ORDER, UK, US, Shop, context, one, sale

NAMES = (
    "Date|Rating|Comments|Your Response|Arrived on Time|Item as Described|Customer Service|Order ID|Rater Email|"
    "Rater Role"
).split("|")
EMAIL = "b4nct2q@marketplace.amazon"


def line(**changes: str) -> list[str]:
    told = dict.fromkeys(NAMES, "") | {
        "Date": "1/31/26",
        "Rating": "2",
        "Comments": "late",
        "Order ID": ORDER,
    }
    return list((told | {"Rater Email": f"{EMAIL}.com"} | changes).values())


def report(*lines: list[str], place: str | None = US, names: list[str] = NAMES) -> bytes:
    rows = [names, *lines]
    added = [] if place is None else ["marketplace-id", *[place] * len(lines)]
    return "".join("\t".join(row + added[at : at + 1]) + "\r\n" for at, row in enumerate(rows)).encode()


def read(*lines: list[str], place: str = US, **how: Any) -> Normalized:
    page = Page(report(*lines, place=place, **how), "tsv")
    return normalize.feedback(page, context(US, CA, DE, UK, JP))


def test_a_statement_is_stars_and_words_of_an_order_and_nothing_else():
    row = one(read(line()), "feedback")
    assert row == {
        "channel": "amazon-us",
        "feedback_id": ORDER,
        "order_external_id": ORDER,
        "sku": None,
        "rating": 2,
        "text": "late",
        "posted_at": datetime(2026, 1, 31, 8, tzinfo=UTC),  # the day begins in Los Angeles
    }
    assert list(row) == list(FEEDBACK)


@pytest.mark.parametrize(
    ("place", "written", "day"),
    [
        (US, "2/3/26", "2026-02-03"),
        (US, "12/31/2025", "2025-12-31"),
        (US, "31/12/25", "2025-12-31"),  # there is no 31st month
        (CA, "03/02/26", "2026-02-03"),
        (UK, "03/02/26", "2026-02-03"),
        (UK, "12/31/25", "2025-12-31"),
        (DE, "03.02.26", "2026-02-03"),
        (JP, "26/02/03", "2026-02-03"),
        (JP, "2026/02/03", "2026-02-03"),
        (DE, "2026-02-03", "2026-02-03"),
    ],
)
def test_a_day_is_read_as_its_country_writes_it_and_is_that_day_there(place, written, day):
    [row] = read(line(Date=written), place=place).frame("feedback").to_dicts()
    zone = next(c.timezone for c in context(US, CA, DE, UK, JP).account.channels if c.name == row["channel"])
    [local] = read(line(Date=written), place=place).frame("feedback")["posted_at"].dt.convert_time_zone(zone)
    assert local.isoformat()[:16] == f"{day}T00:00"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Rating": "6"}, "rating"),
        ({"Rating": "good"}, "rating"),
        ({"Rating": "", "Comments": ""}, "rating"),
        ({"Date": ""}, "date"),
        ({"Date": "30.30.26"}, "date"),
        ({"Date": "yesterday"}, "date"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_without_the_buyers_words(change, field):
    found = read(line(**({"Comments": "I am Jane"} | change)), line(**{"Order ID": "2"}))
    [refused] = found.rejected
    assert (refused.natural_key, refused.field) == (ORDER, field)
    assert "Jane" not in refused.raw
    assert EMAIL not in refused.raw
    assert found.frame("feedback")["feedback_id"].to_list() == ["2"]


def test_ways_to_reach_the_buyer_are_taken_out_of_his_words():
    said = "write to jane.doe@example.com or call +1 (555) 010-4477, 2 of 3 arrived in 2026"
    row = one(read(line(Comments=said)), "feedback")
    assert row["text"] == "write to (address) or call (number), 2 of 3 arrived in 2026"


def test_a_header_in_another_language_is_read_by_place_and_a_short_one_is_an_error():
    german = [
        "Datum",
        "Bewertung",
        "Kommentare",
        "Antwort",
        "P",
        "A",
        "K",
        "Bestellnummer",
        "E-Mail",
        "Rolle",
    ]
    assert one(read(line(Date="03.02.26"), place=DE, names=german), "feedback")["order_external_id"] == ORDER
    with pytest.raises(ProtocolError, match="order-id"):
        read(["x", "y"], names=["one", "two"])


def test_without_an_order_a_statement_is_known_by_what_it_says():
    found = read(line(**{"Order ID": ""}), line(**{"Order ID": "", "Comments": "rude"})).frame("feedback")
    assert found["feedback_id"].n_unique() == 2
    assert found["order_external_id"].to_list() == [None, None]


def test_a_stored_report_tells_its_marketplace_by_the_relay_address(tmp_path: Path):
    body = report(line(Date="03.02.26", **{"Rater Email": f"{EMAIL}.de"}), line(), place=None)
    found = normalize_stored("feedback", [("report.txt", body)], stored_context(FETCHED)).frame("feedback")
    assert found["channel"].to_list() == ["amazon-de", "amazon-us"]
    assert found["posted_at"].dt.date().cast(str).to_list() == ["2026-02-02", "2026-01-31"]

    (tmp_path / "report.txt").write_bytes(body)
    shown = normalize_files("amazon", "feedback", [tmp_path / "report.txt"])
    assert [row["order_id"] for row in shown["feedback"]] == [ORDER, ORDER]
    assert EMAIL not in json.dumps(shown)


def test_it_is_asked_for_by_marketplace_and_read_once():
    sent = [sale(n, 24 * 30, delivered_at=FETCHED - timedelta(days=25)) for n in range(1, 101)]
    with bench(Shop(*sent)) as it:
        read = it.read("feedback", FETCHED - timedelta(days=40))
        again = it.read("feedback", FETCHED - timedelta(days=400))
        assert it.asked("createReport") == 1 + 2
    found = read.frame("feedback")
    assert 2 <= found.height <= 30
    assert found.equals(again.frame("feedback"))
    assert set(found["order_external_id"]) <= {order_id(n) for n in range(1, 101)}
    assert found["posted_at"].min() >= FETCHED - timedelta(days=26)
    assert found["rating"].is_between(1, 5).all()
