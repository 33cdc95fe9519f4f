"""Accounts, orders, fills, cash events: what was sent to a venue and what the venue did."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE order_kind AS ENUM ('ioc', 'swap', 'paper');
    CREATE TYPE order_status AS ENUM ('ready', 'sent', 'unknown', 'filled', 'unfilled', 'rejected', 'dead');
    CREATE TYPE fill_cause AS ENUM ('order', 'liquidation', 'deleveraging', 'manual');
    CREATE TYPE cash_cause AS ENUM ('deposit', 'withdrawal', 'funding', 'gas', 'rent', 'other');

    CREATE TABLE venue_accounts (
      token_chain  text NOT NULL CHECK (token_chain ~ '^[a-z0-9_]{1,32}$'),
      book_id      text NOT NULL CHECK (book_id ~ '^[a-z0-9_]{1,32}$'),
      address      text NOT NULL,
      epoch        bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
      last_nonce   bigint NOT NULL DEFAULT 0 CHECK (last_nonce >= 0),
      PRIMARY KEY (token_chain, book_id, address)
    );
    COMMENT ON TABLE venue_accounts IS 'An account of ours at a venue, by public address; no keys are here.';
    COMMENT ON COLUMN venue_accounts.epoch IS 'Raised by each claim of the account.';
    COMMENT ON COLUMN venue_accounts.last_nonce IS 'The highest nonce given out; raised in the order''s own transaction.';

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
      CHECK ((resolved_at IS NOT NULL) = (status IN ('filled', 'unfilled', 'rejected', 'dead')))
    );
    CREATE UNIQUE INDEX one_undecided_order_per_intent ON orders (intent_id)
      WHERE status IN ('ready', 'sent', 'unknown');
    COMMENT ON TABLE orders IS
      'Written ahead: the exact bytes are committed before they are sent, and only they may be sent again. A new attempt '
      'needs the order before it to be resolved.';
    COMMENT ON COLUMN orders.signed_bytes IS 'What goes over the wire; no key can be derived from it.';
    COMMENT ON COLUMN orders.client_order_id IS 'Correlates; it does not de-duplicate (the nonce does).';
    COMMENT ON COLUMN orders.last_valid_height IS 'Solana: the last block height at which the bytes can land.';

    CREATE FUNCTION keep_order_fate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.resolved_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'order % is resolved as % for good', OLD.order_id, OLD.status
          USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER keep_fate BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep_order_fate();
    CREATE TRIGGER keep_rows BEFORE DELETE OR TRUNCATE ON orders
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

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
    COMMENT ON TABLE fills IS 'What the venue did, once by the venue''s own id. Everything in the ledger follows from it.';
    COMMENT ON COLUMN fills.fee IS 'US dollars; negative for a rebate.';

    CREATE TABLE cash_events (
      token_chain     text NOT NULL,
      book_id         text NOT NULL,
      venue_event_id  text NOT NULL,
      address         text NOT NULL,
      cause           cash_cause NOT NULL,
      asset           text NOT NULL,
      token_contract  text,
      usd             numeric NOT NULL CHECK (usd > '-Infinity' AND usd < 'Infinity'),
      ts              timestamptz NOT NULL,
      booked_no       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      PRIMARY KEY (token_chain, book_id, venue_event_id),
      FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
    );
    COMMENT ON TABLE cash_events IS 'Cash that moved without a fill, once by the venue''s own id.';
    COMMENT ON COLUMN cash_events.usd IS 'Worth in US dollars when it happened; positive came in.';

    CREATE TABLE reconciliations (
      reconciliation_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      cycle_t            timestamptz,
      token_chain        text NOT NULL,
      book_id            text NOT NULL,
      checked_at         timestamptz NOT NULL,
      outcome            text NOT NULL CHECK (outcome IN ('equal', 'different', 'failed')),
      differences        jsonb NOT NULL DEFAULT '[]',
      CHECK ((outcome = 'different') = (differences <> '[]'))
    );
    CREATE INDEX ON reconciliations (token_chain, book_id, checked_at);
    COMMENT ON TABLE reconciliations IS 'The venue''s books against ours.';
    COMMENT ON COLUMN reconciliations.outcome IS 'failed: the venue could not be asked, which never means flat.';

    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fills
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cash_events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reconciliations
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

    GRANT SELECT ON venue_accounts, orders, fills, cash_events, reconciliations TO strandline_app, strandline_ui;
    GRANT INSERT ON venue_accounts, orders, fills, cash_events, reconciliations TO strandline_app;
    GRANT UPDATE (epoch, last_nonce) ON venue_accounts TO strandline_app;
    GRANT UPDATE (status, venue_order_id, error, sent_at, resolved_at) ON orders TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE reconciliations, cash_events, fills, orders, venue_accounts;
    DROP FUNCTION keep_order_fate();
    DROP TYPE cash_cause;
    DROP TYPE fill_cause;
    DROP TYPE order_status;
    DROP TYPE order_kind;
    """)
