"""Positions, cycles, marks, intents, the planner's memory, and task runs."""

from alembic import op

from strandline.store.migrations import sql

revision = "0004_planning"
down_revision = "0003_signals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP VIEW hyperliquid_price_data_ohlc, majors_price_data_ohlc, hyperliquid_trades_ticks, majors_trades_ticks,
      hyperliquid_trading, majors, open_intents;
    DROP TABLE runs, planner_state, intents, marks, cycles, positions;
    DROP FUNCTION follow_intent_states();
    DROP FUNCTION follow_cycle_outcomes();
    DROP FUNCTION void_marks_only();
    DROP FUNCTION announce_positions();
    DROP FUNCTION is_unsent(intent_status);
    DROP FUNCTION is_open(intent_status);
    DROP TYPE intent_status;
    DROP TYPE urgency;
    DROP TYPE planner_rule;
    DROP TYPE exit_reason;
    DROP TYPE decision;
    DROP TYPE cycle_outcome;
    DROP TYPE desired_status;
    """)
