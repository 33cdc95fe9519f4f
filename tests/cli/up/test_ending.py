"""`strandline up` ends whenever that is asked for, and what a killed one has left is ended by the next."""

import signal
from pathlib import Path

import pytest

from tests.cli.up.running import HEALTHY, Up

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: each start finds what the one before it, ended half-way, has left."""
    return tmp_path_factory.mktemp("ending")


@pytest.mark.parametrize(
    "phase",
    [
        "everything is kept",
        "starting postgres",
        "migrating",
        "starting venues",
        "starting api-server",
        "starting scheduler",
    ],
)
def test_ctrl_c_ends_it_in_every_phase(home: Path, phase: str) -> None:
    with Up(home) as up:
        up.wait_for(phase)
        up.press_ctrl_c()
        assert up.wait_for_end() == 0, up.printed
        assert up.remaining() == []
    assert "Traceback" not in "".join(up.printed)


def test_a_killed_one_leaves_what_the_next_one_ends(home: Path) -> None:
    with Up(home) as up:
        up.wait_for("starting scheduler")
        up.send(signal.SIGKILL)
        up.wait_for_end()
        left = up.remaining()
        assert len(left) > 5
        migrated_at = up.paths.log("airflow-migration").stat().st_mtime_ns
        with Up(home) as after:
            after.wait_for(r"ending \d+ processes that a killed strandline up has left")
            after.wait_for(HEALTHY)
            # The database says that it is migrated; to ask Airflow would take seconds.
            assert up.paths.log("airflow-migration").stat().st_mtime_ns == migrated_at
            after.press_ctrl_c()
            after.wait_for("ending scheduler")
            after.press_ctrl_c()
            assert after.wait_for_end() == 0
            assert after.remaining() == []
