"""Addresses of the staff's pages; what monitors ask for stands in the tree itself."""

from django.urls import path

from portal.operations import views

app_name = "operations"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("apps/<int:app_id>/", views.app_versions, name="app"),
    path("deliveries/", views.deliveries, name="deliveries"),
    path("runs/<uuid:run_id>/", views.run_timeline, name="run"),
]
