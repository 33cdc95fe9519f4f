-- What the quality gate found, and the engine's states and signals.

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
COMMENT ON TABLE quality_runs IS 'One row per suite and run of the quality gate, append-only; the newest run of a cycle counts.';
COMMENT ON COLUMN quality_runs.quality_run_id IS 'Number of the run.';
COMMENT ON COLUMN quality_runs.cycle_t IS 'The cycle whose data it checked.';
COMMENT ON COLUMN quality_runs.suite IS 'Which suite of checks: ticks, bars or rows.';
COMMENT ON COLUMN quality_runs.ran_at IS 'When it ran.';
COMMENT ON COLUMN quality_runs.succeeded IS
  'False when the checking itself failed; then all entries of the cycle are blocked, whatever was found.';
COMMENT ON COLUMN quality_runs.error IS 'Why the checking failed.';
COMMENT ON COLUMN quality_runs.statistics IS 'How many checks were made and how many failed, for people.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quality_runs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE quality_runs ENABLE ALWAYS TRIGGER append_only;


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
COMMENT ON TABLE quality_findings IS 'What a run of the quality gate found, append-only.';
COMMENT ON COLUMN quality_findings.quality_run_id IS 'The run that found it.';
COMMENT ON COLUMN quality_findings.finding_no IS 'Number within the run, from 1.';
COMMENT ON COLUMN quality_findings.instrument_id IS 'The instrument that it is about; null: all of them.';
COMMENT ON COLUMN quality_findings.timeframe IS 'The timeframe that it is about; null: not one of them.';
COMMENT ON COLUMN quality_findings.ts IS 'Start of the bar, or time of the tick, that it is about.';
COMMENT ON COLUMN quality_findings.check_name IS 'The check that failed.';
COMMENT ON COLUMN quality_findings.severity IS 'What it blocks.';
COMMENT ON COLUMN quality_findings.details IS 'The values that were found, for people.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quality_findings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE quality_findings ENABLE ALWAYS TRIGGER append_only;


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
  anchor          timestamptz,
  state_bytes     bytea NOT NULL,
  PRIMARY KEY (instrument_id, timeframe, generation)
);
CREATE UNIQUE INDEX one_adopted_generation ON engine_states (instrument_id, timeframe) WHERE adopted;
COMMENT ON TABLE engine_states IS
  'The engine''s running state per series (instrument and timeframe) and generation; its row is the series'' lock. '
  'History that arrives before the anchor of a series that is not ready makes a new generation.';
COMMENT ON COLUMN engine_states.instrument_id IS 'The instrument of the series.';
COMMENT ON COLUMN engine_states.timeframe IS 'The timeframe of the series.';
COMMENT ON COLUMN engine_states.generation IS 'Counts how often the series was begun anew, from 1.';
COMMENT ON COLUMN engine_states.adopted IS 'Whether this is the generation whose signals count; one per series.';
COMMENT ON COLUMN engine_states.engine_version IS 'Version of the engine that made the last step.';
COMMENT ON COLUMN engine_states.bar_count IS 'Bars stepped so far.';
COMMENT ON COLUMN engine_states.ready IS 'Enough bars for flags: the row leaves dormancy.';
COMMENT ON COLUMN engine_states.bar_ts IS 'The bar that was stepped last, so that no bar is stepped twice; 1970 before the first.';
COMMENT ON COLUMN engine_states.bar_revision IS 'The revision of that bar.';
COMMENT ON COLUMN engine_states.state IS 'The state that the series is in; null before the first bar.';
COMMENT ON COLUMN engine_states.anchor IS 'The first bar that was stepped; null before it.';
COMMENT ON COLUMN engine_states.state_bytes IS 'All that the engine keeps between two bars of the series; only the engine can read it.';


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
COMMENT ON TABLE features IS 'The engine''s signal for each final bar that it stepped, append-only.';
COMMENT ON COLUMN features.instrument_id IS 'The instrument.';
COMMENT ON COLUMN features.timeframe IS 'Length of the bar.';
COMMENT ON COLUMN features.ts IS 'Start of the bar that the signal is about.';
COMMENT ON COLUMN features.generation IS 'The generation of the engine''s state that made it.';
COMMENT ON COLUMN features.bar_revision IS 'The revision of the bar.';
COMMENT ON COLUMN features.engine_version IS 'Version of the engine.';
COMMENT ON COLUMN features.input_hash IS 'Hash of everything that the step read.';
COMMENT ON COLUMN features.uptrend_engine_v4 IS 'The signal: state, flags, indicators, and scores with every term.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON features FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE features ENABLE ALWAYS TRIGGER append_only;


GRANT SELECT ON quality_runs, quality_findings, engine_states, features TO strandline_app, strandline_ui;
GRANT INSERT ON quality_runs, quality_findings, features TO strandline_app;
GRANT INSERT, UPDATE ON engine_states TO strandline_app;
