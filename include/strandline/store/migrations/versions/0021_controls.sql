-- Controls: what people order. And the breakers, whose state is that of the equity that they watch.

CREATE TYPE control AS ENUM
  ('halt', 'halt_all', 'resume', 'reset', 'force_exit', 'flatten', 'add_position', 'pause_position', 'resume_position',
   'archive_position', 'weigh_position');


CREATE TABLE controls (
  control_no   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  control      control NOT NULL,
  position_id  uuid REFERENCES positions,
  token_chain  text,
  book_id      text,
  weight       numeric CHECK (weight >= 0 AND weight < 'Infinity'),
  person       text NOT NULL CHECK (btrim(person) <> ''),
  reason       text NOT NULL CHECK (btrim(reason) <> ''),
  given_at     timestamptz NOT NULL,
  CHECK ((position_id IS NOT NULL) = (control NOT IN ('halt', 'halt_all', 'resume', 'reset', 'flatten'))),
  CHECK ((token_chain IS NULL) = (book_id IS NULL)),
  CHECK (token_chain IS NULL OR control = 'flatten'),
  CHECK ((weight IS NOT NULL) = (control IN ('add_position', 'weigh_position')))
);
CREATE INDEX ON controls (control, control_no);
COMMENT ON TABLE controls IS
  'Every order of a person, never changed. The newest of halt, halt_all and resume holds; each has a strand of the chain system.';
COMMENT ON COLUMN controls.control_no IS 'Number of the order: a higher one was committed later.';
COMMENT ON COLUMN controls.control IS 'What was ordered.';
COMMENT ON COLUMN controls.position_id IS 'The row that it is about.';
COMMENT ON COLUMN controls.token_chain IS 'Flatten: the namespace of the venue; null means all venues.';
COMMENT ON COLUMN controls.book_id IS 'Flatten: the kind of book there.';
COMMENT ON COLUMN controls.weight IS 'The row''s weight from then on.';
COMMENT ON COLUMN controls.person IS 'Who.';
COMMENT ON COLUMN controls.reason IS 'Why.';
COMMENT ON COLUMN controls.given_at IS 'When.';

CREATE FUNCTION number_controls_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('strandline/controls', 0));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION number_controls_in_order() IS
  'Trigger of controls: lets one transaction at a time take numbers, so that none appears after a higher one was read.';
CREATE TRIGGER in_order BEFORE INSERT ON controls FOR EACH STATEMENT EXECUTE FUNCTION number_controls_in_order();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON controls FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE controls ENABLE ALWAYS TRIGGER in_order;
ALTER TABLE controls ENABLE ALWAYS TRIGGER append_only;


ALTER TABLE equity
  ADD COLUMN known boolean NOT NULL DEFAULT true,
  ADD COLUMN breakers text[] NOT NULL DEFAULT '{}' CHECK (breakers <@ '{daily_loss,drawdown,losing_streak}'),
  ADD COLUMN reset_no bigint NOT NULL DEFAULT 0 CHECK (reset_no >= 0),
  ALTER COLUMN day_start DROP NOT NULL,
  ALTER COLUMN peak DROP NOT NULL,
  DROP CONSTRAINT equity_check,
  ADD CONSTRAINT equity_peak_check CHECK (NOT known OR peak >= equity);
COMMENT ON COLUMN equity.known IS 'Whether everything held has a price; otherwise neither the day''s start nor the peak is taken from it.';
COMMENT ON COLUMN equity.breakers IS 'The breakers that are tripped: no entries.';
COMMENT ON COLUMN equity.reset_no IS 'The last order to reset the breakers that counts here; 0: none.';
COMMENT ON COLUMN equity.day_start IS
  'The first known equity of the UTC day, moved by deposits and withdrawals since; null before there is one.';
COMMENT ON COLUMN equity.peak IS
  'The highest known equity since a person reset the breakers, moved by deposits and withdrawals since; null before there is one.';
COMMENT ON COLUMN equity.losing_streak IS
  'Losing trades in a row, up to the last one that was closed, from the last reset of the breakers on.';

ALTER TABLE planner_state ADD COLUMN settled_request bigint NOT NULL DEFAULT 0 CHECK (settled_request >= 0);
COMMENT ON COLUMN planner_state.settled_request IS
  'The last order to exit that is done with: those up to it had been given when the row held nothing.';
COMMENT ON COLUMN positions.weight IS
  'Share of the token''s allocation, normalised over its rows that may trade.';

GRANT SELECT ON controls TO strandline_app, strandline_ui;
GRANT INSERT ON controls TO strandline_app;
GRANT UPDATE (desired_status, weight) ON positions TO strandline_app;
