"""The one model of this room: a file that belongs to a workspace."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.media import words
from portal.workspaces.models import Workspace


class Kind(models.TextChoices):
    """What a file is to a person."""

    IMAGE = "image", _("Picture")
    VIDEO = "video", _("Video")
    AUDIO = "audio", _("Sound")
    TEXT = "text", _("Text")


class Origin(models.TextChoices):
    """How a file came to us."""

    UPLOAD = "upload", _("Uploaded")
    OUTPUT = "output", _("Made by a run")


def stored_path(media: "Media", filename: str) -> str:
    """Return the path of the file itself; nothing a person typed is part of it."""
    return f"{media.workspace_id}/{media.pk}/original.{media.extension}"


def thumbnail_path(media: "Media", filename: str) -> str:
    """Return the path of the small picture."""
    return f"{media.workspace_id}/{media.pk}/thumb.webp"


def poster_path(media: "Media", filename: str) -> str:
    """Return the path of a video's still."""
    return f"{media.workspace_id}/{media.pk}/poster.webp"


class Media(models.Model):
    """A file of a workspace: an upload, or our copy of something a run made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="media")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    origin = models.CharField(max_length=10, choices=Origin)
    kind = models.CharField(max_length=10, choices=Kind)

    file = models.FileField(upload_to=stored_path, max_length=200)
    thumbnail = models.FileField(upload_to=thumbnail_path, max_length=200, blank=True)
    poster = models.FileField(upload_to=poster_path, max_length=200, blank=True)
    placeholder = models.TextField(blank=True, help_text=_("A tiny blurred picture as a data URI."))

    name = models.CharField(max_length=255, help_text=_("What the uploader called it."))
    extension = models.CharField(max_length=8)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(help_text=_("Bytes."))
    sha256 = models.CharField(max_length=64, help_text=_("Of the file as it is kept."))
    source_sha256 = models.CharField(max_length=64, help_text=_("Of the file as it came."))
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    duration_seconds = models.FloatField(null=True)
    changes = models.JSONField(default=list, help_text=_("What was changed on the way in, as code words."))

    lamina_url = models.URLField(max_length=2000, blank=True, help_text=_("Where Lamina keeps its copy."))

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("media file")
        verbose_name_plural = _("media files")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "source_sha256"],
                condition=Q(origin=Origin.UPLOAD),
                name="one_upload_per_content",
            )
        ]
        indexes = [models.Index(fields=["workspace", "-created_at"])]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the file itself."""
        return self._variant("original")

    @property
    def ref(self) -> str:
        """Return how a form or a run names this file."""
        return f"media:{self.pk}"

    @property
    def thumb_url(self) -> str:
        """Return the address of the small picture; empty where there is none."""
        return self._variant("thumb") if self.thumbnail else ""

    @property
    def poster_url(self) -> str:
        """Return the address of a video's still; empty where there is none."""
        return self._variant("poster") if self.poster else ""

    @property
    def changes_text(self) -> str:
        """Return what was changed on the way in, for people; empty when nothing was."""
        return words.changes_text(self.changes)

    @property
    def aspect_ratio(self) -> float:
        """Return width by height, 1 when it is not known."""
        return self.width / self.height if self.width and self.height else 1.0

    def _variant(self, variant: str) -> str:
        return reverse("media:file", args=[self.workspace.slug, self.pk, variant])
