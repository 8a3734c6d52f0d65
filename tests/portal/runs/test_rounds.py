"""Asking after many runs for little: what a round costs, and that it settles all of them alone."""

import itertools
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lamina_integration import Asset, LaminaNotFound, Lane, RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.operations.looking import Kind, runs_to_look_at
from portal.runs import rounds, settle, track
from portal.runs.made import matched
from portal.runs.models import Output, OutputStatus, Run
from portal.runs.rounds import go_round
from portal.runs.states import Status, Teller
from portal.runs.submit import send
from portal.runs.track import adopt
from portal.workspaces.brakes import refused_keys
from portal.workspaces.lamina import client_for
from portal.workspaces.models import LedgerLine, Membership, User

POSTER = "11111111-0000-4000-8000-000000000001"


def runs_at_lamina(member: Membership, pin: PinnedApp, count: int, **answer: Any) -> list[Run]:
    """Return so many runs of the poster app that Lamina has taken."""
    ids = []
    with client_for(member.workspace, lane=Lane.INTERACTIVE) as client:
        for n in range(count):
            run = Run.objects.create(
                workspace=member.workspace,
                token=uuid.uuid4(),
                pin=pin,
                app=pin.app,
                schema=pin.app.schema,
                inputs={"brief_text": str(n)},
            )
            for position, label in enumerate(("Front", "Back")):
                Output.objects.create(run=run, position=position, label=label, kind="image")
            run.move(Status.SUBMITTING, told_by=Teller.WORKER)
            started = client.runs.start(pin.app.lamina_id, run.inputs)
            adopt(run.pk, started.model_copy(update=answer), told_by=Teller.WORKER)
            ids.append(run.pk)
    return list(Run.objects.filter(pk__in=ids).order_by("created_at"))


def calls(lamina: Sandbox) -> Counter[str]:
    """Return how often each kind of read came."""
    counts = lamina.ledger()["requests"]["counts"]
    return Counter({entry["path"]: entry["count"] for entry in counts if entry["method"] == "GET"})


def a_round(lamina: Sandbox) -> Counter[str]:
    """Go round when every run's time has come; return the calls it took."""
    Run.objects.remote().update(next_at=timezone.now())
    before = calls(lamina)
    go_round()
    return calls(lamina) - before


@pytest.fixture
def manual(lamina: Sandbox) -> Sandbox:
    """Lamina that stands still until told, and sends nothing."""
    lamina.set(manual=True, webhooks=False, plain_media=True)
    return lamina


@pytest.mark.once
@pytest.mark.timeout(240)
def test_three_hundred_runs_settle_within_two_rounds_of_forty_calls_a_minute(
    member: Membership, poster: PinnedApp, manual: Sandbox
) -> None:
    runs_at_lamina(member, poster, 300)
    quiet = a_round(manual)
    assert quiet["/v1/runs/{id}"] == 0
    # The round's period as it has set it: from now to the next look at any of them.
    now = timezone.now()
    period = min(run.next_at for run in Run.objects.remote()) - now
    assert timedelta(seconds=3) < period < timedelta(seconds=15)
    manual.finish()
    taken = [a_round(manual).total(), a_round(manual).total()]
    assert Run.objects.filter(status=Status.COMPLETED).count() == 300
    assert not Output.objects.exclude(status=OutputStatus.COMPLETED).exists()
    assert Output.objects.count() == 600
    # Forty a minute at most, and over the two periods it took there were fewer.
    assert sum(taken) <= 2 * period.total_seconds() / 60 * 40


@pytest.mark.timeout(240)
def test_runs_that_fail_are_settled_with_their_reason_and_their_outputs_are_asked_for_later(
    member: Membership, poster: PinnedApp, manual: Sandbox
) -> None:
    runs = runs_at_lamina(member, poster, 60)
    for run in runs[:20]:
        manual.fail(run.lamina_run_id, "The provider gave up")
    for run in runs[20:25]:
        manual.cancel(run.lamina_run_id)
    manual.set(output_errors=0.3, partial_runs="completed")
    manual.finish()
    a_round(manual)
    stopped = Run.objects.filter(pk__in=[run.pk for run in runs[:25]])
    assert Counter(stopped.values_list("status", "error")) == {
        (Status.FAILED, "The provider gave up"): 20,
        (Status.CANCELLED, ""): 5,
    }
    for _ in range(12):
        Run.objects.filter(details_next_at__isnull=False).update(details_next_at=timezone.now())
        a_round(manual)
    assert not Run.objects.filter(details_next_at__isnull=False).exists()
    told = {run["runId"]: run for run in _at_lamina(member)}
    for run in Run.objects.prefetch_related("outputs"):
        remote = told[run.lamina_run_id]
        assert run.status == remote["status"]
        if remote["status"] == "completed":
            assert Counter(row.status for row in run.outputs.all()) == Counter(remote["outputs"])


def _at_lamina(member: Membership) -> list[dict[str, Any]]:
    with client_for(member.workspace, lane=Lane.INTERACTIVE) as client:
        summaries = client.runs.list(limit=100).items
        runs = [client.runs.get(summary.run_id) for summary in summaries]
    return [{"runId": r.run_id, "status": r.status, "outputs": [o.status for o in r.outputs]} for r in runs]


def test_run_that_begins_costs_no_question_of_its_own(member: Membership, poster: PinnedApp, manual: Sandbox) -> None:
    (run,) = runs_at_lamina(member, poster, 1)
    run.outputs.filter(position=1).delete()
    manual.advance(4)
    assert a_round(manual) == {"/v1/runs": 1}
    run.refresh_from_db()
    assert run.status == Status.RUNNING
    assert run.started_at is not None


def test_delivery_after_the_list_of_assets_adds_nothing(member: Membership, poster: PinnedApp, manual: Sandbox) -> None:
    runs = runs_at_lamina(member, poster, 5, outputs=())
    manual.finish()
    a_round(manual)
    assert not Run.objects.exclude(status=Status.COMPLETED).exists()
    before = {row.pk: (row.status, row.remote_url) for row in Output.objects.all()}
    with client_for(member.workspace, lane=Lane.INTERACTIVE) as client:
        for run in runs:
            told = client.runs.get(run.lamina_run_id)
            track.apply(run.pk, told, told_by=Teller.DELIVERY)
            track.apply(run.pk, told, told_by=Teller.DELIVERY)
    assert {row.pk: (row.status, row.remote_url) for row in Output.objects.all()} == before
    assert not Output.objects.filter(lamina_id__startswith="asset:").exists(), "their own ids are known now"


def test_without_the_list_of_assets_every_run_is_asked_for(
    member: Membership, poster: PinnedApp, manual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_at_lamina(member, poster, 15)
    manual.finish()

    def unserved(*_args: object, **_rest: object) -> None:
        raise LaminaNotFound("no such thing", status_code=404)

    monkeypatch.setattr("lamina_integration.client.assets.Assets.list", unserved)
    taken = a_round(manual) + a_round(manual)
    assert taken["/v1/runs/{id}"] == 15
    assert not Run.objects.exclude(status=Status.COMPLETED).exists()


def test_output_that_the_assets_lack_is_not_lost(
    member: Membership, poster: PinnedApp, manual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_at_lamina(member, poster, 8)
    manual.finish()
    listed = rounds._made

    def lacking(*args: Any) -> Any:
        made = listed(*args)
        return {run_id: assets[:1] for run_id, assets in made.items()}

    monkeypatch.setattr(rounds, "_made", lacking)
    a_round(manual)
    assert not Output.objects.exclude(status=OutputStatus.COMPLETED).exists()


def test_run_that_has_been_going_for_hours_is_asked_about_by_itself(
    member: Membership, poster: PinnedApp, manual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_at_lamina(member, poster, 12)
    monkeypatch.setattr(rounds, "PAGE", 2)
    old = runs[0]
    now = timezone.now()
    Run.objects.filter(pk=old.pk).update(accepted_at=now - timedelta(hours=5))
    for n, run in enumerate(runs[2:]):
        Run.objects.filter(pk=run.pk).update(status=Status.COMPLETED, accepted_at=now - timedelta(hours=4, seconds=n))
    Run.objects.filter(pk=runs[1].pk).update(accepted_at=now)
    since, pages = rounds._reach(list(Run.objects.remote()))
    assert pages <= 2
    assert now - since < timedelta(minutes=3)


def test_lane_that_is_spent_leaves_the_rest_for_the_next_round(
    member: Membership, poster: PinnedApp, manual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamina_integration import LaminaBudgetSpent

    runs_at_lamina(member, poster, 5)
    manual.finish()
    asked = itertools.count()
    ask = track.ask

    def spent(*args: Any) -> None:
        if next(asked) >= 1:
            raise LaminaBudgetSpent(retry_after=5)
        ask(*args)

    monkeypatch.setattr(track, "ask", spent)
    monkeypatch.setattr(rounds, "FEW", 10)
    a_round(manual)
    assert Run.objects.filter(status=Status.COMPLETED).count() == 1
    assert Run.objects.remote().filter(next_at__lte=timezone.now()).count() == 4


def test_key_that_lamina_refuses_is_asked_about_nothing_more_and_another_one_at_once(
    run: Run, manual: Sandbox, settings: Any
) -> None:
    send(run.pk)
    run.refresh_from_db()
    right, settings.LAMINA_API_KEY = settings.LAMINA_API_KEY, "lma_wrong"
    assert sum(a_round(manual).values()) == 1
    assert [workspace.pk for workspace in refused_keys()] == [run.workspace_id], "staff see it"
    assert sum(a_round(manual).values()) == 0
    settings.LAMINA_API_KEY = right
    manual.complete(run.lamina_run_id)
    a_round(manual)
    run.refresh_from_db()
    assert run.status == Status.COMPLETED


def test_details_are_not_given_up_for_a_key_that_was_refused_for_days(run: Run, manual: Sandbox, settings: Any) -> None:
    send(run.pk)
    ago = timezone.now() - timedelta(days=3)
    Run.objects.update(status=Status.FAILED, finished_at=ago, details_next_at=ago)
    right, settings.LAMINA_API_KEY = settings.LAMINA_API_KEY, "lma_wrong"
    go_round()
    assert [workspace.pk for workspace in refused_keys()] == [run.workspace_id]
    assert Run.objects.get().details_next_at == ago
    settings.LAMINA_API_KEY = right
    Run.objects.update(lamina_run_id="nobody-knows-it")
    go_round()
    assert Run.objects.get().details_next_at > timezone.now(), "the first try in days is not the last"
    Run.objects.update(details_next_at=timezone.now())
    go_round()
    assert Run.objects.get().details_next_at is None


def test_workspace_whose_answers_are_odd_keeps_nobody_waiting(
    member: Membership, poster: PinnedApp, manual: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs_at_lamina(member, poster, 1)
    monkeypatch.setattr(track, "pace_of", lambda run: 1 / 0)
    a_round(manual)
    run.refresh_from_db()
    assert run.status == Status.QUEUED


def test_details_nobody_gives_are_asked_for_less_and_less_and_then_no_more(run: Run, lamina: Sandbox) -> None:
    send(run.pk)
    lamina.finish()
    Run.objects.update(next_at=timezone.now())
    go_round()
    rounds.want_details(run.pk)
    lamina.reset()
    go_round()
    run.refresh_from_db()
    assert run.error_code == "", "it has ended and is ours: that Lamina has forgotten it is no trouble"
    assert run.details_next_at > timezone.now() + timedelta(seconds=25)
    Run.objects.update(details_next_at=timezone.now(), finished_at=timezone.now() - timedelta(days=2))
    go_round()
    run.refresh_from_db()
    assert run.details_next_at is None


THINGS = st.sampled_from(["front", "Back", "AI Designer", "Inner step"])
LABELS = st.sampled_from(["Front", "Back", "AI Designer", ""])


@given(
    places=st.lists(st.tuples(LABELS, st.booleans()), max_size=5),
    things=st.lists(st.tuples(THINGS, st.booleans()), max_size=6),
)
def test_no_thing_is_put_into_two_places_and_no_place_is_guessed(
    places: list[tuple[str, bool]], things: list[tuple[str, bool]]
) -> None:
    rows = [
        Output(position=n, label=label, kind="image", remote_url="" if is_open else f"http://media.test/{n}")
        for n, (label, is_open) in enumerate(places)
    ]
    for row in rows:
        row.status = OutputStatus.COMPLETED if row.remote_url else OutputStatus.PENDING
    assets = [
        Asset(
            id=f"a{n}",
            run_id="r",
            node_label=label,
            output_type="image",
            status="completed" if is_made else "pending",
            cdn_url=f"http://media.test/new{n}",
        )
        for n, (label, is_made) in enumerate(things)
    ]
    found = matched(rows, assets)
    values = [output.value for output in found.outputs]
    assert len(values) == len(set(values))
    waiting = Counter(row.label.casefold() for row in rows if row.status == OutputStatus.PENDING)
    filled = Counter(output.label.casefold() for output in found.outputs)
    made = Counter(label.casefold() for label, is_made in things if is_made)
    for label in waiting:
        assert filled[label] in (0, waiting[label])
        if filled[label]:
            assert label
            assert made[label] == waiting[label]
    if found.is_all:
        assert filled == +waiting
    remote = RemoteRun(run_id="r", status="completed", outputs=found.outputs)
    assert all(output.is_usable for output in remote.outputs)


def test_run_that_lamina_does_not_know_any_more_is_asked_about_less_and_staff_can_end_it(
    run: Run, lamina: Sandbox, staff: User
) -> None:
    lamina.set(manual=True, webhooks=False)
    send(run.pk)
    run.refresh_from_db()
    with pytest.raises(settle.SettleRefused):
        settle.give_up(run, person=staff, reason="It is late")
    lamina.reset()
    month_ago = timezone.now() - timedelta(days=30)
    Run.objects.update(next_at=timezone.now(), accepted_at=month_ago)
    rounds.go_round()
    run.refresh_from_db()
    assert (run.status, run.error_code) == (Status.QUEUED, "missing")
    assert [matter.kind for matter in runs_to_look_at()] == [Kind.MISSING]
    assert track.pace_of(run) == 3600
    settle.give_up(run, person=staff, reason="Lamina's support has no trace of it")
    run.refresh_from_db()
    assert (run.status, run.error_code) == (Status.FAILED, "unanswered")
    line = LedgerLine.objects.get(pk=run.pk)
    assert (line.held, line.settled) == (0, line.expected), "nobody knows that it was not charged"
