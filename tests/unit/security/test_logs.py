"""Nothing secret or personal in a line, no line that forges another, and every line says what it is about."""

import io
import json
import logging

import pytest

from flows import connections, logs


@pytest.fixture
def lines(monkeypatch):
    """What a logger of somebody else's writes: (its lines, the logger)."""
    monkeypatch.setenv("WALMART_CLIENT_SECRET", "hunter2-hunter2")
    connections.forget()
    out = io.StringIO()
    logger = logging.getLogger("a.third.party")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.JsonLines())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()], logger
    logger.removeHandler(handler)
    connections.forget()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "GET https://api.example/?access_token=abcdef123&x=1",
            "GET https://api.example/?access_token=***&x=1",
        ),
        ("postgresql://wharf:pa55word@db/wharf", "postgresql://wharf:***@db/wharf"),
        ("header Authorization: Bearer eyJhbGciOi.J9", "header Authorization: Bearer ***"),
        ("got Atza|IwEBIabcdef and shpat_0123456789ab", "got *** and ***"),
        ('{"refresh_token": "verysecret"}', '{"refresh_token": "***"}'),
        ("buyer ada.lovelace+x@example.co.uk wrote", "buyer (address) wrote"),
        ("the secret is hunter2-hunter2!", "the secret is ***!"),
        ("12 orders, 3 refused at 10:05, 50% @ 3.00", "12 orders, 3 refused at 10:05, 50% @ 3.00"),
    ],
)
def test_secrets_and_addresses_do_not_reach_a_line(lines, text, kept):
    read, logger = lines
    logger.debug("%s", text)
    assert read()[0]["message"] == kept


def test_an_error_is_cleaned_too(lines):
    read, logger = lines
    try:
        int("ada@example.com")
    except ValueError:
        logger.exception("failed")
    assert "'(address)'" in read()[0]["error"]
    assert "ada@" not in json.dumps(read())


def test_a_record_is_one_line_and_says_what_it_is_about(lines):
    read, logger = lines
    with logs.about(run=7, account="shopify", resource="orders", window="../2026-03-01"):
        logger.warning("title %s", "Mug\r\n2026 CRITICAL forged")
    logger.warning("%d", "no number")
    first, second = read()
    assert first["message"] == "title Mug 2026 CRITICAL forged"
    assert (first["run"], first["account"], first["resource"]) == ("7", "shopify", "orders")
    assert "run" not in second
    assert "does not fit" in second["message"]


def test_what_a_run_ledger_keeps_of_an_error():
    assert logs.told(ValueError("no user bob@example.com")) == "ValueError: no user (address)"
