"""A run in words for people: what is going on, what it cost, what to do, how far it is.

`RunScreen` wraps a run and its outputs for the templates. It reads rows that are already loaded
and asks for nothing: a polled page pays for every query many times.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.media.models import Media
from portal.runs import cancel_words, costs
from portal.runs.cost_words import charged_text
from portal.runs.inputs_shown import Refusal
from portal.runs.models import Output, OutputStatus, Run
from portal.runs.output_words import OutputScreen, landed_ratio, wanted_ratio
from portal.runs.reconcile import GRACE
from portal.runs.refinement_words import RefinementScreen, refinement_cost, refinement_headline, refinement_tone
from portal.runs.states import ACTIVE, REMOTE, Status
from portal.runs.step_words import Step, steps_of
from portal.runs.usual import usual_text
from portal.workspaces.words import price_text

TONES = {
    Status.WAITING: "wait",
    Status.SUBMITTING: "going",
    Status.UNCONFIRMED: "warn",
    Status.NEEDS_ATTENTION: "warn",
    Status.QUEUED: "going",
    Status.RUNNING: "going",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "off",
}
# As far as anybody knows nothing is being made of these.
NOT_MADE_YET = frozenset({Status.WAITING, Status.SUBMITTING, Status.UNCONFIRMED, Status.NEEDS_ATTENTION})


class RunScreen:
    """A run as its page and the lists show it."""

    def __init__(self, run: Run, outputs: Sequence[Output], usual: tuple[int, int] | None = None) -> None:
        self.run = run
        ratio = wanted_ratio(run.inputs) or landed_ratio(outputs) if outputs else None
        versions = [OutputScreen(output, ratio) for output in outputs]
        self.outputs = [output for output in versions if output.is_current]
        self.earlier = [output for output in versions if not output.is_current]
        for output in self.outputs if run.status in NOT_MADE_YET else []:
            output.pending_label = _("Not known yet") if run.status == Status.UNCONFIRMED else _("Not sent yet")
        self.shared_errors = said_once(self.outputs, already=run.error if run.status == Status.FAILED else "")
        self.usual = usual
        self.waiting_because = ""
        self.is_lamina_silent = False
        self.cost_text = ""
        self.changes: Sequence[RefinementScreen] = ()
        self.mended_as: Run | None = None
        self.goes_on_as: Run | None = None
        self.refusals: Sequence[Refusal] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    @property
    def status_label(self) -> str:
        """Return the state in a word or two; with a count while it runs."""
        if self.status == Status.RUNNING and self.outputs_count > 1:
            return _("Running · %(done)d of %(all)d") % {"done": self.done_count, "all": self.outputs_count}
        if self.is_refining:
            return _("Change waits") if self.refinement.is_held_up else _("Being changed")
        if self.status == Status.COMPLETED and self.is_copying:
            return _("Copying to your gallery")
        return self.run.get_status_display()

    @property
    def tone(self) -> str:
        """Return wait, going, good, warn, bad or off."""
        if self.status == Status.WAITING and self.held_up:
            return "warn"
        if self.is_refining:
            return refinement_tone(self.refinement)
        return "going" if self.status == Status.COMPLETED and self.is_copying else TONES[Status(self.status)]

    @property
    def page_state(self) -> str:
        """Return going, done or failed, for the tab's title and icon."""
        if self.is_watched:
            return "going"
        return "done" if self.status == Status.COMPLETED else "failed"

    @property
    def cover(self) -> Media | None:
        """Return the first file of it that has a picture."""
        return next((o.media for o in self.outputs if o.media and (o.media.thumbnail or o.media.poster)), None)

    @property
    def kind(self) -> str:
        """Return the kind of what it makes, where that is one kind; else empty."""
        kinds = {output.kind for output in self.outputs}
        return kinds.pop() if len(kinds) == 1 else ""

    @property
    def is_copying(self) -> bool:
        """Return whether something it made is on its way to us."""
        return any(output.is_being_copied for output in (*self.outputs, *self.earlier))

    @property
    def is_refining(self) -> bool:
        """Return whether a change of what it made goes on."""
        return bool(self.refinement_id) and self.status == Status.COMPLETED and self.refinement.is_open

    @property
    def can_be_refined(self) -> bool:
        """Return whether a change can be asked for now."""
        return self.status == Status.COMPLETED and bool(self.lamina_run_id) and not self.is_watched

    @property
    def is_watched(self) -> bool:
        """Return whether the page has something to wait for."""
        return self.is_active or self.is_copying or self.is_refining

    @property
    def outputs_count(self) -> int:
        """Return how many outputs are expected."""
        return sum(output.state != "skipped" for output in self.outputs)

    @property
    def done_count(self) -> int:
        """Return how many a person can have."""
        return sum(output.state in {"ready", "copying"} for output in self.outputs)

    @property
    def made_count(self) -> int:
        """Return how many Lamina finished, whether or not we could copy them."""
        return sum(output.status == OutputStatus.COMPLETED for output in self.outputs)

    @cached_property
    def elapsed_seconds(self) -> int:
        """Return the seconds since the click, up to the end when there was one."""
        return int(((self.finished_at or timezone.now()) - self.created_at).total_seconds())

    @property
    def is_late(self) -> bool:
        """Return whether it takes longer than usual."""
        accepted_at = self.run.accepted_at
        if not self.usual or self.status not in {Status.QUEUED, Status.RUNNING} or not accepted_at:
            return False
        return (timezone.now() - accepted_at).total_seconds() > max(self.usual[1] * 1.25, self.usual[1] + 5)

    @property
    def is_unconfirmed_for_long(self) -> bool:
        """Return whether no answer has come although we have had the time to look for it."""
        sent_at = self.run.sent_at
        return self.status == Status.UNCONFIRMED and sent_at is not None and timezone.now() - sent_at > GRACE

    @property
    def usual_text(self) -> str:
        """Return how long such runs usually take."""
        return usual_text(self.usual)

    @property
    def headline(self) -> str:
        """Return one sentence about what is going on."""
        if self.error_code == "missing" and self.is_active:
            return _("Lamina does not know this run at the moment. We keep asking; give support its reference.")
        if self.cancel_asked_at and self.is_active:
            return cancel_words.cancel_headline(self.run)
        match self.status:
            case Status.WAITING:
                return self.held_up or self.waiting_because or _("Saved. It is sent in a moment.")
            case Status.SUBMITTING:
                return _("We are sending this to Lamina.")
            case Status.UNCONFIRMED:
                return _("We sent this and have no answer yet. We are checking; do not send it again.")
            case Status.NEEDS_ATTENTION:
                return _("The app has changed, or does not take what was filled in. Nothing was sent.")
            case Status.QUEUED | Status.RUNNING if self.is_lamina_silent:
                return _("Lamina does not answer us at the moment. This goes on there, and we keep asking.")
            case Status.QUEUED | Status.RUNNING if self.is_late:
                return _("Taking longer than usual; nothing is lost.")
            case Status.QUEUED:
                return _("Lamina has accepted it and starts soon.")
            case Status.RUNNING:
                return _("Lamina is working on it.")
            case Status.COMPLETED if self.is_refining:
                return refinement_headline(self.refinement)
            case Status.COMPLETED if self.is_copying:
                return _("Everything is made; we are copying it to your gallery.")
            case Status.COMPLETED:
                return self._completed_headline
            case Status.FAILED:
                return self.failure
        if self.mended_as:
            return _("Mended and sent as %s.") % self.mended_as.reference
        return _("This run was cancelled.")

    @property
    def _completed_headline(self) -> str:
        if missing := self._missing_count:
            return ngettext("Done, but %(n)d output is missing.", "Done, but %(n)d outputs are missing.", missing) % {
                "n": missing
            }
        return _("Done. Everything is in your gallery.")

    @property
    def _missing_count(self) -> int:
        """Return how many of the outputs that were wanted are not there: failed, not copied, or never made."""
        return sum(output.state in {"failed", "lost", "skipped"} for output in self.outputs)

    @property
    def gallery_url(self) -> str:
        """Return the gallery with what this run made alone; empty until all of it is there."""
        is_whole = self.status == Status.COMPLETED and not self.is_refining and not self.is_copying
        if not is_whole or self._missing_count:
            return ""
        return reverse("gallery:list", args=[self.workspace.slug]) + "?" + urlencode({"q": self.reference})

    @property
    def failure(self) -> str:
        """Return what happened, in words."""
        match self.error_code:
            case "insufficient_credits":
                return _("The workspace has not enough credits for this run.")
            case "app_gone":
                return _("Lamina does not offer this app to this workspace any more.")
            case "key_refused":  # of rows from before such a run waited for another key
                return _("Lamina does not accept this workspace's key.")
            case "ours":
                return _("Something on our side kept this run from being sent.")
            case "unanswered":
                return _("Lamina never told us what became of this run, and support has stopped looking for it.")
        return self.error or _("The app failed and gave no reason.")

    @property
    def advice(self) -> str:
        """Return what to do; empty when there is nothing to do."""
        if self.status == Status.NEEDS_ATTENTION:
            return _("Open the form, mend what is marked, and send it again.")
        if self.is_unconfirmed_for_long:
            return _("Support sees it too, and can settle it. Until it is settled its credits stay held.")
        if self.status == Status.FAILED:
            match self.error_code:
                case "insufficient_credits" if self.goes_on_as and self.goes_on_as.is_active:
                    told = _("It goes on by itself as %s when the credits at Lamina are topped up.")
                    return told % self.goes_on_as.reference
                case "insufficient_credits":
                    return _("Top up the credits at Lamina, then run it again.")
                case "app_gone":
                    return _("Choose another app, or ask staff to pin its successor.")
                case "key_refused":
                    return _("Ask staff to check the workspace's key, then run it again.")
                case "unanswered":
                    return _("Run it again if you still need it. Everything you filled in is kept.")
                case "ours":
                    return _("Give support the reference. Everything you filled in is kept.")
            return _("Run it again, with another picture if it fails twice. Everything you filled in is kept.")
        if self.outputs_left_out:
            return ngettext(
                "Lamina lists %(n)d output more than we keep for one run. Choose fewer outputs to have all of them.",
                "Lamina lists %(n)d outputs more than we keep for one run. Choose fewer outputs to have all of them.",
                self.outputs_left_out,
            ) % {"n": self.outputs_left_out}
        if self.status == Status.COMPLETED and any(output.state == "lost" for output in self.outputs):
            return _("A file could not be copied. Give support the reference; it can still be fetched for a while.")
        return ""

    @property
    def money(self) -> str:
        """Return what it cost, as far as anybody knows."""
        return charged_text(self.run, made=self.made_count)

    @property
    def may_be_cancelled(self) -> bool:
        """Return whether it is not over, so that a cancel is or may become worth offering."""
        return cancel_words.may_be_cancelled(self.run)

    @property
    def can_cancel(self) -> bool:
        """Return whether a cancel still makes sense."""
        return cancel_words.can_cancel(self.run)

    @property
    def late_cancel(self) -> str:
        """Return that a cancel came too late; empty where none did."""
        return cancel_words.late_text(self.run)

    @property
    def cancel_text(self) -> str:
        """Return what a cancel does, and to the credits."""
        return cancel_words.cancel_text(self.run)

    @property
    def edit_url(self) -> str:
        """Return the form filled in again; empty when the app is not offered any more.

        Nor is a second run offered while this one is still to be sent, and would be paid for as well.
        """
        if not self.pin or not self.pin.is_offered or self.status in ACTIVE - REMOTE:
            return ""
        return reverse("runs:create", args=[self.workspace.slug, self.pin.pk]) + f"?from={self.run.pk}"

    @property
    def can_run_again(self) -> bool:
        """Return whether a run like it is worth starting as it is; one that has to be mended is not."""
        return (
            self.status in {Status.FAILED, Status.CANCELLED}
            and bool(self.edit_url)
            and self.error_code != "app_gone"
            and not self.problems
            and not self.to_confirm
            and not (self.goes_on_as and self.goes_on_as.is_active)
        )

    @property
    def to_confirm(self) -> int | None:
        """Return the credits that have to be agreed to before another run; the form asks for that, a button cannot."""
        return costs.to_confirm(self.app)

    @property
    def again_cost(self) -> str:
        """Return what a run like it costs."""
        cost = price_text(costs.price_of(self.app))
        return _("Running it again costs %s.") % cost if cost else _("Running it again costs what any run costs.")

    @property
    def refine_cost(self) -> str:
        """Return what a change costs, as far as anybody knows beforehand."""
        return refinement_cost(self.app)

    @property
    def latest_change(self) -> RefinementScreen | None:
        """Return the change asked for last."""
        return next((change for change in self.changes if change.pk == self.refinement_id), None)

    @property
    def words_to_refine(self) -> str:
        """Return what the form for a change begins with: the words of the latest one if nothing came of it for sure."""
        latest = self.refinement if self.refinement_id else None
        return latest.words if latest and latest.is_not_taken else ""

    @property
    def new_token(self) -> uuid.UUID:
        """Return the token of a form that starts something, one for each time it is drawn."""
        return uuid.uuid4()

    @property
    def steps(self) -> list[Step]:
        """Return the line of four steps."""
        kept_at, copying = self.kept_at, self.is_copying
        return steps_of(self.run, kept_at=kept_at, is_copying=copying, usual_text=self.usual_text)

    @property
    def kept_at(self) -> datetime | None:
        """Return when the last output became ours."""
        firsts = (o for o in (*self.outputs, *self.earlier) if o.version == 1)
        return max((o.media.created_at for o in firsts if o.media), default=self.run.finished_at)

    @property
    def etag(self) -> str:
        """Return a word that changes whenever the polled part would look different."""
        late = "-late" if self.is_late else "-long" if self.is_unconfirmed_for_long else ""
        asked = "-slow" if cancel_words.is_stopping_slowly(self.run) else "-stop" if self.cancel_asked_at else ""
        silent = "-silent" if self.is_lamina_silent and self.status in REMOTE else ""
        return f"{self.run.pk.hex}-{self.version}-{self.status.replace('_', '')}{late}{asked}{silent}"

    @property
    def poll_seconds(self) -> int:
        """Return the pace of the page's poll: quick for as long as a run usually takes, slower after that."""
        age = (timezone.now() - self.created_at).total_seconds()
        return 2 if age < 1800 else 3 if age < 3600 else 5 if age < 7200 else 10


def said_once(outputs: Sequence[OutputScreen], *, already: str) -> list[str]:
    """Take an error that outputs share, or the run's own, out of their boxes; return what is left to say of it."""
    counts = Counter(output.error for output in outputs if output.state == "failed" and output.error)
    shared = [error for error, count in counts.items() if count > 1 or error == already]
    for output in outputs:
        output.is_error_said = output.error in shared
    return [error for error in shared if error != already]
