"""docs/data-dictionary.md, written from the comments of the tables: `make docs`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from warehouse.tables import metadata as core
from warehouse.tables.analytics import metadata as analytics

DOCS = Path(__file__).parents[1] / "docs"
_HEAD = """\
# Data dictionary

Written by `make docs` from the comments of the tables; the same text is in the databases themselves. Change it there.

- Money is exact, in the currency named beside it. `total_revenue` is after discounts, before tax and shipping.
- `date` is a business day of the channel's own time zone, 23 to 25 hours long.
- ClickHouse tables hold one row per key and are read as they are: no `FINAL`, no `GROUP BY` to remove duplicates.
- `channel_id` and `product_id` are the same in both databases. `product_id` 0 stands for no product.

How the sales tables differ:

| question | table |
|---|---|
| what did the orders of a day come to, as of now | `daily_sales_summary` |
| what happened on a day (refunds on the day they were given) | `daily_sales_as_happened` |
| the same in one currency | `daily_sales_reporting` |
| how many orders | `daily_channel_sales`, by place `daily_region_sales` |
| which published day moved, by how much, why | `restatements` |
"""


def render() -> str:
    """The whole file."""
    parts = [_HEAD, "## ClickHouse: `analytics`, for analysts\n", *_tables(analytics.sorted_tables)]
    parts += [
        "## Example queries\n",
        "Each is run by a test and compared with figures computed from `core`.\n",
        *_queries(),
    ]
    for schema, title in (("core", "what we believe"), ("ops", "what ran, what was refused, what waits")):
        found = [table for table in core.sorted_tables if table.schema == schema]
        parts += [f"## PostgreSQL: `{schema}`, {title}\n", *_tables(found)]
    return "\n".join(parts).rstrip() + "\n"


def _tables(tables: Iterable[Table]) -> Iterator[str]:
    for table in sorted(tables, key=lambda t: t.name):
        yield f"### {table.name}\n"
        yield f"{table.comment}\n"
        yield "| column | type | meaning |\n|---|---|---|"
        yield from (
            f"| `{column.name}` | {_type(column)} | {_cell(column.comment)} |" for column in table.columns
        )
        yield ""


def _queries() -> Iterator[str]:
    for path in sorted((DOCS / "queries").glob("*.sql")):
        yield f"`docs/queries/{path.name}`\n"
        yield f"```sql\n{path.read_text(encoding='utf-8').strip()}\n```\n"


def _type(column: Any) -> str:
    name = getattr(column.type, "name", None)  # ClickHouse's own words
    text = str(name or column.type).lower() if name is None else str(name)
    return f"{text}{', or null' if column.nullable and 'Nullable' not in text else ''}"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


if __name__ == "__main__":
    (DOCS / "data-dictionary.md").write_text(render(), encoding="utf-8")
