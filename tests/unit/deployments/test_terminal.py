"""Marketplaces' words reach a terminal as words: no escape sequence, no forged line."""

import polars as pl

from deployments.cli import explain
from deployments.commands.output import shown
from flows.settings import WorkFailedError

TRICK = "Mug\x1b[2J\x1b]0;owned\x07\rok\u202egpj"


def test_a_table_holds_no_escape_sequence():
    told = shown(pl.DataFrame({"title": [TRICK], "units": [3]}))
    assert "Mug" in told
    assert "3" in told
    assert not set(told) & set("\x1b\x07\r\u202e")


def test_nor_does_an_error():
    told, _ = explain(WorkFailedError(f"no such product: {TRICK}"))
    assert told.startswith("no such product: Mug")
    assert not set(told) & set("\x1b\x07\r\u202e")
