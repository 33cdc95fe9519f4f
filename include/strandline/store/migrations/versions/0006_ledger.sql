-- The ledger: what follows from fills and cash events, and can be rebuilt from them at any time.

CREATE TYPE position_status AS ENUM ('dormant', 'watchlist', 'active', 'paused', 'archived');


CREATE TABLE holdings (
  position_id    uuid PRIMARY KEY REFERENCES positions,
  trade_no       integer NOT NULL CHECK (trade_no >= 0),
  quantity       numeric NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
  average_entry  numeric CHECK (average_entry > 0 AND average_entry < 'Infinity'),
  invested       numeric NOT NULL CHECK (invested >= 0),
  extracted      numeric NOT NULL CHECK (extracted >= 0),
  realised_pnl   numeric NOT NULL,
  cost           numeric NOT NULL GENERATED ALWAYS AS (invested - extracted + realised_pnl) STORED,
  fees           numeric NOT NULL,
  first_fill_at  timestamptz,
  last_fill_at   timestamptz,
  CHECK ((quantity > 0) = (average_entry IS NOT NULL)),
  CHECK (quantity = 0 OR first_fill_at IS NOT NULL)
);
COMMENT ON TABLE holdings IS 'What each row holds of its open or last trade: follows from its fills.';
COMMENT ON COLUMN holdings.position_id IS 'The row.';
COMMENT ON COLUMN holdings.trade_no IS 'Number of the open or last trade, from 1.';
COMMENT ON COLUMN holdings.quantity IS 'Units held; 0 when flat.';
COMMENT ON COLUMN holdings.average_entry IS 'Average cost of a unit that is held, fees excluded; sells leave it as it is.';
COMMENT ON COLUMN holdings.invested IS 'US dollars paid by this trade''s buys, fees excluded.';
COMMENT ON COLUMN holdings.extracted IS 'US dollars brought by this trade''s sells, fees excluded.';
COMMENT ON COLUMN holdings.realised_pnl IS 'What the units that were sold brought above what they cost, fees excluded.';
COMMENT ON COLUMN holdings.cost IS 'What the units that are held cost: invested less extracted plus what was realised.';
COMMENT ON COLUMN holdings.fees IS 'US dollars of fees of this trade.';
COMMENT ON COLUMN holdings.first_fill_at IS 'When this trade began.';
COMMENT ON COLUMN holdings.last_fill_at IS 'This trade''s last fill.';


CREATE TABLE dust (
  token_chain     text NOT NULL,
  book_id         text NOT NULL,
  address         text NOT NULL,
  token_contract  text NOT NULL,
  quantity        numeric NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
  PRIMARY KEY (token_chain, book_id, address, token_contract),
  FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
);
COMMENT ON TABLE dust IS 'Remainders too small to trade, which belong to no row.';
COMMENT ON COLUMN dust.token_chain IS 'The venue''s namespace.';
COMMENT ON COLUMN dust.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN dust.address IS 'The account.';
COMMENT ON COLUMN dust.token_contract IS 'The venue''s own name for the token.';
COMMENT ON COLUMN dust.quantity IS 'Units.';


CREATE TABLE cash (
  token_chain  text NOT NULL,
  book_id      text NOT NULL,
  address      text NOT NULL,
  asset        text NOT NULL,
  amount       numeric NOT NULL CHECK (amount > '-Infinity' AND amount < 'Infinity'),
  PRIMARY KEY (token_chain, book_id, address, asset),
  FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
);
COMMENT ON TABLE cash IS 'What each account has of each asset that pays: follows from fills and cash events.';
COMMENT ON COLUMN cash.token_chain IS 'The venue''s namespace.';
COMMENT ON COLUMN cash.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN cash.address IS 'The account.';
COMMENT ON COLUMN cash.asset IS 'The asset.';
COMMENT ON COLUMN cash.amount IS 'In units of the asset.';


CREATE TABLE trades (
  position_id   uuid NOT NULL REFERENCES positions,
  trade_no      integer NOT NULL CHECK (trade_no > 0),
  opened_at     timestamptz NOT NULL,
  closed_at     timestamptz NOT NULL CHECK (closed_at >= opened_at),
  invested      numeric NOT NULL CHECK (invested > 0),
  extracted     numeric NOT NULL CHECK (extracted >= 0),
  fees          numeric NOT NULL,
  net_pnl       numeric NOT NULL,
  close_reason  text NOT NULL,
  PRIMARY KEY (position_id, trade_no)
);
CREATE INDEX ON trades (closed_at);
COMMENT ON TABLE trades IS 'Closed trades: from the first fill of a flat row until it is flat again.';
COMMENT ON COLUMN trades.position_id IS 'The row.';
COMMENT ON COLUMN trades.trade_no IS 'Number of the row''s trade, from 1.';
COMMENT ON COLUMN trades.opened_at IS 'Its first fill.';
COMMENT ON COLUMN trades.closed_at IS 'Its last fill.';
COMMENT ON COLUMN trades.invested IS 'US dollars paid, fees excluded.';
COMMENT ON COLUMN trades.extracted IS 'US dollars brought, fees excluded.';
COMMENT ON COLUMN trades.fees IS 'US dollars of fees.';
COMMENT ON COLUMN trades.net_pnl IS 'Extracted less invested less fees.';
COMMENT ON COLUMN trades.close_reason IS 'The exit reason or decision of the intent that closed it, or dust.';


CREATE TABLE equity (
  cycle_t         timestamptz PRIMARY KEY REFERENCES cycles,
  equity          numeric NOT NULL,
  cash            numeric NOT NULL,
  day_start       numeric NOT NULL,
  peak            numeric NOT NULL,
  deposits        numeric NOT NULL DEFAULT 0 CHECK (deposits > '-Infinity' AND deposits < 'Infinity'),
  losing_streak   integer NOT NULL CHECK (losing_streak >= 0),
  oldest_mark_at  timestamptz,
  CHECK (peak >= equity)
);
COMMENT ON TABLE equity IS 'The portfolio''s worth at each cycle, and what the breakers compare it with, in US dollars.';
COMMENT ON COLUMN equity.cycle_t IS 'The cycle.';
COMMENT ON COLUMN equity.equity IS 'Cash and all holdings, at the marks.';
COMMENT ON COLUMN equity.cash IS 'Cash alone.';
COMMENT ON COLUMN equity.day_start IS 'Equity at the first cycle of the UTC day, moved by deposits and withdrawals since.';
COMMENT ON COLUMN equity.peak IS 'The highest equity so far, moved by deposits and withdrawals since.';
COMMENT ON COLUMN equity.deposits IS 'Deposits less withdrawals booked by then: day start and peak move by what has come since.';
COMMENT ON COLUMN equity.losing_streak IS 'Losing trades in a row, up to the last one that was closed.';
COMMENT ON COLUMN equity.oldest_mark_at IS 'Time of the oldest mark that it rests on; null when nothing is held.';


CREATE VIEW row_fills AS
  SELECT f.*, a.margined, i.position_id, o.dust_below,
         o.resolved_at IS NOT NULL AS finished, COALESCE(i.exit_reason::text, i.decision::text) AS closes_as
  FROM fills f JOIN orders o USING (order_id) JOIN intents i USING (intent_id)
  JOIN venue_accounts a ON (a.token_chain, a.book_id, a.address) = (f.token_chain, f.book_id, f.address);
COMMENT ON VIEW row_fills IS 'The fills of our orders, each with its row, what its order left for dust, and how it closes a trade.';

CREATE VIEW position_rows AS
  SELECT p.*,
         COALESCE(h.quantity, 0) AS quantity,
         COALESCE(e.bar_count, 0) AS bar_count,
         COALESCE(e.ready, false) AS ready,
         CASE WHEN p.desired_status <> 'open' THEN p.desired_status::text::position_status
              WHEN h.quantity > 0 THEN 'active'
              WHEN e.ready THEN 'watchlist'
              ELSE 'dormant' END AS status
  FROM positions p
  LEFT JOIN holdings h USING (position_id)
  LEFT JOIN instruments i USING (token_chain, book_id, token_contract)
  LEFT JOIN engine_states e ON e.instrument_id = i.instrument_id AND e.timeframe = p.timeframe AND e.adopted;
COMMENT ON VIEW position_rows IS
  'The rows with their status: paused or archived if a person says so, else active while holding, watchlist while flat, '
  'dormant until the engine has enough bars.';

CREATE FUNCTION archive_only_flat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM holdings WHERE position_id = NEW.position_id AND quantity > 0)
     OR EXISTS (SELECT FROM intents WHERE position_id = NEW.position_id AND is_open(status)) THEN
    RAISE EXCEPTION 'position % holds something or has an open intent: only a flat row can be archived',
      NEW.position_id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION archive_only_flat() IS 'Trigger of positions: refuses to archive a row that holds something or has an open intent.';
CREATE TRIGGER archive_only_flat BEFORE UPDATE OF desired_status ON positions FOR EACH ROW
  WHEN (NEW.desired_status = 'archived' AND OLD.desired_status <> 'archived') EXECUTE FUNCTION archive_only_flat();
ALTER TABLE positions ENABLE ALWAYS TRIGGER archive_only_flat;


GRANT SELECT ON holdings, dust, cash, trades, equity, row_fills, position_rows TO strandline_app, strandline_ui;
GRANT INSERT, UPDATE, DELETE ON holdings, dust, cash, trades TO strandline_app;
GRANT INSERT, UPDATE ON equity TO strandline_app;
