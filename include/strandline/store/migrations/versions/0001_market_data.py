"""Market data: instruments, ticks, and what the sidecar says about itself."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE DOMAIN sha256_hex AS text CHECK (VALUE ~ '^[0-9a-f]{64}$');
    CREATE TYPE timeframe AS ENUM ('1m', '5m', '15m', '1h', '4h', '1d');
    CREATE TYPE side AS ENUM ('buy', 'sell');

    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% on % is refused: its rows are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
    END $$;
    COMMENT ON FUNCTION refuse_change() IS
      'Trigger of the append-only tables. Fires for every role and under session_replication_role = replica too.';

    CREATE TABLE instruments (
      instrument_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      token_chain     text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
      book_id         text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
      token_contract  text NOT NULL CHECK (btrim(token_contract) <> ''),
      symbol          text NOT NULL,
      lot             numeric NOT NULL CHECK (lot > 0 AND lot < 'Infinity'),
      min_notional    numeric NOT NULL CHECK (min_notional >= 0 AND min_notional < 'Infinity'),
      calendar        text NOT NULL DEFAULT '24/7',
      stale_after     interval NOT NULL DEFAULT '120 seconds' CHECK (stale_after > interval '0'),
      listed          boolean NOT NULL DEFAULT true,
      first_seen_at   timestamptz NOT NULL DEFAULT now(),
      UNIQUE (token_chain, book_id, token_contract)
    );
    COMMENT ON TABLE instruments IS
      'One row per symbol and venue; market data refers to it by integer. Never deleted: ticks carry no foreign key.';
    COMMENT ON COLUMN instruments.token_chain IS
      'Venue namespace: the chain for on-chain books (solana), the exchange otherwise (hyperliquid). Lower case.';
    COMMENT ON COLUMN instruments.book_id IS 'Kind of book at that venue, such as perps or onchain_crypto. Lower case.';
    COMMENT ON COLUMN instruments.token_contract IS 'The venue''s own name for it, in the venue''s own case.';
    COMMENT ON COLUMN instruments.calendar IS 'Trading sessions: 24/7, or a calendar of exchange_calendars.';
    COMMENT ON COLUMN instruments.stale_after IS 'A newest tick older than this blocks entries.';
    CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON instruments
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

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
      'What venues said, unjudged; one partition per UTC day, made ahead by ensure_tick_partitions. No default partition: '
      'a time that nobody expects is quarantined instead. A double holds every price of up to 15 digits exactly.';
    COMMENT ON COLUMN ticks.trade_id IS
      'The venue''s trade id; of a polled price its block or poll time; derived for archives without ids.';
    COMMENT ON COLUMN ticks.side IS 'b or s, the aggressor; null for polled prices.';
    COMMENT ON COLUMN ticks.kind IS 't trade, p polled price.';
    COMMENT ON COLUMN ticks.source IS 's stream, r rest, a archive.';

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
        -- Others may be making the same day: wait for them, and look again, in the tables and not in the stale cache.
        PERFORM pg_advisory_xact_lock(hashtext('ensure_tick_partitions'));
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace);
        -- LIKE and ATTACH, because CREATE … PARTITION OF would stop the sidecar's writes while it waits for its lock.
        EXECUTE format('CREATE TABLE %I (LIKE ticks INCLUDING CONSTRAINTS INCLUDING INDEXES)', partition);
        EXECUTE format('ALTER TABLE ticks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
        made := made + 1;
      END LOOP;
      RETURN made;
    END $$;
    COMMENT ON FUNCTION ensure_tick_partitions(date, date) IS 'Makes the missing day partitions; returns how many.';

    CREATE TABLE dirty_minutes (
      instrument_id  integer NOT NULL,
      minute         timestamptz NOT NULL
    );
    COMMENT ON TABLE dirty_minutes IS
      'Minutes whose bars must be rebuilt: appended with the ticks, taken by the rollup. Doubles are meant to happen.';

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
    COMMENT ON TABLE quarantined_messages IS 'What could not be understood, as it came, with the reason.';

    CREATE TABLE heartbeats (
      process     text NOT NULL,
      shard       text NOT NULL,
      beat_at     timestamptz NOT NULL,
      started_at  timestamptz NOT NULL,
      watermark   timestamptz,
      details     jsonb NOT NULL DEFAULT '{}',
      PRIMARY KEY (process, shard)
    );
    COMMENT ON TABLE heartbeats IS 'One row per shard of the sidecar and other long-running processes.';
    COMMENT ON COLUMN heartbeats.watermark IS 'Ticks up to this time are committed; the rollup waits for it.';

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
    COMMENT ON TABLE venue_candles IS 'The venue''s own closed candles: to compare with our bars, and to repair them.';

    GRANT SELECT ON instruments, ticks, dirty_minutes, quarantined_messages, heartbeats, venue_candles
      TO strandline_ingest, strandline_app, strandline_ui;
    GRANT INSERT, UPDATE ON instruments, heartbeats, venue_candles TO strandline_ingest;
    GRANT INSERT ON ticks, dirty_minutes, quarantined_messages TO strandline_ingest;
    GRANT DELETE ON dirty_minutes TO strandline_app;
    REVOKE ALL ON FUNCTION ensure_tick_partitions(date, date) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION ensure_tick_partitions(date, date) TO strandline_ingest, strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE venue_candles, heartbeats, quarantined_messages, dirty_minutes, ticks, instruments;
    DROP FUNCTION ensure_tick_partitions(date, date);
    DROP FUNCTION refuse_change();
    DROP TYPE side;
    DROP TYPE timeframe;
    DROP DOMAIN sha256_hex;
    """)
