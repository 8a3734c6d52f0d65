"""Django's registration of this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OperationsConfig(AppConfig):
    """The operations room."""

    name = "portal.operations"
    verbose_name = _("Operations")

    def ready(self) -> None:
        """Let workers leave signs of life, and tasks carry the id of the request they came from."""
        from portal.operations import heartbeat, tracing

        heartbeat.connect()
        tracing.connect()
