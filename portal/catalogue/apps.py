"""Django's registration of this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogueConfig(AppConfig):
    """The catalogue room."""

    name = "portal.catalogue"
    verbose_name = _("Catalogue")
