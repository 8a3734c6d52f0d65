"""Settling: from the click on a form to a run that is over, beside the same journey in bare Celery."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

import redis
from django.conf import settings
from django.db.models import Avg, F

from lamina_integration import Lane
from portal.catalogue.models import PinnedApp
from portal.catalogue.schemas import pin
from portal.runs import inbox
from portal.runs.models import Run
from portal.runs.states import Status
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Membership
from tests.bench import bare, load, scene
from tests.bench.models import BareRun
from tests.bench.report import Figure, Measured, ratios
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage
from tests.bench.tasks import nothing
from tests.storm.processes import wait_until

# Production has a worker for each lane; on one machine what a click needs first has its own, the rest another.
QUEUES = {"interactive": "interactive", "others": ",".join(lane for lane in settings.LANES if lane != "interactive")}
PROCESSES_A_WORKER = 2
# Words, so that nothing has to be drawn by the stand-in or copied by us.
APP = {
    "appId": bare.APP_ID,
    "name": "A line of words",
    "parameters": [{"id": "p1", "key": "subject", "name": "Subject", "type": "text"}],
    "outputs": [{"index": 0, "label": "Line", "type": "text"}],
}
PATIENCE_SECONDS = 120


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return how many clicks a second are settled, by the portal and by bare Celery in turn."""
    open_up(stage)
    member = scene.a_member()
    pinned = pinned_app(member)
    cookie = scene.cookie_of(member)
    settle(stage, pinned, cookie, max(sizes.runs // 5, 4))
    settle_bare(stage, max(sizes.runs // 5, 4))
    do_nothing(max(sizes.nothings // 10, 4))
    controls, nothings = [settle_bare(stage, sizes.bare_runs)], []
    rates, cpu = [], dict.fromkeys(stage.company.services, 0.0)
    for _ in range(sizes.rounds):
        before = {name: stage.cpu_seconds(name) for name in cpu}
        rates.append(settle(stage, pinned, cookie, sizes.runs))
        for name in cpu:
            cpu[name] += stage.cpu_seconds(name) - before[name]
        nothings.append(do_nothing(sizes.nothings))
        controls.append(settle_bare(stage, sizes.bare_runs))
    waits = Run.objects.filter(status=Status.COMPLETED).aggregate(mean=Avg(F("finished_at") - F("created_at")))["mean"]
    close_down(stage)
    each = {name: seconds / sizes.runs / sizes.rounds * 1000 for name, seconds in cpu.items()}
    return Measured(
        name="settling",
        what="from the click on a form to a run that is over, with a stand-in that finishes at once",
        control_name="the same journey in bare Celery, same broker and workers",
        control=controls,
        figures=[
            Figure(name="runs a second, to bare Celery's", values=ratios(rates, controls), goal=(">=", 0.3)),
            Figure(name="runs a second", values=rates, goal=(">=", 40)),
            Figure(name="bare Celery's runs a second", values=controls),
            Figure(name="tasks that do nothing a second", values=nothings),
            Figure(
                name="runs a second, to tasks that do nothing",
                values=[run / nothing for run, nothing in zip(rates, nothings, strict=True)],
            ),
            *(Figure(name=f"CPU time of {name} a run", values=[value], unit=" ms") for name, value in each.items()),
        ],
        notes=[
            f"Each round: {sizes.runs} forms sent over HTTP by 8 at once; then {sizes.bare_runs} to the control, "
            "which does the same as a tutorial would: a form makes a row and queues a task, that starts a run at the "
            "stand-in, and the delivery queues a task that writes down the end; no person, session, budget, history, "
            "claim or check, and the portal's middleware, connections and log. A run is two requests to the web server "
            "(the form, the delivery), one to the stand-in, and two tasks; what many runs ask for together, such as "
            "the app's newest form, is asked once. "
            f"{len(QUEUES)} workers of {PROCESSES_A_WORKER} processes, a web server of 2, the stand-in, the database, "
            f"the broker and the senders share the cores. From click to end took {waits.total_seconds():.1f} s in the "
            "mean, most of it in the queue that the senders fill.",
            "A task that does nothing stands there to tell what Celery itself can do here; the control comes to a "
            "tenth of that, because what a run takes time for is its requests, its call and its rows.",
        ],
    )


def open_up(stage: Stage) -> None:
    """Start everything: the stand-in, the web server and the workers; return when the keys are known."""
    apps = stage.folder / "apps"
    apps.mkdir(exist_ok=True)
    (apps / "line.json").write_text(json.dumps({"data": APP}))
    stage.start_stand_in(Path(apps))
    stage.start_web()
    for name, queues in QUEUES.items():
        stage.start_worker(name, queues=queues, processes=PROCESSES_A_WORKER)


def close_down(stage: Stage) -> None:
    """Stop everything."""
    stage.stop(*QUEUES, "web", "stand-in")


def pinned_app(member: Membership) -> PinnedApp:
    """Return the stand-in's app, pinned in the member's workspace, with its keys known."""
    with client_for(member.workspace, lane=Lane.INTERACTIVE) as client:
        pinned = pin(workspace=member.workspace, lamina_id=bare.APP_ID, capability="image", client=client)
    if not inbox.refresh_keys():
        raise AssertionError("the stand-in's signing keys could not be fetched")
    return pinned


def settle(stage: Stage, pinned: PinnedApp, cookie: str, count: int) -> float:
    """Send so many forms and return how many a second were settled, from the first click to the last end."""
    tokens = [uuid.uuid4() for _ in range(count)]
    began = time.perf_counter()
    sent = load.flood(stage.ports.web, [click(stage, pinned, cookie, token) for token in tokens], connections=8)
    if sent.statuses != {302: count}:
        raise AssertionError(f"{count} forms answered {sent.statuses}")
    open_ones = Run.objects.filter(token__in=tokens).exclude(status=Status.COMPLETED)
    if not wait_until(lambda: not open_ones.exists(), seconds=PATIENCE_SECONDS, pause=0.02):
        raise AssertionError(f"never settled: {list(open_ones.values_list('status', 'error')[:5])}")
    return count / (time.perf_counter() - began)


def click(stage: Stage, pinned: PinnedApp, cookie: str, token: uuid.UUID) -> bytes:
    """Return a form as a browser sends it."""
    secret = "b" * 32
    form = {"csrfmiddlewaretoken": secret, "token": token, "schema": pinned.app.schema_id, "outputs": 0, "p0": "A mug"}
    return load.request(
        "POST",
        f"/w/{pinned.workspace.slug}/create/{pinned.pk}/",
        port=stage.ports.web,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"{cookie}; {settings.CSRF_COOKIE_NAME}={secret}",
        },
        body=urlencode(form).encode(),
    )


def settle_bare(stage: Stage, count: int) -> float:
    """Send so many forms to the control and return how many a second were settled."""
    tokens = [uuid.uuid4() for _ in range(count)]
    began = time.perf_counter()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    forms = [urlencode({"token": token}).encode() for token in tokens]
    requests = [load.request("POST", "/bare/", port=stage.ports.web, headers=headers, body=form) for form in forms]
    sent = load.flood(stage.ports.web, requests, connections=8)
    if sent.statuses != {302: count}:
        raise AssertionError(f"{count} forms answered {sent.statuses}")
    open_ones = BareRun.objects.filter(token__in=tokens).exclude(status="completed")
    if not wait_until(lambda: not open_ones.exists(), seconds=PATIENCE_SECONDS, pause=0.02):
        raise AssertionError("the control never settled")
    return count / (time.perf_counter() - began)


def do_nothing(count: int) -> float:
    """Queue so many tasks that do nothing and return how many a second were done, from the first to the last."""
    broker = redis.Redis.from_url(settings.REDIS_URL)
    waiting = broker.hlen("unacked")  # what a run has asked for in some seconds stays out as long
    began = time.perf_counter()
    for _ in range(count):
        nothing.apply_async(retry=False)
    # An empty list and nobody at work: with late acknowledgement that is when the last one is done.
    if not wait_until(
        lambda: not broker.llen("interactive") and broker.hlen("unacked") <= waiting,
        seconds=PATIENCE_SECONDS,
        pause=0.005,
    ):
        raise AssertionError("tasks that do nothing were never done")
    return count / (time.perf_counter() - began)
