"""`core.alerts`, one row per episode, and `ops.outbox`, one row per message to send."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Count, Id, Json, Key, UtcDateTime
from warehouse.tables.core import NOW

OUTBOX_STATES = (
    "pending",
    "sending",
    "accepted",
    "delivered",
    "undelivered",
    "failed",
    "unknown",
    "cancelled",
)


class Alert(Base):
    """Something a person should know. One row is one episode."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open_fingerprint",
            "fingerprint",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        CheckConstraint("severity IN ('critical', 'warning', 'info')", name="severity"),
        CheckConstraint("state IN ('open', 'acknowledged', 'snoozed', 'resolved')", name="state"),
        {"schema": "core", "comment": "Alerts. Grain: one episode, from opened_at to resolved_at."},
    )

    id: Mapped[Id]
    alert_type: Mapped[Code] = mapped_column(comment="stockout, low_stock, restock, trending, anomaly, …")
    severity: Mapped[Code] = mapped_column(comment="critical, warning or info.")
    product_id: Mapped[Key | None] = mapped_column(comment="core.products.id, where it is about one.")
    channel_id: Mapped[Key | None] = mapped_column(comment="core.channels.id, where it is about one.")
    title: Mapped[Code] = mapped_column(comment="One line.")
    message: Mapped[Code] = mapped_column(comment="What is the case and what to do.")
    action_url: Mapped[Code | None] = mapped_column(comment="Where to act.")
    is_read: Mapped[bool] = mapped_column(server_default=text("false"), comment="Seen by somebody.")
    opened_at: Mapped[UtcDateTime] = mapped_column(comment="Episode began.")
    resolved_at: Mapped[UtcDateTime | None] = mapped_column(comment="Episode ended; null: open.")
    fingerprint: Mapped[Code] = mapped_column(comment="What it is about; unique among open episodes.")
    state: Mapped[Code] = mapped_column(comment="open, acknowledged, snoozed or resolved.")
    acknowledged_at: Mapped[UtcDateTime | None] = mapped_column(comment="Somebody took it.")
    snoozed_until: Mapped[UtcDateTime | None] = mapped_column(comment="Quiet until then.")
    updated_at: Mapped[UtcDateTime] = mapped_column(comment="Last change of the episode.")
    facts: Mapped[Json] = mapped_column(server_default=text("'{}'"), comment="The numbers behind it.")


class OutboxMessage(Base):
    """A message to send, written in the transaction that decided it. Grain: idempotency_key."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index(
            "ix_outbox_due",
            "next_attempt_at",
            postgresql_where=text("state IN ('pending', 'sending')"),
        ),
        CheckConstraint(f"state IN {OUTBOX_STATES!r}", name="state"),
        {"schema": "ops", "comment": "Messages to send and what became of them. Grain: idempotency_key."},
    )

    id: Mapped[Id]
    idempotency_key: Mapped[Code] = mapped_column(comment="The same message is never queued twice.")
    alert_id: Mapped[Key | None] = mapped_column(ForeignKey("core.alerts.id"), comment="core.alerts.id.")
    way: Mapped[Code] = mapped_column(comment="email, sms, slack or webhook.")
    recipient: Mapped[Code] = mapped_column(comment="Name of the recipient in the routes, or an address.")
    severity: Mapped[Code] = mapped_column(comment="critical, warning or info.")
    payload: Mapped[Json] = mapped_column(comment="What to send, rendered or to render.")
    state: Mapped[Code] = mapped_column(server_default=text("'pending'"), comment="Where it stands.")
    attempts: Mapped[Count] = mapped_column(server_default=text("0"), comment="Times claimed for sending.")
    next_attempt_at: Mapped[UtcDateTime] = mapped_column(comment="Not before; while sending: claim expires.")
    not_before: Mapped[UtcDateTime | None] = mapped_column(comment="When it could first be sent.")
    fingerprint: Mapped[Code | None] = mapped_column(comment="The episode it speaks of; null: several.")
    provider_id: Mapped[Code | None] = mapped_column(comment="The provider's id of the message.")
    last_error: Mapped[Code | None] = mapped_column(comment="Why the last attempt failed; no secrets.")
    created_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Queued.")
    updated_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="Last change.")


class ProviderHealth(Base):
    """What is known about a provider between runs. Grain: way."""

    __tablename__ = "provider_health"
    __table_args__ = ({"schema": "ops", "comment": "How each way of notifying is doing. Grain: way."},)

    way: Mapped[Code] = mapped_column(primary_key=True, comment="email, sms, slack or webhook.")
    health: Mapped[Json] = mapped_column(comment="Since when it fails, until when it asked for quiet.")
    updated_at: Mapped[UtcDateTime] = mapped_column(comment="Last change.")


class SuppressedRecipient(Base):
    """An address a provider refuses to deliver to. Grain: (way, recipient)."""

    __tablename__ = "suppressed_recipients"
    __table_args__ = (
        {
            "schema": "ops",
            "comment": "Addresses providers refuse: blocked, unsubscribed. Grain: (way, recipient).",
        },
    )

    way: Mapped[Code] = mapped_column(primary_key=True, comment="email, sms, slack or webhook.")
    recipient: Mapped[Code] = mapped_column(primary_key=True, comment="As in the routes.")
    reason: Mapped[Code | None] = mapped_column(comment="In the provider's words.")
    since: Mapped[UtcDateTime] = mapped_column(comment="First seen.")


class ProviderEvent(Base):
    """What a provider told about a message, once: the same event again changes nothing. Grain: event_id."""

    __tablename__ = "provider_events"
    __table_args__ = (
        Index(None, "received_at"),
        {"schema": "ops", "comment": "Events providers sent, to recognise repeats. Grain: event_id."},
    )

    event_id: Mapped[Code] = mapped_column(
        primary_key=True, comment="The provider's id, or what makes it one."
    )
    way: Mapped[Code] = mapped_column(comment="email or sms.")
    provider_id: Mapped[Code | None] = mapped_column(comment="The provider's id of the message.")
    state: Mapped[Code] = mapped_column(comment="accepted, delivered or undelivered.")
    received_at: Mapped[UtcDateTime] = mapped_column(comment="When it came.")


class AlertThreshold(Base):
    """A threshold set by hand; it beats the file's. Grain: (scope, name, setting)."""

    __tablename__ = "alert_thresholds"
    __table_args__ = (
        CheckConstraint("scope IN ('all', 'account', 'category', 'sku')", name="scope"),
        {"schema": "ops", "comment": "Thresholds of the alert rules. Grain: (scope, name, setting)."},
    )

    scope: Mapped[Code] = mapped_column(primary_key=True, comment="all, account, category or sku.")
    name: Mapped[Code] = mapped_column(
        primary_key=True, comment="Which account, category or SKU; empty for all."
    )
    setting: Mapped[Code] = mapped_column(primary_key=True, comment="Such as stock.critical_days.")
    value: Mapped[Json] = mapped_column(comment="A number, true or false.")
    updated_at: Mapped[UtcDateTime] = mapped_column(comment="When it was set.")


class AlertRecipient(Base):
    """Who hears of alerts; replaces the file's recipient of the same name. Grain: name."""

    __tablename__ = "alert_recipients"
    __table_args__ = ({"schema": "ops", "comment": "Who hears of alerts, and how. Grain: name."},)

    name: Mapped[Code] = mapped_column(primary_key=True, comment="Unique name.")
    settings: Mapped[Json] = mapped_column(comment="As in the routes file: email, quiet_hours, …")
    updated_at: Mapped[UtcDateTime] = mapped_column(comment="When it was set.")
