-- Market data: instruments, their ticks and candles, and how the sidecar is doing.

CREATE DOMAIN sha256_hex AS text CHECK (VALUE ~ '^[0-9a-f]{64}$');
COMMENT ON DOMAIN sha256_hex IS 'A SHA-256 hash in lower-case hexadecimal digits.';
CREATE TYPE timeframe AS ENUM ('1m', '5m', '15m', '1h', '4h', '1d');
CREATE TYPE side AS ENUM ('buy', 'sell');

-- Every append-only table has a trigger `append_only`, every table whose rows must never go has `keep_rows`. They fire
-- per statement, so that they also refuse statements that match no row, and ALWAYS, so that a session with
-- session_replication_role = replica is refused too. TRUNCATE of a partition does not fire the triggers of its parent:
-- each partition has its own.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are only ever added', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION refuse_change() IS 'Trigger of append_only and keep_rows: raises an error, whoever asks.';


CREATE TABLE instruments (
  instrument_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_chain     text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
  book_id         text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
  token_contract  text NOT NULL CHECK (btrim(token_contract) <> ''),
  symbol          text NOT NULL,
  lot             numeric NOT NULL CHECK (lot > 0 AND lot < 'Infinity'),
  min_notional    numeric NOT NULL CHECK (min_notional >= 0 AND min_notional < 'Infinity'),
  stale_after     interval NOT NULL DEFAULT '120 seconds' CHECK (stale_after > interval '0'),
  listed          boolean NOT NULL DEFAULT true,
  first_seen_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (token_chain, book_id, token_contract)
);
COMMENT ON TABLE instruments IS 'One row per symbol and venue. Never deleted: ticks refer to it without a foreign key.';
COMMENT ON COLUMN instruments.instrument_id IS 'The number by which all market data refers to it.';
COMMENT ON COLUMN instruments.token_chain IS 'Venue namespace: the chain for on-chain books, the exchange otherwise. Lower case.';
COMMENT ON COLUMN instruments.book_id IS 'Kind of book at that venue, such as perps or onchain_crypto. Lower case.';
COMMENT ON COLUMN instruments.token_contract IS 'The venue''s own name for it, in the venue''s own case: a coin, or a contract address.';
COMMENT ON COLUMN instruments.symbol IS 'Its name for people.';
COMMENT ON COLUMN instruments.lot IS 'The smallest step of a quantity.';
COMMENT ON COLUMN instruments.min_notional IS 'The smallest order in US dollars.';
COMMENT ON COLUMN instruments.stale_after IS 'A newest tick older than this blocks entries.';
COMMENT ON COLUMN instruments.listed IS 'Whether the venue offers it now.';
COMMENT ON COLUMN instruments.first_seen_at IS 'When it was registered.';
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON instruments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE instruments ENABLE ALWAYS TRIGGER keep_rows;


CREATE TABLE ticks (
  ts             timestamptz NOT NULL,
  instrument_id  integer NOT NULL,
  trade_id       bigint NOT NULL,
  price          double precision NOT NULL,
  size           double precision CHECK (size >= 0),
  side           "char" CHECK (side IN ('b', 's')),
  kind           "char" NOT NULL CHECK (kind IN ('t', 'p')),
  source         "char" NOT NULL CHECK (source IN ('s', 'r', 'a')),
  PRIMARY KEY (ts, instrument_id, trade_id),
  CHECK (kind <> 'p' OR (size IS NULL AND side IS NULL))
) PARTITION BY RANGE (ts);
COMMENT ON TABLE ticks IS
  'Trades and polled prices as the venues reported them, append-only; one partition per UTC day, made ahead by '
  'ensure_tick_partitions. There is no default partition: a tick whose day has none is quarantined.';
COMMENT ON COLUMN ticks.ts IS 'When the venue says that it happened.';
COMMENT ON COLUMN ticks.instrument_id IS 'The instrument; without a foreign key, for speed.';
COMMENT ON COLUMN ticks.trade_id IS 'The venue''s trade id; of a polled price its block or poll time; derived for archives without ids.';
COMMENT ON COLUMN ticks.price IS 'In US dollars. A double holds every price of up to 15 digits exactly.';
COMMENT ON COLUMN ticks.size IS 'Quantity traded; null for polled prices.';
COMMENT ON COLUMN ticks.side IS 'b or s, the aggressor; null for polled prices.';
COMMENT ON COLUMN ticks.kind IS 't trade, p polled price.';
COMMENT ON COLUMN ticks.source IS 's stream, r rest, a archive.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticks FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE ticks ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION ensure_tick_partitions(first date, last date) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  day date;
  partition text;
  made integer := 0;
BEGIN
  IF last < first OR last - first > 3660 THEN
    RAISE EXCEPTION 'ensure_tick_partitions wants first <= last, ten years at most; got % to %', first, last
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR day IN SELECT first + n FROM generate_series(0, last - first) AS n LOOP
    partition := 'ticks_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    -- Another session may be making the same day: wait for it, and look again, in the tables and not in the stale cache.
    PERFORM pg_advisory_xact_lock(hashtext('ensure_tick_partitions'));
    CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace);
    -- LIKE and ATTACH, because CREATE … PARTITION OF would stop the sidecar's writes while it waits for its lock.
    EXECUTE format('CREATE TABLE %I (LIKE ticks INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING COMMENTS)', partition);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', partition);
    EXECUTE format('ALTER TABLE ticks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;
COMMENT ON FUNCTION ensure_tick_partitions(date, date) IS 'Makes the missing partitions of these days; returns how many it made.';


CREATE TABLE dirty_minutes (
  instrument_id  integer NOT NULL,
  minute         timestamptz NOT NULL
);
COMMENT ON TABLE dirty_minutes IS
  'Minutes whose bars must be rebuilt: inserted with the ticks, deleted by the rollup. It has no key: the same minute is '
  'inserted again with every batch of ticks.';
COMMENT ON COLUMN dirty_minutes.instrument_id IS 'The instrument whose bar it is.';
COMMENT ON COLUMN dirty_minutes.minute IS 'Start of the minute, UTC.';


CREATE TABLE quarantined_messages (
  message_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at    timestamptz NOT NULL,
  token_chain    text NOT NULL,
  source         text NOT NULL,
  instrument_id  integer REFERENCES instruments,
  reason         text NOT NULL,
  payload        bytea NOT NULL
);
CREATE INDEX ON quarantined_messages (received_at);
COMMENT ON TABLE quarantined_messages IS 'Messages of venues that could not be understood or stored, append-only.';
COMMENT ON COLUMN quarantined_messages.message_id IS 'Number of the message.';
COMMENT ON COLUMN quarantined_messages.received_at IS 'When the sidecar received it.';
COMMENT ON COLUMN quarantined_messages.token_chain IS 'The venue''s namespace, as in instruments.';
COMMENT ON COLUMN quarantined_messages.source IS 'The channel that it came by, such as stream, rest or ticks (a tick that could not be stored).';
COMMENT ON COLUMN quarantined_messages.instrument_id IS 'The instrument that it is about, if that much was clear.';
COMMENT ON COLUMN quarantined_messages.reason IS 'What is wrong with it.';
COMMENT ON COLUMN quarantined_messages.payload IS 'The message as it was received.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quarantined_messages FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE quarantined_messages ENABLE ALWAYS TRIGGER append_only;


CREATE TABLE heartbeats (
  process     text NOT NULL,
  shard       text NOT NULL,
  beat_at     timestamptz NOT NULL,
  started_at  timestamptz NOT NULL,
  watermark   timestamptz,
  details     jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (process, shard)
);
COMMENT ON TABLE heartbeats IS 'One row per shard of the sidecar, updated while it runs.';
COMMENT ON COLUMN heartbeats.process IS 'The kind of process, such as ingest.';
COMMENT ON COLUMN heartbeats.shard IS 'Which part of the instruments it watches: i/n.';
COMMENT ON COLUMN heartbeats.beat_at IS 'When it last reported.';
COMMENT ON COLUMN heartbeats.started_at IS 'When it was started.';
COMMENT ON COLUMN heartbeats.watermark IS 'Ticks up to this time are committed; the rollup waits for it. It never falls.';
COMMENT ON COLUMN heartbeats.details IS 'Queue, lag and each feed''s state, for people.';


CREATE TABLE venue_candles (
  instrument_id  integer NOT NULL REFERENCES instruments,
  timeframe      timeframe NOT NULL,
  ts             timestamptz NOT NULL,
  open           double precision NOT NULL,
  high           double precision NOT NULL,
  low            double precision NOT NULL,
  close          double precision NOT NULL,
  volume         double precision NOT NULL CHECK (volume >= 0),
  trades         integer CHECK (trades >= 0),
  fetched_at     timestamptz NOT NULL,
  PRIMARY KEY (instrument_id, timeframe, ts)
);
COMMENT ON TABLE venue_candles IS 'The venue''s own closed candles: compared with our bars, and used where ticks are missing.';
COMMENT ON COLUMN venue_candles.instrument_id IS 'The instrument.';
COMMENT ON COLUMN venue_candles.timeframe IS 'Length of the candle.';
COMMENT ON COLUMN venue_candles.ts IS 'Start of the candle, UTC.';
COMMENT ON COLUMN venue_candles.open IS 'First price.';
COMMENT ON COLUMN venue_candles.high IS 'Highest price.';
COMMENT ON COLUMN venue_candles.low IS 'Lowest price.';
COMMENT ON COLUMN venue_candles.close IS 'Last price.';
COMMENT ON COLUMN venue_candles.volume IS 'Base volume.';
COMMENT ON COLUMN venue_candles.trades IS 'Number of trades, if the venue reports it.';
COMMENT ON COLUMN venue_candles.fetched_at IS 'When it was fetched.';


GRANT SELECT ON instruments, ticks, dirty_minutes, quarantined_messages, heartbeats, venue_candles
  TO strandline_ingest, strandline_app, strandline_ui;
GRANT INSERT, UPDATE ON instruments, heartbeats, venue_candles TO strandline_ingest;
GRANT INSERT ON ticks, dirty_minutes, quarantined_messages TO strandline_ingest;
GRANT DELETE ON dirty_minutes TO strandline_app;
REVOKE ALL ON FUNCTION ensure_tick_partitions(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_tick_partitions(date, date) TO strandline_ingest, strandline_app;
