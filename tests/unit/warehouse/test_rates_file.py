"""Files of exchange rates: the ECB's two forms, zipped or not, and plain rows; and what is refused."""

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest

from warehouse import rates
from warehouse.rates import Reporting
from warehouse.rates_file import RatesError, parse

# As eurofxref-hist.csv comes: newest first, a comma at the end, N/A where a currency had no rate.
ECB_CSV = b"""Date,USD,JPY,GBP,TRL,
2026-03-06,1.2500,160.00,0.8000,N/A,
2026-03-05,1.2000,159.00,0.7500,N/A,
"""
ECB_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <Cube><Cube time="2026-03-06"><Cube currency="USD" rate="1.2500"/><Cube currency="JPY" rate="160.00"/>
  <Cube currency="GBP" rate="0.8000"/></Cube>
  <Cube time="2026-03-05"><Cube currency="USD" rate="1.2000"/><Cube currency="JPY" rate="159.00"/>
  <Cube currency="GBP" rate="0.7500"/></Cube></Cube>
</gesmes:Envelope>"""


def zipped(body):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("eurofxref-hist.csv", body)
    return buffer.getvalue()


def found(frame):
    return {(row["currency"], row["date"].day): row["rate"] for row in frame.iter_rows(named=True)}


@pytest.mark.parametrize("body", [ECB_CSV, ECB_XML, zipped(ECB_CSV), b"\xef\xbb\xbf" + ECB_CSV])
def test_what_the_ecb_publishes_is_crossed_to_the_reporting_currency(body):
    assert found(parse(body, "USD")) == {
        ("EUR", 6): Decimal("1.25"),
        ("EUR", 5): Decimal("1.2"),
        ("GBP", 6): Decimal("1.5625"),  # 1.25 / 0.80
        ("GBP", 5): Decimal("1.6"),
        ("JPY", 6): Decimal("0.0078125"),
        ("JPY", 5): Decimal("0.007547169811"),
    }
    assert found(parse(body, "EUR"))["USD", 6] == Decimal("0.8")


def test_plain_rows_are_taken_as_they_are():
    assert found(parse(b"date, currency, rate\n2026-03-06, eur, 1.1\n\n", "USD")) == {
        ("EUR", 6): Decimal("1.1")
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "first column"),
        (b"currency;rate\n", "first column"),
        (b"date,currency,rate\n2026-03-06,EUR,abc\n", "line 2: 'abc' is no number"),
        (b"date,currency,rate\n2026-03-06,EUR,NaN\n", "no exchange rate"),
        (b"date,currency,rate\n2026-03-06,EUR,0\n", "no exchange rate"),
        (b"date,currency,rate\n06.03.2026,EUR,1\n", "no date"),
        (b"date,currency,rate\n2026-03-06,EURO,1\n", "no ISO 4217"),
        (b"date,currency,rate\n2026-03-06,EUR\n", "2 columns"),
        (b"Date,JPY\n2026-03-06,160\n", "no rate of USD"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "document type"),
        (b"<x/>", "no rates"),
        (b"<x", "not XML"),
        (b"PK\x03\x04 broken", "zip"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said(body, says):
    with pytest.raises(RatesError, match=says):
        parse(body, "USD", "rates.csv")


@pytest.mark.parametrize(
    ("stale", "known"), [(2, [6, 6, 6, None, 10]), (3, [6, 6, 6, 6, 10]), (0, [6, None, None, None, 10])]
)
def test_a_weekend_takes_fridays_rate_and_a_long_silence_none(stale, known):
    import polars as pl

    kept = parse(b"date,currency,rate\n2026-03-06,EUR,1.1\n2026-03-10,EUR,1.2\n2026-01-01,XAU,9\n", "USD")
    needed = pl.DataFrame({"currency": ["EUR"], "first": [date(2026, 3, 6)], "last": [date(2026, 3, 10)]})
    rows = rates.in_force(kept, needed, Reporting("USD", stale))
    assert [day and day.day for day in rows["rate_date"]] == known
    assert rows["rate"].null_count() == known.count(None)


def test_days_are_told_as_spans():
    days = [("JPY", date(2026, 3, d)) for d in (2, 3, 4, 9)] + [("EUR", date(2026, 3, 3))]
    assert rates.spans(days) == ["EUR 2026-03-03", "JPY 2026-03-02 to 2026-03-04 (3 days)", "JPY 2026-03-09"]
