"""The portal as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()
# The views now, and not with the first request.
_ = get_resolver().url_patterns
garbage.settle_in()
