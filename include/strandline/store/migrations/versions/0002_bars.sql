-- Bars with their revisions, the counter that orders commits, and gaps.

CREATE TYPE gap_type AS ENUM ('overnight', 'weekend', 'holiday', 'outage', 'quiet');


CREATE TABLE commit_counter (
  one  boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq  bigint NOT NULL DEFAULT 0 CHECK (seq >= 0)
);
INSERT INTO commit_counter DEFAULT VALUES;
COMMENT ON TABLE commit_counter IS
  'One row with a counter, locked until commit, so that the order of known_seq is the order of commit (now() is not).';
COMMENT ON COLUMN commit_counter.one IS 'Always true: there is one row.';
COMMENT ON COLUMN commit_counter.seq IS 'The known_seq that was given out last.';
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON commit_counter FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE commit_counter ENABLE ALWAYS TRIGGER keep_rows;

CREATE FUNCTION next_known_seq() RETURNS bigint LANGUAGE sql AS
  'UPDATE commit_counter SET seq = seq + 1 RETURNING seq';
COMMENT ON FUNCTION next_known_seq() IS 'The next known_seq; other writers of bars wait until this transaction ends.';


CREATE TABLE bars (
  instrument_id      integer NOT NULL REFERENCES instruments,
  timeframe          timeframe NOT NULL,
  ts                 timestamptz NOT NULL,
  revision           integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
  known_seq          bigint NOT NULL CHECK (known_seq > 0),
  open               double precision NOT NULL,
  high               double precision NOT NULL,
  low                double precision NOT NULL,
  close              double precision NOT NULL,
  volume             double precision,
  quote_volume       double precision,
  vwap               double precision,
  ticks              integer NOT NULL CHECK (ticks >= 0),
  source             "char" NOT NULL CHECK (source IN ('s', 'r', 'a')),
  outage             boolean NOT NULL DEFAULT false,
  dropped            integer NOT NULL DEFAULT 0 CHECK (dropped >= 0),
  repaired           boolean NOT NULL DEFAULT false,
  gap_detected       boolean NOT NULL DEFAULT false,
  gap_magnitude_pct  double precision NOT NULL DEFAULT 0,
  gap_type           gap_type,
  PRIMARY KEY (instrument_id, timeframe, ts),
  CHECK (gap_detected = (gap_type IS NOT NULL))
);
COMMENT ON TABLE bars IS
  'The newest revision of every final bar, half-open [ts, ts + timeframe). A bar that is not final is not here. Whether '
  'its prices can be trusted is judged by the quality gate.';
COMMENT ON COLUMN bars.instrument_id IS 'The instrument.';
COMMENT ON COLUMN bars.timeframe IS 'Length of the bar.';
COMMENT ON COLUMN bars.ts IS 'Start of the bar, UTC.';
COMMENT ON COLUMN bars.revision IS '0 at first; one more with every change.';
COMMENT ON COLUMN bars.known_seq IS 'When this revision became known, from next_known_seq().';
COMMENT ON COLUMN bars.open IS 'First price by (ts, trade_id).';
COMMENT ON COLUMN bars.high IS 'Highest price.';
COMMENT ON COLUMN bars.low IS 'Lowest price.';
COMMENT ON COLUMN bars.close IS 'Last price by (ts, trade_id).';
COMMENT ON COLUMN bars.volume IS 'Base volume; null when made from polled prices.';
COMMENT ON COLUMN bars.quote_volume IS 'Sum of price times size; null when made from polled prices or candles.';
COMMENT ON COLUMN bars.vwap IS 'quote_volume over volume; null without them.';
COMMENT ON COLUMN bars.ticks IS 'Number of ticks in it; of a candle the venue''s number of trades.';
COMMENT ON COLUMN bars.source IS 's stream, r rest (a polled price or the venue''s candle), a archive.';
COMMENT ON COLUMN bars.outage IS 'Whether an outage touched it. Later revisions keep it; a coarser bar has it if one of its minutes has.';
COMMENT ON COLUMN bars.dropped IS 'Ticks known to be missing. Later revisions keep it; a coarser bar has the sum of its minutes.';
COMMENT ON COLUMN bars.repaired IS
  'Whether what an outage or dropped ticks left was mended. Later revisions keep it; a coarser bar has it when every damaged minute has.';
COMMENT ON COLUMN bars.gap_detected IS 'Whether bars are missing before it.';
COMMENT ON COLUMN bars.gap_magnitude_pct IS 'Per cent from the close of the bar before to this open.';
COMMENT ON COLUMN bars.gap_type IS 'What kind of gap is before it; null without one.';

CREATE TABLE bar_revisions (LIKE bars INCLUDING CONSTRAINTS INCLUDING COMMENTS, PRIMARY KEY (instrument_id, timeframe, ts, revision));
COMMENT ON TABLE bar_revisions IS 'The revisions that were replaced, append-only; inserted by the trigger keep_bar_revision of bars.';

CREATE FUNCTION keep_bar_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.instrument_id, NEW.timeframe, NEW.ts) IS DISTINCT FROM (OLD.instrument_id, OLD.timeframe, OLD.ts)
     OR NEW.revision <> OLD.revision + 1 OR NEW.known_seq <= OLD.known_seq THEN
    RAISE EXCEPTION 'bar (%, %, %) revision % is final: a change makes revision % with a higher known_seq',
      OLD.instrument_id, OLD.timeframe, OLD.ts, OLD.revision, OLD.revision + 1
      USING ERRCODE = 'restrict_violation';
  END IF;
  INSERT INTO bar_revisions SELECT OLD.*;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION keep_bar_revision() IS 'Trigger of bars: an update must be the next revision, and the one that it replaces is kept.';
CREATE TRIGGER keep_bar_revision BEFORE UPDATE ON bars FOR EACH ROW EXECUTE FUNCTION keep_bar_revision();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON bars FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bar_revisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE bars ENABLE ALWAYS TRIGGER keep_bar_revision;
ALTER TABLE bars ENABLE ALWAYS TRIGGER keep_rows;
ALTER TABLE bar_revisions ENABLE ALWAYS TRIGGER append_only;

CREATE VIEW bar_history AS SELECT * FROM bars UNION ALL SELECT * FROM bar_revisions;
COMMENT ON VIEW bar_history IS 'Every revision of every bar; what a decision read is found by its revision.';


CREATE TABLE gaps (
  instrument_id  integer NOT NULL REFERENCES instruments,
  timeframe      timeframe NOT NULL,
  starts_at      timestamptz NOT NULL,
  ends_at        timestamptz NOT NULL,
  gap_type       gap_type NOT NULL,
  magnitude_pct  double precision,
  PRIMARY KEY (instrument_id, timeframe, starts_at),
  CHECK (ends_at > starts_at)
);
COMMENT ON TABLE gaps IS 'Stretches without bars; never filled with made-up ones.';
COMMENT ON COLUMN gaps.instrument_id IS 'The instrument.';
COMMENT ON COLUMN gaps.timeframe IS 'Length of the missing bars.';
COMMENT ON COLUMN gaps.starts_at IS 'Start of the first missing bar.';
COMMENT ON COLUMN gaps.ends_at IS 'Start of the first bar after the gap.';
COMMENT ON COLUMN gaps.gap_type IS 'Why there are none.';
COMMENT ON COLUMN gaps.magnitude_pct IS 'Per cent from the close before the gap to the open after it.';


GRANT SELECT ON commit_counter, bars, bar_revisions, bar_history, gaps
  TO strandline_ingest, strandline_app, strandline_ui;
GRANT UPDATE ON commit_counter TO strandline_app;
GRANT INSERT, UPDATE ON bars TO strandline_app;
GRANT INSERT ON bar_revisions TO strandline_app;
GRANT INSERT, UPDATE, DELETE ON gaps TO strandline_app;
