"""`strandline doctor`: checks the installation, a line for each check."""

from collections.abc import Iterator

from strandline.cli.doctor.check import Check, failed
from strandline.model.errors import ConfigurationError


def examine() -> Iterator[Check]:
    """Run all checks, in the order in which to fix what they find."""
    from strandline.cli.doctor import airflow, database, host, sidecars, trading
    from strandline.configuration import load_settings

    yield host.python()
    yield host.packages()
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield from (failed("settings", *fault.rpartition("; ")[::2]) for fault in error.faults)
        return
    yield from trading.settings(settings)
    yield host.disk(settings)
    yield from database.database(settings)
    yield sidecars.sidecars(settings)
    configuration = airflow.configuration()
    yield from airflow.airflow(configuration)
    yield airflow.pools(configuration, settings)
    yield host.port(settings)
    yield host.clock(settings)
