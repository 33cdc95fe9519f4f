"""Strands: append-only, chained, and checked by the database itself."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE strand_kind AS ENUM ('decision', 'hold', 'outcome', 'reconciliation', 'control');

    CREATE TABLE strand_heads (
      chain  text PRIMARY KEY,
      seq    bigint NOT NULL CHECK (seq >= 0),
      hash   sha256_hex NOT NULL
    );
    COMMENT ON TABLE strand_heads IS
      'The end of each chain. A writer locks the row last, takes seq and hash from it, and adds one strand; the insert '
      'moves it on.';

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
      'Insert the body alone: every other column is taken from it, the hash is computed over it, and it must continue its '
      'chain. UPDATE, DELETE and TRUNCATE are refused to everybody; who may drop the trigger can still cheat, which the '
      'anchors outside of Postgres show.';
    COMMENT ON COLUMN strands.chain IS 'A venue key as token_chain/book_id, or system.';
    COMMENT ON COLUMN strands.body IS 'The strand in canonical JSON (RFC 8785); its hash is sha256 over "Strand", a newline and this.';

    CREATE FUNCTION continue_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      told jsonb := NEW.body::jsonb;
      head strand_heads;
    BEGIN
      NEW.chain := told ->> 'chain';
      NEW.seq := (told ->> 'seq')::bigint;
      NEW.hash := encode(sha256(convert_to(E'Strand\\n' || NEW.body, 'UTF8')), 'hex');
      NEW.strand_id := (told ->> 'strand_id')::uuid;
      NEW.parent := (told ->> 'parent')::uuid;
      NEW.kind := (told ->> 'kind')::strand_kind;
      NEW.ts := (told ->> 'ts')::timestamptz;
      NEW.cycle_t := (told ->> 'cycle')::timestamptz;
      NEW.position_id := (told ->> 'position_id')::uuid;
      NEW.intent_id := (told -> 'intent' ->> 'intent_id')::uuid;
      SELECT * INTO head FROM strand_heads WHERE chain = NEW.chain FOR UPDATE;
      IF head.chain IS NULL THEN
        RAISE EXCEPTION 'there is no chain %', NEW.chain USING ERRCODE = 'foreign_key_violation';
      END IF;
      IF NEW.seq <> head.seq + 1 OR told ->> 'previous' <> head.hash THEN
        RAISE EXCEPTION 'strand %/% does not continue its chain, which ends at %', NEW.chain, NEW.seq, head.seq
          USING ERRCODE = 'restrict_violation';
      END IF;
      UPDATE strand_heads SET seq = NEW.seq, hash = NEW.hash WHERE chain = NEW.chain;
      RETURN NEW;
    END $$;
    CREATE FUNCTION keep_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.chain <> OLD.chain OR NEW.seq <> OLD.seq + 1 OR pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'the head of % moves only by adding the next strand', OLD.chain
          USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$;
    CREATE FUNCTION start_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.seq <> 0 OR NEW.hash <> repeat('0', 64) THEN
        RAISE EXCEPTION 'a chain starts empty' USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$;

    CREATE TRIGGER continue_chain BEFORE INSERT ON strands FOR EACH ROW EXECUTE FUNCTION continue_chain();
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON strands
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER start_chain BEFORE INSERT ON strand_heads FOR EACH ROW EXECUTE FUNCTION start_chain();
    CREATE TRIGGER keep_head BEFORE UPDATE ON strand_heads FOR EACH ROW EXECUTE FUNCTION keep_head();
    CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON strand_heads
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    ALTER TABLE strands ENABLE ALWAYS TRIGGER continue_chain;
    ALTER TABLE strands ENABLE ALWAYS TRIGGER append_only;
    ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER start_chain;
    ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER keep_head;
    ALTER TABLE strand_heads ENABLE ALWAYS TRIGGER keep_rows;

    CREATE VIEW strand_records AS
      SELECT told ->> 'token_contract' AS token,
             told ->> 'symbol' AS symbol,
             ts,
             COALESCE(told -> 'intent' ->> 'decision', kind::text) AS decision_type,
             (told -> 'intent' ->> 'size_frac')::numeric AS size_frac,
             (told ->> 'appetite')::double precision AS a_value,
             (told ->> 'exit_urgency')::double precision AS e_value,
             told -> 'reasons' AS reasons,
             COALESCE(told -> 'result', to_jsonb(told ->> 'skip_reason')) AS execution_result,
             (told ->> 'executed_at')::timestamptz AS executed_at,
             chain, seq, strand_id
      FROM (SELECT *, body::jsonb AS told FROM strands) AS s;
    COMMENT ON VIEW strand_records IS 'Strands under the names that the first documents gave their fields.';

    GRANT SELECT ON strands, strand_heads, strand_records TO strandline_app, strandline_ui;
    GRANT INSERT ON strands TO strandline_app;
    GRANT INSERT, UPDATE ON strand_heads TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP VIEW strand_records;
    DROP TABLE strands, strand_heads;
    DROP FUNCTION start_chain();
    DROP FUNCTION keep_head();
    DROP FUNCTION continue_chain();
    DROP TYPE strand_kind;
    """)
