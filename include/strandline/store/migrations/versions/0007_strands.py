"""Strands: the chained audit records."""

from alembic import op

from strandline.store.migrations import sql

revision = "0007_strands"
down_revision = "0006_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP VIEW strand_records;
    DROP TABLE strands, strand_heads;
    DROP FUNCTION start_chain();
    DROP FUNCTION keep_head();
    DROP FUNCTION continue_chain();
    DROP TYPE strand_kind;
    """)
