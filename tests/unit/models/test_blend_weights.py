"""Whose forecast counts how much: by class where a series has little past, by the series itself where it has some."""

import numpy as np
import polars as pl

from models.champion import Past, series_skill, skill_of
from models.ensemble import learned_blend

IDS = ("a", "b", "c")


def past(days: int) -> Past:
    """Member `flat` is right on series a and wrong on the others, `steep` the other way round; c is not known."""
    y = np.full((3, days), 10.0)
    y[2] = np.nan
    flat, steep = np.full((3, days), 10.5), np.full((3, days), 14.0)
    flat[1], steep[1] = 14.0, 10.5
    whole = np.ones(3)
    return Past(28, y, {"flat": flat, "steep": steep}, np.zeros(3, dtype=np.int64), whole, whole, whole,
                np.zeros((3, days), dtype=bool))  # fmt: skip


def test_a_series_own_past_counts_the_more_the_longer_it_is():
    little, much = (skill_of(series_skill([past(days)], IDS), IDS) for days in (7, 400))

    assert much["flat"][0] < little["flat"][0] < 1 < little["flat"][1] < much["flat"][1]
    assert much["flat"][2] == 1
    assert skill_of(series_skill([past(7)], IDS), ("new",))["flat"].tolist() == [1.0]


def test_the_blend_leans_to_who_was_right_on_a_series():
    found = past(60)
    table = pl.DataFrame({
        "class": ["smooth"] * 2, "block": [0] * 2, "member": ["flat", "steep"], "ratio": [1.0] * 2, "kept": [True] * 2,
    })  # fmt: skip
    skill = skill_of(series_skill([found], IDS), IDS)
    said = {"flat": np.full((3, 7), 8.0), "steep": np.full((3, 7), 12.0)}

    blended = learned_blend(table, found.group, said, np.zeros((3, 7)), skill)

    assert blended[0, 0] < blended[2, 0] < blended[1, 0]
    np.testing.assert_allclose(blended[2], 10.0)
