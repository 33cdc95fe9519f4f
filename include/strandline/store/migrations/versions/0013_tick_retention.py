"""Old days of ticks: what is in them, and dropping one that was archived."""

from alembic import op

from strandline.store.migrations import sql

revision = "0013_tick_retention"
down_revision = "0012_repairs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    COMMENT ON TABLE ticks IS
      'Trades and polled prices as the venues reported them, append-only; one partition per UTC day, made ahead by '
      'ensure_tick_partitions. There is no default partition: a tick whose day has none is quarantined.';
    DROP FUNCTION drop_tick_partition(date, bigint, sha256_hex);
    DROP FUNCTION tick_day_content(date);
    DROP FUNCTION tick_bytes(timestamptz, integer, bigint, double precision, double precision, "char", "char", "char");
    """)
