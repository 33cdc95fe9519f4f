"""Asset contexts of the past."""

from alembic import op

from strandline.store.migrations import sql

revision = "0016_asset_contexts"
down_revision = "0015_candle_comparisons"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE asset_contexts;
    """)
