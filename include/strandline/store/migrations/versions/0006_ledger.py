"""The ledger: holdings, dust, cash, trades, equity."""

from alembic import op

from strandline.store.migrations import sql

revision = "0006_ledger"
down_revision = "0005_execution"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TRIGGER archive_only_flat ON positions;
    DROP FUNCTION archive_only_flat();
    DROP VIEW position_rows, row_fills;
    DROP TABLE equity, trades, cash, dust, holdings;
    DROP TYPE position_status;
    """)
