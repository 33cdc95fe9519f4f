-- Old days of ticks: what is in them, and dropping one that was archived.

CREATE FUNCTION tick_bytes(ts timestamptz, instrument_id integer, trade_id bigint, price double precision,
                           size double precision, side "char", kind "char", source "char") RETURNS bytea
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT timestamptz_send(ts) || int4send(instrument_id) || int8send(trade_id) || float8send(price)
      || float8send(coalesce(size, 0))
      || charsend(CASE WHEN size IS NULL THEN '-'::"char" ELSE '+' END) || charsend(coalesce(side, '-'))
      || charsend(kind) || charsend(source)
$$;
COMMENT ON FUNCTION tick_bytes(timestamptz, integer, bigint, double precision, double precision, "char", "char", "char") IS
  'A tick as 40 bytes, every bit of its numbers included: two ticks have the same if and only if they are the same.';

CREATE FUNCTION tick_day_content(day date, OUT rows bigint, OUT content_hash sha256_hex)
  LANGUAGE sql STABLE SET search_path = public, pg_temp SET jit = off AS $$
  SELECT coalesce(sum(of_minute.rows), 0)::bigint,
         encode(sha256(coalesce(string_agg(sha256(of_minute.bytes), ''::bytea ORDER BY minute), '')), 'hex')
  FROM generate_series(0, 1439) AS number
  CROSS JOIN LATERAL (SELECT (day + make_interval(mins => number)) AT TIME ZONE 'UTC' AS minute) AS began
  CROSS JOIN LATERAL (
    SELECT count(*) AS rows,
           string_agg(tick_bytes(ts, instrument_id, trade_id, price, size, side, kind, source), ''::bytea
                      ORDER BY ts, instrument_id, trade_id) AS bytes
    FROM ticks WHERE ts >= minute AND ts < minute + interval '1 minute'
  ) AS of_minute
  WHERE bytes IS NOT NULL
$$;
COMMENT ON FUNCTION tick_day_content(date) IS
  'How many ticks a UTC day has, and the SHA-256 of the SHA-256 of each of its minutes that has any: of the tick_bytes of '
  'its ticks, by (ts, instrument_id, trade_id). No more than a minute is in memory at once.';

CREATE FUNCTION drop_tick_partition(day date, archived_rows bigint, archived_hash sha256_hex) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
  SET lock_timeout = '500ms' AS $$
DECLARE
  partition text := 'ticks_' || to_char(day, 'YYYYMMDD');
  bounds text := format('FOR VALUES FROM (%L) TO (%L)', day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
  content record;
BEGIN
  IF archived_rows IS NULL OR archived_hash IS NULL OR day IS NULL OR day > (now() AT TIME ZONE 'UTC')::date - 8 THEN
    RAISE EXCEPTION 'drop_tick_partition wants a day that ended at least a week ago, and what was archived of it; got %', day
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'drop_tick_partition wants a transaction that is READ COMMITTED: others do not see the newest ticks'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- Backfills take turns with this lock: none waits for the partition while this waits for backfills.
  PERFORM pg_advisory_xact_lock(hashtext('history_loads'));
  IF NOT EXISTS (SELECT FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'ticks'::regclass
                 AND c.relname = partition AND c.relkind = 'r' AND pg_get_expr(c.relpartbound, c.oid) = bounds) THEN
    RETURN false;
  END IF;
  -- Readers go on; nobody adds a tick until this transaction ends.
  EXECUTE format('LOCK TABLE ONLY %I IN SHARE MODE', partition);
  SELECT * INTO content FROM tick_day_content(day);
  IF (content.rows, content.content_hash) IS DISTINCT FROM (archived_rows, archived_hash) THEN
    RAISE EXCEPTION 'the ticks of % are not those that were archived: % rows with hash %, archived were % with %',
      day, content.rows, content.content_hash, archived_rows, archived_hash USING ERRCODE = 'restrict_violation';
  END IF;
  EXECUTE format('DROP TABLE %I', partition);
  RETURN true;
END $$;
COMMENT ON FUNCTION drop_tick_partition(date, bigint, sha256_hex) IS
  'Drops the partition of a day, the one exception to ticks being append-only: only of a day that ended at least a week '
  'ago, only if the ticks in it are exactly those that the caller has archived, and never waits more than half a second '
  'for a reader. False if there is none.';

COMMENT ON TABLE ticks IS
  'Trades and polled prices as the venues reported them, append-only; one partition per UTC day, made ahead by '
  'ensure_tick_partitions, and dropped by drop_tick_partition when the day is old and archived. There is no default '
  'partition: a tick whose day has none is quarantined.';

REVOKE ALL ON FUNCTION drop_tick_partition(date, bigint, sha256_hex) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_tick_partition(date, bigint, sha256_hex) TO strandline_app;
