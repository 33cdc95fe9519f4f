"""What the ledger must not have to guess when it is rebuilt: what was dust then, and how much was paid in by then."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE orders
      ADD COLUMN dust_below numeric NOT NULL DEFAULT 0 CHECK (dust_below >= 0 AND dust_below < 'Infinity');
    COMMENT ON COLUMN orders.dust_below IS
      'When this order sells and leaves its row less than this, the rest is dust: too little to be sold when it was made.';

    ALTER TABLE equity
      ADD COLUMN deposits numeric NOT NULL DEFAULT 0 CHECK (deposits > '-Infinity' AND deposits < 'Infinity');
    COMMENT ON COLUMN equity.deposits IS
      'Deposits less withdrawals booked by then: day start and peak move by what has come since.';

    CREATE VIEW row_fills AS
      SELECT f.*, i.position_id, o.dust_below,
             o.resolved_at IS NOT NULL AS finished, COALESCE(i.exit_reason::text, i.decision::text) AS closes_as
      FROM fills f JOIN orders o USING (order_id) JOIN intents i USING (intent_id);
    COMMENT ON VIEW row_fills IS 'Each fill of an order of ours, with the row that it belongs to: order, intent, position.';
    GRANT SELECT ON row_fills TO strandline_app, strandline_ui;
    """)


def downgrade() -> None:
    op.execute("""
    DROP VIEW row_fills;
    ALTER TABLE equity DROP COLUMN deposits;
    ALTER TABLE orders DROP COLUMN dust_below;
    """)
