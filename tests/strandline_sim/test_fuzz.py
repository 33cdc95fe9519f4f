"""Whatever is sent to the simulated venues, they answer."""

import asyncio

from tests.strandline_sim.fuzz import fuzz


def test_damaged_requests_are_answered() -> None:
    report = asyncio.run(fuzz(1_500, seed=1))
    assert report.wrong == []
    assert "Traceback" not in report.logged
    assert len(report.answers) > 12
