"""Orders and totals of a day, as the source counts them, as core has them and as ClickHouse shows them.

Core is counted the way the source says it counts (with or without orders cancelled since). A difference is
*explained* when it must be there: the day was not read to its end yet, it lies before what the source keeps or what
we ever asked for, cancelled orders or edits alone make it, or the source gives no figure. Everything else is
unexplained.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from clickhouse_connect.driver.client import Client
from sqlalchemy import Engine, text

from warehouse import frames, sql
from warehouse.batch import Run
from warehouse.reconcile_edits import Edits
from warehouse.tables.analytics import DATABASE

State = Literal["agrees", "explained", "repaired", "differs"]
_CANCELLED = "orders cancelled since are counted by one side only"
CENT = Decimal("0.01")  # amounts are compared to the cent: sources round their totals
_MEASURES = {
    "orders": ("orders_placed", "orders_cancelled"),
    "units": ("units_ordered", "units_cancelled"),
    "gross_amount": ("ordered_amount", "cancelled_amount"),
}


@dataclass(frozen=True)
class Figure:
    """One figure of one business day in three places. `delta` is ours - theirs."""

    account: str
    channel: str
    channel_id: int
    day: date
    measure: str
    currency: str | None
    theirs: Decimal | None
    ours: Decimal | None
    published: Decimal | None
    state: State = "agrees"
    explanation: str | None = None

    @property
    def delta(self) -> Decimal | None:
        return None if self.theirs is None or self.ours is None else self.ours - self.theirs

    def row(self) -> dict[str, Any]:
        """One line of a table, plain."""
        return {**asdict(self), "delta": self.delta}


class Sight(NamedTuple):
    """How far an account's orders can be seen: read before `read_until`, asked for since `asked_since`, kept by the
    source since `kept_since`."""

    read_until: datetime | None
    asked_since: datetime | None
    kept_since: datetime | None


class Place(NamedTuple):
    """A channel to compare."""

    account: str
    name: str
    id: int
    timezone: str


def places(engine: Engine, account: str) -> list[Place]:
    """The channels of `account`."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT account, name, id, timezone FROM core.channels"
                " WHERE account = :account AND is_active ORDER BY id"
            ),
            {"account": account},
        )
        return [Place(*row) for row in rows]


def asked_since(engine: Engine, account: str) -> datetime | None:
    """The earliest instant any successful run or import asked this account's orders for; None: never."""
    with engine.connect() as connection:
        value = connection.scalar(
            text(
                "SELECT min(since) FROM ops.runs WHERE account = :account AND resource = 'orders'"
                " AND outcome IN ('done', 'degraded') AND kind IN ('sync', 'backfill')"
            ),
            {"account": account},
        )
    assert value is None or isinstance(value, datetime)
    return value


def in_core(engine: Engine, place: Place, first: date, last: date) -> pl.DataFrame:
    """Orders as placed, by day and currency: date, currency and the columns of `_MEASURES`."""
    days = sql.read("ordered_days").replace("{channels}", "AND o.channel_id = %(channel)s")
    days = days.replace(":first", "%(first)s").replace(":after", "%(after)s")
    return frames.query(
        engine,
        f"WITH {days} SELECT {', '.join(_SCHEMA)} FROM ordered ORDER BY 1, 2",
        _SCHEMA,
        channel=place.id,
        first=first,
        after=last + timedelta(days=1),
    )


def in_clickhouse(client: Client, place: Place, first: date, last: date) -> pl.DataFrame:
    """The same from daily_channel_sales."""
    rows = client.query(
        f"SELECT {', '.join(_SCHEMA)} FROM {DATABASE}.daily_channel_sales"
        " WHERE channel_id = {channel:UInt64} AND date BETWEEN {first:Date} AND {last:Date} ORDER BY date, currency",
        parameters={"channel": place.id, "first": first, "last": last},
    ).result_rows
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def waiting_days(engine: Engine, place: Place) -> set[date]:
    """Days whose changes are announced and not published yet."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT day FROM ops.dirty_days WHERE channel_id = :id"), {"id": place.id}
        )
        return set(rows.scalars())


def compare(
    place: Place,
    days: tuple[date, date],
    control: pl.DataFrame,
    core: pl.DataFrame,
    published: pl.DataFrame,
    sight: Sight,
    waiting: Iterable[date] = (),
    edits: Mapping[date, Edits] | None = None,
) -> list[Figure]:
    """Every figure of every day from `days[0]` to `days[1]`, by the day of the order. `control` is in the connectors'
    CONTROL_TOTALS; for what it counts by the day money was booked see `reconcile_posted`. Edits explain amounts only
    on days whose orders are all there."""
    waiting = frozenset(waiting)
    figures: list[Figure] = []
    by_day = {row["business_date"]: row for row in control.filter(basis="ordered").iter_rows(named=True)}
    first, last = days
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        said = by_day.get(day, {})
        edited = (edits or {}).get(day) if said.get("edits_apart") else None
        for measure in _MEASURES:
            currency = said.get("currency") if measure == "gross_amount" else None
            whole, cancelled = _sums(core, day, measure, currency)
            ours = _as_counted(whole, cancelled, said.get("includes_cancelled"), _decimal(said.get(measure)))
            shown = _sums(published, day, measure, currency)
            theirs = _decimal(said.get(measure))
            bare = Figure(place.account, place.name, place.id, day, measure, currency, theirs, ours, None)
            bare = replace(
                bare,
                published=shown[0] if ours == whole else shown[0] - shown[1],
                explanation=said.get("untold"),
            )
            if theirs is None and not (ours or bare.published):
                continue  # nothing there, and nothing said
            known = _unseen(place, day, sight) or (edited and edited.explain(measure, bare.delta))
            figures.append(_judged(bare, whole, cancelled, known, waiting))
            if measure == "orders" and figures[-1].state != "agrees":
                edited = None
    return _only_together(figures)


def repaired(before: Iterable[Figure], after: Iterable[Figure]) -> list[Figure]:
    """`after`, where what differed before and agrees now says that reading again repaired it."""
    was = {(f.channel_id, f.day, f.measure): f for f in before if f.state == "differs"}
    found = []
    for figure in after:
        old = was.get((figure.channel_id, figure.day, figure.measure))
        if old is not None and figure.state == "agrees":
            told = f"read again: ours was {_said(old.ours)}, published {_said(old.published)}"
            figure = replace(figure, state="repaired", explanation=told)  # noqa: PLW2901 the figure with what was found
        found.append(figure)
    return found


def store(engine: Engine, run: Run, figures: Iterable[Figure]) -> None:
    """Keep the last look at each figure."""
    rows = [{**figure.row(), "run_id": run.id} for figure in figures]
    if rows:
        with engine.begin() as connection:
            connection.execute(text(_STORE), rows)


def differences(engine: Engine, since: date) -> pl.DataFrame:
    """Every figure compared for days from `since` on, as the alert rule reads it: what differs has an `observed`
    other than `expected`, what agrees or is explained has the same."""
    return frames.query(
        engine,
        _DIFFERENCES,
        {
            "account": pl.String,
            "channel": pl.String,
            "channel_id": pl.Int64,
            "date": pl.Date,
            "measure": pl.String,
            "expected": frames.MONEY,
            "observed": frames.MONEY,
        },
        since=since,
    )


def day_span(place: Place, day: date) -> tuple[datetime, datetime]:
    """First and last instant (excluded) of a business day; 23 to 25 hours apart."""
    zone = ZoneInfo(place.timezone)
    return (
        datetime(day.year, day.month, day.day, tzinfo=zone),
        datetime.combine(day + timedelta(days=1), datetime.min.time(), zone),
    )


def _judged(
    figure: Figure, whole: Decimal, cancelled: Decimal, unseen: str | None, waiting: frozenset[date]
) -> Figure:
    """The figure with its state. `unseen`: why it may differ; its own explanation: why the source is silent."""
    behind = figure.ours is not None and figure.published is not None and _off(figure.ours - figure.published)
    if behind and figure.day in waiting:
        behind, unseen = False, unseen or "changes of this day wait to be published"
    if figure.theirs is None:
        explanation = None if behind else figure.explanation or "the source gives no figure"
    elif not _off(figure.delta or Decimal(0)):
        if not behind:
            return replace(figure, explanation=unseen, state="agrees")
        explanation = None
    elif unseen is not None:
        explanation = unseen
    elif cancelled and min(whole, whole - cancelled) <= figure.theirs <= max(whole, whole - cancelled):
        explanation = _CANCELLED
    else:
        explanation = None
    if explanation is None or behind:
        return replace(figure, state="differs", explanation=None)
    return replace(figure, state="explained", explanation=explanation)


def _only_together(figures: list[Figure]) -> list[Figure]:
    """Cancelled orders explain a day only where they explain every figure of it: a lost order may look like one."""
    lost = {f.day for f in figures if f.theirs is not None and f.explanation != _CANCELLED}
    return [
        replace(figure, state="differs", explanation=None)
        if figure.explanation == _CANCELLED and figure.day in lost
        else figure
        for figure in figures
    ]


def _unseen(place: Place, day: date, sight: Sight) -> str | None:
    """Why a whole day cannot be in core yet, or any more."""
    start, end = day_span(place, day)
    if sight.read_until is None or end > sight.read_until:
        return "the day is not read to its end yet"
    if sight.kept_since is not None and start < sight.kept_since:
        return "older than what the source keeps"
    if sight.asked_since is not None and start < sight.asked_since:
        return "before the first day ever asked for (WHARF_FIRST_LOAD_DAYS)"
    return None


def _as_counted(
    whole: Decimal, cancelled: Decimal, includes_cancelled: bool | None, theirs: Decimal | None
) -> Decimal:
    """Our figure, counted as the source counts; where it does not say, whichever way fits."""
    if includes_cancelled is None:
        return whole - cancelled if theirs is not None and theirs == whole - cancelled else whole
    return whole if includes_cancelled else whole - cancelled


def _sums(frame: pl.DataFrame, day: date, measure: str, currency: str | None) -> tuple[Decimal, Decimal]:
    """A day's figure, and the part of orders cancelled as a whole; an amount in one currency only."""
    part = frame.filter(pl.col("date") == day)
    if currency is not None:
        part = part.filter(pl.col("currency") == currency)
    whole, cancelled = _MEASURES[measure]
    return (
        sum((Decimal(value) for value in part[whole]), Decimal(0)),
        sum((Decimal(value) for value in part[cancelled]), Decimal(0)),
    )


def _off(delta: Decimal) -> bool:
    return abs(delta) >= CENT


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _said(value: Decimal | None) -> str:
    return "nothing" if value is None else f"{value.normalize():f}"


_SCHEMA: Mapping[str, Any] = {
    "date": pl.Date,
    "currency": pl.String,
    "orders_placed": pl.Int64,
    "orders_cancelled": pl.Int64,
    "units_ordered": pl.Int64,
    "units_cancelled": pl.Int64,
    "ordered_amount": frames.MONEY,
    "cancelled_amount": frames.MONEY,
}
# The source and core are compared first; where they agree, core and ClickHouse.
_DIFFERENCES = """
    SELECT c.account, c.name AS channel, r.channel_id, r.day AS date, r.measure,
           CASE WHEN r.state <> 'differs' THEN 0 WHEN k.published THEN coalesce(r.ours, 0) ELSE r.theirs END
               AS expected,
           CASE WHEN r.state <> 'differs' THEN 0 WHEN k.published THEN coalesce(r.published, 0) ELSE r.ours END
               AS observed
    FROM ops.reconciliation r
    JOIN core.channels c ON c.id = r.channel_id
    CROSS JOIN LATERAL (SELECT r.delta IS NULL OR abs(r.delta) < 0.01 AS published) k
    WHERE r.day >= %(since)s
    ORDER BY 2, 4, 5
"""
_STORE = """
    INSERT INTO ops.reconciliation AS r (
        channel_id, day, measure, currency, theirs, ours, published, delta, state, explanation, attempts, run_id,
        checked_at, differs_since
    )
    VALUES (
        :channel_id, :day, :measure, :currency, :theirs, :ours, :published, :delta, :state, :explanation,
        CASE WHEN :state = 'differs' THEN 1 ELSE 0 END, :run_id, clock_timestamp(),
        CASE WHEN :state = 'differs' THEN clock_timestamp() END
    )
    ON CONFLICT (channel_id, day, measure) DO UPDATE SET
        currency = EXCLUDED.currency, theirs = EXCLUDED.theirs, ours = EXCLUDED.ours,
        published = EXCLUDED.published, delta = EXCLUDED.delta, state = EXCLUDED.state,
        explanation = EXCLUDED.explanation, run_id = EXCLUDED.run_id, checked_at = EXCLUDED.checked_at,
        attempts = CASE WHEN EXCLUDED.state = 'differs' THEN r.attempts + 1 ELSE 0 END,
        differs_since = CASE WHEN EXCLUDED.state = 'differs' THEN coalesce(r.differs_since, EXCLUDED.differs_since) END
"""
