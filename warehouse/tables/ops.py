"""`ops`: what ran, how far we have read, what was refused, who may write, what waits for publishing."""

from sqlalchemy import BigInteger, CheckConstraint, Double, Index, PrimaryKeyConstraint, Sequence, text
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Day, Id, Json, Key, Money, UtcDateTime
from warehouse.tables.core import NOW

RECONCILED = ("agrees", "explained", "repaired", "differs")
OUTCOMES = ("running", "done", "failed", "deferred", "degraded")

# Versions of dirty days come from one sequence, so a day marked again never reuses a version.
DIRTY_VERSIONS = Sequence("dirty_versions", schema="ops", metadata=Base.metadata)


class Run(Base):
    """One piece of work: what ran, for whom, over which window, and how it ended. Grain: id."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "account", "resource", "started_at"),
        CheckConstraint(f"outcome IN {OUTCOMES!r}", name="outcome"),
        {"schema": "ops", "comment": "What ran and how it ended. Grain: one run."},
    )

    id: Mapped[Id]
    kind: Mapped[Code] = mapped_column(comment="sync, backfill, import, rollup, forecast, alerts, …")
    account: Mapped[Code | None] = mapped_column(comment="Seller account, where it is for one.")
    resource: Mapped[Code | None] = mapped_column(comment="orders, products, inventory, …")
    since: Mapped[UtcDateTime | None] = mapped_column(comment="Window start, included.")
    until: Mapped[UtcDateTime | None] = mapped_column(comment="Window end, excluded.")
    flow_run_id: Mapped[Code | None] = mapped_column(comment="The orchestrator's id of the run.")
    owner: Mapped[Code | None] = mapped_column(comment="Host and process.")
    outcome: Mapped[Code] = mapped_column(comment="running, done, failed, deferred or degraded.")
    started_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Started.")
    heartbeat_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last sign of life.")
    finished_at: Mapped[UtcDateTime | None] = mapped_column(comment="Ended; null: running or died.")
    rows_read: Mapped[Count] = mapped_column(server_default=text("0"), comment="Rows staged.")
    rows_inserted: Mapped[Count] = mapped_column(server_default=text("0"), comment="Rows new in core.")
    rows_updated: Mapped[Count] = mapped_column(server_default=text("0"), comment="Rows changed in core.")
    rows_unchanged: Mapped[Count] = mapped_column(server_default=text("0"), comment="Rows already known.")
    rows_quarantined: Mapped[Count] = mapped_column(server_default=text("0"), comment="Records refused.")
    counts: Mapped[Json] = mapped_column(server_default=text("'{}'"), comment="Further counts, by name.")
    message: Mapped[Code | None] = mapped_column(comment="What happened and what to do next.")


class Watermark(Base):
    """How far a resource has provably been read. Grain: (account, resource)."""

    __tablename__ = "watermarks"
    __table_args__ = ({"schema": "ops", "comment": "How far we have read. Grain: (account, resource)."},)

    account: Mapped[Code] = mapped_column(primary_key=True, comment="Seller account.")
    resource: Mapped[Code] = mapped_column(primary_key=True, comment="Resource.")
    read_until: Mapped[UtcDateTime] = mapped_column(comment="Everything changed before it has been read.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that moved it.")
    updated_at: Mapped[UtcDateTime] = mapped_column(comment="When it moved.")


class Observation(Base):
    """When each channel's resource was last seen whole. Grain: (channel, resource)."""

    __tablename__ = "observations"
    __table_args__ = (
        {"schema": "ops", "comment": "Last successful look at a channel. Grain: (channel_id, resource)."},
    )

    channel_id: Mapped[Key] = mapped_column(primary_key=True, comment="core.channels.id.")
    resource: Mapped[Code] = mapped_column(primary_key=True, comment="Resource.")
    observed_at: Mapped[UtcDateTime] = mapped_column(comment="End of the last window committed.")
    held_since: Mapped[UtcDateTime | None] = mapped_column(
        comment="Answers are held back as suspect since then; null: trusted."
    )
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id.")


class Quarantined(Base):
    """A record that could not be read, and why. Grain: (channel, resource, natural_key, field, reason)."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index(
            "uq_quarantine_open",
            "account",
            "channel",
            "resource",
            "natural_key",
            "field",
            "reason",
            unique=True,
            postgresql_where=text("replayed_at IS NULL"),
        ),
        {
            "schema": "ops",
            "comment": "Records refused, personal data already taken out. "
            "Grain while not replayed: (account, channel, resource, natural_key, field, reason).",
        },
    )

    id: Mapped[Id]
    account: Mapped[Code] = mapped_column(comment="Seller account.")
    channel: Mapped[Code] = mapped_column(comment="Channel name, or empty where it cannot be told.")
    resource: Mapped[Code] = mapped_column(comment="Resource.")
    natural_key: Mapped[Code] = mapped_column(comment="Which record.")
    field: Mapped[Code] = mapped_column(comment="Which field.")
    reason: Mapped[Code] = mapped_column(comment="What is wrong with it.")
    raw: Mapped[Json | None] = mapped_column(comment="The record, without personal data.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that first refused it.")
    times: Mapped[Count] = mapped_column(server_default=text("1"), comment="Runs that refused it.")
    refused_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="First refused.")
    last_refused_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last refused.")
    replayed_at: Mapped[UtcDateTime | None] = mapped_column(comment="Loaded after all; null: waiting.")
    accepted_at: Mapped[UtcDateTime | None] = mapped_column(
        comment="Somebody decided to go without it: it holds no publishing back."
    )


class Lease(Base):
    """Who may write for an account and resource now. Grain: (account, resource)."""

    __tablename__ = "leases"
    __table_args__ = (
        {"schema": "ops", "comment": "Who may write, judged by this clock. Grain: (account, resource)."},
    )

    account: Mapped[Code] = mapped_column(primary_key=True, comment="Seller account.")
    resource: Mapped[Code] = mapped_column(primary_key=True, comment="Resource.")
    token: Mapped[Key] = mapped_column(comment="Fencing token: grows with every claim.")
    owner: Mapped[Code] = mapped_column(comment="Host, process, run.")
    claimed_at: Mapped[UtcDateTime] = mapped_column(comment="Claimed.")
    expires_at: Mapped[UtcDateTime] = mapped_column(comment="Free for others from then on.")


class DirtyDay(Base):
    """A day whose published figures are out of date. Grain: (channel, day)."""

    __tablename__ = "dirty_days"
    __table_args__ = ({"schema": "ops", "comment": "Days to publish again. Grain: (channel_id, day)."},)

    channel_id: Mapped[Key] = mapped_column(primary_key=True, comment="core.channels.id.")
    day: Mapped[Day] = mapped_column(primary_key=True, comment="Order date or date something happened.")
    version: Mapped[Key] = mapped_column(comment="Grows with each change; only what was seen is cleared.")
    marked_at: Mapped[UtcDateTime] = mapped_column(comment="Last marked.")


class PublishedDay(Base):
    """What was last published of a day. Grain: (channel, day)."""

    __tablename__ = "published_days"
    __table_args__ = (
        {"schema": "ops", "comment": "Days published to ClickHouse. Grain: (channel_id, day)."},
    )

    channel_id: Mapped[Key] = mapped_column(primary_key=True, comment="core.channels.id.")
    day: Mapped[Day] = mapped_column(primary_key=True, comment="Business day.")
    published_at: Mapped[UtcDateTime] = mapped_column(comment="Last published.")
    units: Mapped[Count] = mapped_column(comment="Units of that order date, as published.")
    revenue: Mapped[Money] = mapped_column(comment="total_revenue of that order date, currencies added.")


class RateBucket(Base):
    """One token bucket of a channel's API, kept as an instant (GCRA). Grain: key."""

    __tablename__ = "rate_buckets"
    __table_args__ = (
        {"schema": "ops", "comment": "Rate budgets shared by all workers of an account. Grain: key."},
    )

    key: Mapped[Code] = mapped_column(primary_key=True, comment="Account and operation.")
    per_second: Mapped[float] = mapped_column(Double, comment="Tokens restored a second, as last declared.")
    burst: Mapped[float] = mapped_column(Double, comment="Most tokens it holds.")
    learned: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="True: the channel told us; declared rates no longer count."
    )
    full_at: Mapped[UtcDateTime] = mapped_column(comment="When it would be full if nobody asked.")
    blocked_until: Mapped[UtcDateTime | None] = mapped_column(comment="The channel refused until then.")


class BackfillSlice(Base):
    """One part of a backfill. Grain: (account, resource, since, until)."""

    __tablename__ = "backfill_slices"
    __table_args__ = (
        PrimaryKeyConstraint("account", "resource", "since", "until"),
        CheckConstraint("state IN ('pending', 'running', 'done', 'failed')", name="state"),
        {"schema": "ops", "comment": "Parts of backfills. Grain: (account, resource, since, until)."},
    )

    account: Mapped[Code] = mapped_column(comment="Seller account.")
    resource: Mapped[Code] = mapped_column(comment="Resource.")
    since: Mapped[UtcDateTime] = mapped_column(comment="Included.")
    until: Mapped[UtcDateTime] = mapped_column(comment="Excluded.")
    state: Mapped[Code] = mapped_column(comment="pending, running, done or failed.")
    attempts: Mapped[Count] = mapped_column(server_default=text("0"), comment="Times tried.")
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id of the last try.")
    message: Mapped[Code | None] = mapped_column(comment="Why it failed.")
    updated_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last change.")


class RotatingTokens(Base):
    """An account's newest tokens. Grain: account."""

    __tablename__ = "tokens"
    __table_args__ = (
        {"schema": "ops", "comment": "Tokens that change each time they are renewed. Grain: account."},
    )

    account: Mapped[Code] = mapped_column(primary_key=True, comment="Seller account.")
    seed: Mapped[Code] = mapped_column(comment="SHA-256 of the refresh token it began with.")
    sealed: Mapped[Code] = mapped_column(comment="Access and refresh token, encrypted.")
    expires_at: Mapped[UtcDateTime] = mapped_column(comment="When the access token ends.")
    changed_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="When it was renewed.")


class SchemaNote(Base):
    """A drift in a source's answers, reported once. Grain: (account, resource, note)."""

    __tablename__ = "schema_notes"
    __table_args__ = (
        PrimaryKeyConstraint("account", "resource", "note"),
        {"schema": "ops", "comment": "Drift seen in answers, once a kind. Grain: (account, resource, note)."},
    )

    account: Mapped[Code] = mapped_column(comment="Seller account.")
    resource: Mapped[Code] = mapped_column(comment="Resource.")
    note: Mapped[Code] = mapped_column(comment="What is new or missing.")
    times: Mapped[int] = mapped_column(BigInteger, server_default=text("1"), comment="Runs that saw it.")
    first_seen_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="First seen.")
    last_seen_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last seen.")


class Reconciliation(Base):
    """One figure of one day, as three places have it. Grain: (channel, day, measure)."""

    __tablename__ = "reconciliation"
    __table_args__ = (
        PrimaryKeyConstraint("channel_id", "day", "measure"),
        Index("ix_reconciliation_open", "day", postgresql_where=text("state = 'differs'")),
        CheckConstraint(f"state IN {RECONCILED!r}", name="state"),
        {
            "schema": "ops",
            "comment": "Orders and totals at the source, in core and in ClickHouse, last look. "
            "Grain: (channel_id, day, measure).",
        },
    )

    channel_id: Mapped[Key] = mapped_column(comment="core.channels.id.")
    day: Mapped[Day] = mapped_column(comment="Business day in the channel's time zone.")
    measure: Mapped[Code] = mapped_column(comment="orders, units, … as the source's control names it.")
    currency: Mapped[Code | None] = mapped_column(comment="ISO 4217 currency of an amount; null: a count.")
    theirs: Mapped[Money | None] = mapped_column(comment="At the source; null: it does not say.")
    ours: Mapped[Money | None] = mapped_column(comment="In core, counted the way the source counts.")
    published: Mapped[Money | None] = mapped_column(comment="In ClickHouse; null: not published there.")
    delta: Mapped[Money | None] = mapped_column(comment="ours - theirs; null when the source does not say.")
    state: Mapped[Code] = mapped_column(comment="agrees, explained, repaired or differs.")
    explanation: Mapped[Code | None] = mapped_column(comment="Why it may differ; null: nothing explains it.")
    attempts: Mapped[Count] = mapped_column(
        server_default=text("0"), comment="Times the day was read again because of it, in a row."
    )
    run_id: Mapped[Key | None] = mapped_column(comment="ops.runs.id that looked last.")
    checked_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last looked at.")
    differs_since: Mapped[UtcDateTime | None] = mapped_column(comment="First unexplained; null: it is not.")
