"""What settling's control keeps."""

from django.db import models


class BareRun(models.Model):
    """A run as a tutorial would keep it: a row, and what state it is in."""

    token = models.UUIDField(unique=True)
    status = models.CharField(max_length=20, default="waiting")
    lamina_run_id = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return str(self.token)
