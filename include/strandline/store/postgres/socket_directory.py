"""The directory of the server's socket, which guards the server: whoever may enter it is trusted."""

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from strandline.model.errors import StrandlineError
from strandline.store.postgres.account import Account
from strandline.store.postgres.client import SOCKET_NAME

# A socket's address holds about 104 bytes on the strictest system.
_LONGEST_SOCKET_PATH = 100


def socket_directory(data: Path) -> Path:
    """Choose `run` beside the data if that path can be a socket's address, else a name under /tmp derived from it."""
    beside = data.with_name("run")
    short = len(str(beside / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
    if short and re.fullmatch(r"[A-Za-z0-9/._-]+", str(beside)):
        return beside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
    # Not the TMPDIR of this process: another process of the same user may have another one, and must find the server.
    return Path("/tmp") / f"strandline-{Account.for_data(data).uid}-{digest}"  # noqa: S108 - checked before it is used


def make_socket_directory(directory: Path, account: Account) -> None:
    """Create the directory, or raise an error if it is not ours or is open to others."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    ours = found.st_uid in {os.geteuid(), account.uid}
    if not (stat.S_ISDIR(found.st_mode) and ours and stat.S_IMODE(found.st_mode) == stat.S_IRWXU):
        problem = f"{directory} must be a directory of our own that is closed to others, and is not"
        raise StrandlineError(problem, "remove it and start again")
    if found.st_uid != account.uid:
        account.take(directory)
