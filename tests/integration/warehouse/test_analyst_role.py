"""The analyst of a ClickHouse server: the statements are understood, and the embedded engine's role is left alone."""

import pytest

from warehouse import analyst


def test_the_role_of_the_embedded_engine_is_left_alone(published):
    assert analyst.ensure(published) is None


@pytest.mark.parametrize("statement", analyst.STATEMENTS)
def test_a_server_understands_how_the_role_is_made(published, statement):
    (row,) = published.query("SELECT formatQuery({s:String})", parameters={"s": statement}).result_rows
    assert "analyst" in row[0]
