-- Adds to a trend: the rungs of the ladder in its deep dips, and the reclaim after an emergency; and the loss latch.

ALTER TYPE planner_rule ADD VALUE 'ladder' BEFORE 'hold';
ALTER TYPE planner_rule ADD VALUE 'reclaim' BEFORE 'hold';

-- As text: in the transaction that adds them the new values may not be used.
ALTER TABLE intents ADD CONSTRAINT intents_trend_add_check
  CHECK (rule::text NOT IN ('ladder', 'reclaim') OR trend_id IS NOT NULL);
COMMENT ON COLUMN intents.trend_id IS 'Trend at the decision: one first dip and one reclaim per trend, and so many rungs.';

ALTER TABLE planner_state ADD COLUMN released_trade_no integer CHECK (released_trade_no > 0);
COMMENT ON COLUMN planner_state.released_trade_no IS
  'The last trade whose loss no longer keeps the row from buying; null: none.';
COMMENT ON COLUMN planner_state.trade_no IS 'The open trade, or the one that a buy would open: what follows belongs to it.';

COMMENT ON TABLE engine_states IS
  'The engine''s running state per series (instrument and timeframe) and generation; its rows are the series'' lock. '
  'History that arrives before the anchor makes a new generation, which is adopted when the row is flat.';
