"""The live cycle's tasks come before those of runs that were cleared; Airflow's own order is the oldest run first."""

from datetime import timedelta
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import timezone
from airflow.task.priority_strategy import PriorityWeightStrategy

_LIVE_FOR: Final = timedelta(minutes=6)


class LiveFirst(PriorityWeightStrategy):
    """Weighs a task when Airflow creates or clears it. A new run's tasks have no run to look at yet: it is live."""

    def get_weight(self, ti: Any) -> int:  # noqa: ANN401  Airflow's class differs between creating and clearing
        run = ti.dag_run
        return 1 if run is not None and run.run_after < timezone.utcnow() - _LIVE_FOR else 100


class StrandlinePriority(AirflowPlugin):
    """Registers the strategy; a DAG names it as strandline_priority.LiveFirst."""

    name = "strandline_priority"
    priority_weight_strategies = [LiveFirst]  # noqa: RUF012  as Airflow declares it
