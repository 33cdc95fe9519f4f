"""Several at once."""

import threading
from collections.abc import Callable


def at_once(action: Callable[[], None], times: int) -> list[BaseException]:
    """Run the action in so many threads; what went wrong in any of them."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return faults
