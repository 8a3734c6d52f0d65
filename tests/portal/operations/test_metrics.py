"""/metrics: who may read it, and that its figures are those of the rows."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connections
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from portal.operations import broker
from portal.operations.figures import figures
from portal.runs.models import Attempt, Delivery, Move, Run
from portal.runs.states import Status, Teller
from portal.workspaces.models import Membership, Workspace
from tests.factories import MembershipFactory, detail, pin_of, run_of


def read(client: Client, **headers: str) -> dict[tuple[str, str], float]:
    """Return the figures by (name, label's value), read as Prometheus reads them."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


@pytest.fixture
def member_at_work(portal_at_work: Workspace) -> Membership:
    """A creator of the workspace, in rows that other threads see."""
    return MembershipFactory(workspace=portal_at_work, user__email="creator@example.test")


@pytest.fixture
def runs(member_at_work: Membership) -> list[Run]:
    """Runs in several states, the oldest that is going on an hour old."""
    pinned = pin_of(member_at_work.workspace, detail())
    states = [Status.WAITING, Status.UNCONFIRMED, Status.UNCONFIRMED, Status.COMPLETED]
    made = [run_of(member_at_work, pinned, status=status, lamina_run_id=f"r{n}") for n, status in enumerate(states)]
    Run.objects.filter(pk=made[1].pk).update(created_at=timezone.now() - timedelta(hours=1))
    Run.objects.filter(pk=made[3].pk).update(created_at=timezone.now() - timedelta(days=1))
    return made


def deliver(run: Run, *lags: float, received_ago: timedelta = timedelta(0), **fields: Any) -> None:
    """Store deliveries that took so many seconds each."""
    now = timezone.now() - received_ago
    attempt = Attempt.objects.create(run=run, lease_until=now, closed_at=now)
    for lag in lags:
        Delivery.objects.create(
            attempt=attempt,
            digest=f"{attempt.pk}-{lag}",
            lamina_run_id="r",
            signed_at=now - timedelta(seconds=lag),
            received_at=now,
            **{"verdict": "accepted", **fields},
        )


def settle(run: Run, *tellers: str, ago: timedelta = timedelta(0)) -> None:
    """Write into the history that somebody settled a run, once for each."""
    for teller in tellers:
        Move.objects.create(
            run=run, at=timezone.now() - ago, leaving=Status.RUNNING, to=Status.COMPLETED, told_by=teller
        )


def test_metrics_are_those_of_the_rows(client: Client, runs: list[Run]) -> None:
    deliver(runs[3], *range(1, 21))
    deliver(runs[3], 5000, received_ago=timedelta(hours=2), applied_at=timezone.now())
    deliver(runs[3], 900, 901, 902, 903, verdict="stale", applied_at=timezone.now())
    settle(runs[3], Teller.SWEEP, Teller.DELIVERY, Teller.DELIVERY, Teller.DELIVERY, Teller.WORKER)
    settle(runs[3], Teller.SWEEP, ago=timedelta(hours=2))
    runs[3].outputs.update(copy_next_at=timezone.now())
    with broker.connect() as connection:
        connection.delete(broker._lists_of("media")[0])
        connection.rpush(broker._lists_of("media")[0], "a task", "another")
    try:
        found = read(client)
    finally:
        with broker.connect() as connection:
            connection.delete(broker._lists_of("media")[0])
    assert found["portal_runs", "unconfirmed"] == 2
    assert found["portal_runs", "failed"] == 0
    assert found["portal_unconfirmed_runs", ""] == 2
    assert 3600 <= found["portal_oldest_unsettled_run_seconds", ""] < 3660
    assert found["portal_webhook_lag_p95_seconds", ""] == pytest.approx(19)
    assert found["portal_settled_by_sweep_ratio", ""] == 0.25
    assert found["portal_settled_runs", "worker"] == 1
    assert found["portal_deliveries", "accepted"] == 20
    assert found["portal_deliveries_unapplied", ""] == 20
    assert found["portal_outputs_to_copy", ""] == 1
    assert found["portal_queue_length", "media"] == 2
    assert {lane for name, lane in found if name == "portal_lane_idle_seconds"} == set(configured.LANES)
    assert found["portal_request_budget_limit", ""] == configured.LAMINA_RATE_LIMIT
    assert found["portal_request_budget_ahead_seconds", ""] == 0
    assert {found["portal_dependency_up", name] for name in ("database", "broker", "worker", "lamina", "disk")} == {1}


def test_metrics_of_an_empty_portal_have_no_made_up_figures(client: Client, portal_at_work: Workspace) -> None:
    found = read(client)
    assert found["portal_oldest_unsettled_run_seconds", ""] == 0
    assert ("portal_webhook_lag_p95_seconds", "") not in found
    assert ("portal_settled_by_sweep_ratio", "") not in found


@pytest.mark.django_db
def test_figures_cost_the_same_however_many_rows(
    member: Membership, django_assert_max_num_queries: Any, workspace: Workspace
) -> None:
    pinned = pin_of(workspace, detail())
    for _n in range(20):
        run_of(member, pinned)
    with django_assert_max_num_queries(9):
        assert figures().runs[Status.WAITING] == 20


def test_metrics_without_the_database_still_tell_the_rest(
    client: Client, portal_at_work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "NAME", "/nowhere/at all/portal")
    found = read(client)
    assert found["portal_dependency_up", "database"] == 0
    assert found["portal_dependency_up", "broker"] == 1
    assert ("portal_queue_length", "media") in found
    assert ("portal_runs", "waiting") not in found


def test_metrics_without_redis_still_tell_the_rest(client: Client, portal_at_work: Workspace, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found = read(client)
    assert found["portal_dependency_up", "broker"] == 0
    assert found["portal_runs", "waiting"] == 0
    assert ("portal_queue_length", "media") not in found


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic sesame", "sesame", "Bearer sesame "])
def test_metrics_with_a_token_want_it(client: Client, settings: Any, given: str) -> None:
    """No database fixture: who may not read costs no query."""
    settings.METRICS_TOKEN = "sésame"
    response = client.get("/metrics", headers={"Authorization": given} if given else {})
    assert (response.status_code, response.content) == (401, b"")


def test_metrics_with_a_token_are_read_with_it(client: Client, settings: Any, portal_at_work: Workspace) -> None:
    settings.METRICS_TOKEN = "sesame"
    assert read(client, Authorization="Bearer sesame")
    assert (
        client.get("/metrics", REMOTE_ADDR="203.0.113.9", headers={"Authorization": "Bearer sesame"}).status_code == 200
    )


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "", "not an address"])
def test_metrics_without_a_token_are_for_this_machine(client: Client, address: str) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_metrics_without_a_token_are_not_for_whom_a_proxy_speaks(client: Client, header: str) -> None:
    assert client.get("/metrics", headers={header: "203.0.113.9"}).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Port": "443"}, {"CF-Connecting-IP": "203.0.113.9"}])
def test_metrics_of_production_want_a_token_from_this_machine_too(
    client: Client, settings: Any, headers: dict[str, str]
) -> None:
    """A proxy on this machine need not say for whom it asks."""
    settings.PRODUCTION, settings.METRICS_TOKEN = True, ""
    assert client.get("/metrics", headers=headers).status_code == 401


def test_metrics_without_a_token_are_not_for_staff_elsewhere(as_user: Any, staff: Any) -> None:
    assert as_user(staff).get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 401
