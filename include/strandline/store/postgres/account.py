"""The system account that the server runs as: Postgres refuses to run as root."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strandline.model.errors import StrandlineError
from strandline.store.postgres.programs import Programs, last_lines, run_program

# A plain change of user is not enough: the directories above the data may be closed to
# everybody but root, and must stay so. So the server keeps one of root's rights, to pass closed directories.
# initdb asks with access(), which looks at the real user and drops that right unless the securebit is set.
_KEEP_PASSING_DIRECTORIES = (
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
)
_INSTEAD_OF_ROOT = "run as an ordinary user, or give STRANDLINE_DATABASE_URL for a Postgres of your own"


@dataclass(frozen=True)
class Account:
    """A user and group, and the command that switches to them."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @classmethod
    def for_data(cls, data: Path) -> "Account":
        """Choose the current user or, for root, the owner of the data, or else `nobody`."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        with contextlib.suppress(FileNotFoundError):
            owner = data.stat()
            if owner.st_uid != 0:
                return cls._instead_of_root(owner.st_uid, owner.st_gid)
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            problem = "Postgres does not run as root, and there is no user nobody to run it as"
            raise StrandlineError(problem, _INSTEAD_OF_ROOT) from None
        return cls._instead_of_root(nobody.pw_uid, nobody.pw_gid)

    @classmethod
    def _instead_of_root(cls, uid: int, gid: int) -> "Account":
        return cls(uid, gid, ("setpriv", f"--reuid={uid}", f"--regid={gid}", *_KEEP_PASSING_DIRECTORIES))

    def check(self, programs: Programs) -> None:
        """Raise an error if root cannot run programs as this account here."""
        if not self.prefix:
            return
        problem = "Postgres does not run as root, and root cannot run it as another user here"
        if shutil.which(self.prefix[0]) is None:
            raise StrandlineError(f"{problem}: there is no `setpriv`", _INSTEAD_OF_ROOT)
        trial = self.run(programs.path("postgres"), ["--version"], Path("/"))
        if trial.returncode != 0:
            raise StrandlineError(f"{problem}: {last_lines(trial.stderr)}", _INSTEAD_OF_ROOT)

    def run(
        self, program: Path, arguments: Sequence[str], directory: Path, *, hold_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the server, to its end, in a directory; it may hold open files of this process."""
        return run_program([*self.prefix, str(program), *arguments], directory=directory, hold_open=hold_open)

    def take(self, directory: Path) -> None:
        """Make the account the owner of a directory that this process has just created."""
        if self.uid != os.geteuid():
            os.chown(directory, self.uid, self.gid, follow_symlinks=False)
