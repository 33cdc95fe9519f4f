"""What live ticks are missing: outages of the stream, and ticks that were dropped."""

from alembic import op

from strandline.store.migrations import sql

revision = "0009_outages"
down_revision = "0008_dirty_minutes_in_order"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("DROP TABLE dropped_ticks, outages")
