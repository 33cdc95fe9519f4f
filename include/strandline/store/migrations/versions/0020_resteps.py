"""Series step again from a kept state when a bar is revised that they have taken in."""

from alembic import op

from strandline.store.migrations import sql

revision = "0020_resteps"
down_revision = "0019_trading_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sql.run(revision)


def downgrade() -> None:
    """The signals of resteps have no place in the older key, which has one signal for each bar: the first ones stay."""
    op.execute("""
    DROP VIEW revised_intents;
    DROP TABLE resteps, engine_checkpoints;
    ALTER TABLE planner_state DROP COLUMN restep;
    ALTER TABLE features DISABLE TRIGGER append_only;
    DELETE FROM features WHERE restep > 0;
    ALTER TABLE features ENABLE ALWAYS TRIGGER append_only;
    ALTER TABLE features DROP CONSTRAINT features_pkey, DROP COLUMN restep,
      ADD PRIMARY KEY (instrument_id, timeframe, ts, generation, bar_revision);
    COMMENT ON TABLE features IS 'The engine''s signal for each final bar that it stepped, append-only.';
    ALTER TABLE engine_states DROP COLUMN known_seq, DROP COLUMN restep;
    DROP INDEX bars_by_knowledge;
    """)
