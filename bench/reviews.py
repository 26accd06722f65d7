"""Tone of reviews against their stars: `python -m bench.reviews FILE`, a table with "Review Text" and "Rating".

Five folds; macro F1 over negative (1, 2), neutral (3) and positive (4, 5), beside always saying "positive" and a
plain word list.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import polars as pl

from models import reviews

OUT = Path("bench-results")
GOOD = "love loved great perfect beautiful comfortable nice flattering soft amazing happy best".split()
BAD = "disappointed bad poor cheap return returned unfortunately huge awful terrible itchy worst".split()


def word_list(text: str) -> int:
    """The baseline: more good words than bad ones, fewer, or as many."""
    words = re.findall("[a-z]+", text.lower())
    balance = sum(word in GOOD for word in words) - sum(word in BAD for word in words)
    return 2 if balance > 0 else 0 if balance < 0 else 1


def main() -> int:
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    table = (pl.read_parquet if file.suffix == ".parquet" else pl.read_csv)(file).drop_nulls("Review Text")
    texts, ratings = table["Review Text"].to_list(), table["Rating"].cast(pl.Float64).to_list()
    truth = [reviews.TONES.index(reviews.tone_of_rating(rating) or "neutral") for rating in ratings]
    said: dict[str, list[int]] = {
        "learned from stars": [0] * len(texts),
        "word list": [word_list(text) for text in texts],
        "always positive": [2] * len(texts),
    }
    began = time.process_time()
    for known, held in StratifiedKFold(5, shuffle=True, random_state=7).split(texts, truth):
        model = reviews.fit_tone([texts[i] for i in known], [ratings[i] for i in known])
        for i, tone in zip(held, model.tones([texts[i] for i in held]), strict=True):
            said["learned from stars"][i] = reviews.TONES.index(tone or "neutral")
    seconds = time.process_time() - began
    rows = [
        {"reader": name, "macro F1": f1_score(truth, found, average="macro"), "texts": len(texts)}
        | dict(zip((f"F1 {t}" for t in reviews.TONES), f1_score(truth, found, average=None), strict=True))
        for name, found in said.items()
    ]
    with pl.Config(tbl_cols=-1, tbl_hide_dataframe_shape=True):
        sys.stdout.write(f"{pl.DataFrame(rows)}\nCPU seconds for five folds: {seconds:.0f}\n")
    OUT.mkdir(exist_ok=True)
    (OUT / "reviews.json").write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
