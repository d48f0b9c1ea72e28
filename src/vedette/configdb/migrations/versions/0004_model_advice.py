"""What a language model said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_advice",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(250), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_model_advice"),
    )
    op.create_index("ix_model_advice_key", "model_advice", ["key"])


def downgrade() -> None:
    op.drop_index("ix_model_advice_key", "model_advice")
    op.drop_table("model_advice")
