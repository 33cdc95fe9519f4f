"""The sessions of venues that close."""

from alembic import op

from strandline.store.migrations import sql

revision = "0019_trading_sessions"
down_revision = "0018_stream_coverage"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE trading_sessions;
    ALTER TABLE instruments DROP COLUMN calendar;
    """)
