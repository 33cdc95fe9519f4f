"""What a decision rests on, amounts of other assets than dollars, and what planner and engine remember."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE intents ADD COLUMN evidence jsonb NOT NULL DEFAULT '{}';
    COMMENT ON COLUMN intents.evidence IS
      'What the decision rests on, as its strand will tell it; later decisions count by what its inputs name.';

    -- Until now every asset was a stablecoin, whose amount is its worth.
    ALTER TABLE cash_events
      ADD COLUMN amount numeric CHECK (amount > '-Infinity' AND amount < 'Infinity');
    ALTER TABLE cash_events DISABLE TRIGGER append_only;
    UPDATE cash_events SET amount = usd;
    ALTER TABLE cash_events ENABLE TRIGGER append_only;
    ALTER TABLE cash_events ALTER COLUMN amount SET NOT NULL;
    COMMENT ON COLUMN cash_events.amount IS 'In units of the asset; positive came in.';

    ALTER TABLE planner_state
      ADD COLUMN trade_no integer NOT NULL DEFAULT 0 CHECK (trade_no >= 0),
      ADD COLUMN highest numeric CHECK (highest > 0 AND highest < 'Infinity'),
      ADD COLUMN trail_armed boolean NOT NULL DEFAULT false;
    COMMENT ON COLUMN planner_state.trade_no IS 'The trade that exit_due, highest and trail_armed are about.';
    COMMENT ON COLUMN planner_state.highest IS 'The highest price seen since the open trade''s first fill; the trail hangs on it.';
    COMMENT ON COLUMN planner_state.trail_armed IS 'Stays until flat, even if a later add lifts the average entry.';

    ALTER TABLE engine_states ADD COLUMN anchor timestamptz;
    COMMENT ON COLUMN engine_states.anchor IS 'The first bar that was stepped; history before it makes a new generation.';
    """)


def downgrade() -> None:
    op.execute("""
    ALTER TABLE engine_states DROP COLUMN anchor;
    ALTER TABLE planner_state DROP COLUMN trail_armed, DROP COLUMN highest, DROP COLUMN trade_no;
    ALTER TABLE cash_events DROP COLUMN amount;
    ALTER TABLE intents DROP COLUMN evidence;
    """)
