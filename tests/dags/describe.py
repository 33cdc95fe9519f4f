"""Run by the tests in a process of its own, because importing Airflow changes the process: prints each DAG as JSON."""

import json
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from tests.dags.priorities import first_task_weights
from tests.dags.task_bodies import asked_by_bodies


def described(folder: str) -> dict[str, Any]:
    """By id, the DAGs as the scheduler reads them."""
    bag = DagBag(folder)
    if bag.import_errors:
        sys.exit(json.dumps(bag.import_errors))
    return {dag_id: DagSerialization.to_dict(dag)["dag"] for dag_id, dag in bag.dags.items()}


first, second = described(sys.argv[1]), described(sys.argv[1])
tasks = {
    dag_id: {
        task.task_id: {
            "downstream": sorted(task.downstream_task_ids),
            "execution_timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
            "retries": task.retries,
            "retry_delay": task.retry_delay.total_seconds(),
            "trigger_rule": task.trigger_rule.value,
            "pool": task.pool,
            "queue": task.queue,
            "most_at_once": task.max_active_tis_per_dag,
            "weight_rule": task.weight_rule,
        }
        for task in dag.tasks
    }
    for dag_id, dag in DagBag(sys.argv[1]).dags.items()
}
bodies = {dag_id: asked_by_bodies(dag.tasks) for dag_id, dag in DagBag(sys.argv[1]).dags.items()}
weights = {
    dag_id: first_task_weights(DagSerialization.from_dict(DagSerialization.to_dict(dag)))
    for dag_id, dag in DagBag(sys.argv[1]).dags.items()
}
forms = {dag_id: dict(dag.params) for dag_id, dag in DagBag(sys.argv[1]).dags.items()}
descriptions = {
    dag_id: {
        "timetable": dag["timetable"],
        "max_active_runs": dag["max_active_runs"],
        "dagrun_timeout": dag.get("dagrun_timeout"),
        "catchup": dag["catchup"],
        "paused": dag.get("is_paused_upon_creation", False),
        "form": forms[dag_id],
        "allowed_run_types": sorted(dag.get("allowed_run_types") or ()),
        "same_again": dag == second[dag_id],
        "tasks": tasks[dag_id],
        "bodies": bodies[dag_id],
        "weights": weights[dag_id],
    }
    for dag_id, dag in first.items()
}
sys.stdout.write(f"\n{json.dumps(descriptions)}\n")
