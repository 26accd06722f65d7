"""How far each resource has provably been read, and what to read next."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, text

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
