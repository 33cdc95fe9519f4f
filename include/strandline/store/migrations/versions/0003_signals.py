"""What the quality gate found and what the engine made of the bars."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE severity AS ENUM ('warn', 'block_entries', 'block_all');
    CREATE TYPE engine_state AS ENUM ('S0', 'S1', 'S2', 'S3', 'S4');

    CREATE TABLE quality_runs (
      quality_run_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      cycle_t         timestamptz NOT NULL,
      suite           text NOT NULL,
      ran_at          timestamptz NOT NULL,
      succeeded       boolean NOT NULL,
      error           text,
      statistics      jsonb NOT NULL DEFAULT '{}',
      CHECK (succeeded = (error IS NULL))
    );
    CREATE INDEX ON quality_runs (cycle_t);
    COMMENT ON TABLE quality_runs IS 'One row per suite and run of the gate.';
    COMMENT ON COLUMN quality_runs.succeeded IS
      'False when checking itself failed; then all entries of the cycle are blocked, whatever was found.';

    CREATE TABLE quality_findings (
      quality_run_id  bigint NOT NULL REFERENCES quality_runs,
      finding_no      integer NOT NULL CHECK (finding_no > 0),
      instrument_id   integer REFERENCES instruments,
      timeframe       timeframe,
      ts              timestamptz,
      check_name      text NOT NULL,
      severity        severity NOT NULL,
      details         jsonb NOT NULL DEFAULT '{}',
      PRIMARY KEY (quality_run_id, finding_no)
    );
    CREATE INDEX ON quality_findings (instrument_id, quality_run_id);
    COMMENT ON TABLE quality_findings IS 'What a run found, and how much it blocks.';
    COMMENT ON COLUMN quality_findings.instrument_id IS 'Null: the finding is about all of them.';

    CREATE TABLE engine_states (
      instrument_id   integer NOT NULL REFERENCES instruments,
      timeframe       timeframe NOT NULL,
      generation      integer NOT NULL CHECK (generation > 0),
      adopted         boolean NOT NULL DEFAULT false,
      engine_version  text NOT NULL,
      bar_count       integer NOT NULL CHECK (bar_count >= 0),
      ready           boolean NOT NULL DEFAULT false,
      bar_ts          timestamptz NOT NULL,
      bar_revision    integer NOT NULL CHECK (bar_revision >= 0),
      state           engine_state,
      memory          bytea NOT NULL,
      PRIMARY KEY (instrument_id, timeframe, generation)
    );
    CREATE UNIQUE INDEX one_adopted_generation ON engine_states (instrument_id, timeframe) WHERE adopted;
    COMMENT ON TABLE engine_states IS
      'One running state per series and generation; its row is the series'' lock. History before the anchor makes a new '
      'generation, adopted when the row is flat.';
    COMMENT ON COLUMN engine_states.memory IS 'The compiled step''s own memory, opaque here.';
    COMMENT ON COLUMN engine_states.ready IS 'Enough bars for flags: the row leaves dormancy.';
    COMMENT ON COLUMN engine_states.bar_ts IS 'The bar that was stepped last: the same bar never steps twice.';

    CREATE TABLE features (
      instrument_id      integer NOT NULL REFERENCES instruments,
      timeframe          timeframe NOT NULL,
      ts                 timestamptz NOT NULL,
      generation         integer NOT NULL CHECK (generation > 0),
      bar_revision       integer NOT NULL CHECK (bar_revision >= 0),
      engine_version     text NOT NULL,
      input_hash         sha256_hex NOT NULL,
      uptrend_engine_v4  jsonb NOT NULL,
      PRIMARY KEY (instrument_id, timeframe, ts, generation, bar_revision)
    );
    COMMENT ON TABLE features IS 'The engine''s signal for each final bar and revision.';
    COMMENT ON COLUMN features.ts IS 'Start of the bar that the signal is about.';
    COMMENT ON COLUMN features.uptrend_engine_v4 IS 'State, flags, indicators and scores with every term.';

    GRANT SELECT ON quality_runs, quality_findings, engine_states, features TO strandline_app, strandline_ui;
    GRANT INSERT ON quality_runs, quality_findings, features TO strandline_app;
    GRANT INSERT, UPDATE ON engine_states TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE features, engine_states, quality_findings, quality_runs;
    DROP TYPE engine_state;
    DROP TYPE severity;
    """)
