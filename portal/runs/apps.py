"""Django's registration of this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RunsConfig(AppConfig):
    """The runs room."""

    name = "portal.runs"
    verbose_name = _("Runs")
