"""`manage.py pin_app`: offer an app to a workspace."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lamina_integration import LaminaError, Lane
from portal.catalogue.models import Capability
from portal.catalogue.schemas import pin
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace


class Command(BaseCommand):
    """Fetches an app from Lamina and pins it in a workspace."""

    help = "Offer a Lamina app to the members of a workspace."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the app, the capability and the workspace."""
        parser.add_argument("app_id", help="the app's id at Lamina")
        parser.add_argument("--capability", required=True, choices=Capability.values)
        parser.add_argument("--workspace", required=True, help="the workspace's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        """Pin it, or say in one line why not."""
        try:
            workspace = Workspace.objects.get(slug=options["workspace"])
        except Workspace.DoesNotExist as error:
            raise CommandError(f"There is no workspace {options['workspace']!r}.") from error
        with client_for(workspace, lane=Lane.INTERACTIVE) as client:
            try:
                pinned = pin(
                    workspace=workspace, lamina_id=options["app_id"], capability=options["capability"], client=client
                )
            except LaminaError as error:
                raise CommandError(f"Lamina did not give the app {options['app_id']}: {error}") from error
        self.stdout.write(f"{pinned.title} is offered in {workspace} under {pinned.get_capability_display()}.")
