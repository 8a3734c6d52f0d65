"""`manage.py demo_data`: the workspaces, people and pinned apps of the demo."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lamina_integration import LaminaError, Lane
from portal.catalogue.models import Capability
from portal.catalogue.schemas import pin
from portal.workspaces.credits import refresh_balance
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Membership, Role, User, Workspace

# The six apps that Lamina's own recipe guide recommends.
APPS = [
    ("ec7ec3ce-69b4-43c9-8eea-fe9752d679a4", Capability.IMAGE),
    ("bbb17293-5fe7-4645-8c6e-0745bc28254d", Capability.CATALOGUE),
    ("de5cca6b-73aa-4e27-a714-3339024db15d", Capability.CATALOGUE),
    ("a76e85ec-20b4-4fbc-99ad-055423a868a2", Capability.TRY_ON),
    ("1afc70fd-cb66-4f44-847d-bdaf7e237be4", Capability.VIDEO),
    ("ec9b3525-4b72-4083-a6cb-00371672e128", Capability.VIDEO),
]
PEOPLE = [
    ("owner", "Olivia Owner", Role.OWNER),
    ("creator", "Ines Creator", Role.CREATOR),
    ("staff", "Sam Staff", Role.OWNER),
]


class Command(BaseCommand):
    """Brings the demo's rows into being; what exists already is left as it is, passwords are set anew."""

    help = (
        "Create the demo workspace, its accounts and its pinned apps. Passwords come from "
        "DEMO_PASSWORD_OWNER, DEMO_PASSWORD_CREATOR and DEMO_PASSWORD_STAFF."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make everything that is missing."""
        workspace, _created = Workspace.objects.get_or_create(
            slug="demo", defaults={"name": "Northwind Goods", "monthly_budget": 1500}
        )
        for word, name, role in PEOPLE:
            user = self._user(word, name)
            Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": role})
        pinned = set(workspace.pinned_apps.values_list("app__lamina_id", flat=True))
        with client_for(workspace, lane=Lane.INTERACTIVE) as client:
            for lamina_id, capability in APPS:
                if lamina_id not in pinned:
                    try:
                        pin(workspace=workspace, lamina_id=lamina_id, capability=capability, client=client)
                    except LaminaError as error:
                        raise CommandError(f"Lamina did not give the app {lamina_id}: {error}") from error
        refresh_balance(workspace.pk)

    def _user(self, word: str, name: str) -> User:
        password = os.environ.get(f"DEMO_PASSWORD_{word.upper()}")
        if not password:
            raise CommandError(f"DEMO_PASSWORD_{word.upper()} is not set.")
        user, _created = User.objects.get_or_create(email=f"{word}@demo.test", defaults={"name": name})
        is_staff = word == "staff"
        if not user.check_password(password) or user.is_staff != is_staff:
            user.set_password(password)
            user.is_staff = user.is_superuser = is_staff
            user.save(update_fields=["password", "is_staff", "is_superuser"])
        return user
