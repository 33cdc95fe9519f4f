"""Positions, cycles, marks, intents, planner_state, runs: what is planned, for which rows, and by which run."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE desired_status AS ENUM ('open', 'paused', 'archived');
    CREATE TYPE decision AS ENUM ('add', 'trend_add', 'trim', 'trail', 'demote');
    CREATE TYPE exit_reason AS ENUM ('stop', 'trail', 'time', 'trend_failed', 'trend_over', 'emergency', 'manual');
    CREATE TYPE urgency AS ENUM ('normal', 'high');
    CREATE TYPE intent_status AS ENUM
      ('planned', 'preparing', 'skipped', 'ready', 'sent', 'unknown', 'done', 'failed');

    CREATE TABLE positions (
      position_id     uuid PRIMARY KEY,
      token_chain     text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
      book_id         text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
      token_contract  text NOT NULL CHECK (btrim(token_contract) <> ''),
      timeframe       timeframe NOT NULL,
      desired_status        desired_status NOT NULL DEFAULT 'open',
      weight          numeric NOT NULL CHECK (weight >= 0 AND weight < 'Infinity'),
      added_at        timestamptz NOT NULL DEFAULT now(),
      UNIQUE (token_chain, book_id, token_contract, timeframe)
    );
    COMMENT ON TABLE positions IS
      'The rows that may be traded. Only people change them; what follows from fills is in holdings, and the status that '
      'follows from both is in position_status.';
    COMMENT ON COLUMN positions.token_chain IS
      'Venue namespace: the chain for on-chain books (solana), the exchange otherwise (hyperliquid). Lower case.';
    COMMENT ON COLUMN positions.desired_status IS 'What a person wants: open, paused (exits only), archived (only when flat).';
    COMMENT ON COLUMN positions.weight IS 'Share of the token''s allocation, normalised over its rows not archived.';

    CREATE FUNCTION announce_positions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_notify('strandline_positions', '');
      RETURN NULL;
    END $$;
    CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON positions
      FOR EACH STATEMENT EXECUTE FUNCTION announce_positions();
    COMMENT ON FUNCTION announce_positions() IS 'Tells the sidecar to read its watch set again.';

    CREATE TABLE cycles (
      cycle_t          timestamptz PRIMARY KEY,
      outcome          text NOT NULL CHECK (outcome IN ('planned', 'stale_cycle', 'superseded', 'backfill')),
      decided_at       timestamptz NOT NULL,
      known_seq        bigint NOT NULL CHECK (known_seq >= 0),
      decisions        integer NOT NULL CHECK (decisions >= 0),
      decision_digest  sha256_hex,
      code_version     text NOT NULL,
      strategy_hash    sha256_hex NOT NULL,
      CHECK ((outcome = 'planned') = (decision_digest IS NOT NULL))
    );
    COMMENT ON TABLE cycles IS 'One row per five minutes, named by its end: whoever inserts it has planned it, once.';
    COMMENT ON COLUMN cycles.known_seq IS 'What was known: no revision with a higher known_seq was read.';
    COMMENT ON COLUMN cycles.decision_digest IS 'Over all decisions of the cycle in canonical form, holds too.';

    CREATE TABLE marks (
      cycle_t        timestamptz NOT NULL,
      instrument_id  integer NOT NULL REFERENCES instruments,
      price          numeric NOT NULL CHECK (price > 0 AND price < 'Infinity'),
      source         text NOT NULL,
      observed_at    timestamptz NOT NULL,
      PRIMARY KEY (cycle_t, instrument_id)
    );

    COMMENT ON TABLE marks IS 'The venue''s price per instrument, fetched by the cycle''s first step.';

    CREATE TABLE intents (
      intent_id         uuid PRIMARY KEY,
      cycle_t           timestamptz NOT NULL REFERENCES cycles,
      position_id       uuid NOT NULL REFERENCES positions,
      decision          decision NOT NULL,
      side              side NOT NULL GENERATED ALWAYS AS
                          (CASE WHEN decision IN ('add', 'trend_add') THEN 'buy'::side ELSE 'sell'::side END) STORED,
      exit_reason       exit_reason,
      rule              integer NOT NULL CHECK (rule >= 0),
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
      expires_at        timestamptz NOT NULL,
      strategy_hash     sha256_hex NOT NULL,
      status            intent_status NOT NULL DEFAULT 'planned',
      status_reason     text,
      status_at         timestamptz NOT NULL DEFAULT now(),
      epoch             bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
      CHECK (expires_at > cycle_t),
      CHECK (reduce_only = (side = 'sell')),
      CHECK ((notional IS NULL) = (side = 'sell')),
      CHECK ((quantity IS NULL) = (side = 'buy')),
      CHECK ((exit_reason IS NOT NULL) = (decision IN ('trail', 'demote'))),
      CHECK (status <> 'skipped' OR status_reason IS NOT NULL)
    );
    CREATE UNIQUE INDEX one_open_intent_per_row_and_side ON intents (position_id, side)
      WHERE status IN ('planned', 'preparing', 'ready', 'sent', 'unknown');
    CREATE INDEX ON intents (cycle_t);
    COMMENT ON TABLE intents IS
      'The outbox. OutboxIntent in one transaction with the cycle; afterwards only the status, its reason and the epoch change.';
    COMMENT ON COLUMN intents.epoch IS 'Raised by each claim: who holds an older epoch has lost the intent.';

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
    CREATE TRIGGER follow_states BEFORE UPDATE ON intents FOR EACH ROW EXECUTE FUNCTION follow_intent_states();
    CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON intents
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

    CREATE TABLE planner_state (
      position_id   uuid PRIMARY KEY REFERENCES positions,
      generation    integer NOT NULL CHECK (generation > 0),
      bar_ts        timestamptz NOT NULL,
      bar_revision  integer NOT NULL CHECK (bar_revision >= 0),
      exit_due      exit_reason,
      exit_due_bar  timestamptz,
      CHECK ((exit_due IS NULL) = (exit_due_bar IS NULL))
    );
    COMMENT ON TABLE planner_state IS 'Up to which bar the planner has folded the row''s signals.';
    COMMENT ON COLUMN planner_state.exit_due IS 'Set by a signal, cleared only by confirmed flat.';

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
    COMMENT ON TABLE runs IS 'One row per task run and re-run; without an end, it was killed.';

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
    COMMENT ON VIEW majors IS 'The watch set of the market''s regime; fixed.';
    COMMENT ON VIEW hyperliquid_trading IS 'The watch set of the rows that may be traded.';
    COMMENT ON VIEW majors_trades_ticks IS 'Ticks of the majors.';
    COMMENT ON VIEW majors_price_data_ohlc IS 'Bars of the majors.';
    COMMENT ON VIEW hyperliquid_trades_ticks IS 'Ticks of the rows that may be traded.';
    COMMENT ON VIEW hyperliquid_price_data_ohlc IS 'Bars of the rows that may be traded.';

    GRANT SELECT ON positions, cycles, marks, intents, planner_state, runs, majors, hyperliquid_trading, majors_trades_ticks,
      hyperliquid_trades_ticks, majors_price_data_ohlc, hyperliquid_price_data_ohlc TO strandline_app, strandline_ui;
    GRANT SELECT ON positions TO strandline_ingest;
    GRANT INSERT, UPDATE ON positions, planner_state TO strandline_app;
    GRANT INSERT ON cycles, marks, intents, runs TO strandline_app;
    GRANT UPDATE (status, status_reason, status_at, epoch) ON intents TO strandline_app;
    GRANT UPDATE (ended_at, succeeded, summary) ON runs TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP VIEW hyperliquid_price_data_ohlc, majors_price_data_ohlc, hyperliquid_trades_ticks, majors_trades_ticks,
      hyperliquid_trading, majors;
    DROP TABLE runs, planner_state, intents, marks, cycles, positions;
    DROP FUNCTION follow_intent_states();
    DROP FUNCTION announce_positions();
    DROP TYPE intent_status;
    DROP TYPE urgency;
    DROP TYPE exit_reason;
    DROP TYPE decision;
    DROP TYPE desired_status;
    """)
