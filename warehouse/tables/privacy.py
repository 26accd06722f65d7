"""`ops`: whom we must not know any more, and the privacy requests that were answered."""

from sqlalchemy import CheckConstraint, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.tables.base import Base, Code, Id, Json, UtcDateTime
from warehouse.tables.core import NOW


class Tombstone(Base):
    """Somebody erased, or an order of his: whatever arrives of them stays without a customer.

    Only digests: of a customer's keyed pseudonym, so the table tells nobody who was erased.
    """

    __tablename__ = "tombstones"
    __table_args__ = (
        PrimaryKeyConstraint("kind", "digest", "account"),
        CheckConstraint("kind IN ('customer', 'order')", name="kind"),
        {"schema": "ops", "comment": "Whom we must not know again. Grain: (kind, digest, account)."},
    )

    kind: Mapped[Code] = mapped_column(comment="customer or order.")
    digest: Mapped[Code] = mapped_column(
        comment="SHA-256, hexadecimal, of the customer's keyed pseudonym or of the source's order id."
    )
    account: Mapped[Code] = mapped_column(comment="Seller account it holds for; empty: all.")


class PrivacyRequest(Base):
    """A marketplace's privacy request that was carried out; the same one again does nothing."""

    __tablename__ = "privacy_requests"
    __table_args__ = (
        UniqueConstraint("digest"),
        {"schema": "ops", "comment": "Privacy requests carried out. Grain: digest."},
    )

    id: Mapped[Id]
    digest: Mapped[Code] = mapped_column(comment="SHA-256 of the signed body.")
    account: Mapped[Code] = mapped_column(comment="Seller account.")
    topic: Mapped[Code] = mapped_column(comment="customers/redact, customers/data_request, shop/redact.")
    counts: Mapped[Json] = mapped_column(
        server_default=text("'{}'"), comment="What was erased or told, by table."
    )
    done_at: Mapped[UtcDateTime] = mapped_column(server_default=NOW, comment="When it was carried out.")
