"""Deliveries: from a signed request to a durable row and a queued task, with the workers stopped."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.utils import timezone

from lamina_integration import webhooks
from portal.runs.models import Attempt, Delivery
from portal.runs.tasks import apply_delivery
from tests.bench import load, scene
from tests.bench.control import Hello
from tests.bench.report import Figure, Measured, ratios
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage

PER_SECOND = 200


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return how many deliveries a second become rows and tasks, beside hello, and how long they take at 200."""
    member = scene.a_member()
    attempts = scene.attempts_of(scene.running_runs(member, scene.an_app(member, outputs=4), 200))
    key = scene.a_signing_key()
    stage.start_web()
    hello = Hello(stage=stage, requests=sizes.hellos)
    load.flood(stage.ports.web, signed(stage, attempts, key, sizes.deliveries))
    forget()
    hello.measure()
    hello.samples.clear()

    hello.measure()
    rates, cpu = [], []
    for _ in range(sizes.rounds):
        requests = signed(stage, attempts, key, sizes.deliveries)
        before = stage.cpu_seconds("web")
        done = load.flood(stage.ports.web, requests)
        cpu.append((stage.cpu_seconds("web") - before) / done.count)
        rates.append(done.per_second)
        check(done, sizes.deliveries)
        hello.measure()

    slowest = []
    for _ in range(sizes.rounds):
        count = int(PER_SECOND * sizes.paced_seconds)
        paced = load.pace(stage.ports.web, signed(stage, attempts, key, count), per_second=PER_SECOND)
        check(paced, count)
        slowest.append(paced.quantile(0.99) * 1000)
    hello.measure()
    stage.stop("web")
    hello_cpu = [sample.cpu_seconds for sample in hello.samples[:-1]]
    return Measured(
        name="deliveries",
        what="a signed delivery becomes a durable row and a queued task; workers stopped",
        control_name="hello",
        control=hello.rates,
        figures=[
            Figure(name="requests a second, to hello's", values=ratios(rates, hello.rates[:-1]), goal=(">=", 0.15)),
            Figure(
                name="the same by the server's CPU time (hello's to a delivery's)",
                values=[1 / each for each in ratios(cpu, hello_cpu)],
            ),
            Figure(name=f"p99 at {PER_SECOND} a second", values=slowest, unit=" ms", goal=("<=", 500)),
            Figure(name="deliveries a second", values=rates),
            Figure(name="the server's CPU time for one", values=[1000 * each for each in cpu], unit=" ms"),
        ],
        notes=[
            f"Each round: {sizes.deliveries} deliveries and {sizes.hellos} hellos over 16 connections; every answer "
            "was 200, and there were as many new rows and queued tasks. "
            f"The load generator itself took {hello.samples[-1].load.own_cpu_seconds / sizes.hellos * 1000:.2f} ms a "
            "hello on the same cores."
        ],
    )


def signed(stage: Stage, attempts: Sequence[Attempt], key: Ed25519PrivateKey, count: int) -> list[bytes]:
    """Return deliveries, each with a body of its own, signed now."""
    requests = []
    for number in range(count):
        attempt = attempts[number % len(attempts)]
        body = json.dumps({"data": news(attempt)}, separators=(",", ":")).encode()
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            webhooks.SIGNATURE_HEADER: webhooks.sign(key, body, timestamp),
            webhooks.TIMESTAMP_HEADER: str(timestamp),
            webhooks.REQUEST_ID_HEADER: attempt.run.lamina_run_id,
            webhooks.USER_ID_HEADER: "user",
        }
        path = f"/hooks/lamina/{attempt.token}/"
        requests.append(load.request("POST", path, port=stage.ports.web, headers=headers, body=body))
    return requests


def news(attempt: Attempt) -> dict[str, object]:
    """Return a run of four pictures as a delivery tells of it."""
    now = timezone.now().isoformat()
    outputs = [
        {
            "id": str(uuid.uuid4()),
            "label": f"Output {number + 1}",
            "type": "image",
            "value": f"https://media.example/{uuid.uuid4()}.png",
            "status": "completed",
            "error": None,
        }
        for number in range(4)
    ]
    return {
        "runId": attempt.run.lamina_run_id,
        "workflowId": attempt.run.app.lamina_id,
        "status": "completed",
        "outputs": outputs,
        "errorMessage": None,
        "createdAt": now,
        "startedAt": now,
        "completedAt": now,
        "progress": {"totalOutputs": 4, "completedOutputs": 4, "failedOutputs": 0, "percentComplete": 100},
    }


def check(done: load.Load, count: int) -> None:
    """Raise unless each was answered 200, is a row and has its task; then clear them away."""
    rows, queued = forget()
    if done.statuses != {200: count} or rows != count or queued != count:
        raise AssertionError(f"{count} deliveries: answered {done.statuses}, {rows} rows, {queued} tasks")


def forget() -> tuple[int, int]:
    """Empty the inbox and the queue; return how many rows and tasks there were."""
    broker = redis.Redis.from_url(settings.REDIS_URL)
    queue = settings.CELERY_TASK_ROUTES[apply_delivery.name]["queue"]
    rows, queued = Delivery.objects.count(), int(broker.llen(queue))
    Delivery.objects.all().delete()
    broker.delete(queue)
    return rows, queued
