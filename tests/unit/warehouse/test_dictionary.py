"""docs/data-dictionary.md says what the tables say."""

from warehouse import dictionary


def test_the_file_is_in_step_with_the_tables():
    written = (dictionary.DOCS / "data-dictionary.md").read_text(encoding="utf-8")
    assert written == dictionary.render(), "run `make docs`"


def test_every_table_and_column_says_what_it_is():
    from warehouse.tables import metadata
    from warehouse.tables.analytics import metadata as analytics

    for table in (*metadata.sorted_tables, *analytics.sorted_tables):
        assert table.comment, table.name
        assert "Grain" in table.comment, table.name
        assert [column.name for column in table.columns if not column.comment] == [], table.name
