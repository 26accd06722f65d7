"""What buyers say: tone, topics, and what to improve, each with the words it was read from. Frames in, frames out.

Tone is learned from the merchant's own rated texts and put on those without a rating. Topics are lists of words a
person can read and correct: with the few hundred texts a seller has, they beat what a topic model finds.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

Tone = Literal["negative", "neutral", "positive"]
TONES: tuple[Tone, ...] = ("negative", "neutral", "positive")
FEWEST_RATED = (
    150  # texts below which nothing is learned: a rating then speaks for itself, the rest is unknown
)
FEWEST_OF_A_TONE = 10
FEWEST_COMPLAINTS = 3  # about one topic of one product before it is worth a suggestion
QUOTES = 2
QUOTE_LENGTH = 160

# Beginnings of words; "*" in the middle would be a rule nobody can read.
TOPICS: dict[str, tuple[str, ...]] = {
    "delivery": ("deliver", "shipping", "shipped", "arriv", "late", "courier", "carrier", "tracking", "lost in"),
    "packaging": ("packag", "wrapp", "dented", "crushed", "leak", "broken in transit"),
    "damaged or defective": ("broken", "broke", "defect", "damag", "stopped working", "faulty", "ripped", "torn"),
    "size and fit": ("size", "fit", "small", "large", "tight", "loose", "short", "long", "big", "petite", "narrow"),
    "quality": ("quality", "cheap", "thin", "flimsy", "material", "fabric", "durab", "sturdy", "well made", "itchy"),
    "not as described": ("not as described", "described", "picture", "photo", "color", "colour", "misleading", "fake"),
    "wrong or missing item": ("wrong item", "missing", "not what i ordered", "incomplete", "different item"),
    "price": ("price", "expensive", "overpriced", "value", "worth", "money"),
    "service": ("service", "seller", "refund", "response", "return", "reply", "rude", "helpful"),
}  # fmt: skip

ADVICE: dict[str, str] = {
    "delivery": "check the carrier and the promised delivery time",
    "packaging": "pack it better",
    "damaged or defective": "inspect the stock and ask the supplier",
    "size and fit": "state measurements in the listing",
    "quality": "look at the material with the supplier, or say in the listing what it is",
    "not as described": "correct text and pictures of the listing",
    "wrong or missing item": "check picking of this SKU",
    "price": "compare the price with what buyers expect of it",
    "service": "look at how fast these buyers were answered",
}


@dataclass(frozen=True)
class ToneModel:
    """Fitted on rated texts; None stands for: too few to learn from."""

    pipeline: Any | None

    def tones(self, texts: list[str]) -> list[Tone | None]:
        """The tone of each text; None where nothing was learned."""
        if self.pipeline is None or not texts:
            return [None] * len(texts)
        return [TONES[int(found)] for found in self.pipeline.predict(texts)]


def tone_of_rating(rating: float | None) -> Tone | None:
    """Of 1 to 5 stars: 1 and 2 are negative, 3 is neutral."""
    if rating is None:
        return None
    return "negative" if rating < 3 else "positive" if rating > 3 else "neutral"


def fit_tone(texts: list[str], ratings: list[float]) -> ToneModel:
    """Words and pairs of words (TF-IDF) into a logistic regression, every tone weighing the same.

    Buyers rate mostly 5 stars; without equal weights a model that says "positive" always looks good.
    """
    tones = [tone_of_rating(rating) for rating in ratings]
    counts = [tones.count(tone) for tone in TONES]
    if len(texts) < FEWEST_RATED or min(counts) < FEWEST_OF_A_TONE:
        return ToneModel(None)
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode")
    learner = LogisticRegression(C=2.0, class_weight="balanced", max_iter=400)
    pipeline = make_pipeline(words, learner)
    return ToneModel(pipeline.fit(texts, [TONES.index(tone) for tone in tones if tone is not None]))


def topics_of(text: str) -> list[str]:
    """The topics a text speaks of, in the order of TOPICS."""
    return [topic for topic, pattern in _PATTERNS.items() if pattern.search(text)]


_PATTERNS = {
    topic: re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + ")", re.IGNORECASE)
    for topic, words in TOPICS.items()
}


def read(feedback: pl.DataFrame) -> pl.DataFrame:
    """`feedback` (text, rating 1 to 5 or null) with `tone` and `topics`.

    A rating is believed; texts without one are read by a model fitted on those with one.
    """
    rated = feedback.filter(pl.col("rating").is_not_null() & (pl.col("text").fill_null("") != ""))
    model = fit_tone(rated["text"].to_list(), rated["rating"].to_list())
    texts = feedback["text"].fill_null("").to_list()
    guessed = model.tones(texts)
    tones = [
        tone_of_rating(rating) or (guess if text else None)
        for rating, guess, text in zip(feedback["rating"], guessed, texts, strict=True)
    ]
    return feedback.with_columns(
        tone=pl.Series(tones, dtype=pl.String),
        topics=pl.Series([topics_of(text) for text in texts], dtype=pl.List(pl.String)),
    )


def by_month(read_feedback: pl.DataFrame) -> pl.DataFrame:
    """Counts by product_id, sku, month and topic (`all`: every statement): feedback, rated, mean_rating, negative,
    neutral, positive.

    `read_feedback`: what `read` gives, with `product_id`, `sku` and `posted_date`.
    """
    every = pl.concat([
        read_feedback.with_columns(topic=pl.lit("all")),
        read_feedback.with_columns(topic=pl.col("topics")).explode("topic", empty_as_null=True).drop_nulls("topic"),
    ])  # fmt: skip
    return (
        every.group_by("sku", pl.col("posted_date").dt.truncate("1mo").alias("month"), "topic")
        .agg(
            pl.col("product_id").max(),
            feedback=pl.len().cast(pl.Int64),
            rated=pl.col("rating").count().cast(pl.Int64),
            mean_rating=pl.col("rating").mean(),
            **{tone: (pl.col("tone") == tone).sum().cast(pl.Int64) for tone in TONES},
        )
        .sort("sku", "month", "topic")
    )


def suggestions(read_feedback: pl.DataFrame) -> pl.DataFrame:
    """What to improve: sku, topic, complaints, share (of the SKU's texts), advice, quotes; most complaints first.

    `read_feedback`: what `read` gives, with `sku` and `posted_at`. Quotes are the newest complaints, word for word.
    """
    said = read_feedback.filter(pl.col("text").fill_null("") != "").with_columns(
        pl.len().over("sku").alias("texts")
    )
    complaints = said.filter(pl.col("tone") == "negative").explode("topics").drop_nulls("topics")
    shortened = pl.col("text").str.replace_all(r"\s+", " ").str.slice(0, QUOTE_LENGTH)
    return (
        complaints.sort("posted_at", descending=True)
        .group_by("sku", pl.col("topics").alias("topic"), maintain_order=True)
        .agg(
            complaints=pl.len().cast(pl.Int64),
            share=pl.len() / pl.col("texts").first(),
            quotes=shortened.head(QUOTES),
        )
        .filter(pl.col("complaints") >= FEWEST_COMPLAINTS)
        .with_columns(advice=pl.col("topic").replace_strict(ADVICE, return_dtype=pl.String))
        .sort("complaints", "sku", "topic", descending=[True, False, False])
    )
