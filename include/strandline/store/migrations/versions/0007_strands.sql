-- Strands: the audit records, append-only, chained by hashes, and checked by the database itself.

CREATE TYPE strand_kind AS ENUM ('decision', 'hold', 'outcome', 'reconciliation', 'control');


CREATE TABLE strand_heads (
  chain  text PRIMARY KEY,
  seq    bigint NOT NULL CHECK (seq >= 0),
  hash   sha256_hex NOT NULL
);
COMMENT ON TABLE strand_heads IS
  'The end of each chain. A writer locks the row, makes the next strand from its seq and hash, and inserts the strand, '
  'which moves the head on.';
COMMENT ON COLUMN strand_heads.chain IS 'A venue key as token_chain/book_id, or system.';
COMMENT ON COLUMN strand_heads.seq IS 'Number of the last strand; 0 before the first.';
COMMENT ON COLUMN strand_heads.hash IS 'Hash of the last strand; zeros before the first.';


CREATE TABLE strands (
  chain        text NOT NULL REFERENCES strand_heads,
  seq          bigint NOT NULL CHECK (seq > 0),
  hash         sha256_hex NOT NULL,
  strand_id    uuid NOT NULL UNIQUE,
  parent       uuid REFERENCES strands (strand_id),
  kind         strand_kind NOT NULL,
  ts           timestamptz NOT NULL,
  cycle_t      timestamptz,
  position_id  uuid,
  intent_id    uuid,
  body         text NOT NULL,
  PRIMARY KEY (chain, seq)
);
CREATE INDEX ON strands (cycle_t, chain);
CREATE INDEX ON strands (position_id, seq);
CREATE INDEX ON strands (intent_id);
COMMENT ON TABLE strands IS
  'Insert the body alone: the trigger continue_chain fills the other columns from it, computes the hash, and refuses what '
  'does not continue the chain. UPDATE, DELETE and TRUNCATE are refused to everybody; whoever may drop the triggers can '
  'still rewrite history.';
COMMENT ON COLUMN strands.chain IS 'A venue key as token_chain/book_id, or system.';
COMMENT ON COLUMN strands.seq IS 'Number in the chain, from 1 without holes.';
COMMENT ON COLUMN strands.hash IS 'sha256 over "Strand", a newline and the body, which has the hash of the strand before.';
COMMENT ON COLUMN strands.strand_id IS 'Derived from what it is about: recorded twice, it is the same strand.';
COMMENT ON COLUMN strands.parent IS 'The strand that this one adds to.';
COMMENT ON COLUMN strands.kind IS 'What kind of record it is.';
COMMENT ON COLUMN strands.ts IS 'When it happened.';
COMMENT ON COLUMN strands.cycle_t IS 'The cycle that it is about.';
COMMENT ON COLUMN strands.position_id IS 'The row that it is about.';
COMMENT ON COLUMN strands.intent_id IS 'The intent that it is about.';
COMMENT ON COLUMN strands.body IS 'The record in canonical JSON (RFC 8785).';

CREATE FUNCTION continue_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  strand jsonb := NEW.body::jsonb;
  head strand_heads;
BEGIN
  NEW.chain := strand ->> 'chain';
  NEW.seq := (strand ->> 'seq')::bigint;
  NEW.hash := encode(sha256(convert_to(E'Strand\n' || NEW.body, 'UTF8')), 'hex');
  NEW.strand_id := (strand ->> 'strand_id')::uuid;
  NEW.parent := (strand ->> 'parent')::uuid;
  NEW.kind := (strand ->> 'kind')::strand_kind;
  NEW.ts := (strand ->> 'ts')::timestamptz;
  NEW.cycle_t := (strand ->> 'cycle')::timestamptz;
  NEW.position_id := (strand ->> 'position_id')::uuid;
  NEW.intent_id := (strand -> 'intent' ->> 'intent_id')::uuid;
  SELECT * INTO head FROM strand_heads WHERE chain = NEW.chain FOR UPDATE;
  IF head.chain IS NULL THEN
    RAISE EXCEPTION 'there is no chain %', NEW.chain USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF NEW.seq IS DISTINCT FROM head.seq + 1 OR strand ->> 'previous' IS DISTINCT FROM head.hash THEN
    RAISE EXCEPTION 'strand %/% does not continue its chain, which ends at %', NEW.chain, NEW.seq, head.seq
      USING ERRCODE = 'restrict_violation';
  END IF;
  UPDATE strand_heads SET seq = NEW.seq, hash = NEW.hash WHERE chain = NEW.chain;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION continue_chain() IS 'Trigger of strands: fills the columns from the body, and moves the chain''s head on.';
CREATE FUNCTION keep_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.chain <> OLD.chain OR NEW.seq <> OLD.seq + 1 OR pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'the head of % moves only by adding the next strand', OLD.chain
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION keep_head() IS 'Trigger of strand_heads: refuses every change but that of continue_chain.';
CREATE FUNCTION start_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seq <> 0 OR NEW.hash <> repeat('0', 64) THEN
    RAISE EXCEPTION 'a chain starts empty' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION start_chain() IS 'Trigger of strand_heads: refuses a new chain that is not empty.';

CREATE TRIGGER continue_chain BEFORE INSERT ON strands FOR EACH ROW EXECUTE FUNCTION continue_chain();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON strands FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER start_chain BEFORE INSERT ON strand_heads FOR EACH ROW EXECUTE FUNCTION start_chain();
CREATE TRIGGER keep_head BEFORE UPDATE ON strand_heads FOR EACH ROW EXECUTE FUNCTION keep_head();
CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON strand_heads FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE strands ENABLE ALWAYS TRIGGER continue_chain;
ALTER TABLE strands ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER start_chain;
ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER keep_head;
ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER keep_rows;

CREATE VIEW strand_records AS
  SELECT strand ->> 'token_contract' AS token,
         strand ->> 'symbol' AS symbol,
         ts,
         COALESCE(strand -> 'intent' ->> 'decision', kind::text) AS decision_type,
         (strand -> 'intent' ->> 'size_frac')::numeric AS size_frac,
         (strand ->> 'appetite')::double precision AS a_value,
         (strand ->> 'exit_urgency')::double precision AS e_value,
         strand -> 'reasons' AS reasons,
         COALESCE(strand -> 'result', to_jsonb(strand ->> 'skip_reason')) AS execution_result,
         (strand ->> 'executed_at')::timestamptz AS executed_at,
         chain, seq, strand_id
  FROM (SELECT *, body::jsonb AS strand FROM strands) AS s;
COMMENT ON VIEW strand_records IS 'Strands under the field names of the first documents: a_value is appetite, e_value exit urgency.';


GRANT SELECT ON strands, strand_heads, strand_records TO strandline_app, strandline_ui;
GRANT INSERT ON strands TO strandline_app;
GRANT INSERT, UPDATE ON strand_heads TO strandline_app;
