"""What kind of machine this is."""

import os
import platform
from pathlib import Path

_CPUS = Path("/proc/cpuinfo")


def machine(postgres: str) -> dict[str, str | int]:
    """The processors and the versions that the figures depend on."""
    return {
        "cores": os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "python": platform.python_version(),
        "postgres": postgres,
    }


def _cpu() -> str:
    lines = _CPUS.read_text().splitlines() if _CPUS.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
