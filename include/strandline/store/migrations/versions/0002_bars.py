"""Bars with their revisions, gaps, and the order of commits."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE gap_type AS ENUM ('overnight', 'weekend', 'holiday', 'outage', 'quiet');

    CREATE TABLE commit_counter (
      one  boolean PRIMARY KEY DEFAULT true CHECK (one),
      seq  bigint NOT NULL DEFAULT 0 CHECK (seq >= 0)
    );
    INSERT INTO commit_counter DEFAULT VALUES;
    COMMENT ON TABLE commit_counter IS
      'One counter row, locked until commit, so that the order of known_seq is the order of commit (now() is not).';

    CREATE FUNCTION next_known_seq() RETURNS bigint LANGUAGE sql AS
      'UPDATE commit_counter SET seq = seq + 1 RETURNING seq';

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
      'The newest revision of every final bar, half-open [ts, ts + timeframe). A bar that is not final is not here. '
      'Whether its prices can be trusted is judged by the quality gate, not here.';
    COMMENT ON COLUMN bars.ts IS 'Start of the bar, UTC.';
    COMMENT ON COLUMN bars.known_seq IS 'When this revision became known, from next_known_seq().';
    COMMENT ON COLUMN bars.volume IS 'Base volume; null when made from polled prices.';
    COMMENT ON COLUMN bars.dropped IS 'Ticks that were dropped under load and are missing.';
    COMMENT ON COLUMN bars.gap_magnitude_pct IS 'From the close of the bar before to this open.';

    CREATE TABLE bar_revisions (LIKE bars INCLUDING CONSTRAINTS, PRIMARY KEY (instrument_id, timeframe, ts, revision));
    COMMENT ON TABLE bar_revisions IS 'The revisions that were replaced, kept by a trigger on bars.';

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
    CREATE TRIGGER keep_bar_revision BEFORE UPDATE ON bars FOR EACH ROW EXECUTE FUNCTION keep_bar_revision();
    CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON bars FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bar_revisions
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
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

    GRANT SELECT ON commit_counter, bars, bar_revisions, bar_history, gaps
      TO strandline_ingest, strandline_app, strandline_ui;
    GRANT UPDATE ON commit_counter TO strandline_app;
    GRANT INSERT, UPDATE ON bars TO strandline_app;
    GRANT INSERT ON bar_revisions TO strandline_app;
    GRANT INSERT, UPDATE, DELETE ON gaps TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE gaps;
    DROP VIEW bar_history;
    DROP TABLE bar_revisions, bars;
    DROP FUNCTION keep_bar_revision();
    DROP FUNCTION next_known_seq();
    DROP TABLE commit_counter;
    DROP TYPE gap_type;
    """)
