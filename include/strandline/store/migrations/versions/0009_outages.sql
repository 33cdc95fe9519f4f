-- What live ticks are missing: outages of the stream, and ticks that were dropped.

CREATE TABLE outages (
  instrument_id  integer NOT NULL,
  starts_at      timestamptz NOT NULL CHECK (starts_at = date_trunc('minute', starts_at, 'UTC')),
  ends_at        timestamptz NOT NULL CHECK (ends_at = date_trunc('minute', ends_at, 'UTC')),
  PRIMARY KEY (instrument_id, starts_at),
  CHECK (ends_at > starts_at)
);
CREATE INDEX ON outages (instrument_id) WHERE ends_at = 'infinity';
COMMENT ON TABLE outages IS
  'Minutes in which an instrument was not streamed without interruption, so that trades may be missing: minute m of '
  'instrument i is incomplete if a row of i has starts_at <= m < ends_at. Written before the watermark passes them, '
  'and the minutes that may have bars become dirty in the same transaction. Polled prices have none.';
COMMENT ON COLUMN outages.instrument_id IS 'The instrument.';
COMMENT ON COLUMN outages.starts_at IS 'Start of the first minute that is touched: the last watermark before, or the first trade ever received.';
COMMENT ON COLUMN outages.ends_at IS
  'End of the last minute that is touched, infinity while it lasts; one that begins in the last minute of another continues it.';

CREATE TABLE dropped_ticks (
  instrument_id  integer NOT NULL,
  minute         timestamptz NOT NULL CHECK (minute = date_trunc('minute', minute, 'UTC')),
  dropped        integer NOT NULL CHECK (dropped > 0),
  PRIMARY KEY (instrument_id, minute)
);
COMMENT ON TABLE dropped_ticks IS
  'Ticks that were received and not stored, because the buffer was full or their values were impossible. Their minutes '
  'become dirty in the same transaction.';
COMMENT ON COLUMN dropped_ticks.instrument_id IS 'The instrument.';
COMMENT ON COLUMN dropped_ticks.minute IS 'Start of the minute, UTC.';
COMMENT ON COLUMN dropped_ticks.dropped IS 'How many. One that is sent again and stored then still counts.';


GRANT SELECT ON outages, dropped_ticks TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT, UPDATE ON outages, dropped_ticks TO strandline_ingest;
