-- Asset contexts of the past: funding, open interest, and the venue's prices.

CREATE TABLE asset_contexts (
  instrument_id  integer NOT NULL REFERENCES instruments,
  ts             timestamptz NOT NULL,
  funding_rate   double precision NOT NULL,
  open_interest  double precision NOT NULL CHECK (open_interest >= 0),
  mark_price     double precision NOT NULL CHECK (mark_price > 0),
  oracle_price   double precision NOT NULL CHECK (oracle_price > 0),
  mid_price      double precision CHECK (mid_price > 0),
  premium        double precision,
  loaded_at      timestamptz NOT NULL,
  PRIMARY KEY (instrument_id, ts)
);
COMMENT ON TABLE asset_contexts IS
  'What a venue said of each perpetual at an instant, append-only: about once a minute, from the venue''s archive.';
COMMENT ON COLUMN asset_contexts.instrument_id IS 'The instrument.';
COMMENT ON COLUMN asset_contexts.ts IS 'When the venue took it.';
COMMENT ON COLUMN asset_contexts.funding_rate IS
  'What longs pay shorts for an hour, as a fraction of the position at the oracle''s price; below zero shorts pay.';
COMMENT ON COLUMN asset_contexts.open_interest IS 'All positions of one side, in the base currency.';
COMMENT ON COLUMN asset_contexts.mark_price IS 'The price at which the venue values positions.';
COMMENT ON COLUMN asset_contexts.oracle_price IS 'The price of the spot markets, by which funding is paid.';
COMMENT ON COLUMN asset_contexts.mid_price IS 'The middle of the book; null where one of its sides was empty.';
COMMENT ON COLUMN asset_contexts.premium IS
  'How far the perpetual is above the oracle''s price, as a fraction of it; null where the venue does not say.';
COMMENT ON COLUMN asset_contexts.loaded_at IS 'When it was stored.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON asset_contexts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE asset_contexts ENABLE ALWAYS TRIGGER append_only;
GRANT SELECT ON asset_contexts TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT ON asset_contexts TO strandline_ingest;
