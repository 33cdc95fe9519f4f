"""Controls: what people ordered, and why."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE TYPE control_kind AS ENUM (
      'halt', 'halt_all', 'resume', 'reset_breakers', 'arm_live', 'disarm_live', 'force_exit', 'flatten', 'explain'
    );

    CREATE TABLE controls (
      control_id         uuid PRIMARY KEY,
      control_no         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      kind               control_kind NOT NULL,
      token_chain        text,
      book_id            text,
      position_id        uuid REFERENCES positions,
      reconciliation_id  bigint REFERENCES reconciliations,
      person             text NOT NULL CHECK (btrim(person) <> ''),
      reason             text NOT NULL CHECK (btrim(reason) <> ''),
      ordered_at         timestamptz NOT NULL,
      expires_at         timestamptz CHECK (expires_at > ordered_at),
      CHECK ((token_chain IS NULL) = (book_id IS NULL)),
      CHECK ((kind = 'force_exit') = (position_id IS NOT NULL)),
      CHECK ((kind = 'explain') = (reconciliation_id IS NOT NULL))
    );
    COMMENT ON TABLE controls IS
      'Append-only: what is in force is the newest row of its kind and scope. Without a venue it holds everywhere.';
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON controls
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    ALTER TABLE controls ENABLE ALWAYS TRIGGER append_only;

    GRANT SELECT ON controls TO strandline_app, strandline_ui;
    GRANT INSERT ON controls TO strandline_app;
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE controls;
    DROP TYPE control_kind;
    """)
