"""What the rest of the machine does meanwhile: a time that others took is nothing the portal can be blamed for."""

import os
from pathlib import Path

from tests.storm.processes import Company

TOO_MUCH = 0.2


class Elsewhere:
    """How much of the machine went to others since this was made: neither the storm, its processes nor Postgres."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._total, self._busy = machine_ticks()
        self._ours = self._our_ticks()

    @property
    def share(self) -> float:
        """Return the share of all cores, between 0 and 1."""
        total, busy = machine_ticks()
        others = (busy - self._busy) - (self._our_ticks() - self._ours)
        return min(1.0, max(0.0, others / max(1, total - self._total)))

    @property
    def is_quiet(self) -> bool:
        """Return whether times may be judged."""
        return self.share <= TOO_MUCH

    def words(self) -> str:
        """Return a note for the table."""
        judged = "" if self.is_quiet else ": too much for the times to be judged"
        return f"others took {self.share:.0%} of the machine meanwhile{judged}"

    def _our_ticks(self) -> int:
        services = self._company.services.values()
        ours = {os.getsid(0), *(service.process.pid for service in services if service.process)}
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            if int(fields[3]) in ours or name == "postgres":
                ticks += int(fields[11]) + int(fields[12])
        return ticks


def machine_ticks() -> tuple[int, int]:
    """Return the ticks of all cores since the start, and those in which they did something."""
    fields = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), sum(fields) - fields[3] - fields[4]
