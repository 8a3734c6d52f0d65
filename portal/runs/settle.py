"""Decide by hand what became of a run that was sent and never answered; staff say why, and it is kept who did.

So they say of a run that was begun twice that it was dealt with. Each decision may cost credits or hide
a run that was paid for, so none is made without a reason, and what Lamina can be asked is asked first:
whoever decides that a run is not there is shown what could be it. Looking for such runs without a
person is in reconcile.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaClient, LaminaError, LaminaNotFound, Lane, RemoteOutput, RunSummary
from portal.runs import track
from portal.runs.costs import UNANSWERED
from portal.runs.models import KnownRemote, Run, SecondRun
from portal.runs.reconcile import WIDE, could_be, note_answered, strangers
from portal.runs.states import REMOTE, Status, Teller
from portal.workspaces.lamina import client_for, key_of
from portal.workspaces.models import User

MOST_WITH_OUTPUTS = 6


class SettleRefused(Exception):
    """It cannot be so, with the sentence that tells staff why."""


@dataclass(frozen=True, slots=True)
class Made:
    """An output of a candidate, as far as it helps to tell the candidate from another: words, and where it lies."""

    label: str
    what: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run at Lamina that nobody claims and that could be the one; of the likeliest, what they have made."""

    lamina_run_id: str
    status: str
    created_at: datetime | None
    apart: timedelta | None
    outputs: tuple[Made, ...] = ()


@dataclass(slots=True)
class Asked:
    """What Lamina said when it was asked about some runs: what could be each of them, and why that may not be all."""

    candidates: dict[uuid.UUID, list[Candidate]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Return what could be any of the runs."""
        return sorted({candidate.lamina_run_id for found in self.candidates.values() for candidate in found})

    @property
    def ids_text(self) -> str:
        """Return them in one line, for a form to name; a dash where there is only doubt."""
        return " ".join(self.ids) or "–"

    @property
    def is_clear(self) -> bool:
        """Return whether Lamina certainly lists nothing that could be any of them."""
        return not self.ids and not self.doubts


def ask(runs: Sequence[Run]) -> Asked:
    """Return what Lamina lists and no run of ours claims, of the same app and about the same time; the likeliest first.

    Runs of one key and app cost one question together; how the likeliest candidates stand, one each.
    """
    asked = Asked({run.pk: [] for run in runs})
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[key_of(run.workspace), run.app.lamina_id].append(run)
    for alike in groups.values():
        try:
            with client_for(alike[0].workspace, lane=Lane.INTERACTIVE) as client:
                is_complete = _ask_group(alike, client, asked)
        except LaminaError as error:
            asked.doubts.append(_("Lamina could not be asked: %s") % error)
        else:
            if not is_complete:
                asked.doubts.append(_("Lamina lists more runs of “%s” than were read.") % alike[0].app)
    return asked


def _ask_group(runs: list[Run], client: LaminaClient, asked: Asked) -> bool:
    """Add what could be any of these runs of one app; returns whether Lamina's list was read to its end."""
    since = min(run.sent_at or run.created_at for run in runs) - WIDE
    found, is_complete = strangers(runs[0].app.lamina_id, since, client)
    outputs: dict[str, tuple[Made, ...]] = {}
    for run in runs:
        listed = sorted((_candidate(run, each) for each in found if could_be(run, each)), key=_by_distance)
        for candidate in listed[:MOST_WITH_OUTPUTS]:
            if candidate.lamina_run_id not in outputs and len(outputs) < MOST_WITH_OUTPUTS:
                outputs[candidate.lamina_run_id] = _outputs_of(candidate.lamina_run_id, client)
        asked.candidates[run.pk] = [replace(each, outputs=outputs.get(each.lamina_run_id, ())) for each in listed]
    return is_complete


def _candidate(run: Run, summary: RunSummary) -> Candidate:
    return Candidate(
        lamina_run_id=summary.run_id,
        status=summary.status,
        created_at=summary.created_at,
        apart=abs(summary.created_at - run.sent_at) if summary.created_at and run.sent_at else None,
    )


def _by_distance(candidate: Candidate) -> timedelta:
    return WIDE if candidate.apart is None else candidate.apart


def _outputs_of(lamina_run_id: str, client: LaminaClient) -> tuple[Made, ...]:
    """Return what a candidate has made, which tells it from one that began in the same second; nothing if not told."""
    try:
        return tuple(_made(output) for output in client.runs.get(lamina_run_id).outputs)
    except LaminaError:
        return ()


def _made(output: RemoteOutput) -> Made:
    if not output.is_usable:
        return Made(output.label, output.error or output.status)
    if output.value.startswith(("https://", "http://")):
        return Made(output.label, output.content_description or output.type, output.value)
    return Made(output.label, output.value)


def join(run: Run, *, lamina_run_id: str, person: User, reason: str) -> None:
    """Join an unconfirmed run with its run at Lamina; raises SettleRefused for one that cannot be it."""
    _check_unconfirmed(run)
    owner: Run | KnownRemote | None = Run.objects.filter(lamina_run_id=lamina_run_id).first()
    owner = owner or KnownRemote.objects.filter(pk=lamina_run_id).first()
    if owner:
        raise SettleRefused(_("That is %s already.") % owner.reference)
    try:
        with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
            remote = client.runs.get(lamina_run_id)
    except LaminaNotFound as error:
        raise SettleRefused(_("Lamina has no run with this id that this workspace's key may see.")) from error
    except LaminaError as error:
        raise SettleRefused(_("Lamina could not be asked: %s") % error) from error
    if remote.app_id and remote.app_id != run.app.lamina_id:
        raise SettleRefused(_("That is a run of another app."))
    if not could_be(run, remote):
        raise SettleRefused(_("That was started more than an hour before or after this one was sent."))
    track.adopt(run.pk, remote, told_by=Teller.STAFF, why=_said(person, _("this is its run"), reason))
    if not Run.objects.filter(pk=run.pk, lamina_run_id=remote.run_id).exists():
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))
    note_answered(run, remote)


def send_once_more(run: Run, *, person: User, reason: str, ruled_out: Iterable[str] = ()) -> None:
    """Send an unconfirmed run again, on a person's word that Lamina does not have it and that it is none of these."""
    _check_unconfirmed(run)
    why = _said(person, _("it never arrived"), reason, ruled_out)
    if not run.wait_again(told_by=Teller.STAFF, why=why, next_at=timezone.now()):
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))


def give_up(run: Run, *, person: User, reason: str, ruled_out: Iterable[str] = ()) -> None:
    """End an unconfirmed run, or one that Lamina does not know any more: whether it was charged stays unknown."""
    if run.status not in REMOTE or run.error_code != track.MISSING:
        _check_unconfirmed(run)
    why = _said(person, _("it is not looked for any more"), reason, ruled_out)
    if not run.move(Status.FAILED, told_by=Teller.STAFF, why=why, error_code=UNANSWERED):
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))


def deal_with(second: SecondRun, *, person: User, reason: str) -> None:
    """Keep that somebody has dealt with a second run, also in the history of ours where that is kept still."""
    what = _("its second run at Lamina, %s, was dealt with") % (second.lamina_run_id or "–")
    with transaction.atomic():
        run = track.runs_to_change().filter(pk__in=[second.run_id]).first()  # before its line, as news of it does
        if not second.deal_with():
            raise SettleRefused(_("Somebody has said so already. Look at its history."))
        if run:
            track.note(run, Teller.STAFF, _said(person, what, reason))


def _check_unconfirmed(run: Run) -> None:
    if run.status != Status.UNCONFIRMED:
        raise SettleRefused(_("It is not unconfirmed any more: %s.") % run.get_status_display())


def _said(person: User, what: str, reason: str, ruled_out: Iterable[str] = ()) -> str:
    said = _("%(person)s says: %(what)s. %(reason)s") % {"person": person, "what": what, "reason": reason}
    seen = ", ".join(ruled_out)
    return f"{said} " + _("It is none of these at Lamina: %s.") % seen if seen else said
