"""The portal's addresses and the control's."""

from django.urls import path

from portal.urls import urlpatterns as portal_urlpatterns
from tests.bench.control import hello

urlpatterns = [*portal_urlpatterns, path("hello/", hello, name="hello")]
