"""Add a place for tokens that change with each use.

Revision 0010, revises 0009.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("account", sa.Text(), nullable=False, comment="Seller account."),
        sa.Column("seed", sa.Text(), nullable=False, comment="SHA-256 of the refresh token it began with."),
        sa.Column("sealed", sa.Text(), nullable=False, comment="Access and refresh token, encrypted."),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the access token ends.",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was renewed.",
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_tokens")),
        schema="ops",
        comment="Tokens that change each time they are renewed. Grain: account.",
    )


def downgrade() -> None:
    op.drop_table("tokens", schema="ops")
