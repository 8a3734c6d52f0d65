"""The URL tree, grouped as it reads: people, a workspace's rooms, Lamina's way in, staff."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from portal.operations import views as operations
from portal.runs.views import hook
from portal.workspaces import views as workspaces

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth tells us to

urlpatterns = [
    path("", workspaces.home, name="home"),
    path("accounts/", include("allauth.account.urls")),
    path("w/<slug:slug>/", RedirectView.as_view(pattern_name="runs:choose"), name="workspace"),
    path("w/<slug:slug>/", include("portal.runs.urls")),
    path("w/<slug:slug>/gallery/", include("portal.gallery.urls")),
    path("w/<slug:slug>/media/", include("portal.media.urls")),
    re_path(r"^hooks/lamina/(?P<token>[\w-]{20,64})/$", hook.receive, name="hook"),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics, name="metrics"),
    path("staff/", include("portal.operations.urls")),
    path("admin/", admin.site.urls),
]
