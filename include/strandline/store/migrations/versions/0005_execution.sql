-- Accounts, orders, fills and cash events: what was sent to a venue, and what the venue did.

CREATE TYPE order_kind AS ENUM ('ioc', 'swap', 'paper');
CREATE TYPE order_status AS ENUM ('ready', 'sent', 'unknown', 'filled', 'unfilled', 'rejected', 'dead');
CREATE TYPE fill_cause AS ENUM ('order', 'liquidation', 'deleveraging', 'manual');
CREATE TYPE cash_cause AS ENUM ('deposit', 'withdrawal', 'funding', 'gas', 'rent', 'other');

-- The only place that names these statuses. It is immutable, so that indexes can use it.
CREATE FUNCTION is_resolved(status order_status) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE sql
  RETURN status NOT IN ('ready', 'sent', 'unknown');
COMMENT ON FUNCTION is_resolved(order_status) IS 'Whether the order''s fate is known for good.';


CREATE TABLE venue_accounts (
  token_chain  text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
  book_id      text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
  address      text NOT NULL,
  margined     boolean NOT NULL,
  last_nonce   bigint NOT NULL DEFAULT 0 CHECK (last_nonce >= 0),
  PRIMARY KEY (token_chain, book_id, address)
);
COMMENT ON TABLE venue_accounts IS 'Our accounts at venues, by public address; no keys are here. Never deleted: nonces are not given out twice.';
COMMENT ON COLUMN venue_accounts.token_chain IS 'The venue''s namespace, as in instruments.';
COMMENT ON COLUMN venue_accounts.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN venue_accounts.address IS 'The account''s public address.';
COMMENT ON COLUMN venue_accounts.margined IS 'Whether a purchase is a claim on margin, as with perps, instead of being paid with cash: written at registration from the venue''s descriptor, the same for all accounts of a venue, and never changed.';
COMMENT ON COLUMN venue_accounts.last_nonce IS 'The highest nonce given out; raised in the order''s own transaction.';
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON venue_accounts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE venue_accounts ENABLE ALWAYS TRIGGER keep_rows;


CREATE TABLE orders (
  order_id           uuid PRIMARY KEY,
  intent_id          uuid NOT NULL REFERENCES intents,
  attempt            integer NOT NULL CHECK (attempt > 0),
  token_chain        text NOT NULL,
  book_id            text NOT NULL,
  address            text NOT NULL,
  side               side NOT NULL,
  kind               order_kind NOT NULL,
  quantity           numeric NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'),
  limit_price        numeric NOT NULL CHECK (limit_price > 0 AND limit_price < 'Infinity'),
  dust_below         numeric NOT NULL DEFAULT 0 CHECK (dust_below >= 0 AND dust_below < 'Infinity'),
  client_order_id    text NOT NULL,
  nonce              bigint CHECK (nonce > 0),
  signature          text UNIQUE,
  signed_bytes       bytea NOT NULL,
  deadline           timestamptz NOT NULL,
  last_valid_height  bigint CHECK (last_valid_height > 0),
  plan               jsonb NOT NULL,
  status             order_status NOT NULL DEFAULT 'ready',
  venue_order_id     text,
  error              text,
  written_at         timestamptz NOT NULL DEFAULT now(),
  sent_at            timestamptz,
  resolved_at        timestamptz,
  UNIQUE (intent_id, attempt),
  UNIQUE (token_chain, book_id, client_order_id),
  UNIQUE (token_chain, book_id, address, nonce),
  FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts,
  CHECK ((resolved_at IS NOT NULL) = is_resolved(status))
);
CREATE UNIQUE INDEX one_unresolved_order_per_intent ON orders (intent_id) WHERE NOT is_resolved(status);
COMMENT ON TABLE orders IS
  'Written ahead: the exact bytes are committed before they are sent, and only they may be sent again. A new attempt '
  'needs the order before it to be resolved.';
COMMENT ON COLUMN orders.order_id IS 'Derived from intent and attempt.';
COMMENT ON COLUMN orders.intent_id IS 'The intent that it carries out.';
COMMENT ON COLUMN orders.attempt IS 'Number of the attempt at this intent, from 1.';
COMMENT ON COLUMN orders.token_chain IS 'The venue''s namespace.';
COMMENT ON COLUMN orders.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN orders.address IS 'The account that sends it.';
COMMENT ON COLUMN orders.side IS 'Buy or sell.';
COMMENT ON COLUMN orders.kind IS 'How it reaches the market.';
COMMENT ON COLUMN orders.quantity IS 'Units to buy or sell.';
COMMENT ON COLUMN orders.limit_price IS 'The worst price.';
COMMENT ON COLUMN orders.dust_below IS
  'When this order sells and leaves its row less than this, the rest is dust: too little to be sold when it was made.';
COMMENT ON COLUMN orders.client_order_id IS 'Our id at the venue. It correlates; it does not de-duplicate (the nonce does).';
COMMENT ON COLUMN orders.nonce IS 'The account''s nonce in the signed bytes, where the venue has nonces.';
COMMENT ON COLUMN orders.signature IS 'The transaction''s signature, where the venue knows it by that.';
COMMENT ON COLUMN orders.signed_bytes IS 'What goes over the wire; no key can be derived from it.';
COMMENT ON COLUMN orders.deadline IS 'It is not sent after this.';
COMMENT ON COLUMN orders.last_valid_height IS 'The last block height at which the bytes can land, where the venue has one.';
COMMENT ON COLUMN orders.plan IS 'The execution plan that it was made of.';
COMMENT ON COLUMN orders.status IS 'ready → sent → filled, unfilled, rejected or dead; unknown until recovery finds out.';
COMMENT ON COLUMN orders.venue_order_id IS 'The venue''s id.';
COMMENT ON COLUMN orders.error IS 'What the venue said against it.';
COMMENT ON COLUMN orders.written_at IS 'When it was committed.';
COMMENT ON COLUMN orders.sent_at IS 'When it was sent first.';
COMMENT ON COLUMN orders.resolved_at IS 'When its fate was known for good.';

CREATE FUNCTION keep_order_fate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.resolved_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'order % is resolved as % for good', OLD.order_id, OLD.status
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION keep_order_fate() IS 'Trigger of orders: refuses to change an order that is resolved.';
CREATE TRIGGER keep_fate BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep_order_fate();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE orders ENABLE ALWAYS TRIGGER keep_fate;
ALTER TABLE orders ENABLE ALWAYS TRIGGER keep_rows;

CREATE VIEW unresolved_orders AS SELECT * FROM orders WHERE NOT is_resolved(status);
COMMENT ON VIEW unresolved_orders IS 'The orders whose fate is not known for good.';


CREATE TABLE fills (
  token_chain     text NOT NULL,
  book_id         text NOT NULL,
  venue_fill_id   text NOT NULL,
  address         text NOT NULL,
  order_id        uuid REFERENCES orders,
  token_contract  text NOT NULL,
  side            side NOT NULL,
  price           numeric NOT NULL CHECK (price > 0 AND price < 'Infinity'),
  quantity        numeric NOT NULL CHECK (quantity > 0 AND quantity < 'Infinity'),
  fee             numeric NOT NULL CHECK (fee > '-Infinity' AND fee < 'Infinity'),
  cause           fill_cause NOT NULL,
  ts              timestamptz NOT NULL,
  booked_no       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  PRIMARY KEY (token_chain, book_id, venue_fill_id),
  FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts,
  CHECK ((order_id IS NOT NULL) = (cause = 'order'))
);
CREATE INDEX ON fills (order_id);
COMMENT ON TABLE fills IS 'What the venue traded for us, once by the venue''s own id, append-only. The ledger follows from it.';
COMMENT ON COLUMN fills.token_chain IS 'The venue''s namespace.';
COMMENT ON COLUMN fills.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN fills.venue_fill_id IS 'The venue''s id; two venues may use the same.';
COMMENT ON COLUMN fills.address IS 'The account.';
COMMENT ON COLUMN fills.order_id IS 'Our order; null for what no order of ours asked for.';
COMMENT ON COLUMN fills.token_contract IS 'The venue''s own name for the token.';
COMMENT ON COLUMN fills.side IS 'Buy or sell.';
COMMENT ON COLUMN fills.price IS 'In US dollars.';
COMMENT ON COLUMN fills.quantity IS 'Units.';
COMMENT ON COLUMN fills.fee IS 'In US dollars; negative for a rebate.';
COMMENT ON COLUMN fills.cause IS 'Why the venue traded.';
COMMENT ON COLUMN fills.ts IS 'When it happened, by the venue''s clock.';
COMMENT ON COLUMN fills.booked_no IS 'The order in which fills were booked.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fills FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE fills ENABLE ALWAYS TRIGGER append_only;


CREATE TABLE cash_events (
  token_chain     text NOT NULL,
  book_id         text NOT NULL,
  venue_event_id  text NOT NULL,
  address         text NOT NULL,
  cause           cash_cause NOT NULL,
  asset           text NOT NULL,
  amount          numeric NOT NULL CHECK (amount > '-Infinity' AND amount < 'Infinity'),
  usd             numeric NOT NULL CHECK (usd > '-Infinity' AND usd < 'Infinity'),
  ts              timestamptz NOT NULL,
  booked_no       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  PRIMARY KEY (token_chain, book_id, venue_event_id),
  FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
);
COMMENT ON TABLE cash_events IS 'Cash that moved without a fill, once by the venue''s own id, append-only.';
COMMENT ON COLUMN cash_events.token_chain IS 'The venue''s namespace.';
COMMENT ON COLUMN cash_events.book_id IS 'Kind of book at that venue.';
COMMENT ON COLUMN cash_events.venue_event_id IS 'The venue''s id; two venues may use the same.';
COMMENT ON COLUMN cash_events.address IS 'The account.';
COMMENT ON COLUMN cash_events.cause IS 'Why it moved.';
COMMENT ON COLUMN cash_events.asset IS 'The asset that moved.';
COMMENT ON COLUMN cash_events.amount IS 'In units of the asset; positive came in.';
COMMENT ON COLUMN cash_events.usd IS 'Worth in US dollars when it happened; positive came in.';
COMMENT ON COLUMN cash_events.ts IS 'When it happened, by the venue''s clock.';
COMMENT ON COLUMN cash_events.booked_no IS 'The order in which events were booked.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cash_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE cash_events ENABLE ALWAYS TRIGGER append_only;


GRANT SELECT ON venue_accounts, orders, unresolved_orders, fills, cash_events TO strandline_app, strandline_ui;
GRANT INSERT ON venue_accounts, orders, fills, cash_events TO strandline_app;
GRANT UPDATE (last_nonce) ON venue_accounts TO strandline_app;
GRANT UPDATE (status, venue_order_id, error, sent_at, resolved_at) ON orders TO strandline_app;
