"""Market data: instruments, ticks, candles, heartbeats."""

from alembic import op

from strandline.store.migrations import sql

revision = "0001_market_data"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE venue_candles, heartbeats, quarantined_messages, dirty_minutes, ticks, instruments;
    DROP FUNCTION ensure_tick_partitions(date, date);
    DROP FUNCTION refuse_change();
    DROP TYPE side;
    DROP TYPE timeframe;
    DROP DOMAIN sha256_hex;
    """)
