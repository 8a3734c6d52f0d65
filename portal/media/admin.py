"""Files in the admin site: to find and to look at. They come and go with uploads and runs."""

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from portal.media.models import Media


@admin.register(Media)
class MediaAdmin(admin.ModelAdmin):
    """Facts about files; nothing here can be changed."""

    list_display = ["name", "kind", "origin", "workspace", "size_text", "created_by", "created_at"]
    list_filter = ["kind", "origin", "workspace"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["=id", "name", "=sha256", "=source_sha256"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = [
        ("name", "kind", "origin"),
        ("workspace", "created_by", "created_at"),
        ("content_type", "size_text", "width", "height", "duration_seconds"),
        ("changes", "lamina_url"),
        ("id", "sha256", "source_sha256"),
    ]
    readonly_fields = [
        "id",
        "name",
        "kind",
        "origin",
        "workspace",
        "created_by",
        "created_at",
        "content_type",
        "size_text",
        "width",
        "height",
        "duration_seconds",
        "changes",
        "lamina_url",
        "sha256",
        "source_sha256",
    ]

    @admin.display(description=_("size"), ordering="size")
    def size_text(self, media: Media) -> str:
        """Return the size as people read it."""
        return filesizeformat(media.size)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Files come in by uploads and runs."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        """Files never change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        """Return False: a row that goes alone leaves its file behind."""
        return False
