"""The live cycle's tasks come before those of all other runs; Airflow's own order is the oldest run first."""

from datetime import timedelta
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import timezone
from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.utils.types import DagRunType

_LIVE_FOR: Final = timedelta(minutes=6)
_SCHEDULED, _TRIGGERED, _PAST = 100, 50, 1


class LiveFirst(PriorityWeightStrategy):
    """Weighs a task when Airflow creates or clears it: scheduled runs first, then those that people trigger.

    While Airflow creates a task it has no run to look at, so a run that was triggered for a date long past is not known
    as such; its id says that it was triggered, and Airflow refuses such a run an id of a scheduled one.
    """

    def get_weight(self, ti: Any) -> int:  # noqa: ANN401  Airflow's class differs between creating and clearing
        run = ti.dag_run
        if run is not None and run.run_after < timezone.utcnow() - _LIVE_FOR:
            return _PAST
        return _SCHEDULED if DagRunType.from_run_id(ti.run_id) is DagRunType.SCHEDULED else _TRIGGERED


class StrandlinePriority(AirflowPlugin):
    """Registers the strategy; a DAG names it as strandline_priority.LiveFirst."""

    name = "strandline_priority"
    priority_weight_strategies = [LiveFirst]  # noqa: RUF012  as Airflow declares it
