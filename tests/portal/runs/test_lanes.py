"""People's runs and rows of batches: who goes first, how many are out, what each of them costs."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis
from django.db import connections
from django.utils import timezone

from lamina_integration import Lane
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.runs import lanes, tasks
from portal.runs.lanes import runs_to_send, seconds_to_wait
from portal.runs.models import Move, Run, RunLane
from portal.runs.states import Status
from portal.runs.submit import send, submit
from portal.workspaces.lamina import BUDGET_KEY, client_for, shared_budget
from portal.workspaces.models import Membership, Workspace
from portal.workspaces.slots import PLACES, in_slot
from tests.factories import MembershipFactory, detail, pin_of, run_of


def rows_of(member: Membership, pin: PinnedApp, count: int, lane: str = RunLane.BATCH) -> list[Run]:
    """Return so many runs of an app, saved and not sent."""
    return [
        submit(
            member=member,
            pin=pin,
            schema=pin.app.schema,
            inputs={"brief_text": f"Mug {n}"},
            outputs_wanted=[],
            token=uuid.uuid4(),
            lane=lane,
        )
        for n in range(count)
    ]


@pytest.fixture
def empty_budget(settings: object) -> Iterator[None]:
    """A budget of a hundred that nobody has touched."""
    settings.LAMINA_RATE_LIMIT = 100
    store = redis.Redis.from_url(settings.REDIS_URL)
    store.delete(BUDGET_KEY)
    yield
    store.delete(BUDGET_KEY)


def calls(lamina: Sandbox) -> dict[str, int]:
    """Return how often each kind of request came."""
    found: dict[str, int] = {}
    for entry in lamina.ledger()["requests"]["counts"]:
        name = f"{entry['method']} {entry['path']}"
        found[name] = found.get(name, 0) + entry["count"]
    return found


def test_people_are_handed_out_first_and_of_a_batch_only_a_few(
    member: Membership, poster: PinnedApp, empty_budget: None
) -> None:
    rows_of(member, poster, 40)
    person = run_of(member, poster)
    first = runs_to_send()
    assert first[0] == (person.pk, RunLane.INTERACTIVE)
    assert 1 <= len(first) - 1 <= 7
    assert runs_to_send() == [], "what is out is not handed out again, nor more of it"


def test_rows_that_were_put_off_make_room_for_others(member: Membership, poster: PinnedApp, empty_budget: None) -> None:
    rows_of(member, poster, 40)
    out = [pk for pk, _lane in runs_to_send()]
    later = timezone.now() + timedelta(seconds=60)
    Run.objects.filter(pk__in=out).update(next_at=later, not_before=later)
    assert len(runs_to_send()) == len(out)


def test_workspaces_take_turns_within_batches(db: None, empty_budget: None) -> None:
    members = [MembershipFactory() for _ in range(3)]
    for member, count in zip(members, (30, 2, 1), strict=True):
        pin = pin_of(member.workspace, detail())
        for _ in range(count):
            run_of(member, pin, lane=RunLane.BATCH)
    ids = [pk for pk, _lane in runs_to_send()]
    first = Run.objects.filter(pk__in=ids[:3]).values_list("workspace_id", flat=True)
    assert set(first) == {member.workspace_id for member in members}


def test_nothing_of_a_batch_is_handed_out_while_lamina_is_away(
    member: Membership, poster: PinnedApp, empty_budget: None
) -> None:
    rows_of(member, poster, 3)
    shared_budget().hold(30)
    assert runs_to_send() == []


def test_row_that_has_to_wait_is_not_claimed_and_gives_its_worker_back(
    member: Membership, poster: PinnedApp, empty_budget: None, lamina: Sandbox
) -> None:
    (row,) = rows_of(member, poster, 1)
    shared_budget().hold(30)
    began = time.monotonic()
    tasks.send_batch_run(str(row.pk))
    assert time.monotonic() - began < 1
    row.refresh_from_db()
    assert (row.status, row.attempts.count()) == (Status.WAITING, 0)
    assert Move.objects.filter(run=row).count() == 1, "a wait for the budget leaves no line in the history"
    assert 25 < (row.next_at - timezone.now()).total_seconds() < 31


def test_short_wait_of_a_row_is_the_message_s(
    member: Membership, poster: PinnedApp, empty_budget: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = rows_of(member, poster, 1)
    sent: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.send_batch_run, "apply_async", lambda **options: sent.append(options))
    shared_budget().acquire(Lane.BATCH)
    tasks.send_batch_run(str(row.pk))
    assert [entry["args"] for entry in sent] == [(str(row.pk),)]
    assert 0 < sent[0]["countdown"] <= 1


def test_person_never_waits_for_the_turn_of_a_batch(member: Membership, poster: PinnedApp, empty_budget: None) -> None:
    (run,) = rows_of(member, poster, 1, RunLane.INTERACTIVE)
    shared_budget().acquire(Lane.BATCH)
    assert seconds_to_wait(run.pk) == 0


def test_rows_of_a_batch_cost_one_call_each_and_one_for_all_of_them(
    member: Membership, poster: PinnedApp, lamina: Sandbox
) -> None:
    rows = rows_of(member, poster, 12)
    before = calls(lamina)
    for row in rows:
        send(row.pk)
    after = calls(lamina)
    assert after["POST /v1/apps/{id}/runs"] - before.get("POST /v1/apps/{id}/runs", 0) == 12
    assert sum(after.values()) - sum(before.values()) == 13


def test_schema_that_was_checked_too_long_ago_is_checked_again(
    member: Membership, poster: PinnedApp, lamina: Sandbox
) -> None:
    rows = rows_of(member, poster, 2)
    send(rows[0].pk)
    before = calls(lamina)["GET /v1/apps/{id}"]
    app = poster.app
    app.refresh_from_db()
    app.refreshed_at = timezone.now() - timedelta(seconds=40)
    app.save()
    send(rows[1].pk)
    assert calls(lamina)["GET /v1/apps/{id}"] == before + 1


def test_pin_or_refresh_in_the_background_is_no_check(member: Membership, poster: PinnedApp, lamina: Sandbox) -> None:
    (row,) = rows_of(member, poster, 1)
    before = calls(lamina)["GET /v1/apps/{id}"]
    send(row.pk)
    assert calls(lamina)["GET /v1/apps/{id}"] == before + 1


def test_task_without_a_place_gives_its_thread_back() -> None:
    begun, over, in_vain = threading.Event(), threading.Event(), []

    @in_slot("batch")
    def slow() -> None:
        begun.set()
        over.wait(10)

    @in_slot("batch", otherwise=lambda: in_vain.append(True))
    def quick() -> None:
        raise AssertionError("there was no place")

    threads = [threading.Thread(target=slow) for _ in range(PLACES["batch"])]
    for thread in threads:
        begun.clear()
        thread.start()
        assert begun.wait(10)
    quick()
    over.set()
    for thread in threads:
        thread.join()
    assert in_vain == [True]
    in_slot("batch")(lambda: in_vain.append(False))()
    assert in_vain == [True, False], "places are given back"


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_click_in_a_flood_starts_within_ten_seconds_of_a_minute(
    workspace: Workspace, member: Membership, poster: PinnedApp, lamina: Sandbox, settings: object
) -> None:
    """Lamina's minute is ten seconds here, so every wait is a sixth of what it would be."""
    window = 10.0
    settings.LAMINA_RATE_LIMIT, settings.LAMINA_RATE_WINDOW_SECONDS = 100, window
    lamina.set(limit=100, window=window, webhooks=False)
    rows_of(member, poster, 500)
    people: list[Run] = []
    over = time.monotonic() + 2.5 * window
    flood = [threading.Thread(target=_work, args=(over,)) for _ in range(2)]
    settle = threading.Thread(target=_track, args=(workspace, over))
    waits: list[float] = []
    for thread in (*flood, settle):
        thread.start()
    while time.monotonic() < over - window / 2:
        people.extend(rows_of(member, poster, 1, RunLane.INTERACTIVE))
        began = time.monotonic()
        while Run.objects.get(pk=people[-1].pk).lamina_run_id is None:
            send(people[-1].pk)
        waits.append((time.monotonic() - began) * 60 / window)
        time.sleep(0.5)
    for thread in (*flood, settle):
        thread.join()
    counts = lamina.ledger()["requests"]["counts"]
    refused = sum(entry["count"] for entry in counts if entry["status"] == 429)
    started = Run.objects.filter(lane=RunLane.BATCH, lamina_run_id__isnull=False).count()
    assert len(waits) >= 15
    assert sorted(waits)[int(len(waits) * 0.95)] <= 10
    assert refused <= sum(entry["count"] for entry in counts) * 0.01
    assert started >= 15, "and the flood goes on with what is left"


def _work(until: float) -> None:
    """Do what a worker of batches does."""
    pending: list[tuple[float, str]] = []
    look_at = 0.0
    try:
        while time.monotonic() < until:
            if time.monotonic() >= look_at:
                pending += [(0.0, str(pk)) for pk, lane in runs_to_send() if lane == RunLane.BATCH]
                look_at = time.monotonic() + 0.5
            pending.sort()
            if not pending or pending[0][0] > time.monotonic():
                time.sleep(0.02)
                continue
            _at, run_id = pending.pop(0)
            if wait := seconds_to_wait(uuid.UUID(run_id)):
                if wait <= lanes.SHORT_WAIT_SECONDS:
                    pending.append((time.monotonic() + wait, run_id))
            else:
                send(uuid.UUID(run_id))
    finally:
        connections.close_all()


def _track(workspace: Workspace, until: float) -> None:
    """Ask for lists of runs as fast as the lane allows."""
    try:
        with client_for(workspace, lane=Lane.TRACKING) as client:
            while time.monotonic() < until:
                _quietly(lambda: client.runs.list(limit=100))
                time.sleep(0.05)
    finally:
        connections.close_all()


def _quietly(call: Callable[[], object]) -> None:
    from lamina_integration import LaminaError

    try:
        call()
    except LaminaError:
        time.sleep(0.1)
