"""What backfills have loaded."""

from alembic import op

from strandline.store.migrations import sql

revision = "0011_history_loads"
down_revision = "0010_quarantine_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE history_loads;
    DROP TYPE history_source;
    """)
