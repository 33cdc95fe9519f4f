"""Findings of the quality gate, and the engine's states and signals."""

from alembic import op

from strandline.store.migrations import sql

revision = "0003_signals"
down_revision = "0002_bars"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE features, engine_states, quality_findings, quality_runs;
    DROP TYPE engine_state;
    DROP TYPE severity;
    """)
