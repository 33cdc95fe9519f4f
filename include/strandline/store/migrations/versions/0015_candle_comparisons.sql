-- When the bars of each instrument were last compared with the venue's candles.

CREATE TABLE candle_comparisons (
  instrument_id   integer PRIMARY KEY REFERENCES instruments,
  asked_at        timestamptz NOT NULL,
  compared_at     timestamptz,
  compared_until  timestamptz,
  minutes         integer CHECK (minutes >= 0),
  differing       integer CHECK (differing >= 0),
  CHECK (num_nulls(compared_at, compared_until, minutes, differing) IN (0, 4))
);
COMMENT ON TABLE candle_comparisons IS
  'The rotation in which bars of one minute are compared with the venue''s candles: one row for each instrument that was streamed.';
COMMENT ON COLUMN candle_comparisons.instrument_id IS 'The instrument.';
COMMENT ON COLUMN candle_comparisons.asked_at IS
  'When it was last its turn; the next is the instrument that has waited longest, whether the venue answered or not.';
COMMENT ON COLUMN candle_comparisons.compared_at IS 'When candles were last compared; null before.';
COMMENT ON COLUMN candle_comparisons.compared_until IS 'End of the newest minute that was compared.';
COMMENT ON COLUMN candle_comparisons.minutes IS 'How many candles the last comparison had.';
COMMENT ON COLUMN candle_comparisons.differing IS
  'How many minutes of them had no bar of ours, another one, or a bar without a candle.';
GRANT SELECT ON candle_comparisons TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT, UPDATE ON candle_comparisons TO strandline_ingest;
