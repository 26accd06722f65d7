"""Refused records once more: the stored raw record through its resource's normalizer and the merge.

For records that a mended reader, or a channel configured since, can now take. What still cannot be read stays
in quarantine and says why. A replayed version counts as old as it was: what has been read since then wins.
Personal data was taken out when the record was refused, so a replayed order has no customer until its next sync.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import polars as pl
from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed
from sqlalchemy import text

from connectors import registry
from connectors.base import Account, Channel, Context, Window
from connectors.canonical import KEYS, SCHEMAS, Normalized, conform
from connectors.errors import ConnectorError
from connectors.privacy import pseudonymize
from flows import connections, logs, report
from warehouse import channels, frames, leases, load, merge, owners, quarantine, runs

_FIELDS = (
    "SELECT id, account, channel, resource, natural_key, raw::text AS raw, last_refused_at, replayed_at"
    " FROM ops.quarantine"
)


_UNREADABLE = (
    "the record was not kept in a readable form; it comes again with the next full read of its source"
)
# Lines that were refused for want of their order are tried together with it.
_WITH = {"order_items": "orders", "cart_items": "carts"}


@dataclass(frozen=True)
class Refused:
    """A row of the quarantine."""

    id: int
    account: str
    channel: str
    resource: str
    natural_key: str
    raw: str | None
    last_refused_at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True)
class Replayed:
    """What became of one refused record."""

    id: int
    account: str
    resource: str
    natural_key: str
    loaded: bool
    reason: str = ""


@flow(name="replay", flow_run_name="replay-quarantine")
def replay(ids: Sequence[int] = (), account: str | None = None) -> State[Any]:
    """Try refused records again: those of `ids`, else all that wait (of `account`)."""
    groups: dict[tuple[str, str], list[Refused]] = {}
    done: list[Replayed] = []
    for record in _chosen(ids, account):
        if record.replayed_at is not None:
            done.append(_told(record, f"was loaded on {record.replayed_at:%Y-%m-%d %H:%M} UTC already"))
        else:
            groups.setdefault((record.account, _WITH.get(record.resource, record.resource)), []).append(
                record
            )
    for (name, resource), records in groups.items():
        done += replay_group(name, resource, records)
    done.sort(key=lambda result: result.id)
    report.table("replay", [asdict(result) for result in done], "Refused records tried again")
    loaded = sum(result.loaded for result in done)
    if not done:
        return Completed(name="NothingToDo", message="no refused record is waiting", data=done)
    return Completed(message=f"{loaded} loaded, {len(done) - loaded} not", data=done)


def _chosen(ids: Sequence[int], account: str | None) -> list[Refused]:
    """The records to try. Raises UnknownRecordError for an id that is none."""
    where = "id = ANY (:ids)" if ids else "replayed_at IS NULL"
    with connections.postgres().connect() as connection:
        rows = connection.execute(
            text(
                f"{_FIELDS} WHERE {where} AND (CAST(:account AS text) IS NULL OR account = :account) ORDER BY id"
            ),
            {"account": account, **({"ids": sorted(set(ids))} if ids else {})},
        )
        found = [Refused(**row) for row in rows.mappings()]
    for missing in sorted(set(ids) - {record.id for record in found}):
        of = f" of account {account!r}" if account else ""
        raise quarantine.UnknownRecordError(
            f"there is no refused record {missing}{of}; `wharf quarantine list` shows them"
        )
    return found


def replay_group(account: str, resource: str, records: Sequence[Refused]) -> list[Replayed]:
    """Read and merge the records of one account and resource, in one transaction."""
    engine = connections.postgres()
    seller = _seller(account)
    if seller is None:
        return [_told(record, f"account {account!r} is not configured any more") for record in records]
    read: list[tuple[Refused, dict[str, pl.DataFrame]]] = []
    done: list[Replayed] = []
    for record in records:
        found = _read(record, seller)
        if isinstance(found, str):
            done.append(_told(record, found))
        else:
            read.append((record, {name: pseudonymize(f, _key()) for name, f in found.items()}))
    if not read:
        return done
    channels.ensure(engine, seller.name, seller.channels)
    with leases.hold(engine, account, "replay", owners.current()) as lease:
        run = runs.start(
            engine, "replay", account=account, resource=resource, flow_run_id=runtime.flow_run.id
        )
        try:
            with load.Staging(
                engine, f"q{run.id}", account=account, resource="replay", seal=connections.vault().seal
            ) as staging:
                for _, staged in read:
                    staging.add(staged)
                merged = merge.commit(
                    engine,
                    staging,
                    run=run,
                    lease=lease,
                    # Stock was seen when it was refused, not now.
                    window=Window(None, min(record.last_refused_at for record, _ in read)),
                    advance_watermark=False,
                )
        except BaseException as error:
            runs.finish(engine, run, "failed", message=logs.told(error))
            raise
        runs.finish(engine, run, "degraded" if merged.quarantined else "done")
    again = _refused_by(run.id) if merged.quarantined else {}
    done += [_result(record, staged, again) for record, staged in read]
    quarantine.mark_replayed(engine, [result.id for result in done if result.loaded])
    return done


def _read(record: Refused, seller: Account) -> dict[str, pl.DataFrame] | str:
    """The frames of a record, or why it has none."""
    if record.raw is None:
        return "the record itself was dropped after WHARF_RAW_DAYS; it comes with the next full read of its source"
    raw = connections.vault().open_text(record.raw)
    whole = json.loads(raw, parse_float=Decimal)
    if not isinstance(whole, Mapping):  # the rows of an export that make one order: no answer of an API
        return _of_a_file(record) or _UNREADABLE
    staged = _staged_row(record.resource, whole)
    if staged is not None:
        return {record.resource: staged}
    if set(whole) <= {"text", "value"}:
        return _UNREADABLE
    resource = registry.resources_of(seller.platform).get(record.resource)
    if resource is not None and resource.kind == "snapshot" and len(seller.channels) > 1:
        # The answer, not the record, said which marketplace it speaks of.
        return f"is read again as a whole by `wharf sync {record.resource} --account {seller.name}`"
    module = import_module(f"connectors.{seller.platform}.stored")
    body = [(record.natural_key, raw.encode())]
    try:
        found: Normalized = module.normalize_stored(
            record.resource, body, Context(seller, record.last_refused_at)
        )
    except ConnectorError as error:
        return _of_a_file(record) or str(error)
    if found.rejected:
        return f"{found.rejected[0].field}: {found.rejected[0].reason}"
    kept = {name: frame for name, frame in found.frames.items() if not frame.is_empty()}
    return kept or _of_a_file(record) or f"there is nothing of {record.resource} in it"


def _of_a_file(record: Refused) -> str | None:
    """What to do about a record that an import brought; None when the API did."""
    with connections.postgres().connect() as connection:
        kind = connection.scalar(
            text("SELECT r.kind FROM ops.quarantine q JOIN ops.runs r ON r.id = q.run_id WHERE q.id = :id"),
            {"id": record.id},
        )
    return "it came from a file: mend the file and import it again" if kind == "import" else None


def _staged_row(name: str, raw: Mapping[str, Any]) -> pl.DataFrame | None:
    """A row that the warehouse itself refused, as a frame again; None when `raw` is a source's record."""
    schema = SCHEMAS.get(name)
    # A row kept by a former version may lack columns of today; they are null then.
    if schema is None or "channel" not in raw or not set(raw) <= set(schema) - {"customer_ref"}:
        return None
    row = {
        column: None if raw.get(column) is None else _typed(raw[column], schema[column]) for column in schema
    }
    return conform(pl.DataFrame([row], schema=schema, strict=False), name)


def _typed(value: Any, kind: Any) -> Any:
    if isinstance(kind, pl.Datetime):
        return datetime.fromisoformat(value)
    return Decimal(str(value)) if isinstance(kind, pl.Decimal) else value


def _refused_by(run_id: int) -> dict[tuple[str, str], str]:
    """(frame, natural key) → why, of what the warehouse refused in a run."""
    found = frames.query(
        connections.postgres(),
        "SELECT resource, natural_key, field, reason FROM ops.quarantine WHERE run_id = %(run)s",
        dict.fromkeys(("resource", "natural_key", "field", "reason"), pl.String),
        run=run_id,
    )
    return {(row[0], row[1]): f"{row[2]}: {row[3]}" for row in found.iter_rows()}


def _result(
    record: Refused, staged: Mapping[str, pl.DataFrame], again: Mapping[tuple[str, str], str]
) -> Replayed:
    for name, frame in staged.items() if again else ():
        for row in frame.select(KEYS[name][1:]).iter_rows():
            reason = again.get((name, "/".join(part or "" for part in row)))
            if reason is not None:
                return _told(record, reason)
    return replace(_told(record, ""), loaded=True)


def _told(record: Refused, reason: str) -> Replayed:
    return Replayed(
        record.id, record.account, record.resource, record.natural_key, loaded=False, reason=reason
    )


def _seller(name: str) -> Account | None:
    """The account as configured, else as its channels were when it last brought something."""
    configured = connections.accounts().get(name)
    if configured is not None:
        return configured
    found = frames.query(
        connections.postgres(),
        "SELECT name, platform, external_id, currency, timezone FROM core.channels WHERE account = %(account)s"
        " ORDER BY id",
        dict.fromkeys(("name", "platform", "external_id", "currency", "timezone"), pl.String),
        account=name,
    )
    if found.is_empty():
        return None
    places = tuple(Channel(**row) for row in found.iter_rows(named=True))
    return Account(name, places[0].platform, "", "", {}, places)


def _key() -> bytes:
    return connections.settings().pseudonym_key
