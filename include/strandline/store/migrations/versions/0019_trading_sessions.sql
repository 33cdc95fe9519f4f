-- The sessions of venues that close.

ALTER TABLE instruments ADD COLUMN calendar text CHECK (btrim(calendar) <> '');
COMMENT ON COLUMN instruments.calendar IS
  'The calendar of its sessions, by its name in exchange_calendars; null: it is traded around the clock.';


CREATE TABLE trading_sessions (
  calendar    text NOT NULL,
  session     date NOT NULL,
  opens_at    timestamptz NOT NULL,
  closes_at   timestamptz NOT NULL CHECK (closes_at > opens_at),
  gap_before  gap_type CHECK (gap_before IN ('overnight', 'weekend', 'holiday')),
  PRIMARY KEY (calendar, session)
);
CREATE INDEX ON trading_sessions (calendar, opens_at);
COMMENT ON TABLE trading_sessions IS
  'When the venues of a calendar are open, from twenty years ago to a year ahead, for every calendar that an instrument has.';
COMMENT ON COLUMN trading_sessions.calendar IS 'The calendar, as in instruments.';
COMMENT ON COLUMN trading_sessions.session IS 'The day that the session belongs to, in the venue''s own zone.';
COMMENT ON COLUMN trading_sessions.opens_at IS 'Its first instant.';
COMMENT ON COLUMN trading_sessions.closes_at IS 'The first instant after it. A break at noon is a part of the session.';
COMMENT ON COLUMN trading_sessions.gap_before IS
  'What the time between the session before it and this one is: holiday if a day of the venue''s week was left out, else '
  'weekend if there was a day between, else overnight; null where one follows the other at once.';

GRANT SELECT ON trading_sessions TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT, UPDATE, DELETE ON trading_sessions TO strandline_ingest;
