"""Django's registration of this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkspacesConfig(AppConfig):
    """The workspaces room."""

    name = "portal.workspaces"
    verbose_name = _("Workspaces")
