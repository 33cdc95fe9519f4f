"""The market's index and BTC, bar by bar, with the engine's signal and the phase that follows from it."""

from alembic import op

from strandline.store.migrations import sql

revision = "0022_regime"
down_revision = "0021_controls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    op.execute("""
    DROP TABLE regime_bars, regime_states;
    DROP TYPE regime_series, market_phase;
    """)
