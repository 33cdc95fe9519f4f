-- The market's index and BTC, bar by bar, with the engine's signal and the phase that follows from it.

CREATE TYPE market_phase AS ENUM ('dip', 'double_dip', 'oh_shit', 'recover', 'good', 'euphoria', 'neutral');
CREATE TYPE regime_series AS ENUM ('index', 'BTC');


CREATE TABLE regime_states (
  series      regime_series NOT NULL,
  timeframe   timeframe NOT NULL,
  generation  integer NOT NULL DEFAULT 0 CHECK (generation >= 0),
  made_with   sha256_hex,
  known_seq   bigint NOT NULL DEFAULT 0 CHECK (known_seq >= 0),
  bar_ts      timestamptz NOT NULL DEFAULT 'epoch',
  PRIMARY KEY (series, timeframe)
);
COMMENT ON TABLE regime_states IS 'How far each series of the market is stepped; its row is the series'' lock.';
COMMENT ON COLUMN regime_states.series IS 'The market''s index, or BTC by itself.';
COMMENT ON COLUMN regime_states.timeframe IS 'Length of its bars.';
COMMENT ON COLUMN regime_states.generation IS
  'Counts how often it was begun anew: with an earlier beginning, other parameters, or another engine version; 0 before the first bar.';
COMMENT ON COLUMN regime_states.made_with IS 'Hash of the parameters and the engine version that made this generation.';
COMMENT ON COLUMN regime_states.known_seq IS 'Every bar of a member that was known by then is stepped, up to bar_ts.';
COMMENT ON COLUMN regime_states.bar_ts IS 'Up to this bar the members'' bars are stepped; 1970 before the first.';


CREATE TABLE regime_bars (
  series             regime_series NOT NULL,
  timeframe          timeframe NOT NULL,
  generation         integer NOT NULL CHECK (generation > 0),
  ts                 timestamptz NOT NULL,
  revision           integer NOT NULL CHECK (revision >= 0),
  known_seq          bigint NOT NULL CHECK (known_seq >= 0),
  open               double precision NOT NULL,
  high               double precision NOT NULL,
  low                double precision NOT NULL,
  close              double precision NOT NULL,
  volume             double precision,
  members            jsonb NOT NULL,
  bar_count          integer NOT NULL CHECK (bar_count > 0),
  at_low             boolean NOT NULL,
  drawdown           double precision NOT NULL,
  phase              market_phase NOT NULL,
  shown_phase        market_phase NOT NULL,
  shown_bars         integer NOT NULL CHECK (shown_bars > 0),
  input_hash         sha256_hex NOT NULL,
  state_bytes        bytea,
  uptrend_engine_v4  jsonb,
  PRIMARY KEY (series, timeframe, generation, ts, revision)
);
COMMENT ON TABLE regime_bars IS
  'The bars of the market''s index and of BTC with what the engine made of them, append-only. The highest revision of the '
  'newest generation counts: a member''s bar that comes late or is revised makes new revisions from its own time on.';
COMMENT ON COLUMN regime_bars.series IS 'The market''s index, or BTC by itself.';
COMMENT ON COLUMN regime_bars.timeframe IS 'Length of the bar.';
COMMENT ON COLUMN regime_bars.generation IS 'The generation of the series.';
COMMENT ON COLUMN regime_bars.ts IS 'Start of the bar, UTC.';
COMMENT ON COLUMN regime_bars.revision IS '0 at first; one more with every change.';
COMMENT ON COLUMN regime_bars.known_seq IS 'No bar of a member with a higher known_seq was surely read.';
COMMENT ON COLUMN regime_bars.open IS 'Of the index: its close before, times the mean of the members'' open over their close before.';
COMMENT ON COLUMN regime_bars.high IS 'Likewise of the highs.';
COMMENT ON COLUMN regime_bars.low IS 'Likewise of the lows.';
COMMENT ON COLUMN regime_bars.close IS 'Likewise of the closes. The index begins at 100.';
COMMENT ON COLUMN regime_bars.volume IS 'Of the index the sum of the members'' quote volumes, of BTC the base volume; null if one is unknown.';
COMMENT ON COLUMN regime_bars.members IS 'The members that have this bar and the one before it, each with the revision of its bar.';
COMMENT ON COLUMN regime_bars.bar_count IS 'Number of the bar in its generation, from 1.';
COMMENT ON COLUMN regime_bars.at_low IS 'Whether none of the bars that a double dip looks back at was lower.';
COMMENT ON COLUMN regime_bars.drawdown IS 'Share that the close is below the highest high that the phases look back at.';
COMMENT ON COLUMN regime_bars.phase IS 'The phase that counts: the newest that held for long enough.';
COMMENT ON COLUMN regime_bars.shown_phase IS 'The phase that this bar shows.';
COMMENT ON COLUMN regime_bars.shown_bars IS 'How many bars in a row have shown it.';
COMMENT ON COLUMN regime_bars.input_hash IS 'Hash over this bar and all before it, and over what made the generation.';
COMMENT ON COLUMN regime_bars.state_bytes IS 'The engine''s state after the bar; null for old bars of a history that was stepped at once.';
COMMENT ON COLUMN regime_bars.uptrend_engine_v4 IS 'The engine''s signal; null as above, and until the series has a state. The index is instrument 0.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON regime_bars FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE regime_bars ENABLE ALWAYS TRIGGER append_only;


GRANT SELECT ON regime_states, regime_bars TO strandline_app, strandline_ui;
GRANT INSERT, UPDATE ON regime_states TO strandline_app;
GRANT INSERT ON regime_bars TO strandline_app;
