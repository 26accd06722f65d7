"""Files a merchant downloaded himself → the same staging and merge as what the APIs bring, in one transaction.

A file may be imported any number of times, before or after the API brought the same orders: an order is known
by the source's own id, and of two versions the API's wins (a file's version counts as a second older than the
file says). Nothing here moves a watermark: a file says nothing about how far the API has been read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo

import polars as pl
from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed

from connectors.base import Account, Channel, Context, Page, Platform, Window
from connectors.canonical import Normalized
from connectors.errors import ConfigurationError
from connectors.exports.mapping import ColumnMapping
from connectors.privacy import pseudonymize
from flows import connections, logs, report
from flows.ingest import Ingested
from warehouse import channels, frames, leases, load, merge, owners, runs
from warehouse.batch import Run

Format = Literal["amazon", "shopify", "walmart", "mapped", "feedback"]
Show = Callable[[str, int, int], None]

_OF_ANY_PLATFORM = ("mapped", "feedback")  # formats that are nobody's own
_BEHIND = timedelta(seconds=1)  # how much older than stated a file's version counts: the API's wins
_progress: ContextVar[Show] = ContextVar("progress", default=lambda _step, _done, _total: None)


@dataclass(frozen=True)
class Place:
    """Where orders belong that no configured account brought: a channel of its own."""

    platform: Platform
    currency: str = "USD"
    timezone: str = "UTC"


@contextmanager
def watched(show: Show) -> Iterator[None]:
    """Imports within tell `show` how far they are: step, done, total. (A flow's parameters are for its server.)"""
    token = _progress.set(show)
    try:
        yield
    finally:
        _progress.reset(token)


@flow(name="import", flow_run_name="import-{kind}-into-{account}")
def import_files(
    files: Sequence[str],
    kind: Format,
    account: str,
    mapping: str | None = None,
    place: Place | None = None,
) -> State[Any]:
    """Read `files` (as `kind` describes them) and merge their orders or reviews into `account`, all of them or nothing.

    `account` is a configured account, one of its channels, or, with `place`, a new channel of that name.
    """
    seller = resolve(account, kind, place)
    result = read_and_merge([Path(file) for file in files], kind, seller, Path(mapping) if mapping else None)
    log = get_run_logger()
    for note in result.notes:
        log.warning("%s: %s", account, note)
    report.table(f"import-{account}", [result.shown()], f"What {len(files)} files brought")
    if result.refused:
        return Completed(
            name="CompletedWithRefused",
            message=f"{result.refused} records were refused and kept: wharf quarantine list",
            data=[result],
        )
    message = f"{result.inserted + result.updated} rows written from {result.records} records"
    return Completed(message=message, data=[result])


def resolve(name: str, kind: str, place: Place | None) -> Account:
    """The account to file orders under, its first channel being where orders go that name none.

    Raises ConfigurationError when there is none, or when it is of another platform than the files.
    """
    if kind not in get_args(Format):
        raise ConfigurationError(f"there is no format {kind!r}; there are {', '.join(get_args(Format))}")
    for seller in connections.accounts().values():
        own = next((channel for channel in seller.channels if channel.name == name), None)
        if seller.name == name or own is not None:
            if kind not in (*_OF_ANY_PLATFORM, seller.platform):
                raise ConfigurationError(
                    f"{name!r} is on {seller.platform}, the files are {kind}'s; name an account of {kind}"
                )
            others = tuple(channel for channel in seller.channels if channel != own)
            return replace(seller, channels=(own, *others)) if own else seller
    if place is None:
        known = ", ".join(sorted(connections.accounts())) or "none"
        raise ConfigurationError(
            f"there is no account {name!r} (configured: {known}); to file the orders under a channel of that "
            "name add --platform, --currency and --timezone"
        )
    return _unconfigured(name, kind, place)


def _unconfigured(name: str, kind: str, place: Place) -> Account:
    """An account that stands for a channel of its own. Raises ConfigurationError when that cannot be."""
    if kind not in (*_OF_ANY_PLATFORM, place.platform):
        raise ConfigurationError(f"--platform {place.platform} does not go with --format {kind}")
    if place.platform not in get_args(Platform):
        raise ConfigurationError(
            f"there is no platform {place.platform!r}; there are {', '.join(get_args(Platform))}"
        )
    if len(place.currency) != 3 or not place.currency.isalpha() or not place.currency.isupper():
        raise ConfigurationError(f"--currency {place.currency!r} is no currency code such as EUR")
    try:
        ZoneInfo(place.timezone)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"--timezone {place.timezone!r} is no time zone; use a name such as Europe/Berlin"
        ) from None
    owner = _owner(name)
    if owner not in (None, name):
        raise ConfigurationError(f"the channel {name!r} belongs to account {owner!r}: configure that account")
    places: tuple[Channel, ...] = (Channel(name, place.platform, name, place.currency, place.timezone),)
    if kind == "amazon":
        from connectors.amazon.marketplaces import MARKETPLACES, channels_of

        places = channels_of(MARKETPLACES)  # the report names the marketplace of each order
    return Account(name, place.platform, "", "", {}, places)


def _owner(channel: str) -> str | None:
    """The account a known channel belongs to."""
    found = frames.query(
        connections.postgres(),
        "SELECT account FROM core.channels WHERE name = %(name)s",
        {"account": pl.String},
        name=channel,
    )
    return found["account"][0] if len(found) else None


def read_and_merge(files: Sequence[Path], kind: str, seller: Account, mapping: Path | None) -> Ingested:
    """The import without Prefect. Raises ConnectorError or MappingError when a file cannot be used at all."""
    for file in files:
        if not file.stat().st_size:
            raise ConfigurationError(f"{file}: the file is empty; download it again")
    engine = connections.postgres()
    now = datetime.now(UTC)
    context = Context(seller, now)
    resource = "feedback" if kind == "feedback" else "orders"
    # A lease of its own: an import may take long and must not keep the live sync waiting. Their merges wait
    # for each other by channel.
    with leases.hold(engine, seller.name, "import", owners.current()) as lease:
        run = runs.start(
            engine, "import", account=seller.name, resource=resource, flow_run_id=runtime.flow_run.id
        )
        try:
            with load.Staging(
                engine, f"i{run.id}", account=seller.name, resource="import", seal=connections.vault().seal
            ) as staging:
                parts = _parts(files, kind, context, mapping)
                pages, records, notes = _stage(parts, staging, run, seller)
                _progress.get()("merging", 0, 1)
                merged = merge.commit(
                    engine,
                    staging,
                    run=run,
                    lease=lease,
                    window=Window(None, now),
                    advance_watermark=False,
                    notes=notes,
                )
                _progress.get()("merging", 1, 1)
        except BaseException as error:
            runs.finish(engine, run, "failed", message=logs.told(error))
            raise
        outcome: Literal["degraded", "done"] = "degraded" if merged.quarantined else "done"
        runs.finish(engine, run, outcome, message="; ".join(notes) or None)
    return Ingested(
        account=seller.name,
        resource=resource,
        since=None,
        until=now,
        pages=pages,
        records=records,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=merged.unchanged,
        refused=merged.quarantined,
        dirty_days=merged.dirty_days,
        notes=tuple(notes),
    )


def _stage(
    parts: Iterator[Normalized], staging: load.Staging, run: Run, seller: Account
) -> tuple[int, int, list[str]]:
    """Every part into staging tables; (pages, records, notes)."""
    engine = connections.postgres()
    key = connections.settings().pseudonym_key
    known: set[str] = set()
    notes: dict[str, None] = {}
    pages = records = 0
    for part in parts:
        whole = {name: pseudonymize(frame, key) for name, frame in part.frames.items()}
        named = {name for frame in whole.values() for name in frame["channel"].unique()} - known
        channels.ensure(engine, seller.name, [place for place in seller.channels if place.name in named])
        known |= named
        staging.add(whole, part.rejected)
        notes |= dict.fromkeys(part.notes)
        pages, records = pages + 1, records + part.records
        runs.beat(engine, run)
    return pages, records, list(notes)


def _parts(files: Sequence[Path], kind: str, context: Context, mapping: Path | None) -> Iterator[Normalized]:
    """The canonical frames of each part of the files, ready to stand beside what the API brings."""
    if kind == "mapped":
        yield _mapped(files, context, mapping)
        return
    if mapping is not None:
        raise ConfigurationError(f"--mapping is for --format mapped; --format {kind} needs none")
    if kind == "feedback":
        from connectors.exports.feedback import feedback_from_file

        for number, file in enumerate(files):
            _progress.get()("reading", number, len(files))
            yield feedback_from_file(file, context)
        return
    total = sum(file.stat().st_size for file in files)
    done = 0
    for file in files:
        read = 0
        for page in _pages(file, kind):
            yield _behind(_normalize(page, kind, context, file), kind)
            read += len(page.body)
            _progress.get()("reading", done + min(read, file.stat().st_size), total)
        done += file.stat().st_size
        _progress.get()("reading", done, total)


def _mapped(files: Sequence[Path], context: Context, mapping: Path | None) -> Normalized:
    from connectors.exports.mapped import orders_from_file
    from connectors.exports.mapping import read_mapping

    _progress.get()("reading", 0, len(files))
    used = read_mapping(mapping) if mapping else _guessed(files[0], context.home)
    read = orders_from_file(files, used, context)
    _progress.get()("reading", len(files), len(files))
    kept = dict(read.frames)
    if connections.accounts().get(context.account.name):
        # The lines say what came back. Refunds under ids of the file's own would stand beside the API's.
        kept.pop("refunds", None)
    return _behind(replace(read, frames=kept), "mapped")


def _guessed(file: Path, home: Channel) -> ColumnMapping | None:
    """The mapping guessed from the header, in the channel's currency and zone where the file names none.

    None where nothing needs to be said: each file's header is then looked at for itself.
    """
    from connectors.exports.order_lines import mapping_of

    guessed = mapping_of(file)
    own = {"currency": home.currency, "timezone": home.timezone}
    if (guessed.currency, guessed.timezone) != ("USD", "UTC") or own == {
        "currency": "USD",
        "timezone": "UTC",
    }:
        return None  # a well-known file with a mapping of its own, or nothing to change
    return guessed.model_copy(update=own)


def _pages(file: Path, kind: str) -> Iterator[Page]:
    from connectors.exports import amazon_orders, walmart_orders
    from connectors.files import read_plain

    if kind == "amazon":
        return amazon_orders.pages(file)
    if kind == "walmart":
        return walmart_orders.pages(file)
    return iter([Page(read_plain(file), "csv")])


def _normalize(page: Page, kind: str, context: Context, file: Path) -> Normalized:
    """One page's frames. Raises ConfigurationError that names the file when it is not `kind`'s export."""
    from connectors.errors import ProtocolError
    from connectors.exports import amazon_orders, shopify_orders, walmart_orders

    readers = {
        "amazon": amazon_orders.orders,
        "shopify": shopify_orders.orders,
        "walmart": walmart_orders.orders,
    }
    try:
        return readers[kind](page, context)
    except ProtocolError as error:
        raise ConfigurationError(f"{file}: {error}") from error


def _behind(part: Normalized, kind: str) -> Normalized:
    """`part` as versions a moment older than the file says. Shopify's reader has done so already."""
    orders = part.frames.get("orders")
    if kind == "shopify" or orders is None:
        return part
    older = orders.with_columns(pl.col("source_updated_at") - _BEHIND)
    return replace(part, frames={**part.frames, "orders": older})


def place_of(platform: str | None, currency: str | None, timezone: str | None) -> Place | None:
    """The place a command line names; None when it names none."""
    if platform is None:
        return None
    settings = connections.settings()
    return Place(cast(Platform, platform), currency or settings.currency, timezone or settings.timezone)
