"""A last resort: end the demo's processes if the supervisor was killed before it could.

A shell that reads a pipe. While the supervisor lives it hears which process groups there are; when
the supervisor dies, however it dies, the pipe ends and the shell ends the groups. Ten times
smaller than a second Python, and no child can slip away from it by forking.
"""

import contextlib
import subprocess
from collections.abc import Iterable
from types import TracebackType

SCRIPT = """
trap '' HUP INT TERM
while read -r line; do groups=$line; done
for group in $groups; do kill -s TERM -- "-$group"; done
for second in 1 2 3 4 5 6 7 8; do
    alive=
    for group in $groups; do kill -s 0 -- "-$group" && alive="$alive $group"; done
    groups=$alive
    [ -n "$groups" ] || exit 0
    sleep 1
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class Guard:
    """Watches over process groups from a process of its own, as long as the block runs."""

    def __init__(self) -> None:
        """Start watching, nothing so far."""
        self._shell = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        assert self._shell.stdin is not None  # noqa: S101
        self._pipe = self._shell.stdin

    def __enter__(self) -> "Guard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch(())
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self._shell.wait()

    def watch(self, groups: Iterable[int]) -> None:
        """Let these process groups be the ones that must not outlive the supervisor."""
        # Somebody may have killed the shell: the demo goes on without it.
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write((" ".join(map(str, groups)) + "\n").encode())
