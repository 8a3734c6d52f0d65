"""`manage.py refresh_schemas`: look at every pinned app's schema now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.catalogue.models import App
from portal.catalogue.refreshing import look_again

# A release waits for its turn so long, for each app.
PATIENCE_SECONDS = 60.0


class Command(BaseCommand):
    """Refreshes all schemas; for a deployment's release step."""

    help = "Fetch the newest schema of every pinned app."

    def handle(self, *args: Any, **options: Any) -> None:
        """Refresh one app after the other and name those that could not be fetched."""
        apps = App.objects.filter(pins__is_offered=True).distinct()
        for app in apps:
            look_again(app, patience_seconds=PATIENCE_SECONDS)
        problems = [f"{app.name} ({app.lamina_id}): {app.refresh_error}" for app in apps.all() if app.refresh_error]
        if problems:
            raise CommandError("Not refreshed: " + "; ".join(problems))
        self.stdout.write(f"{len(apps)} schemas are up to date.")
