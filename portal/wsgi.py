"""The portal as a WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from portal import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()
garbage.settle_in()
