"""Django's registration of this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GalleryConfig(AppConfig):
    """The gallery room."""

    name = "portal.gallery"
    verbose_name = _("Gallery")
