"""The dirty minutes in order of time."""

from alembic import op

from strandline.store.migrations import sql

revision = "0008_dirty_minutes_in_order"
down_revision = "0007_strands"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP INDEX dirty_minutes_by_minute;
    COMMENT ON TABLE dirty_minutes IS
      'Minutes whose bars must be rebuilt: inserted with the ticks, deleted by the rollup. It has no key: the same minute is '
      'inserted again with every batch of ticks.';
    """)
