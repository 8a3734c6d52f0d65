"""`manage.py pin_app`: offer an app to a workspace."""

import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError

from lamina_integration import LaminaBudgetSpent, LaminaError, Lane
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
        with without_small_talk(options["verbosity"]), client_for(workspace, lane=Lane.INTERACTIVE) as client:
            try:
                pinned = pin(
                    workspace=workspace, lamina_id=options["app_id"], capability=options["capability"], client=client
                )
            except LaminaBudgetSpent as error:
                # Redis, which keeps the count of requests, is a process of the portal's.
                mend = ". Does the portal run, or its demo?" if isinstance(error.__cause__, RedisError) else ""
                raise CommandError(f"Lamina was not asked for the app {options['app_id']}: {error}{mend}") from error
            except LaminaError as error:
                raise CommandError(f"Lamina did not give the app {options['app_id']}: {error}") from error
        self.stdout.write(f"{pinned.title} is offered in {workspace} under {pinned.get_capability_display()}.")


@contextmanager
def without_small_talk(verbosity: int) -> Iterator[None]:
    """Leave out what is logged of each request, unless more is asked for: the answer is one line."""
    before = logging.root.manager.disable
    if verbosity < 2:
        logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)
