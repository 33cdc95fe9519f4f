"""Quarantined messages are deleted after a while."""

from alembic import op

from strandline.store.migrations import sql

revision = "0010_quarantine_retention"
down_revision = "0009_outages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    REVOKE DELETE ON quarantined_messages FROM strandline_ingest;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON quarantined_messages
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    ALTER TABLE quarantined_messages ENABLE ALWAYS TRIGGER append_only;
    COMMENT ON TABLE quarantined_messages IS
      'Messages of venues that could not be understood or stored, append-only.';
    COMMENT ON COLUMN quarantined_messages.payload IS 'The message as it was received.';
    """)
