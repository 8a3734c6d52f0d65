"""Addresses of files, below /w/<slug>/media/."""

from django.urls import path

from portal.media import views

app_name = "media"
urlpatterns = [
    path("upload/", views.upload, name="upload"),
    path("library/", views.library_picker, name="library"),
    path("<uuid:pk>/<str:variant>/", views.file, name="file"),
]
