"""Adds to a trend, and the loss latch."""

from alembic import op

from strandline.store.migrations import sql

revision = "0017_trend_adds"
down_revision = "0016_asset_contexts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    """A value of an enumeration cannot be dropped: the type is made anew, and what depends on it."""
    op.execute("""
    DROP VIEW open_intents;
    ALTER TABLE intents DROP CONSTRAINT intents_trend_add_check, DROP CONSTRAINT intents_check6,
      DROP CONSTRAINT intents_check7, DROP CONSTRAINT intents_check8, DROP CONSTRAINT intents_check9;
    ALTER TYPE planner_rule RENAME TO planner_rule_with_trend_adds;
    CREATE TYPE planner_rule AS ENUM
      ('manual', 'stop', 'trailing_stop', 'time_stop', 'trend_end', 'emergency_exit', 'trim', 'blocked', 'first_buy',
       's2_buy', 'first_dip', 'hold');
    COMMENT ON TYPE planner_rule IS 'The rules in the order of their priority; a person''s order comes first.';
    ALTER TABLE intents ALTER COLUMN rule TYPE planner_rule USING rule::text::planner_rule;
    DROP TYPE planner_rule_with_trend_adds;
    ALTER TABLE intents
      ADD CONSTRAINT intents_check6 CHECK (rule <> 'first_buy' OR attempt_id IS NOT NULL),
      ADD CONSTRAINT intents_check7 CHECK (rule <> 's2_buy' OR state_since IS NOT NULL),
      ADD CONSTRAINT intents_check8 CHECK (rule <> 'first_dip' OR trend_id IS NOT NULL),
      ADD CONSTRAINT intents_check9 CHECK (rule <> 'trim' OR (bar_count IS NOT NULL AND level_id IS NOT NULL));
    CREATE VIEW open_intents AS
      SELECT i.*, p.token_chain, p.book_id, p.token_contract, p.timeframe
      FROM intents i JOIN positions p USING (position_id)
      WHERE is_open(i.status);
    COMMENT ON VIEW open_intents IS
      'The intents of which something may still happen at the venue, with venue, token and timeframe.';
    GRANT SELECT ON open_intents TO strandline_app, strandline_ui;
    COMMENT ON COLUMN intents.trend_id IS 'First bar of the signal''s trend: first dips are counted by it.';
    ALTER TABLE planner_state DROP COLUMN released_trade_no;
    COMMENT ON COLUMN planner_state.trade_no IS 'The trade that exit_due, highest and trail_armed are about.';
    COMMENT ON TABLE engine_states IS
      'The engine''s running state per series (instrument and timeframe) and generation; its row is the series'' lock. '
      'History that arrives before the anchor of a series that is not ready makes a new generation.';
    """)
