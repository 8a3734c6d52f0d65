"""While somebody looks at a run, what it makes comes as it is made: by one stream, held by one worker."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connections
from django.test import Client
from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.runs import live, tasks, watched
from portal.runs.models import Run
from portal.runs.rounds import go_round
from portal.runs.states import Status
from portal.runs.submit import send, submit
from portal.workspaces.models import Membership, User

POSTER_SECONDS = 6.0  # how long the stand-in takes for the two pictures of its app
SOON_SECONDS = 3.0  # a look of the worker, an event, a row: far within one poll after another


@pytest.fixture(autouse=True)
def nobody_looks(settings: Any) -> Iterator[None]:
    """No notes of earlier tests."""
    keys = (watched.WATCHED, watched.STREAMED, watched.POST, watched.ASKED)
    watched._redis.delete(*keys)
    yield
    watched._redis.delete(*keys)


@pytest.fixture
def going(transactional_db: None, run: Run, lamina: Sandbox) -> Run:
    """A run that Lamina has taken and works on when told, with every delivery lost."""
    lamina.set(manual=True, webhooks=False, plain_media=True)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    return run


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], threading.Thread]]:
    """A function that starts a worker which streams until nobody looks any more."""
    monkeypatch.setattr(live, "LINGER_SECONDS", 0.5)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)
    started: list[threading.Thread] = []

    def work() -> None:
        try:
            live.watch(told.append)
        finally:
            connections.close_all()

    told: list[uuid.UUID] = []

    def start() -> threading.Thread:
        started.append(threading.Thread(target=work, daemon=True))
        started[-1].start()
        return started[-1]

    yield start
    watched._redis.delete(watched.WATCHED)
    for thread in started:
        thread.join(15)
        assert not thread.is_alive(), "it ends when nobody looks"


def until(condition: Callable[[], bool], *, seconds: float = SOON_SECONDS) -> float:
    """Wait for something and return how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come"
        time.sleep(0.02)
    return time.monotonic() - began


def made(run: Run) -> int:
    return run.outputs.filter(status="completed").count()


def streams(lamina: Sandbox) -> int:
    counts = lamina.ledger()["requests"]["counts"]
    return sum(entry["count"] for entry in counts if entry["path"].endswith("/stream"))


def test_outputs_come_one_by_one_to_a_page_that_is_open(going: Run, lamina: Sandbox, worker: Any) -> None:
    watched.note(going.pk, seconds=30)
    worker()
    until(lambda: going.pk in watched.streamed())
    for share, count in ((0.2, 0), (0.45, 1), (0.4, 2)):
        lamina.advance(share * POSTER_SECONDS)
        until(lambda wanted=count: made(going) == wanted)
        if count == 0:
            until(lambda: Run.objects.get(pk=going.pk).status == Status.RUNNING)
    until(lambda: Run.objects.get(pk=going.pk).status == Status.COMPLETED)
    assert set(going.history.filter(to=Status.COMPLETED).values_list("told_by", flat=True)) == {"stream"}
    reads = lamina.ledger()["requests"]["counts"]
    assert streams(lamina) <= 1, "the ledger counts a stream when it has ended"
    assert not [entry for entry in reads if entry["path"] == "/v1/runs/{id}"]


def test_run_that_is_streamed_needs_no_details_and_seldom_a_list(going: Run, lamina: Sandbox, worker: Any) -> None:
    watched.note(going.pk, seconds=30)
    worker()
    until(lambda: going.pk in watched.streamed())
    lamina.advance(4)
    until(lambda: Run.objects.get(pk=going.pk).status == Status.RUNNING)
    Run.objects.update(next_at=timezone.now())
    go_round()
    going.refresh_from_db()
    assert (going.next_at - timezone.now()).total_seconds() > 25
    assert not [e for e in lamina.ledger()["requests"]["counts"] if e["path"] == "/v1/runs/{id}"]


def test_watched_run_without_a_stream_is_asked_for_its_outputs(going: Run, lamina: Sandbox) -> None:
    lamina.advance(4)
    for _ in range(2):
        Run.objects.update(next_at=timezone.now())
        go_round()
    details = [e for e in lamina.ledger()["requests"]["counts"] if e["path"] == "/v1/runs/{id}"]
    assert details == [], "nobody looks"
    watched.note(going.pk, seconds=30)
    Run.objects.update(next_at=timezone.now())
    go_round()
    assert [e["count"] for e in lamina.ledger()["requests"]["counts"] if e["path"] == "/v1/runs/{id}"] == [1]


def test_stream_ends_when_the_page_is_gone_and_the_worker_with_the_last(
    going: Run, lamina: Sandbox, worker: Any
) -> None:
    watched.note(going.pk, seconds=30)
    thread = worker()
    until(lambda: going.pk in watched.streamed())
    watched._redis.delete(watched.WATCHED)
    thread.join(10)
    assert not thread.is_alive()
    assert watched._redis.get(watched.POST) is None
    until(lambda: streams(lamina) == 1)


def test_second_worker_leaves_it_to_the_first_and_follows_it_when_it_is_killed(
    going: Run, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.note(going.pk, seconds=60)
    monkeypatch.setattr(watched, "POST_MILLISECONDS", 400)
    dead = watched.take_post()
    assert dead is not None
    assert live.watch(lambda run_id: None) is False, "somebody has the post"
    time.sleep(0.5)
    worker()
    until(lambda: going.pk in watched.streamed())
    assert watched.look(dead, []) is None, "whoever lost the post is told"


def test_streams_that_cannot_be_had_leave_the_run_to_the_rounds(
    going: Run, lamina: Sandbox, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamina_integration.client import waiting

    monkeypatch.setattr(waiting, "path", lambda template, **ids: template.format(**ids).replace("stream", "nowhere"))
    Run.objects.update(next_at=timezone.now() + timezone.timedelta(hours=1))
    watched.note(going.pk, seconds=30)
    worker()
    until(lambda: Run.objects.get(pk=going.pk).next_at <= timezone.now())


def test_lamina_being_down_ends_nothing_and_the_stream_comes_back(going: Run, lamina: Sandbox, worker: Any) -> None:
    watched.note(going.pk, seconds=60)
    worker()
    until(lambda: going.pk in watched.streamed())
    lamina.set(down=1.0)
    lamina.set(down=0.0)
    until(lambda: going.pk in watched.streamed(), seconds=20)
    lamina.complete(going.lamina_run_id)
    until(lambda: Run.objects.get(pk=going.pk).status == Status.COMPLETED, seconds=20)


def test_no_more_streams_than_the_cap(
    going: Run, member: Membership, poster: PinnedApp, lamina: Sandbox, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 2)
    runs = [going]
    for _ in range(3):
        token = uuid.uuid4()
        twin = submit(
            member=member, pin=poster, schema=poster.app.schema, inputs=going.inputs, outputs_wanted=[], token=token
        )
        send(twin.pk)
        runs.append(twin)
    for run in runs:
        watched.note(run.pk, seconds=60)
    worker()
    until(lambda: len(watched.streamed()) == 2)
    time.sleep(0.5)
    assert len(watched.streamed()) == 2


def test_shift_that_is_over_is_followed_by_another(
    going: Run, monkeypatch: pytest.MonkeyPatch, lamina: Sandbox
) -> None:
    monkeypatch.setattr(live, "SHIFT_SECONDS", 0.3)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)
    sent: list[object] = []
    monkeypatch.setattr(tasks.watch_runs, "apply_async", lambda **options: sent.append(options))
    watched.note(going.pk, seconds=60)
    thread = threading.Thread(target=tasks.watch_runs)
    thread.start()
    thread.join(10)
    assert len(sent) == 1
    assert watched._redis.get(watched.POST) is None, "the post is free for whoever comes"


@pytest.mark.parametrize("place", [1, 2])
def test_worker_that_is_told_to_stop_lets_go_of_its_streams(place: int) -> None:
    holder = [socket.gethostname(), "0", "0", "x"]
    holder[place] = str(os.getpid())
    watched._redis.set(watched.POST, "|".join(holder))
    tasks.stop_watching()
    assert watched._redis.get(watched.POST) is None
    watched._redis.set(watched.POST, f"{socket.gethostname()}|1|1|x")
    tasks.stop_watching()
    assert watched._redis.get(watched.POST), "that is somebody else's"


# The pages


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


def test_poll_notes_that_somebody_looks_and_costs_no_query_more(
    visitor: Client, run: Run, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[object] = []
    monkeypatch.setattr(tasks.watch_runs, "apply_async", lambda **options: woken.append(options))
    visitor.get(run.get_absolute_url())
    assert watched.watched() == {run.pk}
    assert len(woken) == 1
    watched._redis.delete(watched.WATCHED)
    page = visitor.get(run.get_absolute_url() + "progress/")
    with django_assert_max_num_queries(3):
        again = visitor.get(run.get_absolute_url() + "progress/", headers={"If-None-Match": page["ETag"]})
    assert again.status_code == 304
    assert watched.watched() == {run.pk}
    assert len(woken) == 1, "one message wakes a worker, however many polls"
    left = watched._redis.zscore(watched.WATCHED, str(run.pk)) - watched._redis.time()[0]
    assert 5 <= left <= 10


def test_poll_of_a_run_that_is_over_notes_nothing(visitor: Client, run: Run) -> None:
    run.move(Status.CANCELLED, told_by="person")
    visitor.get(run.get_absolute_url())
    visitor.get(run.get_absolute_url() + "progress/")
    assert watched.watched() == set()


def test_poll_goes_on_without_redis(visitor: Client, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_rest: object) -> None:
        raise redis.exceptions.ConnectionError("away")

    monkeypatch.setattr(watched, "_note", away)
    assert visitor.get(run.get_absolute_url() + "progress/").status_code == 200
