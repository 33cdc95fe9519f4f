"""Accounts, orders, fills and cash events."""

from alembic import op

from strandline.store.migrations import sql

revision = "0005_execution"
down_revision = "0004_planning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP VIEW unresolved_orders;
    DROP TABLE cash_events, fills, orders, venue_accounts;
    DROP FUNCTION keep_order_fate();
    DROP FUNCTION is_resolved(order_status);
    DROP TYPE cash_cause;
    DROP TYPE fill_cause;
    DROP TYPE order_status;
    DROP TYPE order_kind;
    """)
