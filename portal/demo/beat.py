"""Celery beat at half its size: `python -m portal.demo.beat SCHEDULE_FILE`.

Beat sends names of tasks at their time and needs none of them, yet `celery beat` imports every
task, and with them Django and all of the portal. Same schedule, same scheduler, without that.
"""

import logging
import sys

from celery.apps.beat import Beat

from portal.celery import app


class SmallBeat(Beat):
    """Beat that leaves the tasks where they are."""

    def init_loader(self) -> None:
        """Make the application ready without importing its tasks."""
        self.app.finalize()


def main(schedule: str) -> None:
    """Send what is due until told to stop."""
    for entry in app.conf.beat_schedule.values():
        # All that is scheduled is sweeps. The task, which is not imported, would have named the queue.
        entry["options"] = {"queue": "tracking", **entry.get("options", {})}
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    SmallBeat(app=app, schedule=schedule, loglevel="INFO", quiet=True).run()


if __name__ == "__main__":
    main(sys.argv[1])
