"""Bars with their revisions, the counter that orders commits, and gaps."""

from alembic import op

from strandline.store.migrations import sql

revision = "0002_bars"
down_revision = "0001_market_data"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE gaps;
    DROP VIEW bar_history;
    DROP TABLE bar_revisions, bars;
    DROP FUNCTION keep_bar_revision();
    DROP FUNCTION next_known_seq();
    DROP TABLE commit_counter;
    DROP TYPE gap_type;
    """)
