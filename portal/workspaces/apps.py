"""Django's registration of this room."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


class WorkspacesConfig(AppConfig):
    """The workspaces room."""

    name = "portal.workspaces"
    verbose_name = _("Workspaces")

    def ready(self) -> None:
        """Watch every connection to the database."""
        from portal.workspaces import plans

        connection_created.connect(plans.watch, dispatch_uid="portal.workspaces.plans")
