"""`manage.py selfcheck`: is everything set and reachable as it should be?"""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.operations.selfcheck import troubles


class Command(BaseCommand):
    """Prints a line for what is well and one for each trouble; ends with status 1 when there is one."""

    help = "Try every setting and dependency, and name each trouble with its fix."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks."""
        count = 0
        for name, found in troubles():
            count += len(found)
            for trouble in found:
                self.stdout.write(self.style.ERROR(f"{name}: {trouble.what}. Fix: {trouble.fix}."))
            if not found:
                self.stdout.write(f"{name}: ok")
        if count:
            sys.exit(1)
