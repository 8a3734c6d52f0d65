"""The portal's addresses and the controls'."""

from django.urls import path

from portal.urls import urlpatterns as portal_urlpatterns
from tests.bench import bare
from tests.bench.control import hello

urlpatterns = [*portal_urlpatterns, path("hello/", hello, name="hello"), *bare.urlpatterns]
