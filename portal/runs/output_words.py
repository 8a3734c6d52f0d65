"""An output in words for people, and the shape of the box that is kept for it."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from portal.runs.models import Output, OutputStatus

RATIOS = {"1x1": 1.0, "4x5": 0.8, "3x4": 0.75, "4x3": 4 / 3, "9x16": 9 / 16, "16x9": 16 / 9}
RATIO_OF_KIND = {"video": 16 / 9}
# What has no shape of its own is not made as tall as the pictures beside it.
SHAPELESS = frozenset({"text", "audio"})


class OutputScreen:
    """An output as a page shows it."""

    def __init__(self, output: Output, ratio: float | None) -> None:
        self.output = output
        self.pending_label = _("Making…")
        self.is_error_said = False  # where the run says it for all of them
        media = output.media
        if media and media.width:
            ratio = media.aspect_ratio
        elif ratio is None or output.kind in SHAPELESS:
            ratio = RATIO_OF_KIND.get(output.kind, 1.0)
        self.ratio_name = min(RATIOS, key=lambda name: abs(RATIOS[name] - ratio))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)

    @property
    def state(self) -> str:
        """Return making, copying, ready, failed, skipped or lost."""
        output = self.output
        if output.is_ready:
            return "ready"
        match output.status:
            case OutputStatus.PENDING:
                return "making"
            case OutputStatus.COMPLETED:
                return "copying" if output.is_being_copied else "lost"
            case OutputStatus.ERROR:
                return "failed"
        return "skipped"

    @property
    def state_label(self) -> str:
        """Return the state in words."""
        return {
            "making": self.pending_label,
            "copying": _("Copying to your gallery…"),
            "ready": _("Done"),
            "failed": _("Failed"),
            "skipped": _("Not made"),
            "lost": _("Could not be copied"),
        }[self.state]


def wanted_ratio(inputs: dict[str, Any]) -> float | None:
    """Return width by height as far as an input such as "9:16" gives it away, to reserve the right box."""
    for value in inputs.values():
        if isinstance(value, str) and len(value) < 8:
            left, colon, right = value.partition(":")
            if colon and left.isdecimal() and right.isdecimal() and int(left) and int(right):
                return int(left) / int(right)
    return None


def landed_ratio(outputs: Sequence[Output]) -> float | None:
    """Return width by height of the first output that is here: its siblings are mostly alike."""
    return next((output.media.aspect_ratio for output in outputs if output.media and output.media.width), None)
