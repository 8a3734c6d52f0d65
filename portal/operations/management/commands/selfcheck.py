"""`manage.py selfcheck`: is everything set and reachable as it should be?"""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.operations.selfcheck import outcomes


class Command(BaseCommand):
    """Prints a line for what is well, each trouble and what it could not look at; status 1 tells of troubles."""

    help = "Try every setting and dependency, and name each trouble with its fix."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks."""
        count = 0
        for found in outcomes():
            count += len(found.troubles)
            for trouble in found.troubles:
                self.stdout.write(self.style.ERROR(f"{found.name}: {trouble.what}. Fix: {trouble.fix}."))
            if found.not_looked_at:
                self.stdout.write(self.style.WARNING(f"{found.name}: not looked at: {found.not_looked_at}"))
            elif not found.troubles:
                self.stdout.write(f"{found.name}: ok")
        if count:
            sys.exit(1)
