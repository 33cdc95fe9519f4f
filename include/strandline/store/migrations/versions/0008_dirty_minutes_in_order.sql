-- A backlog of dirty minutes is worked off in slices, oldest first.

CREATE INDEX dirty_minutes_by_minute ON dirty_minutes (minute);
COMMENT ON TABLE dirty_minutes IS
  'Minutes whose bars must be rebuilt: inserted with the ticks, deleted by the rollup. It has no key: the same minute may '
  'be inserted again with a later batch of ticks.';
