"""Controls: what people order; and the breakers."""

from alembic import op

from strandline.store.migrations import sql

revision = "0021_controls"
down_revision = "0020_resteps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    """Equity without a start of the day or a peak did not exist before: it gets those of a cycle without losses."""
    op.execute("""
    REVOKE UPDATE (desired_status, weight) ON positions FROM strandline_app;
    COMMENT ON COLUMN positions.weight IS 'Share of the token''s allocation, normalised over its rows that are not archived.';
    ALTER TABLE planner_state DROP COLUMN settled_request;
    ALTER TABLE equity DROP COLUMN known, DROP COLUMN breakers, DROP COLUMN reset_no;
    UPDATE equity SET day_start = coalesce(day_start, equity), peak = greatest(peak, equity);
    ALTER TABLE equity ALTER COLUMN day_start SET NOT NULL, ALTER COLUMN peak SET NOT NULL,
      ADD CONSTRAINT equity_check CHECK (peak >= equity);
    COMMENT ON COLUMN equity.day_start IS 'Equity at the first cycle of the UTC day, moved by deposits and withdrawals since.';
    COMMENT ON COLUMN equity.peak IS 'The highest equity so far, moved by deposits and withdrawals since.';
    COMMENT ON COLUMN equity.losing_streak IS 'Losing trades in a row, up to the last one that was closed.';
    DROP TABLE controls;
    DROP FUNCTION number_controls_in_order();
    DROP TYPE control;
    """)
