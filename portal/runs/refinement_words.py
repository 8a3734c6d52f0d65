"""A refinement in words for people: what goes on, what came of it, what it costs."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.catalogue.models import App
from portal.runs.costs import price_of
from portal.runs.models import Refinement, RefinementState
from portal.workspaces.models import LedgerLine
from portal.workspaces.words import line_text, price_text

TONES = {
    RefinementState.WAITING: "wait",
    RefinementState.SENDING: "going",
    RefinementState.UNCONFIRMED: "warn",
    RefinementState.DONE: "good",
    RefinementState.FAILED: "bad",
}


def refinement_headline(refinement: Refinement) -> str:
    """Return one sentence about a change that goes on."""
    match refinement.state:
        case RefinementState.WAITING if refinement.is_held_up:
            return _("Your change waits. %s") % refinement.outcome
        case RefinementState.WAITING:
            return refinement.outcome or _("Your change is saved. Lamina is asked for it in a moment.")
        case RefinementState.SENDING:
            return _("Lamina is making your change. What was made before stays.")
    return _("We asked for your change and have no answer yet. We are checking; do not ask for it again.")


def refinement_tone(refinement: Refinement) -> str:
    """Return the tone of a run while a change of it goes on."""
    is_odd = refinement.is_held_up or refinement.state == RefinementState.UNCONFIRMED
    return "warn" if is_odd else "going"


class RefinementScreen:
    """A refinement as a run's page shows it."""

    def __init__(self, refinement: Refinement, line: LedgerLine | None) -> None:
        self.refinement = refinement
        self.cost_text = line_text(line) if line and (line.held or line.settled) else ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.refinement, name)

    @property
    def tone(self) -> str:
        """Return wait, going, good, warn, bad or off."""
        if self.is_withdrawn:
            return "off"
        if self.is_held_up or (self.state == RefinementState.DONE and not self.changed):
            return "warn"
        return TONES[RefinementState(self.state)]

    @property
    def can_be_withdrawn(self) -> bool:
        """Return whether nobody is sending it yet."""
        return bool(self.state == RefinementState.WAITING)

    @property
    def result(self) -> str:
        """Return what came of it, what was charged as far as it is known, or how it stands."""
        if self.is_held_up:
            return self.refinement.outcome + " " + _("Nothing was charged for it so far.")
        if self.is_open:
            return refinement_headline(self.refinement)
        if self.state == RefinementState.DONE and self.changed:
            made = ngettext("%(n)d output was made anew.", "%(n)d outputs were made anew.", self.changed)
            return made % {"n": self.changed}
        return self.refinement.outcome


def refinement_cost(app: App) -> str:
    """Return what a change costs, as far as anybody knows beforehand."""
    told = _("Lamina does not say beforehand what this costs: it does part of the work again and charges for it.")
    whole = price_text(price_of(app))
    return told + " " + _("A whole run costs %s.") % whole if whole else told
