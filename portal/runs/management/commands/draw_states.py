"""`manage.py draw_states`: the documentation's page of states, written anew."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.runs.diagram import FILE, states_page


class Command(BaseCommand):
    """Write docs/states.md from the table of moves."""

    help = "Write docs/states.md from the table of moves."

    def handle(self, **options: Any) -> None:
        """Write the page."""
        (settings.BASE_DIR / FILE).write_text(states_page())
        self.stdout.write(f"{FILE} is written.")
