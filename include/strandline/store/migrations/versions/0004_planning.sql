-- What may be traded, what each cycle decided about it, and the task runs that did so.

CREATE TYPE desired_status AS ENUM ('open', 'paused', 'archived');
CREATE TYPE cycle_outcome AS ENUM ('planned', 'stale_cycle', 'superseded', 'backfill', 'voided');
CREATE TYPE decision AS ENUM ('add', 'trend_add', 'trim', 'trail', 'demote');
CREATE TYPE exit_reason AS ENUM ('stop', 'trail', 'time', 'trend_failed', 'trend_over', 'emergency', 'manual');
CREATE TYPE planner_rule AS ENUM
  ('manual', 'stop', 'trailing_stop', 'time_stop', 'trend_end', 'emergency_exit', 'trim', 'blocked', 'first_buy',
   's2_buy', 'first_dip', 'hold');
COMMENT ON TYPE planner_rule IS 'The rules in the order of their priority; a person''s order comes first.';
CREATE TYPE urgency AS ENUM ('normal', 'high');
CREATE TYPE intent_status AS ENUM ('planned', 'preparing', 'skipped', 'ready', 'sent', 'unknown', 'done', 'failed');

-- The only two places that name these statuses. They are immutable, so that indexes can use them.
CREATE FUNCTION is_open(status intent_status) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE sql
  RETURN status IN ('planned', 'preparing', 'ready', 'sent', 'unknown');
COMMENT ON FUNCTION is_open(intent_status) IS
  'Whether something may still happen at the venue, so that nothing else may be planned for the row on this side.';
CREATE FUNCTION is_unsent(status intent_status) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE sql
  RETURN status IN ('planned', 'preparing');
COMMENT ON FUNCTION is_unsent(intent_status) IS 'Whether no order was written for it yet, so that an executor may claim it, or skip it.';


CREATE TABLE positions (
  position_id     uuid PRIMARY KEY,
  token_chain     text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
  book_id         text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
  token_contract  text NOT NULL CHECK (btrim(token_contract) <> ''),
  timeframe       timeframe NOT NULL,
  desired_status  desired_status NOT NULL DEFAULT 'open',
  weight          numeric NOT NULL CHECK (weight >= 0 AND weight < 'Infinity'),
  added_at        timestamptz NOT NULL DEFAULT now(),
  UNIQUE (token_chain, book_id, token_contract, timeframe)
);
COMMENT ON TABLE positions IS
  'The rows that may be traded. Only people add and change them; what follows from fills is in holdings, and the status that '
  'follows from both is in the view position_rows.';
COMMENT ON COLUMN positions.position_id IS 'Derived from venue, token and timeframe: the same in every database.';
COMMENT ON COLUMN positions.token_chain IS 'Venue namespace: the chain for on-chain books, the exchange otherwise. Lower case.';
COMMENT ON COLUMN positions.book_id IS 'Kind of book at that venue, such as perps or onchain_crypto. Lower case.';
COMMENT ON COLUMN positions.token_contract IS 'The venue''s own name for the token, as in instruments.';
COMMENT ON COLUMN positions.timeframe IS 'Timeframe of the bars that the row is traded by.';
COMMENT ON COLUMN positions.desired_status IS 'What a person wants: open, paused (exits only), archived (only when flat).';
COMMENT ON COLUMN positions.weight IS 'Share of the token''s allocation, normalised over its rows that are not archived.';
COMMENT ON COLUMN positions.added_at IS 'When the row was added.';

CREATE FUNCTION announce_positions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('strandline_positions', '');
  RETURN NULL;
END $$;
COMMENT ON FUNCTION announce_positions() IS 'Trigger of positions: notifies the sidecar, which then reads its watch set again.';
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON positions FOR EACH STATEMENT EXECUTE FUNCTION announce_positions();
ALTER TABLE positions ENABLE ALWAYS TRIGGER announce;


CREATE TABLE cycles (
  cycle_t          timestamptz PRIMARY KEY,
  outcome          cycle_outcome NOT NULL,
  decided_at       timestamptz NOT NULL,
  known_seq        bigint NOT NULL CHECK (known_seq >= 0),
  decisions        integer NOT NULL CHECK (decisions >= 0),
  decision_digest  sha256_hex,
  code_version     text NOT NULL,
  strategy_hash    sha256_hex NOT NULL,
  CHECK (CASE outcome WHEN 'planned' THEN decision_digest IS NOT NULL WHEN 'voided' THEN true ELSE decision_digest IS NULL END)
);
COMMENT ON TABLE cycles IS
  'One row per cycle: whoever inserts it has planned the cycle, once. It changes only when a person voids it, and when it is '
  'planned again after that; the strand of the voiding keeps what it was.';
COMMENT ON COLUMN cycles.cycle_t IS 'End of the five minutes, which names the cycle.';
COMMENT ON COLUMN cycles.outcome IS 'planned, or why it was not: too late (stale_cycle), a newer one exists (superseded), a backfill run; voided by a person.';
COMMENT ON COLUMN cycles.decided_at IS 'When it was planned.';
COMMENT ON COLUMN cycles.known_seq IS 'No bar revision with a higher known_seq was read.';
COMMENT ON COLUMN cycles.decisions IS 'Number of decisions, holds too.';
COMMENT ON COLUMN cycles.decision_digest IS 'Hash over all decisions in canonical form, holds too.';
COMMENT ON COLUMN cycles.code_version IS 'Version of the code that planned it.';
COMMENT ON COLUMN cycles.strategy_hash IS 'Hash of the strategy that it was planned by.';

CREATE FUNCTION follow_cycle_outcomes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  voided cycles := OLD;
BEGIN
  voided.outcome := 'voided';
  IF OLD.outcome <> 'voided' AND NEW = voided THEN
    RETURN NEW;
  END IF;
  IF OLD.outcome = 'voided' AND NEW.outcome <> 'voided' AND NEW.cycle_t = OLD.cycle_t THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'cycle %: a cycle is voided, and planned again after that, and else never changed', OLD.cycle_t
    USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION follow_cycle_outcomes() IS 'Trigger of cycles: refuses every change but voiding, and planning again what was voided.';
CREATE TRIGGER follow_outcomes BEFORE UPDATE ON cycles FOR EACH ROW EXECUTE FUNCTION follow_cycle_outcomes();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON cycles FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE cycles ENABLE ALWAYS TRIGGER follow_outcomes;
ALTER TABLE cycles ENABLE ALWAYS TRIGGER keep_rows;


CREATE TABLE marks (
  cycle_t        timestamptz NOT NULL,
  instrument_id  integer NOT NULL REFERENCES instruments,
  price          numeric NOT NULL CHECK (price > 0 AND price < 'Infinity'),
  source         text NOT NULL,
  observed_at    timestamptz NOT NULL,
  voided         boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX one_mark_per_cycle ON marks (cycle_t, instrument_id) WHERE NOT voided;
COMMENT ON TABLE marks IS 'The venue''s price per instrument, fetched in the cycle''s first step; never changed but by voiding the cycle.';
COMMENT ON COLUMN marks.cycle_t IS 'The cycle that fetched it.';
COMMENT ON COLUMN marks.instrument_id IS 'The instrument.';
COMMENT ON COLUMN marks.price IS 'In US dollars.';
COMMENT ON COLUMN marks.source IS 'Which of the venue''s prices it is.';
COMMENT ON COLUMN marks.observed_at IS 'When it was fetched.';
COMMENT ON COLUMN marks.voided IS 'Whether a person voided the cycle that fetched it: it counts no more.';

CREATE FUNCTION void_marks_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  voided marks := OLD;
BEGIN
  voided.voided := true;
  IF NOT OLD.voided AND NEW = voided THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'marks of cycle %: a mark is voided once, and else never changed', OLD.cycle_t
    USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION void_marks_only() IS 'Trigger of marks: refuses every change but voiding.';
CREATE TRIGGER void_only BEFORE UPDATE ON marks FOR EACH ROW EXECUTE FUNCTION void_marks_only();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON marks FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE marks ENABLE ALWAYS TRIGGER void_only;
ALTER TABLE marks ENABLE ALWAYS TRIGGER keep_rows;


CREATE TABLE intents (
  intent_id         uuid PRIMARY KEY,
  cycle_t           timestamptz NOT NULL REFERENCES cycles,
  position_id       uuid NOT NULL REFERENCES positions,
  decision          decision NOT NULL,
  side              side NOT NULL GENERATED ALWAYS AS
                      (CASE WHEN decision IN ('add', 'trend_add') THEN 'buy'::side ELSE 'sell'::side END) STORED,
  exit_reason       exit_reason,
  rule              planner_rule NOT NULL,
  trade_no          integer NOT NULL CHECK (trade_no >= 0),
  attempt_no        integer NOT NULL CHECK (attempt_no >= 0),
  size_frac         numeric NOT NULL CHECK (size_frac BETWEEN 0 AND 1),
  notional          numeric CHECK (notional > 0 AND notional < 'Infinity'),
  quantity          numeric CHECK (quantity > 0 AND quantity < 'Infinity'),
  urgency           urgency NOT NULL,
  max_slippage_bps  integer NOT NULL CHECK (max_slippage_bps >= 0),
  reduce_only       boolean NOT NULL,
  reasons           text[] NOT NULL,
  state             engine_state NOT NULL,
  appetite          double precision NOT NULL CHECK (appetite BETWEEN 0 AND 1),
  exit_urgency      double precision NOT NULL CHECK (exit_urgency BETWEEN 0 AND 1),
  decision_price    numeric NOT NULL CHECK (decision_price > 0 AND decision_price < 'Infinity'),
  source_bar        timestamptz NOT NULL,
  source_revision   integer NOT NULL CHECK (source_revision >= 0),
  attempt_id        timestamptz,
  trend_id          timestamptz,
  state_since       timestamptz,
  bar_count         integer CHECK (bar_count > 0),
  level_id          timestamptz,
  expires_at        timestamptz NOT NULL,
  strategy_hash     sha256_hex NOT NULL,
  evidence          jsonb NOT NULL DEFAULT '{}',
  status            intent_status NOT NULL DEFAULT 'planned',
  status_reason     text,
  status_at         timestamptz NOT NULL DEFAULT now(),
  epoch             bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  CHECK (expires_at > cycle_t),
  CHECK (reduce_only = (side = 'sell')),
  CHECK ((notional IS NULL) = (side = 'sell')),
  CHECK ((quantity IS NULL) = (side = 'buy')),
  CHECK ((exit_reason IS NOT NULL) = (decision IN ('trail', 'demote'))),
  CHECK (status <> 'skipped' OR status_reason IS NOT NULL),
  CHECK (rule <> 'first_buy' OR attempt_id IS NOT NULL),
  CHECK (rule <> 's2_buy' OR state_since IS NOT NULL),
  CHECK (rule <> 'first_dip' OR trend_id IS NOT NULL),
  CHECK (rule <> 'trim' OR (bar_count IS NOT NULL AND level_id IS NOT NULL))
);
CREATE UNIQUE INDEX one_open_intent_per_row_and_side ON intents (position_id, side) WHERE is_open(status);
CREATE INDEX ON intents (cycle_t);
COMMENT ON TABLE intents IS
  'The outbox: inserted in one transaction with the cycle; afterwards only the status, its reason, its time and the epoch change.';
COMMENT ON COLUMN intents.intent_id IS 'Derived from row, trade, rule and bar (exits: and attempt): planned twice, it is the same intent.';
COMMENT ON COLUMN intents.cycle_t IS 'The cycle that decided it.';
COMMENT ON COLUMN intents.position_id IS 'The row that it trades.';
COMMENT ON COLUMN intents.decision IS 'What is to be done.';
COMMENT ON COLUMN intents.side IS 'Follows from the decision: add and trend_add buy, the others sell.';
COMMENT ON COLUMN intents.exit_reason IS 'Why all of it is sold; null unless it is.';
COMMENT ON COLUMN intents.rule IS 'The rule that decided.';
COMMENT ON COLUMN intents.trade_no IS 'The row''s trade that it belongs to.';
COMMENT ON COLUMN intents.attempt_no IS 'Number of the attempt at this exit; 0 for entries.';
COMMENT ON COLUMN intents.size_frac IS 'Fraction of the allocation (entries) or of the holding (exits).';
COMMENT ON COLUMN intents.notional IS 'Entries: US dollars to spend.';
COMMENT ON COLUMN intents.quantity IS 'Exits: units to sell.';
COMMENT ON COLUMN intents.urgency IS 'How an executor may trade price against certainty.';
COMMENT ON COLUMN intents.max_slippage_bps IS 'Largest slippage from the decision price, in basis points.';
COMMENT ON COLUMN intents.reduce_only IS 'Whether it may only make the holding smaller: exits.';
COMMENT ON COLUMN intents.reasons IS 'Reason codes, for people.';
COMMENT ON COLUMN intents.state IS 'The engine''s state at the source bar.';
COMMENT ON COLUMN intents.appetite IS 'A: appetite to add.';
COMMENT ON COLUMN intents.exit_urgency IS 'E: urgency to exit.';
COMMENT ON COLUMN intents.decision_price IS 'The price that it was decided at.';
COMMENT ON COLUMN intents.source_bar IS 'Start of the bar whose signal it follows.';
COMMENT ON COLUMN intents.source_revision IS 'The revision of that bar.';
COMMENT ON COLUMN intents.attempt_id IS 'First bar of the signal''s attempt: first buys are counted by it.';
COMMENT ON COLUMN intents.trend_id IS 'First bar of the signal''s trend: first dips are counted by it.';
COMMENT ON COLUMN intents.state_since IS 'Bar that entered the signal''s state: S2 buys are counted by it.';
COMMENT ON COLUMN intents.bar_count IS 'Count of the source bar in its series: trims keep their distance by it.';
COMMENT ON COLUMN intents.level_id IS 'Level nearest to the source bar''s close: one trim per level.';
COMMENT ON COLUMN intents.expires_at IS 'No order is made of it after this.';
COMMENT ON COLUMN intents.strategy_hash IS 'Hash of the strategy that decided it.';
COMMENT ON COLUMN intents.evidence IS 'What the decision rests on, as its strand shows it.';
COMMENT ON COLUMN intents.status IS 'planned → preparing → skipped, or ready → sent → done, failed or unknown; the trigger follow_states holds it.';
COMMENT ON COLUMN intents.status_reason IS 'Why it was skipped or failed.';
COMMENT ON COLUMN intents.status_at IS 'When the status changed last.';
COMMENT ON COLUMN intents.epoch IS 'Raised by each claim: an executor that holds an older epoch has lost the intent.';

CREATE FUNCTION follow_intent_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.epoch < OLD.epoch THEN
    RAISE EXCEPTION 'intent %: the epoch never falls', OLD.intent_id USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.status = OLD.status OR (OLD.status, NEW.status) IN (
    ('planned', 'preparing'), ('planned', 'skipped'),
    ('preparing', 'skipped'), ('preparing', 'ready'),
    ('ready', 'sent'), ('ready', 'unknown'), ('ready', 'done'), ('ready', 'failed'),
    ('sent', 'unknown'), ('sent', 'done'), ('sent', 'failed'),
    ('unknown', 'done'), ('unknown', 'failed')
  ) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'intent % cannot go from % to %', OLD.intent_id, OLD.status, NEW.status
    USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION follow_intent_states() IS 'Trigger of intents: refuses a status that cannot follow, and an epoch that falls.';
CREATE TRIGGER follow_states BEFORE UPDATE ON intents FOR EACH ROW EXECUTE FUNCTION follow_intent_states();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON intents FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE intents ENABLE ALWAYS TRIGGER follow_states;
ALTER TABLE intents ENABLE ALWAYS TRIGGER keep_rows;

CREATE VIEW open_intents AS
  SELECT i.*, p.token_chain, p.book_id, p.token_contract, p.timeframe
  FROM intents i JOIN positions p USING (position_id)
  WHERE is_open(i.status);
COMMENT ON VIEW open_intents IS 'The intents of which something may still happen at the venue, with venue, token and timeframe.';


CREATE TABLE planner_state (
  position_id   uuid PRIMARY KEY REFERENCES positions,
  generation    integer NOT NULL CHECK (generation > 0),
  bar_ts        timestamptz NOT NULL,
  bar_revision  integer NOT NULL CHECK (bar_revision >= 0),
  trade_no      integer NOT NULL CHECK (trade_no >= 0),
  exit_due      exit_reason,
  exit_due_bar  timestamptz,
  highest       numeric CHECK (highest > 0 AND highest < 'Infinity'),
  trail_armed   boolean NOT NULL,
  CHECK ((exit_due IS NULL) = (exit_due_bar IS NULL))
);
COMMENT ON TABLE planner_state IS 'What the planner remembers of each row from one cycle to the next.';
COMMENT ON COLUMN planner_state.position_id IS 'The row.';
COMMENT ON COLUMN planner_state.generation IS 'The generation of the signal that was read last.';
COMMENT ON COLUMN planner_state.bar_ts IS 'The bar of that signal: no signal is read twice.';
COMMENT ON COLUMN planner_state.bar_revision IS 'The revision of that bar.';
COMMENT ON COLUMN planner_state.trade_no IS 'The trade that exit_due, highest and trail_armed are about.';
COMMENT ON COLUMN planner_state.exit_due IS 'Why the row must be sold; set by a signal, cleared only when it is flat.';
COMMENT ON COLUMN planner_state.exit_due_bar IS 'The bar of the signal that set exit_due.';
COMMENT ON COLUMN planner_state.highest IS 'The highest price since the open trade''s first fill; the trail hangs on it.';
COMMENT ON COLUMN planner_state.trail_armed IS 'Whether the trail is on; stays so until flat, even if a later add lifts the average entry.';


CREATE TABLE runs (
  run_no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cycle_t     timestamptz,
  dag_id      text NOT NULL,
  run_id      text NOT NULL,
  run_type    text NOT NULL,
  task_id     text NOT NULL,
  try_number  integer NOT NULL CHECK (try_number >= 0),
  started_at  timestamptz NOT NULL,
  ended_at    timestamptz CHECK (ended_at >= started_at),
  succeeded   boolean,
  summary     jsonb NOT NULL DEFAULT '{}',
  CHECK ((ended_at IS NULL) = (succeeded IS NULL))
);
CREATE INDEX ON runs (cycle_t, task_id);
COMMENT ON TABLE runs IS 'One row per try of a task; one without an end is still running or was killed.';
COMMENT ON COLUMN runs.run_no IS 'Number of the row.';
COMMENT ON COLUMN runs.cycle_t IS 'The cycle that it worked on.';
COMMENT ON COLUMN runs.dag_id IS 'The DAG.';
COMMENT ON COLUMN runs.run_id IS 'The DAG run.';
COMMENT ON COLUMN runs.run_type IS 'The kind of DAG run: scheduled, manual or backfill.';
COMMENT ON COLUMN runs.task_id IS 'The task.';
COMMENT ON COLUMN runs.try_number IS 'Number of the try.';
COMMENT ON COLUMN runs.started_at IS 'When it started.';
COMMENT ON COLUMN runs.ended_at IS 'When it ended.';
COMMENT ON COLUMN runs.succeeded IS 'Whether it ended without an error.';
COMMENT ON COLUMN runs.summary IS 'What it did, in numbers, for people; of a failed one the error.';


CREATE VIEW majors AS
  SELECT instrument_id, token_contract AS token FROM instruments
  WHERE (token_chain, book_id) = ('hyperliquid', 'perps')
    AND token_contract IN ('BTC', 'ETH', 'SOL', 'HYPE', 'BNB');
CREATE VIEW hyperliquid_trading AS
  SELECT i.instrument_id, i.token_contract AS token FROM instruments i
  WHERE (i.token_chain, i.book_id) = ('hyperliquid', 'perps') AND EXISTS (
    SELECT FROM positions p WHERE p.desired_status <> 'archived'
      AND (p.token_chain, p.book_id, p.token_contract) = (i.token_chain, i.book_id, i.token_contract));
CREATE VIEW majors_trades_ticks AS SELECT w.token, t.* FROM ticks t JOIN majors w USING (instrument_id);
CREATE VIEW majors_price_data_ohlc AS SELECT w.token, b.* FROM bars b JOIN majors w USING (instrument_id);
CREATE VIEW hyperliquid_trades_ticks AS
  SELECT w.token, t.* FROM ticks t JOIN hyperliquid_trading w USING (instrument_id);
CREATE VIEW hyperliquid_price_data_ohlc AS
  SELECT w.token, b.* FROM bars b JOIN hyperliquid_trading w USING (instrument_id);
COMMENT ON VIEW majors IS 'Hyperliquid''s perpetuals that are always watched, for the market''s regime.';
COMMENT ON VIEW hyperliquid_trading IS 'Hyperliquid''s perpetuals that have a row which is not archived.';
COMMENT ON VIEW majors_trades_ticks IS 'Ticks of the majors.';
COMMENT ON VIEW majors_price_data_ohlc IS 'Bars of the majors.';
COMMENT ON VIEW hyperliquid_trades_ticks IS 'Ticks of hyperliquid_trading.';
COMMENT ON VIEW hyperliquid_price_data_ohlc IS 'Bars of hyperliquid_trading.';


GRANT SELECT ON positions, cycles, marks, intents, open_intents, planner_state, runs, majors, hyperliquid_trading,
  majors_trades_ticks, hyperliquid_trades_ticks, majors_price_data_ohlc, hyperliquid_price_data_ohlc
  TO strandline_app, strandline_ui;
GRANT SELECT ON positions TO strandline_ingest;
GRANT INSERT, UPDATE ON planner_state TO strandline_app;
GRANT INSERT ON positions, cycles, marks, intents, runs TO strandline_app;
GRANT UPDATE (outcome, decided_at, known_seq, decisions, decision_digest, code_version, strategy_hash) ON cycles
  TO strandline_app;
GRANT UPDATE (voided) ON marks TO strandline_app;
GRANT UPDATE (status, status_reason, status_at, epoch) ON intents TO strandline_app;
GRANT UPDATE (ended_at, succeeded, summary) ON runs TO strandline_app;
