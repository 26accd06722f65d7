"""Rows of a PostgreSQL query as a Polars frame, by COPY: typed, exact for money, fast for millions of rows."""

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection, Engine

INSTANT = pl.Datetime("us", "UTC")
MONEY = pl.Decimal(18, 4)

Schema = Mapping[str, Any]


def query(engine: Engine, statement: str, schema: Schema, **values: Any) -> pl.DataFrame:
    """Rows of `statement`; its columns must be those of `schema`, in order. Values are named `%(name)s`."""
    with engine.connect() as connection:
        return fetch(connection, statement, schema, **values)


def fetch(connection: Connection, statement: str, schema: Schema, **values: Any) -> pl.DataFrame:
    """`query` in the transaction of `connection`."""
    dbapi: Any = connection.connection.dbapi_connection
    if dbapi is None:
        raise RuntimeError("connection is closed")
    body = io.BytesIO()
    with dbapi.cursor() as cursor:
        bound = cursor.mogrify(statement, values).decode() if values else statement
        cursor.copy_expert(f"COPY ({bound}) TO STDOUT (FORMAT csv, HEADER)", body)
    return parse(body, schema)


def parse(body: io.BytesIO, schema: Schema) -> pl.DataFrame:
    """What COPY … (FORMAT csv, HEADER) wrote, in the types of `schema`."""
    body.seek(0)
    header = body.readline().decode().strip().split(",")
    if header != list(schema):
        raise ValueError(f"the query gives columns {header}, not {list(schema)}")
    if body.tell() == body.getbuffer().nbytes:
        return pl.DataFrame(schema=dict(schema))
    as_text = {
        name: pl.String if kind == pl.Boolean or isinstance(kind, pl.Datetime) else kind
        for name, kind in schema.items()
    }
    frame = pl.read_csv(body, has_header=False, new_columns=header, schema=as_text, null_values=[""])
    return frame.with_columns(
        *(_instant(name, kind) for name, kind in schema.items() if isinstance(kind, pl.Datetime)),
        *(pl.col(name) == "t" for name, kind in schema.items() if kind == pl.Boolean),
    )


def _instant(name: str, kind: pl.Datetime) -> pl.Expr:
    # PostgreSQL leaves out the fraction when it is zero; sessions are in UTC, so the offset is always +00.
    bare = pl.col(name).str.strip_suffix("+00")
    return (
        bare.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit=kind.time_unit, strict=True)
        .dt.replace_time_zone("UTC")
        .alias(name)
    )
