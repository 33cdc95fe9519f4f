-- What was missed is repaired from the venue's candles, and bars say so.

ALTER TABLE outages ADD COLUMN repaired_at timestamptz;
ALTER TABLE dropped_ticks ADD COLUMN repaired_at timestamptz;
CREATE INDEX outages_by_end ON outages (ends_at);
CREATE INDEX outages_unrepaired ON outages (ends_at) WHERE repaired_at IS NULL;
CREATE INDEX dropped_ticks_unrepaired ON dropped_ticks (minute) WHERE repaired_at IS NULL;
COMMENT ON COLUMN outages.repaired_at IS
  'When the venue''s candles of all these minutes were loaded; null before, and for minutes that it no longer serves.';
COMMENT ON COLUMN dropped_ticks.repaired_at IS 'When the venue''s candle of this minute was loaded; null before.';
