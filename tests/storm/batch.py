"""Rows of a batch, submitted as the portal does it, in a process of the portal's own.

python -m tests.storm.batch <pin> <count> <words before the number>
"""

import sys
import uuid

import django


def main(pin_id: str, count: str, words: str) -> None:
    """Submit so many runs in the lane of batches."""
    django.setup()
    from portal.catalogue.models import PinnedApp
    from portal.runs.models import RunLane
    from portal.runs.submit import submit
    from portal.workspaces.models import Membership

    pin = PinnedApp.objects.select_related("app__schema").get(pk=pin_id)
    member = Membership.objects.select_related("workspace", "user").get(user__email="creator@demo.test")
    for number in range(int(count)):
        submit(
            member=member,
            pin=pin,
            schema=pin.app.schema,
            inputs={"brief_text": f"{words}{number:05d}"},
            outputs_wanted=[],
            token=uuid.uuid4(),
            lane=RunLane.BATCH,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
