-- Minutes by when they became known, so that those that came late are found without reading the others.

CREATE INDEX minutes_by_known_seq ON bars (known_seq) WHERE timeframe = '1m';
COMMENT ON COLUMN quality_runs.suite IS 'Which suite of checks: ticks, bars, rows or signals.';
COMMENT ON COLUMN quality_runs.statistics IS 'How many checks were made and how many failed, and what came out of each, for people.';
