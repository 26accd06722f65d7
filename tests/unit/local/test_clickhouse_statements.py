"""Telling a statement from the data behind it."""

import pytest

from deployments.local.clickhouse_statements import output_format, split_insert, starts_insert, words


@pytest.mark.parametrize(
    ("text", "form", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2\n", "CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT CSV\r\n1,2\n", "CSV", b"1,2\n"),
        (b"insert into t (a, `FORMAT b`) format Native\n\x01\x00", "Native", b"\x01\x00"),
        (b"INSERT INTO t FORMAT JSONEachRow {}", "JSONEachRow", b"{}"),
        (b"INSERT INTO db.values VALUES (1)", "Values", b" (1)"),
        (b"INSERT INTO t VALUES ('FORMAT CSV')", "Values", b" ('FORMAT CSV')"),
        (b"-- FORMAT X\n/* SELECT */ INSERT INTO t -- VALUES\n(a) FORMAT TSV\n\n1", "TSV", b"\n1"),
        (b"INSERT INTO t SETTINGS async_insert = 1 FORMAT TSV\n1", "TSV", b"1"),
        (b"INSERT INTO FUNCTION null('a Int8') FORMAT TSV\n1", "TSV", b"1"),
    ],
)
def test_an_insert_ends_where_its_data_begins(text: bytes, form: str, data: bytes) -> None:
    insert = split_insert(text)

    assert insert is not None
    assert (insert.format, text[insert.data_at :]) == (form, data)


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 'INSERT INTO t FORMAT CSV'",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t WITH 1 AS x SELECT x",
        b"INSERT INTO t (a",
        b"",
    ],
)
def test_other_statements_have_no_data(text: bytes) -> None:
    assert split_insert(text) is None


def test_a_file_goes_before_the_settings() -> None:
    text = b"INSERT INTO t (a) SETTINGS max_threads = 1 FORMAT CSV\n1"
    insert = split_insert(text)

    assert insert is not None
    assert insert.from_file("x.data").split() == (
        b"INSERT INTO t (a) FROM INFILE 'x.data' SETTINGS max_threads = 1 FORMAT CSV".split()
    )


def test_an_insert_is_known_by_its_first_word() -> None:
    assert starts_insert(b" /* x */ insert into t")
    assert starts_insert(b" ins")
    assert not starts_insert(b"SELECT 1")


def test_a_format_inside_a_string_or_a_subquery_is_not_the_outputs() -> None:
    assert output_format(b"SELECT 'x FORMAT CSV'") is None
    assert output_format(b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1") == "JSON"
    assert output_format(b"SELECT format('{}', 1)") is None


def test_words_leave_strings_out_and_unquote_names() -> None:
    assert words(b"SELECT `file`('file') FROM \"system\".x") == [
        b"SELECT",
        b"FILE",
        b"(",
        b")",
        b"FROM",
        b"SYSTEM",
        b".",
        b"X",
    ]
