-- Bars that are revised after the engine took them in: their series steps again from a state that was kept before them.

CREATE INDEX bars_by_knowledge ON bars (known_seq);

ALTER TABLE engine_states
  ADD COLUMN known_seq bigint NOT NULL DEFAULT 0 CHECK (known_seq >= 0),
  ADD COLUMN restep integer NOT NULL DEFAULT 0 CHECK (restep >= 0);
UPDATE engine_states SET known_seq = (SELECT COALESCE(max(known_seq), 0) FROM bars);
COMMENT ON COLUMN engine_states.known_seq IS
  'The newest known_seq of any bar when the series was stepped last: what has a higher one was not taken in.';
COMMENT ON COLUMN engine_states.restep IS 'How often the generation was stepped again because a bar was revised.';


CREATE TABLE engine_checkpoints (
  instrument_id  integer NOT NULL,
  timeframe      timeframe NOT NULL,
  generation     integer NOT NULL,
  bar_ts         timestamptz NOT NULL,
  bar_count      integer NOT NULL CHECK (bar_count > 0),
  state_bytes    bytea NOT NULL,
  PRIMARY KEY (instrument_id, timeframe, generation, bar_ts),
  FOREIGN KEY (instrument_id, timeframe, generation) REFERENCES engine_states
);
COMMENT ON TABLE engine_checkpoints IS
  'Earlier states of each series, one about every sixty bars and only the newest: where it steps again from when a bar is revised.';
COMMENT ON COLUMN engine_checkpoints.instrument_id IS 'The instrument of the series.';
COMMENT ON COLUMN engine_checkpoints.timeframe IS 'The timeframe of the series.';
COMMENT ON COLUMN engine_checkpoints.generation IS 'The generation of the series.';
COMMENT ON COLUMN engine_checkpoints.bar_ts IS 'The last bar that this state has taken in.';
COMMENT ON COLUMN engine_checkpoints.bar_count IS 'Bars that it has taken in.';
COMMENT ON COLUMN engine_checkpoints.state_bytes IS 'The state; only the engine can read it.';


CREATE TABLE resteps (
  instrument_id  integer NOT NULL,
  timeframe      timeframe NOT NULL,
  generation     integer NOT NULL,
  restep         integer NOT NULL CHECK (restep > 0),
  cycle_t        timestamptz NOT NULL,
  known_seq      bigint NOT NULL CHECK (known_seq > 0),
  since          timestamptz NOT NULL,
  until          timestamptz NOT NULL CHECK (until >= since),
  PRIMARY KEY (instrument_id, timeframe, generation, restep),
  FOREIGN KEY (instrument_id, timeframe, generation) REFERENCES engine_states
);
COMMENT ON TABLE resteps IS 'Each time that a series was stepped again because a bar was revised, append-only.';
COMMENT ON COLUMN resteps.instrument_id IS 'The instrument of the series.';
COMMENT ON COLUMN resteps.timeframe IS 'The timeframe of the series.';
COMMENT ON COLUMN resteps.generation IS 'The generation of the series.';
COMMENT ON COLUMN resteps.restep IS 'Number within the generation, from 1; its signals have it too.';
COMMENT ON COLUMN resteps.cycle_t IS 'The cycle in which it was done.';
COMMENT ON COLUMN resteps.known_seq IS 'The newest known_seq that it took in.';
COMMENT ON COLUMN resteps.since IS 'The first bar that was revised: the signals from here on were made anew.';
COMMENT ON COLUMN resteps.until IS 'The last bar that had been stepped before.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON resteps FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE resteps ENABLE ALWAYS TRIGGER append_only;


ALTER TABLE features ADD COLUMN restep integer NOT NULL DEFAULT 0 CHECK (restep >= 0);
ALTER TABLE features DROP CONSTRAINT features_pkey, ADD PRIMARY KEY (instrument_id, timeframe, ts, generation, restep);
COMMENT ON TABLE features IS
  'The engine''s signal for each final bar that it stepped, append-only. After a restep the bar has another one: the newest counts.';
COMMENT ON COLUMN features.restep IS '0: made when the bar was new; else the number of the restep that made it.';

ALTER TABLE planner_state ADD COLUMN restep integer NOT NULL DEFAULT 0 CHECK (restep >= 0);
COMMENT ON COLUMN planner_state.restep IS 'The last restep of the generation whose signals were read.';


CREATE VIEW revised_intents AS
  SELECT n.intent_id, n.position_id, n.cycle_t, n.decision, n.source_bar, n.source_revision,
         r.restep, r.cycle_t AS restepped_in, r.since AS revised_bar
  FROM intents n JOIN cycles c USING (cycle_t) JOIN positions p USING (position_id)
  JOIN instruments i USING (token_chain, book_id, token_contract)
  JOIN resteps r ON r.instrument_id = i.instrument_id AND r.timeframe = p.timeframe
                AND n.source_bar BETWEEN r.since AND r.until AND r.known_seq > c.known_seq;
COMMENT ON VIEW revised_intents IS
  'Intents that were decided on a signal which a later restep made anew, because a bar was revised that they rest on.';

GRANT SELECT ON engine_checkpoints, resteps, revised_intents TO strandline_app, strandline_ui;
GRANT INSERT, DELETE ON engine_checkpoints TO strandline_app;
GRANT INSERT ON resteps TO strandline_app;
