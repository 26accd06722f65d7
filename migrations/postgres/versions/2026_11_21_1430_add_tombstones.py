"""Keep erased people erased: tombstones every merge consults, and the privacy requests carried out.

Revision 0005, revises 0004.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "tombstones",
        sa.Column("kind", sa.Text(), nullable=False, comment="customer or order."),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256, hexadecimal, of the customer's keyed pseudonym or of the source's order id.",
        ),
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account it holds for; empty: all."),
        sa.CheckConstraint("kind IN ('customer', 'order')", name=op.f("ck_tombstones_kind")),
        sa.PrimaryKeyConstraint("kind", "digest", "account", name=op.f("pk_tombstones")),
        schema="ops",
        comment="Whom we must not know again. Grain: (kind, digest, account).",
    )
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Surrogate key."),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of the signed body."),
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column(
            "topic",
            sa.Text(),
            nullable=False,
            comment="customers/redact, customers/data_request, shop/redact.",
        ),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What was erased or told, by table.",
        ),
        sa.Column(
            "done_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was carried out.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sa.UniqueConstraint("digest", name=op.f("uq_privacy_requests_digest")),
        schema="ops",
        comment="Privacy requests carried out. Grain: digest.",
    )


def downgrade() -> None:
    op.drop_table("privacy_requests", schema="ops")
    op.drop_table("tombstones", schema="ops")
