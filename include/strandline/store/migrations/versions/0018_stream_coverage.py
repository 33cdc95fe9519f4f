"""Which sidecar streamed what from when to when; outages are what none of them did."""

from alembic import op

from strandline.store.migrations import sql

revision = "0018_stream_coverage"
down_revision = "0017_trend_adds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE stream_coverage;
    REVOKE DELETE ON outages FROM strandline_ingest;
    DELETE FROM heartbeats a USING heartbeats b
    WHERE (a.process, a.shard) = (b.process, b.shard) AND (a.watermark, a.replica) < (b.watermark, b.replica);
    ALTER TABLE heartbeats DROP CONSTRAINT heartbeats_pkey, DROP COLUMN replica, DROP COLUMN run_id,
      ADD PRIMARY KEY (process, shard);
    COMMENT ON TABLE heartbeats IS 'One row per shard of the sidecar, updated while it runs.';
    COMMENT ON TABLE outages IS
      'Minutes in which an instrument was not streamed without interruption, so that trades may be missing: minute m of '
      'instrument i is incomplete if a row of i has starts_at <= m < ends_at. Written before the watermark passes them, '
      'and the minutes that may have bars become dirty in the same transaction. Polled prices have none.';
    COMMENT ON COLUMN outages.ends_at IS
      'End of the last minute that is touched, infinity while it lasts; one that begins in the last minute of another '
      'continues it.';
    """)
