"""The reason codes of the planner, which strands and pages show: one spelling each."""

from typing import Final

FLAT: Final = "flat"
NO_FLAG: Final = "no_flag"
FLAG_EXPIRED: Final = "flag_expired"
BAR_REVISED: Final = "bar_revised"
NO_TRUSTED_PRICE: Final = "no_trusted_price"

ABOVE_STOP: Final = "above_stop"
TRAIL_NOT_ARMED: Final = "trail_not_armed"
ABOVE_TRAIL: Final = "above_trail"
TRAIL_ARMED: Final = "trail_armed"
NOT_OLD_ENOUGH: Final = "not_old_enough"
NO_EXIT_DUE: Final = "no_exit_due"
OTHER_EXIT_DUE: Final = "other_exit_due"
WAITS_FOR_OPEN_EXIT: Final = "waits_for_open_exit"

TRIMMED_LATELY: Final = "trimmed_lately"
TRIMMED_AT_LEVEL: Final = "trimmed_at_level"
BOUGHT_LATELY: Final = "bought_lately"
TOO_NEAR_ENTRY: Final = "too_near_entry"
NO_LEVEL: Final = "no_level"
TRIM_TOO_SMALL: Final = "trim_too_small"
DUST_RULE: Final = "dust_rule"

BLOCK_ALL: Final = "block_all"
BLOCK_ENTRIES: Final = "block_entries"
TRIM_FLAG: Final = "trim_flag"
PAUSED: Final = "paused"
DORMANT: Final = "dormant"
OPEN_ENTRY: Final = "open_entry"
OPEN_EXIT: Final = "open_exit"
STALE_MARKS: Final = "stale_marks"
NO_EQUITY: Final = "no_equity"
NOT_BLOCKED: Final = "not_blocked"

CAP_TOKEN: Final = "cap_token"  # noqa: S105  a cap is no password
CAP_VENUE: Final = "cap_venue"
CAP_TOTAL: Final = "cap_total"
FREE_CASH: Final = "free_cash"

ALREADY_POSITIONED: Final = "already_positioned"
NO_ATTEMPT: Final = "no_attempt"
ATTEMPT_BOUGHT: Final = "attempt_bought"
VISIT_BOUGHT: Final = "visit_bought"
NO_TREND: Final = "no_trend"
TREND_DIPPED: Final = "trend_dipped"
BELOW_MINIMUM: Final = "below_minimum"

NOTHING_TO_DO: Final = "nothing_to_do"
