"""What a run cost, in words for people, as far as anybody knows."""

from django.utils.translation import gettext as _

from portal.runs.models import Run
from portal.runs.states import Status
from portal.workspaces.models import LedgerLine
from portal.workspaces.words import about, line_text


def charged_text(run: Run, *, made: int) -> str:
    """Return whether Lamina charged for what has ended; `made` is how many outputs it finished."""
    match run.status:
        case Status.NEEDS_ATTENTION:
            return _("Nothing was charged.")
        case Status.WAITING if run.held_up:
            return _("Nothing was charged so far.")
        case Status.FAILED if run.error_code == "unanswered":
            return _("Nobody knows whether Lamina charged for it.")
        case Status.FAILED if not run.lamina_run_id or run.error_code == "insufficient_credits":
            return _("Nothing was charged.")
        case Status.FAILED | Status.CANCELLED if run.lamina_run_id and made:
            return _("Lamina may have charged for what was finished.")
        case Status.FAILED:
            return _("Nothing was finished. Lamina does not say whether it charged for the try.")
        case Status.CANCELLED if not run.lamina_run_id:
            return _("Nothing was charged.")
        case Status.CANCELLED:
            return _("Nothing was finished. Lamina does not say whether it charged for the try.")
    return ""


def cost_text(run: Run, line: LedgerLine) -> str:
    """Return what a run costs as the budget has it; of one nobody knows anything of, that it is counted there."""
    if run.error_code == "unanswered" and line.settled and not line.is_exact:
        return _("The budget counts %s for it, as estimated.") % about(line.settled)
    return line_text(line)
