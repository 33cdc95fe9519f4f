-- What backfills have loaded, so that they go on where they stopped.

CREATE TYPE history_source AS ENUM ('archive', 'rest', 'file');


CREATE TABLE history_loads (
  instrument_id  integer NOT NULL REFERENCES instruments,
  source         history_source NOT NULL,
  unit           text NOT NULL,
  content_hash   sha256_hex NOT NULL,
  starts_at      timestamptz NOT NULL,
  ends_at        timestamptz NOT NULL,
  hour           timestamptz,
  derived_ids    boolean NOT NULL DEFAULT false,
  found          integer NOT NULL CHECK (found >= 0),
  stored         integer NOT NULL CHECK (stored >= 0),
  changed        integer NOT NULL CHECK (changed >= 0),
  refused        jsonb NOT NULL,
  loaded_at      timestamptz NOT NULL,
  PRIMARY KEY (instrument_id, source, unit, content_hash, starts_at, ends_at),
  CHECK (ends_at > starts_at),
  CHECK (stored + changed <= found)
);
CREATE INDEX ON history_loads (instrument_id, hour) WHERE hour IS NOT NULL;
COMMENT ON TABLE history_loads IS
  'What backfills have loaded, append-only: one row per instrument and unit, committed together with the unit''s data. A '
  'unit that is here with the same content and all of the time that is asked for is not loaded again.';
COMMENT ON COLUMN history_loads.instrument_id IS 'The instrument.';
COMMENT ON COLUMN history_loads.source IS 'archive: the venue''s own files of trades; rest: its candles; file: a file of a person.';
COMMENT ON COLUMN history_loads.unit IS 'What was loaded at once: an hour of an archive, a day of candles, lines of a file.';
COMMENT ON COLUMN history_loads.content_hash IS 'SHA-256 of what was read: a file that has changed since is loaded again.';
COMMENT ON COLUMN history_loads.starts_at IS 'Start of the time that was asked for.';
COMMENT ON COLUMN history_loads.ends_at IS 'Its end; what happened at this instant or later was not loaded.';
COMMENT ON COLUMN history_loads.hour IS 'The hour of an archive''s file; null for other sources.';
COMMENT ON COLUMN history_loads.derived_ids IS 'Whether the ids of its trades were derived, because they have none of the venue.';
COMMENT ON COLUMN history_loads.found IS 'Valid rows of the instrument, each counted once.';
COMMENT ON COLUMN history_loads.stored IS 'Rows that were new; the others were there already.';
COMMENT ON COLUMN history_loads.changed IS 'Candles that were there with other numbers.';
COMMENT ON COLUMN history_loads.refused IS 'Rows that were not loaded, by reason.';
COMMENT ON COLUMN history_loads.loaded_at IS 'When.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history_loads FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE history_loads ENABLE ALWAYS TRIGGER append_only;


GRANT SELECT ON history_loads TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT ON history_loads TO strandline_ingest;
