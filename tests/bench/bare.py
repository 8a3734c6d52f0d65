"""The control of settling: the same journey in bare Django and Celery, as a tutorial would write it.

A form makes a row and queues a task; the task starts a run at the stand-in over a kept connection; the
stand-in's delivery queues a second task, and that one writes down that the run is over. There is no person,
session, signature, budget, history, claim or check: what settling takes longer is what these cost. It has the portal's
middleware, its kept connections to the database and the broker, its log and its ids, as hello has.
"""

from __future__ import annotations

from functools import cache

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from portal.celery import app
from tests.bench.models import BareRun

APP_ID = "00000000-0000-4000-8000-00000000bea7"


@csrf_exempt
def click(request: HttpRequest) -> HttpResponse:
    """Keep a run and have it started."""
    run = BareRun.objects.create(token=request.POST["token"])
    start.apply_async((run.pk,), queue="interactive", retry=False)
    return HttpResponse(status=302, headers={"Location": "/"})


@csrf_exempt
def hook(request: HttpRequest, run_id: int) -> HttpResponse:
    """Have it noted that a run is over."""
    settle.apply_async((run_id,), queue="inbox", retry=False)
    return HttpResponse("ok")


@app.task(name="tests.bench.bare.start")
def start(run_id: int) -> None:
    """Start a run at the stand-in."""
    run = BareRun.objects.get(pk=run_id)
    answer = lamina().post(
        f"/v1/apps/{APP_ID}/runs",
        params={"webhook": f"{settings.PORTAL_PUBLIC_URL}/bare/{run_id}/"},
        json={"inputs": {"subject": "A mug"}},
    )
    run.lamina_run_id = answer.raise_for_status().json()["data"]["runId"]
    run.save(update_fields=["lamina_run_id"])


@app.task(name="tests.bench.bare.settle")
def settle(run_id: int) -> None:
    """Write down that a run is over."""
    run = BareRun.objects.get(pk=run_id)
    run.status = "completed"
    run.save(update_fields=["status"])


@cache
def lamina() -> httpx.Client:
    """Return this process's way to the stand-in."""
    return httpx.Client(base_url=settings.LAMINA_BASE_URL, headers={"x-api-key": settings.LAMINA_API_KEY})


urlpatterns = [path("bare/", click), path("bare/<int:run_id>/", hook)]
