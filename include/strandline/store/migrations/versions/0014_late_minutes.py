"""Minutes by when they became known."""

from alembic import op

from strandline.store.migrations import sql

revision = "0014_late_minutes"
down_revision = "0013_tick_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP INDEX minutes_by_known_seq;
    COMMENT ON COLUMN quality_runs.suite IS 'Which suite of checks: ticks, bars or rows.';
    COMMENT ON COLUMN quality_runs.statistics IS 'How many checks were made and how many failed, for people.';
    """)
