"""Runs as people see them: the list, one run's page, its polled part, and cancel."""

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import F, FilteredRelation, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import Http404, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.runs import costs, submit, tasks, watched
from portal.runs.cost_words import cost_text
from portal.runs.inputs_shown import inputs_shown, refusals
from portal.runs.models import Move, Output, Run
from portal.runs.recording import follower_token
from portal.runs.refinement_words import RefinementScreen
from portal.runs.states import ACTIVE, Status, Teller
from portal.runs.usual import usual_ranges
from portal.runs.words import RunScreen
from portal.workspaces.access import CREATORS, MemberRequest, member_required
from portal.workspaces.budgets import note_spending, spending_of
from portal.workspaces.credits import awaited_balance
from portal.workspaces.lamina import silence
from portal.workspaces.models import LedgerLine, Membership
from portal.workspaces.tasks import nudge

PER_PAGE = 25
# What a run's etag is made of, in the order of the model's columns.
STANDING = ("id", "app_id", "status", "version", "created_at", "sent_at", "accepted_at", "cancel_asked_at")
SHOWN_WITH_A_RUN = ("app", "pin__app", "created_by", "retry_of", "refinement")
STATES = {
    "active": ACTIVE,
    "done": {Status.COMPLETED},
    "problem": {Status.FAILED, Status.NEEDS_ATTENTION, Status.UNCONFIRMED},
}


@require_safe
@member_required()
def run_list(request: MemberRequest) -> HttpResponse:
    """Show the workspace's runs, newest first; the list alone for its own poll."""
    state, mine = request.GET.get("state", ""), request.GET.get("mine") == "1"
    runs = request.workspace.runs.all()
    if state in STATES:
        runs = runs.filter(status__in=STATES[state])
    if mine:
        runs = runs.of(request.member)
    number = request.GET.get("page", "")
    # First how they stand, in one query: most polls have no news and need no more.
    etag = "-".join([str(request.workspace.pk), state, str(mine), number, *standings(runs, number)])
    if is_unchanged(request, etag):
        return unchanged(etag)
    shown = runs.select_related("app", "pin__app", "created_by", "refinement").prefetch_related(
        Prefetch("outputs", Output.objects.select_related("media"))
    )
    page = Paginator(shown, PER_PAGE).get_page(number)
    usual = usual_ranges({run.app_id for run in page.object_list})
    screens = cast("Page[RunScreen]", page)  # the same page, of what is shown
    screens.object_list = [screen(request, run, list(run.outputs.all()), usual[run.app_id]) for run in page.object_list]
    context = {
        "page": screens,
        "state": state if state in STATES else "",
        "mine": mine,
        "any_active": any(run.is_watched for run in screens),
        "etag": etag_word(etag),
    }
    template = "runs/_list.html" if request.htmx and not request.htmx.boosted else "runs/list.html"
    return uncached(render(request, template, context), etag)


def standings(runs: QuerySet[Run], number: str) -> list[str]:
    """Return the tags of a page's runs; of a page that is not there one that is like no other."""
    first = PER_PAGE * (int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 9 else 0)
    found = list(runs.only(*STANDING, "workspace_id")[first : first + PER_PAGE]) if first >= 0 else []
    usual = usual_ranges({run.app_id for run in found})
    return [RunScreen(run, [], usual[run.app_id]).etag for run in found] or [uuid.uuid4().hex]


@require_safe
@member_required()
def detail(request: MemberRequest, run_id: uuid.UUID) -> HttpResponse:
    """Show one run: how it stands, what it made, and what it was made from."""
    return detail_page(request, run_id)


def detail_page(request: MemberRequest, run_id: uuid.UUID, *, status: int = 200, **more: object) -> HttpResponse:
    """Return a run's page; with `more` for its template, such as what is wrong with a change asked for."""
    run, context = progress_context(request, run_id)
    note_watched(run)
    followers = list(request.workspace.runs.filter(retry_of=run.run).only("pk", "reference", "workspace"))
    for follower in followers:
        follower.workspace = request.workspace
    context |= {
        "inputs": inputs_shown(run.run),
        "history": history_of(run.run),
        "followers": followers,
    }
    return uncached(render(request, "runs/detail.html", context | more, status=status), None)


def changes_of(run: Run) -> list[RefinementScreen]:
    """Return the changes that were asked for, each with what it cost."""
    refinements = list(run.refinements.select_related("asked_by"))
    lines = LedgerLine.objects.in_bulk([each.line_id for each in refinements])
    return [RefinementScreen(each, lines.get(each.line_id)) for each in refinements]


def history_of(run: Run) -> list[dict[str, Any]]:
    """Return the lines of a run's history: its moves and notes, and the cancel, which moves nothing by itself."""
    lines = [history_line(move) for move in run.history.all()]
    if run.cancel_asked_at:
        asked_at = run.cancel_asked_at
        place = sum(line["at"] <= asked_at for line in lines)
        lines.insert(place, {"at": asked_at, "text": _("Cancel asked for"), "why": ""})
    return lines


def history_line(move: Move) -> dict[str, Any]:
    """Return a line of the history; a note has its text alone, and what staff wrote is for staff."""
    is_note = move.leaving == move.to
    why = _("decided by support") if move.told_by == Teller.STAFF else move.why
    return {"at": move.at, "text": "" if is_note else move.get_to_display(), "why": why}


def note_watched(run: RunScreen) -> None:
    """Note that somebody looks at a run, for three polls and a little, and wake a worker that streams it."""
    if run.is_active and watched.note(run.pk, seconds=3 * run.poll_seconds + 2):
        nudge(tasks.watch_runs)


def with_standing(members: QuerySet[Membership], *, run_id: uuid.UUID) -> QuerySet[Membership]:
    """Let the query that finds a member tell how a run stands: all that a poll without news needs."""
    return members.annotate(
        watched=FilteredRelation("workspace__runs", condition=Q(workspace__runs__pk=run_id)),
        **{f"watched_{name}": F(f"watched__{name}") for name in STANDING},
    )


def standing(member: Membership) -> RunScreen | None:
    """Return the run that was read with its member; None when there is none in this workspace.

    It has no outputs, and what else of it somebody reads costs a query.
    """
    values = [getattr(member, f"watched_{name}") for name in STANDING]
    run = Run.from_db(None, STANDING, values)
    if not run.pk:
        return None
    shown = RunScreen(run, [], usual_ranges([run.app_id])[run.app_id])
    shown.is_lamina_silent = silence.is_known()
    return shown


@require_safe
@member_required(also=with_standing)
def progress(request: MemberRequest, run_id: uuid.UUID) -> HttpResponse:
    """Show the part of a run's page that changes; 304 when it is as the page has it."""
    if (stands := standing(request.member)) is None:
        raise Http404
    note_watched(stands)
    if is_unchanged(request, stands.etag):
        return unchanged(stands.etag)
    run, context = progress_context(request, run_id, also=spending_of(request.workspace))
    context["is_without_form"] = request.GET.get("form") == "off"  # the page has one, with what is wrong in it
    return uncached(render(request, "runs/_news.html", context), run.etag)


@require_POST
@member_required(*CREATORS)
def cancel(request: MemberRequest, run_id: uuid.UUID) -> HttpResponse:
    """Ask for a run's end, of which Lamina is told by a worker; of one that has ended, say that nothing was left."""
    run = get_object_or_404(request.workspace.runs, pk=run_id)
    run.workspace = request.workspace
    if run.is_active or run.status == Status.NEEDS_ATTENTION:
        submit.cancel(run)
        transaction.on_commit(partial(nudge, tasks.cancel_run, str(run.pk)))
        run.refresh_from_db(fields=["status", "cancel_asked_at"])
    if run.is_final and not run.cancel_asked_at:
        messages.info(request, _("There was nothing left to cancel: it had ended by then."))
    return redirect(run)


def progress_context(
    request: MemberRequest, run_id: uuid.UUID, *, also: Mapping[str, Subquery] | None = None
) -> tuple[RunScreen, dict[str, object]]:
    """Return what the polled part shows, in one query: the outputs with their run. Two more are for changes asked for.

    A run has at least one reserved output; another query is for a run that staff emptied. `also` is
    `spending_of`, for a poll: only one with news pays for the figures that stand beside the page.
    """
    rows = Output.objects.filter(run_id=run_id, run__workspace=request.workspace).order_by("position", "version")
    last_move = Move.objects.filter(run_id=OuterRef("run_id")).order_by("-at", "-pk")
    rows = rows.annotate(
        cost=costs.line_of(OuterRef("run_id")), last_why=Subquery(last_move.values("why")[:1]), **(also or {})
    )
    outputs = list(rows.select_related("media", *(f"run__{name}" for name in SHOWN_WITH_A_RUN)))
    if outputs:
        run = outputs[0].run
        if also:
            note_spending(request.member, outputs[0])
    else:
        emptied = request.workspace.runs.select_related(*SHOWN_WITH_A_RUN).filter(pk=run_id).first()
        if emptied is None:
            raise Http404
        run = emptied
    shown = screen(request, run, outputs, usual_ranges([run.app_id])[run.app_id])
    shown.is_lamina_silent = silence.is_known()
    if outputs and run.status == Status.WAITING:
        shown.waiting_because = outputs[0].last_why or ""
    if run.status == Status.CANCELLED and run.problems and run.finished_at:
        shown.mended_as = find_mended(request, run)
    if run.status == Status.FAILED and run.error_code == costs.NO_CREDITS:
        shown.goes_on_as = request.workspace.runs.filter(token=follower_token(run)).first()
    if run.status == Status.NEEDS_ATTENTION:
        shown.refusals = refusals(run)
    if run.refinement_id:
        shown.changes = changes_of(run)
    line = costs.line_from(outputs[0].cost) if outputs and outputs[0].cost else None
    # Beside a change that goes on it would be taken for what that one costs.
    if line is not None and (line.held or line.settled) and not shown.is_refining:
        shown.cost_text = cost_text(run, line)
    context = {
        "run": shown,
        "outputs": shown.outputs,
        "steps": shown.steps,
        "etag": etag_word(shown.etag),
        "poll_seconds": shown.poll_seconds,
        "awaits_balance": awaited_balance(request.workspace, since=None if shown.is_watched else run.finished_at),
    }
    return shown, context


def find_mended(request: MemberRequest, run: Run) -> Run | None:
    """Return the run that a refused one was mended and sent as, which ended it; None where a person let it be."""
    before_its_end = request.workspace.runs.filter(retry_of=run, created_at__lte=run.finished_at)
    mended = before_its_end.order_by("-created_at").first()
    if mended:
        mended.workspace = request.workspace
    return mended


def screen(request: MemberRequest, run: Run, outputs: Sequence[Output], usual: tuple[int, int] | None) -> RunScreen:
    """Return a run for the templates, with the workspace that is loaded already."""
    run.workspace = request.workspace
    if run.retry_of_id and "retry_of" in run._state.fields_cache and run.retry_of:
        run.retry_of.workspace = request.workspace
    for output in outputs:
        output.run = run
        if output.media:
            output.media.workspace = request.workspace
    return RunScreen(run, outputs, usual)


def etag_word(etag: str) -> str:
    """Return the tag as the page carries it."""
    return etag.replace('"', "")


def is_unchanged(request: MemberRequest, etag: str) -> bool:
    """Return whether the page that asks already shows this."""
    return etag_word(etag) in {tag.strip().strip('"') for tag in request.headers.get("If-None-Match", "").split(",")}


def unchanged(etag: str) -> HttpResponse:
    """Answer that there is nothing new, in few bytes: what may be in a page is said with the page."""
    response = HttpResponseNotModified()
    response._csp_exempt = True  # type: ignore[attr-defined]
    return uncached(response, etag)


def uncached(response: HttpResponse, etag: str | None) -> HttpResponse:
    """Keep an answer out of every cache: the page itself says which state it shows."""
    if etag is not None:
        response["ETag"] = f'"{etag_word(etag)}"'
    patch_cache_control(response, private=True, no_store=True)
    return response
