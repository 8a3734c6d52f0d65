"""Addresses of the gallery."""

from django.urls import path

from portal.gallery import views

app_name = "gallery"
urlpatterns = [
    path("", views.gallery, name="list"),
    path("<int:output_id>/", views.detail, name="detail"),
    path("<int:output_id>/text/", views.text, name="text"),
]
