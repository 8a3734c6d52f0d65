"""Log lines: one id from the request to its tasks, JSON for machines, nothing secret."""

import io
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.celery import app
from portal.operations import tracing
from portal.operations.tasks import beat_heart
from portal.runs import tasks
from portal.runs.models import Delivery, Run
from portal.workspaces.models import User
from tests.test_settings import PRODUCTION, manage

logger = logging.getLogger("portal.test")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the JSON formatter writes, a line each.

    A worker that starts configures the root logger anew, so Celery's own logger has the handler too.
    """
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(tracing.JsonFormatter())
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in (None, "celery.app.trace")}
    for listened_to in loggers:
        listened_to.addHandler(handler)
        listened_to.setLevel(logging.INFO)
    yield written
    for listened_to, level in loggers.items():
        listened_to.removeHandler(handler)
        listened_to.setLevel(level)


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines, parsed."""
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_every_answer_names_its_request(client: Client) -> None:
    first, second = client.get("/healthz")["X-Request-Id"], client.get("/healthz")["X-Request-Id"]
    assert first != second
    assert client.get("/healthz", headers={"X-Request-Id": "from-the-proxy"})["X-Request-Id"] == "from-the-proxy"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", 'quote"quote"', "línea-nueva"])
def test_id_that_is_none_is_not_taken_over(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": given})["X-Request-Id"] != given


def test_lines_of_a_request_carry_its_id_and_the_run(lines: io.StringIO) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        logger.info("run accepted run=%s lamina_run=%s", "R-7F3K-22QX", "abc")
        return HttpResponse()

    response = tracing.request_id_middleware(view)(RequestFactory().get("/"))
    logger.info("afterwards")
    during, after = read(lines)
    assert during["request_id"] == response["X-Request-Id"]
    assert during["run"] == "R-7F3K-22QX"
    assert (during["level"], during["logger"]) == ("INFO", "portal.test")
    assert "request_id" not in after


def test_what_django_says_of_an_answer_names_its_request(lines: io.StringIO, client: Client) -> None:
    response = client.post("/healthz")
    assert response.status_code == 405
    assert read(lines)[-1]["request_id"] == response["X-Request-Id"]


def test_task_carries_the_id_of_the_request_that_nudged_it(lines: io.StringIO) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        beat_heart.apply_async(queue="media")
        return HttpResponse()

    response = tracing.request_id_middleware(view)(RequestFactory().get("/"))

    def told() -> list[dict[str, Any]]:
        return [line for line in read(lines) if line.get("task") == beat_heart.name and "request_id" in line]

    with start_worker(app, perform_ping_check=False, queues=["media"], pool="solo", loglevel="INFO"):
        deadline = time.monotonic() + 10
        while not told() and time.monotonic() < deadline:
            threading.Event().wait(0.02)
    assert told(), lines.getvalue()
    assert told()[0]["request_id"] == response["X-Request-Id"]
    assert told()[0]["task_id"]


def test_one_id_leads_from_the_click_to_the_applied_delivery(
    lines: io.StringIO,
    poster: PinnedApp,
    creator: User,
    as_user: Callable[[User], Client],
    lamina: Sandbox,
    settings: Any,
) -> None:
    """No message of the click arrives: the sweep sends the run, and the delivery is a request with an id of its own."""
    settings.PORTAL_PUBLIC_URL = "http://testserver"
    lamina.set(manual=True, webhooks=False)
    form = {"p0": "A mug", "token": str(uuid.uuid4()), "schema": poster.app.schema_id, "outputs": ["0", "1"]}
    clicked = as_user(creator).post(f"/w/demo/create/{poster.pk}/", form, headers={"X-Request-Id": "the-click"})
    assert clicked.status_code == 302, clicked.content.decode()
    run = Run.objects.get()
    tasks.send_run.apply(args=[str(run.pk)])
    run.refresh_from_db()
    lamina.complete(run.lamina_run_id)
    headers, body = lamina.delivery(run.lamina_run_id)
    address = f"/hooks/lamina/{run.attempts.get().token}/"
    tasks.refresh_signing_keys.apply()
    told = Client().post(
        address, body, content_type="application/json", headers={**headers, "X-Request-Id": "the-delivery"}
    )
    assert told.status_code == 200
    tasks.apply_delivery.apply(args=[Delivery.objects.get().pk])

    written = read(lines)
    by_id = [line for line in written if line.get("request_id") == "the-click"]
    steps = ["run submitted", "lamina POST", "run accepted", "delivery stored", "delivery applied"]
    found = [line for step in steps for line in by_id if line["message"].startswith(step)]
    assert [line["message"].split(" run=")[0].split(" /")[0] for line in found] == steps
    assert found == sorted(found, key=lambda line: line["at"])
    assert {line["run"] for line in found} == {run.reference}
    assert [line for line in written if line.get("run") == run.reference and line not in by_id] == []
    submitted, called, accepted, stored, applied = found
    assert called["lamina_request"]
    assert called["task"] == accepted["task"] == "portal.runs.tasks.send_run"
    assert stored["via_request_id"] == "the-delivery"
    assert applied["task"] == "portal.runs.tasks.apply_delivery"
    assert "via_request_id" not in submitted | called


def test_cancel_is_told_under_the_run_s_id_and_its_own(
    lines: io.StringIO, run: Run, creator: User, as_user: Callable[[User], Client]
) -> None:
    Run.objects.filter(pk=run.pk).update(request_id="the-click")
    as_user(creator).post(f"{run.get_absolute_url()}cancel/", headers={"X-Request-Id": "the-cancel"})
    told = next(line for line in read(lines) if line["message"].startswith("cancel asked for"))
    assert (told["run"], told["request_id"], told["via_request_id"]) == (run.reference, "the-click", "the-cancel")


def test_task_forgets_its_ids_when_it_has_ended() -> None:
    tracing.take_up(task_id="one", task=beat_heart)
    tracing.put_down()
    assert tracing.ids_of(logging.makeLogRecord({})) == {}


@pytest.mark.parametrize(
    "secret",
    [
        "key lma_abc123 refused",
        "Authorization: Bearer sesame",
        "Not Found: /hooks/lamina/sesame/",
        "redis://:sesame@127.0.0.1:6379/0",
        "postgres://portal:sesame@db/portal",
    ],
)
def test_no_line_holds_a_secret(lines: io.StringIO, secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError:
        logger.exception("it failed: %s", secret)
    for hidden in ("abc123", "sesame"):
        assert hidden not in lines.getvalue()
        record = logging.makeLogRecord({"msg": secret})
        assert hidden not in tracing.LineFormatter().format(record)


def test_line_that_is_remote_text_stays_one_line(lines: io.StringIO) -> None:
    logger.info("error=%s", 'first\nsecond "quoted" \u2028')
    assert read(lines)[0]["message"] == 'error=first\nsecond "quoted" \u2028'


def test_production_writes_json() -> None:
    said = manage(PRODUCTION, "shell", "-v", "0", "-c", "import logging; logging.getLogger('x').warning('hello')")
    assert json.loads(said.stderr.splitlines()[-1])["message"] == "hello"
