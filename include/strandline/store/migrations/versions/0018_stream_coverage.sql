-- Which sidecar streamed what from when to when; outages are what none of them did.

ALTER TABLE heartbeats
  ADD COLUMN replica text NOT NULL DEFAULT 'a',
  ADD COLUMN run_id bigint,
  DROP CONSTRAINT heartbeats_pkey,
  ADD PRIMARY KEY (process, shard, replica);
COMMENT ON TABLE heartbeats IS 'One row per sidecar, updated while it runs.';
COMMENT ON COLUMN heartbeats.replica IS 'Which of those that watch the same instruments it is.';
COMMENT ON COLUMN heartbeats.run_id IS 'Random number of the process that holds the row; one that is started later takes it over, and the older one ends.';


CREATE TABLE stream_coverage (
  instrument_id  integer NOT NULL,
  shard          text NOT NULL,
  replica        text NOT NULL,
  since          timestamptz NOT NULL,
  through        timestamptz CHECK (through >= since),
  PRIMARY KEY (instrument_id, shard, replica, since)
);
CREATE INDEX stream_coverage_open ON stream_coverage (shard, replica) WHERE through IS NULL;
COMMENT ON TABLE stream_coverage IS
  'The times in which each sidecar received all trades of an instrument. What none of them covers is in outages. Rows that '
  'ended more than a week ago are deleted once later ones exist.';
COMMENT ON COLUMN stream_coverage.instrument_id IS 'The instrument.';
COMMENT ON COLUMN stream_coverage.shard IS 'The shard of the sidecar, as in heartbeats.';
COMMENT ON COLUMN stream_coverage.replica IS 'The replica of the sidecar, as in heartbeats.';
COMMENT ON COLUMN stream_coverage.since IS
  'From then on everything is received; of an instrument''s first row, which covers nothing, the first trade ever received.';
COMMENT ON COLUMN stream_coverage.through IS
  'Until then; null while it goes on, which it does up to the watermark in the sidecar''s heartbeat, whatever becomes of it.';

-- There was one sidecar so far: it covers what its outages do not.
INSERT INTO stream_coverage
SELECT DISTINCT ON (instrument_id) instrument_id, '0/1', 'a',
       CASE WHEN ends_at = 'infinity' THEN starts_at ELSE ends_at END,
       CASE WHEN ends_at = 'infinity' THEN starts_at END
FROM outages ORDER BY instrument_id, starts_at DESC;

COMMENT ON TABLE outages IS
  'Minutes in which no sidecar streamed an instrument without interruption, so that trades may be missing: minute m of '
  'instrument i is incomplete if a row of i has starts_at <= m < ends_at. Derived from stream_coverage in the transaction '
  'that changes it, before the watermark passes them; minutes that may have bars become dirty in it too. Polled prices have none.';
COMMENT ON COLUMN outages.ends_at IS 'End of the last minute that is touched, infinity while it lasts.';

GRANT SELECT ON stream_coverage TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT, UPDATE, DELETE ON stream_coverage TO strandline_ingest;
GRANT DELETE ON outages TO strandline_ingest;
