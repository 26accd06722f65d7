"""How far each resource has provably been read, and what to read next."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from warehouse import sql
from warehouse.batch import Span


def read_until(engine: Engine, account: str, resource: str) -> datetime | None:
    """Everything changed before this instant has been read; None: nothing yet."""
    with engine.connect() as connection:
        value = connection.scalar(
            text("SELECT read_until FROM ops.watermarks WHERE account = :account AND resource = :resource"),
            {"account": account, "resource": resource},
        )
    assert value is None or isinstance(value, datetime)
    return value


def behind(engine: Engine, account: str, resource: str, *, earliest: datetime) -> dict[str, datetime]:
    """Channels of an account that were read less far than the others, with the instant they were read until.

    They could not be read for a while, or were added since; then nothing before `earliest` is asked for.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(sql.read("channels_behind")),
            {"account": account, "resource": resource, "earliest": earliest},
        )
        return {str(row.name): row.read_until for row in rows}


def next_window(
    engine: Engine,
    account: str,
    resource: str,
    *,
    until: datetime,
    lookback: timedelta,
    earliest: datetime,
) -> Span:
    """The next half-open window: from the watermark less `lookback`, or from `earliest`, up to `until`.

    `until` is fixed before the first page is asked for and must leave out what the source does not show yet.
    Reading a little again is harmless: merging what is known writes nothing.
    """
    known = read_until(engine, account, resource)
    since = earliest if known is None else max(known - lookback, earliest)
    return Span(min(since, until), until)
