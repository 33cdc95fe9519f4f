"""Becomes one program of `strandline up`.

supervisord starts this file with the program's name. What the program is, and its part of the environment, come in a
variable: no secret stands in a file, and no program sees another's.
"""

import json
import os
import sys
from typing import Final

PROGRAMS: Final = "_STRANDLINE_UP_PROGRAMS"
ROOT: Final = "_STRANDLINE_UP_ROOT"
"""Holds the number of the program that a process belongs to."""


def main() -> None:
    """Replace this process; its number, which stays, marks all that it will start."""
    environment = dict(os.environ)
    program = json.loads(environment.pop(PROGRAMS))[sys.argv[1]]
    for name in program["without"]:
        environment.pop(name, None)
    environment |= program["environment"] | {ROOT: str(os.getpid())}
    os.chdir(program["directory"])
    os.execvpe(program["command"][0], program["command"], environment)  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
