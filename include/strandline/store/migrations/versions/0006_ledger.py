"""The ledger: projections of fills and cash events, each of which can be rebuilt from them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE position_status AS ENUM ('dormant', 'watchlist', 'active', 'paused', 'archived');

    CREATE TABLE holdings (
      position_id    uuid PRIMARY KEY REFERENCES positions,
      trade_no       integer NOT NULL CHECK (trade_no >= 0),
      quantity       numeric NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
      average_entry  numeric CHECK (average_entry > 0 AND average_entry < 'Infinity'),
      invested       numeric NOT NULL CHECK (invested >= 0),
      extracted      numeric NOT NULL CHECK (extracted >= 0),
      realised_pnl   numeric NOT NULL,
      fees           numeric NOT NULL,
      first_fill_at  timestamptz,
      last_fill_at   timestamptz,
      CHECK ((quantity > 0) = (average_entry IS NOT NULL)),
      CHECK (quantity = 0 OR first_fill_at IS NOT NULL)
    );
    COMMENT ON TABLE holdings IS 'What each row holds: the projection of its fills.';
    COMMENT ON COLUMN holdings.average_entry IS 'Average cost of the open quantity, fees excluded; sells leave it.';

    CREATE TABLE dust (
      token_chain     text NOT NULL,
      book_id         text NOT NULL,
      address         text NOT NULL,
      token_contract  text NOT NULL,
      quantity        numeric NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
      PRIMARY KEY (token_chain, book_id, address, token_contract),
      FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
    );
    COMMENT ON TABLE dust IS 'Remainders too small to trade; reconciliation counts them.';

    CREATE TABLE cash (
      token_chain  text NOT NULL,
      book_id      text NOT NULL,
      address      text NOT NULL,
      asset        text NOT NULL,
      amount       numeric NOT NULL CHECK (amount > '-Infinity' AND amount < 'Infinity'),
      PRIMARY KEY (token_chain, book_id, address, asset),
      FOREIGN KEY (token_chain, book_id, address) REFERENCES venue_accounts
    );

    COMMENT ON TABLE cash IS 'What each account has of each asset: the projection of fills and cash events.';

    CREATE TABLE trades (
      position_id   uuid NOT NULL REFERENCES positions,
      trade_no      integer NOT NULL CHECK (trade_no > 0),
      opened_at     timestamptz NOT NULL,
      closed_at     timestamptz NOT NULL CHECK (closed_at >= opened_at),
      invested      numeric NOT NULL CHECK (invested > 0),
      extracted     numeric NOT NULL CHECK (extracted >= 0),
      fees          numeric NOT NULL,
      funding       numeric NOT NULL DEFAULT 0,
      net_pnl       numeric NOT NULL,
      close_reason  text NOT NULL,
      PRIMARY KEY (position_id, trade_no)
    );
    CREATE INDEX ON trades (closed_at);
    COMMENT ON TABLE trades IS 'Closed trades: from the first fill of a flat row until flat again.';

    CREATE TABLE equity (
      cycle_t         timestamptz PRIMARY KEY REFERENCES cycles,
      equity          numeric NOT NULL,
      cash            numeric NOT NULL,
      day_start       numeric NOT NULL,
      peak            numeric NOT NULL,
      losing_streak   integer NOT NULL CHECK (losing_streak >= 0),
      oldest_mark_at  timestamptz,
      CHECK (peak >= equity)
    );
    COMMENT ON TABLE equity IS 'The portfolio''s worth at each cycle, and what the breakers compare it with.';
    COMMENT ON COLUMN equity.day_start IS 'At the first cycle of the UTC day, shifted by deposits and withdrawals since.';

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
      'dormant until the engine has enough bars, watchlist while flat, active while holding, or what a person said.';

    CREATE FUNCTION archive_only_flat() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM holdings WHERE position_id = NEW.position_id AND quantity > 0)
         OR EXISTS (SELECT FROM intents WHERE position_id = NEW.position_id
                    AND status IN ('planned', 'preparing', 'ready', 'sent', 'unknown')) THEN
        RAISE EXCEPTION 'position % holds something or has an open intent: only a flat row can be archived',
          NEW.position_id USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER archive_only_flat BEFORE UPDATE OF desired_status ON positions FOR EACH ROW
      WHEN (NEW.desired_status = 'archived' AND OLD.desired_status <> 'archived') EXECUTE FUNCTION archive_only_flat();

    GRANT SELECT ON holdings, dust, cash, trades, equity, position_rows TO strandline_app, strandline_ui;
    GRANT INSERT, UPDATE, DELETE ON holdings, dust, cash, trades TO strandline_app;
    GRANT INSERT, UPDATE ON equity TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TRIGGER archive_only_flat ON positions;
    DROP FUNCTION archive_only_flat();
    DROP VIEW position_rows;
    DROP TABLE equity, trades, cash, dust, holdings;
    DROP TYPE position_status;
    """)
