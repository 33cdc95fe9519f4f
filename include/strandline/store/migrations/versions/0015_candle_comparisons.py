"""When each instrument was last compared with the venue's candles."""

from alembic import op

from strandline.store.migrations import sql

revision = "0015_candle_comparisons"
down_revision = "0014_late_minutes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE candle_comparisons;
    """)
