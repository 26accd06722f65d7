"""Tone learned from stars, topics by their words, suggestions with the words they come from."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from models import reviews

START = datetime(2026, 3, 1, tzinfo=UTC)


def feedback(*rows: tuple[str, str | None, float | None]) -> pl.DataFrame:
    """(sku, text, rating), a day apart."""
    return pl.DataFrame(
        [(*row, START + timedelta(days=n)) for n, row in enumerate(rows)],
        schema={
            "sku": pl.String,
            "text": pl.String,
            "rating": pl.Float64,
            "posted_at": pl.Datetime("us", "UTC"),
        },
        orient="row",
    )


def rated(count: int) -> list[tuple[str, str | None, float | None]]:
    kinds = [
        ("it broke after a day, terrible", 1.0),
        ("it is okay, nothing more", 3.0),
        ("lovely and sturdy", 5.0),
    ]
    return [("MUG", f"{text} number {n}", stars) for n in range(count) for text, stars in kinds]


def test_texts_without_a_rating_are_read_as_the_rated_ones_taught():
    unrated = [("MUG", "terrible, it broke", None), ("MUG", "lovely and sturdy", None)]
    read = reviews.read(feedback(*rated(60), *unrated))
    assert read["tone"].tail(2).to_list() == ["negative", "positive"]


def test_a_rating_is_believed_and_a_few_texts_teach_nothing():
    read = reviews.read(feedback(("MUG", "lovely", 1.0), ("MUG", "lovely", None), ("MUG", None, 5.0)))
    assert read["tone"].to_list() == ["negative", None, "positive"]


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Arrived LATE, box crushed", ["delivery", "packaging"]),
        ("not as described: the colour is different", ["not as described"]),
        ("My translation: fitting", ["size and fit"]),  # "late" inside a word is no delivery
        ("ok", []),
    ],
)
def test_topics_are_found_by_the_beginnings_of_words(text, topics):
    assert reviews.topics_of(text) == topics


def test_a_suggestion_needs_several_complaints_and_quotes_the_newest():
    read = reviews.read(
        feedback(
            ("MUG", "Arrived late", 1.0),
            ("MUG", "Very late\n delivery", 2.0),
            ("MUG", "Delivered to the wrong house", 1.0),
            ("MUG", "Arrived fast", 5.0),
            ("PEN", "Arrived late", 1.0),
        )
    )
    (found,) = reviews.suggestions(read).iter_rows(named=True)
    assert (found["sku"], found["topic"], found["complaints"], found["share"]) == ("MUG", "delivery", 3, 0.75)
    assert found["quotes"] == ["Delivered to the wrong house", "Very late delivery"]
    assert found["advice"] == reviews.ADVICE["delivery"]
