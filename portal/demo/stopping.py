"""Being asked to stop: Ctrl-C, SIGTERM, a closed terminal."""

import contextlib
import os
import select
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether somebody asked to stop, and how often; waiting on it ends as soon as somebody does.

    Signals only leave a mark here. An exception out of a handler could fall between starting a
    process and remembering it, and leave that one behind.
    """

    def __init__(self) -> None:
        """Listen from now on."""
        self.count = 0
        self._heard, self._ring = os.pipe()
        for end in (self._heard, self._ring):
            os.set_blocking(end, False)
        for number in SIGNALS:
            # Under nohup a closed terminal is no reason to stop.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)
        # A child's end wakes a wait, too: it may have to be started again.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._ring, warn_on_full_buffer=False)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def wait(self, seconds: float) -> bool:
        """Sleep until the time is up, a child has ended or somebody asks to stop; tell whether they did."""
        if not self.count and select.select([self._heard], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._heard, 1024)
        return self.count > 0
