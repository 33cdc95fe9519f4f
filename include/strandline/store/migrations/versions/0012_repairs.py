"""Repairs of what the stream missed."""

from alembic import op

from strandline.store.migrations import sql

revision = "0012_repairs"
down_revision = "0011_history_loads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP INDEX outages_by_end, outages_unrepaired, dropped_ticks_unrepaired;
    ALTER TABLE outages DROP COLUMN repaired_at;
    ALTER TABLE dropped_ticks DROP COLUMN repaired_at;
    """)
