"""Go round the runs that are at Lamina, for little: a list tells of a hundred, and so does one of what was made.

What is asked for run by run is only what those two cannot tell. All of it is in the tracking lane,
whose share of the request budget is bounded; what that leaves undone is first of all next time.
"""

import logging
import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from lamina_integration import (
    Asset,
    LaminaAuthError,
    LaminaBudgetSpent,
    LaminaClient,
    LaminaError,
    LaminaNotFound,
    LaminaRateLimited,
    Lane,
    RemoteOutput,
    RemoteRun,
    RunSummary,
)
from portal import trace
from portal.runs import hints, track, watched
from portal.runs.made import Found, matched
from portal.runs.models import Run
from portal.runs.states import Teller
from portal.workspaces.brakes import ids_of_refused_keys, note_key_refused
from portal.workspaces.lamina import client_for, key_of

logger = logging.getLogger(__name__)

MOST_RUNS = 1000
PAGE = 100
PAGES_OF_RUNS = 10
PAGES_OF_ASSETS = 20
DETAILS_PER_ROUND = 10
SECONDS_PER_PAGE = 4.0  # a long list is asked for less often: lists have not quite half of the lane
ALONG_SECONDS = 3.0  # runs whose time comes so soon are on the page anyway
FEW = 3  # up to so many runs that ended, asking for each is no dearer than for a list
STREAMED_SECONDS = 30.0  # should a stream have gone silent without a word
GIVE_UP_AFTER = timedelta(days=1)
LEAST_PAUSE = timedelta(seconds=30)
LATE = timedelta(minutes=10)
LATE_PAUSE = timedelta(minutes=5)  # shorter than what is late: the try after it is the last


def go_round() -> list[uuid.UUID]:
    """Ask Lamina about every run it is time to ask about; return the runs there was news of.

    With a key that it does not accept it is asked only now and then.
    """
    told = hints.follow()
    for runs in _by_key(_going()):
        told += _in_peace(runs, _round_of)
    for runs in _by_key(_not_all_known()):
        told += _in_peace(runs, _details_of)
    return told


def _going() -> list[Run]:
    now = timezone.now()
    at_lamina = Run.objects.remote().filter(next_at__lte=now + timedelta(seconds=ALONG_SECONDS))
    at_lamina = at_lamina.exclude(workspace_id__in=ids_of_refused_keys())
    runs = at_lamina.select_related("workspace").prefetch_related("outputs").order_by("next_at")[:MOST_RUNS]
    groups = _by_key(runs)
    return [run for group in groups if group[0].next_at <= now for run in group]


def _not_all_known() -> QuerySet[Run]:
    missing = Run.objects.filter(details_next_at__lte=timezone.now(), lamina_run_id__isnull=False)
    missing = missing.exclude(workspace_id__in=ids_of_refused_keys())
    return missing.select_related("workspace").order_by("details_next_at")[: 10 * DETAILS_PER_ROUND]


def _by_key(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the runs by the key they are asked about with, whose first has waited longest."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(key_of(run.workspace), []).append(run)
    return list(groups.values())


def _in_peace(runs: list[Run], work: Callable[[list[Run], LaminaClient, list[uuid.UUID]], None]) -> list[uuid.UUID]:
    """Do a key's work; what goes wrong with it never keeps the others waiting."""
    told: list[uuid.UUID] = []
    try:
        with client_for(runs[0].workspace, lane=Lane.TRACKING) as client:
            work(runs, client, told)
    except LaminaAuthError:
        note_key_refused(runs[0].workspace)
    except LaminaError as error:
        logger.warning("runs not asked after count=%d error=%s", len(runs), error)
    except Exception as error:
        logger.exception("runs not asked after count=%d error=%r", len(runs), error)
    return told


def _round_of(runs: list[Run], client: LaminaClient, told: list[uuid.UUID]) -> None:
    listed, pages = _listed(runs, client)
    seen, streamed = watched.watched(), watched.streamed()
    over: list[tuple[Run, RunSummary]] = []
    to_ask: list[Run] = []
    quiet: list[Run] = []
    for run in runs:
        summary = listed.get(run.lamina_run_id or "")
        if summary is None:
            to_ask.append(run)
        elif summary.is_terminal:
            over.append((run, summary))
        else:
            quiet.append(run)
            if track.STATUS_OF.get(summary.status) != run.status:
                _tell(run, summary, (), told)
    _look_again([run for run in quiet if run.pk not in streamed], least_seconds=pages * SECONDS_PER_PAGE)
    _look_again([run for run in quiet if run.pk in streamed], least_seconds=STREAMED_SECONDS)
    to_ask = [*_settle(over, client, told), *to_ask]
    # Somebody looks at these, and there is no stream that would bring what they make one by one.
    to_ask += [run for run in quiet if run.pk in seen and run.pk not in streamed and len(run.outputs.all()) > 1]
    for run in to_ask[:DETAILS_PER_ROUND]:
        if asked(run, client):
            told.append(run.pk)
        run.look_again_in(track.pace_of(run))


def _settle(over: list[tuple[Run, RunSummary]], client: LaminaClient, told: list[uuid.UUID]) -> list[Run]:
    """Settle what has ended from the list of what was made; return the runs it cannot tell everything about.

    Of one that failed or was cancelled the list of runs says why, so it is settled all the same;
    what became of each of its outputs is asked for later.
    """
    if len(over) <= FEW:
        return [run for run, _summary in over]
    made = _made(over, client)
    to_ask = []
    for run, summary in over:
        found = _matched(run, made[summary.run_id])
        if found.is_all or summary.status != "completed":
            if not found.is_all or found.has_more or not found.knows_ids:
                want_details(run.pk)
            _tell(run, summary, found.outputs, told)
        else:
            to_ask.append(run)
    return to_ask


def _made(over: list[tuple[Run, RunSummary]], client: LaminaClient) -> dict[str, list[Asset]]:
    """Return what the list of assets has of these runs, read for as long as a page tells more than single questions.

    Its order is not promised. A page that has next to nothing of these runs is the last.
    """
    wanted = {summary.run_id: run for run, summary in over if summary.status == "completed"}
    made: dict[str, list[Asset]] = defaultdict(list)
    try:
        for number in range(PAGES_OF_ASSETS):
            page = client.assets.list(limit=PAGE, offset=PAGE * number)
            for asset in page.items:
                made[asset.run_id].append(asset)
            done = {run_id for run_id, run in wanted.items() if _matched(run, made[run_id]).is_all}
            for run_id in done:
                del wanted[run_id]
            if len(done) < FEW or not wanted or len(page.items) < PAGE:
                break
    except (LaminaBudgetSpent, LaminaRateLimited) as error:
        logger.info("assets not all listed error=%s", error)
    except LaminaError as error:
        # Not served, or not to this key: everything can be asked for run by run.
        logger.warning("assets not listed error=%s", error)
    return made


def _matched(run: Run, assets: list[Asset]) -> Found:
    return matched([row for row in run.outputs.all() if row.is_current], assets)


def _tell(run: Run, summary: RunSummary, outputs: Sequence[RemoteOutput], told: list[uuid.UUID]) -> None:
    remote = RemoteRun.model_validate({**summary.model_dump(), "outputs": outputs})
    try:
        track.apply(run.pk, remote, told_by=Teller.SWEEP)
    except Exception as error:
        logger.exception("run not settled run=%s error=%r", run.reference, error)
        run.look_again_in(track.pace_of(run))
    else:
        told.append(run.pk)


def _listed(runs: list[Run], client: LaminaClient) -> tuple[dict[str, RunSummary], int]:
    """Return what the list of runs says about these, by Lamina's id, and how many pages that took."""
    since, most = _reach(runs)
    wanted = {run.lamina_run_id for run in runs}
    found: dict[str, RunSummary] = {}
    number = 0
    for number in range(1, most + 1):
        page = client.runs.list(since=since, limit=PAGE, offset=PAGE * (number - 1))
        found.update({item.run_id: item for item in page.items})
        if wanted <= found.keys() or len(page.items) < PAGE:
            break
    return found, number


def _reach(runs: list[Run]) -> tuple[datetime, int]:
    """Return how far back the list is worth reading, and for how many pages.

    A run that has been going for hours is cheaper asked about by itself than behind pages of others.
    """
    newest_first = sorted((run.accepted_at or run.created_at for run in runs), reverse=True)
    workspaces = {run.workspace_id for run in runs}
    since_oldest = Run.objects.filter(workspace_id__in=workspaces, accepted_at__gte=newest_first[-1])
    newest = since_oldest.order_by("-accepted_at").values_list("accepted_at", flat=True)
    in_list = [moment for moment in newest[: PAGE * PAGES_OF_RUNS] if moment]
    since, pages, cost, before = newest_first[0], 1, math.inf, 0
    for count, moment in enumerate(newest_first, start=1):
        while before < len(in_list) and in_list[before] >= moment:
            before += 1
        if (this := math.ceil(before / PAGE) + len(newest_first) - count) <= cost:
            since, pages, cost = moment, math.ceil(before / PAGE), this
    # One page more: others may use the same key.
    return since - timedelta(minutes=2), min(pages + 1, PAGES_OF_RUNS)


def _look_again(runs: list[Run], *, least_seconds: float) -> None:
    """Put off the next look at these runs, each at its pace."""
    by_pace: dict[int, list[uuid.UUID]] = defaultdict(list)
    for run in runs:
        by_pace[round(max(track.pace_of(run), least_seconds))].append(run.pk)
    now = timezone.now()
    for seconds, ids in by_pace.items():
        Run.objects.filter(pk__in=ids).update(next_at=now + timedelta(seconds=seconds))


def want_details(run_id: uuid.UUID) -> None:
    """Have the next round ask for everything about a run, whatever its state."""
    Run.objects.filter(pk=run_id, lamina_run_id__isnull=False).update(details_next_at=timezone.now())


def _details_of(runs: list[Run], client: LaminaClient, told: list[uuid.UUID]) -> None:
    for run in runs[:DETAILS_PER_ROUND]:
        if asked(run, client):
            told.append(run.pk)
            Run.objects.filter(pk=run.pk, details_next_at=run.details_next_at).update(details_next_at=None)
        else:
            Run.objects.filter(pk=run.pk).update(details_next_at=_details_again(run))


def _details_again(run: Run) -> datetime | None:
    """Return when Lamina is asked once more for what it did not tell; None when it is not any more."""
    now = timezone.now()
    waited = now - (run.finished_at or run.created_at)
    if waited < GIVE_UP_AFTER:
        return now + max(waited, LEAST_PAUSE)
    # Nobody could ask when it was time, as while the key was refused: then this was the first try in a while.
    was_late = run.details_next_at is not None and now - run.details_next_at > LATE
    return now + LATE_PAUSE if was_late else None


def asked(run: Run, client: LaminaClient) -> bool:
    """Ask about one run and return whether Lamina told; what goes wrong with it never keeps the others waiting."""
    try:
        with trace.about(run):
            track.ask(run, client)
    except (LaminaBudgetSpent, LaminaRateLimited, LaminaAuthError):
        raise
    except LaminaNotFound:
        return False
    except Exception as error:
        logger.exception("run not asked after run=%s error=%r", run.reference, error)
        return False
    return True
