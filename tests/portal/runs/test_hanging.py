"""Lamina hangs: what needs nothing of it goes on, and what does waits without a worker."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from lamina_integration import RequestBudget
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.demo.kept import Kept
from portal.demo.options import read_options
from portal.demo.services import services
from portal.runs import tasks
from portal.runs.models import Attempt, Delivery, Run
from portal.runs.states import Status
from portal.runs.submit import send, submit
from portal.workspaces.lamina import BUDGET_KEY, shared_budget, silence
from portal.workspaces.models import Membership, User
from portal.workspaces.slots import PLACES

HANGS_SECONDS = 6.0


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ThreadPoolExecutor]:
    """As many threads as a demo worker has."""
    kept = Kept(stand_in_port=1, secret_key="x", field_encryption_key="x", passwords={})
    command = services(read_options({"DATA": str(tmp_path)}), kept)["worker"].command
    threads = int(command[command.index("--concurrency") + 1])
    assert threads > sum(PLACES.values()) + 2, "tracking, watching, and at least one for what needs no Lamina"
    with ThreadPoolExecutor(threads) as pool:
        yield pool


def do(task: Callable[..., None], *args: object) -> None:
    """Do a task as a thread of a worker does."""
    try:
        task(*args)
    finally:
        connections.close_all()


def waiting_run(member: Membership, pin: PinnedApp) -> Run:
    schema = pin.app.schema
    inputs = {"brief_text": "A mug"}
    return submit(member=member, pin=pin, schema=schema, inputs=inputs, outputs_wanted=[], token=uuid.uuid4())


@pytest.mark.django_db(transaction=True)
def test_deliveries_are_applied_within_seconds_while_lamina_hangs(
    run: Run, member: Membership, poster: PinnedApp, lamina: Sandbox, worker: ThreadPoolExecutor
) -> None:
    lamina.set(manual=True, webhooks=False, plain_media=True)
    send(run.pk)
    run.refresh_from_db()
    lamina.complete(run.lamina_run_id)
    _headers, body = lamina.delivery(run.lamina_run_id)
    attempt = Attempt.objects.get(run=run)
    delivery = Delivery.objects.create(
        attempt=attempt,
        digest="d",
        verdict="accepted",
        lamina_run_id=run.lamina_run_id,
        signed_at=timezone.now(),
        body=body.decode(),
    )
    queue = [waiting_run(member, poster) for _ in range(40)]
    Run.objects.filter(pk=run.pk).update(next_at=timezone.now())
    lamina.set(latency=HANGS_SECONDS)
    began = time.monotonic()
    worker.submit(do, tasks.track_runs)
    for each in queue:
        worker.submit(do, tasks.send_run, str(each.pk))
    time.sleep(0.3)
    worker.submit(do, tasks.apply_delivery, delivery.pk).result(timeout=30)
    took = time.monotonic() - began
    run.refresh_from_db()
    assert run.status == Status.COMPLETED
    assert took < 3, "it waited behind calls to Lamina"
    assert threading.active_count() > 4
    lamina.set(latency=0.0)


@pytest.mark.django_db(transaction=True)
def test_nothing_fails_while_lamina_is_away_and_all_of_it_is_sent_after(
    member: Membership, poster: PinnedApp, lamina: Sandbox
) -> None:
    runs = [waiting_run(member, poster) for _ in range(8)]
    lamina.set(server_errors=1.0)
    for _ in range(3):
        for run in runs:
            tasks.send_run(str(run.pk))
            Run.objects.filter(pk=run.pk).update(not_before=None)
    assert set(Run.objects.values_list("status", flat=True)) == {Status.WAITING}
    asked = lamina.ledger()["requests"]["total"]
    for run in runs:
        began = time.monotonic()
        tasks.send_run(str(run.pk))
        Run.objects.filter(pk=run.pk).update(not_before=None)
        assert time.monotonic() - began < 1
    assert lamina.ledger()["requests"]["total"] <= asked + 3, "nobody but one who tries asks a Lamina that is away"
    assert "does not answer" in Run.objects.first().history.last().why
    lamina.set(server_errors=0.0)
    deadline = time.monotonic() + 30
    while Run.objects.filter(status=Status.WAITING).exists():
        assert time.monotonic() < deadline
        for run in runs:
            Run.objects.filter(pk=run.pk).update(not_before=None)
            tasks.send_run(str(run.pk))
        time.sleep(0.2)
    assert {run["runId"] for run in lamina.ledger()["starts"]} == set(
        Run.objects.values_list("lamina_run_id", flat=True)
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("noted", ["unanswered", "hold"])
def test_outage_leaves_one_line_in_a_run_s_history_however_long_it_lasts(
    member: Membership, poster: PinnedApp, lamina: Sandbox, noted: str
) -> None:
    run = waiting_run(member, poster)
    past = timezone.now()
    for _ in range(2):
        getattr(shared_budget(), noted)(60)
    for _ in range(4):
        tasks.send_run(str(run.pk))
        run.refresh_from_db()
        assert run.not_before > timezone.now(), "it is looked at again after a moment"
        Run.objects.filter(pk=run.pk).update(not_before=past)
    assert [move.to for move in run.history.all()] == [Status.WAITING, Status.SUBMITTING, Status.WAITING]
    assert run.attempts.count() == 1
    redis.Redis.from_url(settings.REDIS_URL).delete(BUDGET_KEY)
    tasks.send_run(str(run.pk))
    run.refresh_from_db()
    assert run.lamina_run_id


@pytest.mark.django_db
def test_page_of_a_run_at_lamina_says_that_lamina_does_not_answer_and_takes_it_back(
    run: Run, lamina: Sandbox, as_user: Callable[[User], Client], creator: User
) -> None:
    lamina.set(manual=True)
    send(run.pk)
    visitor, address = as_user(creator), run.get_absolute_url() + "progress/"
    calm = visitor.get(address)
    assert "does not answer" not in calm.content.decode()
    lamina.set(server_errors=1.0)
    while not shared_budget().is_away():
        tasks.track_runs()
        Run.objects.update(next_at=timezone.now())
    silence.forget()
    told = visitor.get(address, headers={"If-None-Match": calm["ETag"]})
    assert "Lamina does not answer us at the moment. This goes on there, and we keep asking." in told.content.decode()
    assert visitor.get(address, headers={"If-None-Match": told["ETag"]}).status_code == 304
    lamina.set(server_errors=0.0)
    shared_budget().answered()
    silence.forget()
    again = visitor.get(address, headers={"If-None-Match": told["ETag"]})
    assert "does not answer" not in again.content.decode()


def test_pages_ask_redis_once_in_two_seconds_whether_lamina_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(RequestBudget, "is_away", lambda _self: bool(asked.append(True)))
    for _ in range(50):
        assert not silence.is_known()
    assert len(asked) == 1
