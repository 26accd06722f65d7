"""Reviews from a file → counts and suggestions, without who wrote them."""

import pytest

from flows import importing
from flows.feedback import feedback
from flows.redaction import person, redact
from tests.warehouse_factories import line, order

pytestmark = [pytest.mark.prefect, pytest.mark.stack]

BAD = "The zipper broke after a week, call me at +1 415 555 0123 or ada@example.com"


def test_a_file_of_reviews_becomes_counts_and_suggestions(settings, prefect_api, loader, client, tmp_path):
    loader.load({"orders": [order("1")], "order_items": [line("1", sku="BAG")]})
    file = tmp_path / "reviews.csv"
    told = [
        "Review ID,Date,SKU,Rating,Reviewer,Order ID,Text",
        f'r1,2026-03-01,BAG,1,Ada Lovelace,,"{BAD}"',
        "r2,2026-03-02,BAG,1,x,1,Arrived broken and torn",
        'r3,2026-03-02T10:00:00-05:00,BAG,2,x,,"Defective, stopped working"',
        "r4,2026-02-10,BAG,5,x,,Lovely bag",
        "r5,2026-02-10,,4,x,,",
        "r6,2026-02-11,BAG,9,x,,too many stars",
        "r7,2/30/2026,BAG,1,x,,no such day",
    ]
    file.write_text("\n".join(told))

    for written in (6, 0):  # five reviews and the listing of a SKU the channel had not named before
        done = importing.import_files(
            [str(file)], "feedback", "reviews", place=importing.Place("shopify"), return_state=True
        )
        assert done.name == "CompletedWithRefused", done.message
        (result,) = done.result()
        assert (result.inserted, result.refused) == (written, 2)
    assert loader.one("SELECT count(*) FROM core.feedback") == 5
    stored = loader.one("SELECT string_agg(f::text, ' ') FROM core.feedback f")
    assert "(address)" in stored
    assert not any(word in stored for word in ("Ada", "ada@", "415"))

    assert feedback(return_state=True).is_completed()
    assert client.query(
        "SELECT sku, product_id > 0, month::String, topic, feedback, rated, mean_rating, negative, positive"
        " FROM analytics.product_feedback WHERE topic IN ('all', 'damaged or defective') ORDER BY sku, month, topic"
    ).result_rows == [
        ("", False, "2026-02-01", "all", 1, 1, 4.0, 0, 1),
        ("BAG", True, "2026-02-01", "all", 1, 1, 5.0, 0, 1),
        ("BAG", True, "2026-03-01", "all", 3, 3, 4 / 3, 3, 0),
        ("BAG", True, "2026-03-01", "damaged or defective", 3, 3, 4 / 3, 3, 0),
    ]
    ((sku, topic, complaints, share, quotes),) = client.query(
        "SELECT sku, topic, complaints, share, quotes FROM analytics.improvement_suggestions"
    ).result_rows
    assert (sku, topic, complaints, share) == ("BAG", "damaged or defective", 3, 0.75)
    assert quotes.splitlines() == ["Defective, stopped working", "Arrived broken and torn"]

    redact(person([], "reviews", ["1"]))  # who wrote one of them is forgotten at once, with his words
    quoted = client.query("SELECT count() FROM analytics.improvement_suggestions WHERE quotes LIKE '%torn%'")
    assert quoted.result_rows == [(0,)]
    assert client.query(
        "SELECT sum(feedback) FROM analytics.product_feedback WHERE topic = 'all'"
    ).result_rows == [(4,)]
