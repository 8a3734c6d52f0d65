"""Deliveries: signed for real, then tampered with, repeated, reordered, aged."""

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lamina_integration import Lane
from lamina_integration.sandbox import Sandbox
from lamina_integration.webhooks import sign
from portal.operations.figures import figures
from portal.runs import inbox, models, outcomes, rejections, submit
from portal.runs.hints import GIVE_UP_AFTER_TRIES
from portal.runs.models import Delivery, Run
from portal.runs.rounds import go_round
from portal.runs.states import Status
from portal.runs.submit import claim, send
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Membership, User, Workspace
from tests.keys import jwk_x


@pytest.fixture(autouse=True)
def nobody_asked_for_keys() -> Iterator[None]:
    """What a test did to the keys ends with it."""
    forgotten = [inbox.KEYS, inbox.KEYS_ASKED, inbox.KEYS_WANTED, inbox.KEYS_NUDGED]
    cache.delete_many(forgotten)
    yield
    cache.delete_many(forgotten)


@pytest.fixture
def key(db: None) -> Ed25519PrivateKey:
    """The key Lamina signs with, known to the portal for an hour."""
    private = Ed25519PrivateKey.generate()
    hour_ago = timezone.now() - timezone.timedelta(hours=1)
    models.SigningKey.objects.create(x=jwk_x(private), kid="one", fetched_at=hour_ago)
    inbox.forget_keys()
    return private


@pytest.fixture
def sent(run: Run, lamina: Sandbox) -> Run:
    """A run that Lamina has accepted and not begun."""
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    return run


Deliver = Callable[..., Any]


@pytest.fixture
def deliver(sent: Run, key: Ed25519PrivateKey, client: Client) -> Deliver:
    """A function that posts a delivery as Lamina does; its arguments say what is wrong with it."""

    def post(
        body: bytes | None = None, *, age: float = 0, signer: Ed25519PrivateKey = key, token: str = "", **headers: str
    ) -> Any:
        if body is None:
            run = {"runId": sent.lamina_run_id, "status": "completed", "outputs": []}
            body = json.dumps({"data": run}).encode()
        timestamp = int(time.time() - age)
        sent_headers = {
            "X-Lamina-Webhook-Signature": sign(signer, body, timestamp),
            "X-Lamina-Webhook-Timestamp": str(timestamp),
            "X-Lamina-Webhook-Request-Id": sent.lamina_run_id,
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        address = f"/hooks/lamina/{token or sent.attempts.get().token}/"
        return client.post(address, body, content_type="application/json", headers=sent_headers)

    return post


def apply_all() -> None:
    for delivery_id in inbox.deliveries_to_apply():
        inbox.apply_delivery(delivery_id)


def test_genuine_delivery_is_stored_and_applied_later(deliver: Deliver, sent: Run) -> None:
    assert deliver().status_code == 200
    sent.refresh_from_db()
    assert sent.status == Status.QUEUED, "nothing is applied while Lamina waits"
    apply_all()
    sent.refresh_from_db()
    assert sent.status == Status.COMPLETED
    assert Delivery.objects.get().applied_at


def test_delivery_asks_lamina_nothing(deliver: Deliver, lamina: Sandbox) -> None:
    before = lamina.ledger()["requests"]["total"]
    deliver()
    assert lamina.ledger()["requests"]["total"] == before


def test_same_delivery_three_times_is_one_row(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert [deliver().status_code for _ in range(3)] == [200, 202, 202]
    assert Delivery.objects.get().repeats == 2


def test_delivery_for_an_unknown_address_is_refused(deliver: Deliver) -> None:
    assert deliver(token="guess").status_code == 404
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Lamina_Webhook_Signature": ""},
        {"X_Lamina_Webhook_Signature": "zz" * 64},
        {"X_Lamina_Webhook_Timestamp": "yesterday"},
        {"X_Lamina_Webhook_Request_Id": "another-run"},
    ],
)
def test_malformed_delivery_is_refused_and_not_stored(deliver: Deliver, headers: dict[str, str]) -> None:
    assert deliver(**headers).status_code == 400
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": {}}', b'{"data": {"runId": 7}}', b"\xff\xfe"])
def test_signed_nonsense_is_refused_and_not_stored(deliver: Deliver, body: bytes) -> None:
    assert deliver(body).status_code == 400
    assert not Delivery.objects.exists()


def test_unknown_key_is_answered_503_so_that_lamina_tries_again(deliver: Deliver) -> None:
    assert deliver(signer=Ed25519PrivateKey.generate()).status_code == 503
    assert not Delivery.objects.exists()


def test_unknown_key_right_after_the_keys_were_fetched_is_asked_to_come_again_all_the_same(
    deliver: Deliver, lamina: Sandbox
) -> None:
    assert inbox.refresh_keys()
    lamina.rotate_signing_key(keep_old=False)
    newest = lamina._world.keys.current
    assert deliver(signer=newest).status_code == 503
    cache.delete(inbox.KEYS_ASKED)
    assert inbox.refresh_keys(), "the cool-down is over"
    assert deliver(signer=newest).status_code == 200


def test_unknown_key_is_no_line_in_the_log(deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    """A stranger could fill it, and wake whoever is told of errors."""
    caplog.clear()
    assert deliver(signer=Ed25519PrivateKey.generate()).status_code == 503
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


def test_nothing_that_is_refused_is_a_line_in_the_log(
    deliver: Deliver, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"/hooks/lamina/{'x' * 32}/"
    caplog.clear()
    assert deliver(b"x" * (inbox.MAX_BODY_BYTES + 1)).status_code == 413
    assert deliver(token="x" * 32).status_code == 404
    assert deliver(X_Lamina_Webhook_Signature="").status_code == 400
    for method in (client.get, client.put, client.delete):
        assert method(address).status_code == 405
    assert client.get(address)["Allow"] == "POST"
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


def test_keys_are_fetched_though_the_first_workspace_s_key_is_revoked(
    run: Run, workspace: Workspace, other_workspace: Workspace, lamina: Sandbox
) -> None:
    workspace.lamina_api_key = "lma_revoked"
    workspace.save()
    assert inbox.refresh_keys()


def test_keys_are_fetched_by_another_workspace_though_the_portal_s_own_key_is_revoked(
    run: Run, workspace: Workspace, other_workspace: Workspace, lamina: Sandbox, settings: Any
) -> None:
    workspace.lamina_api_key, other_workspace.lamina_api_key = "lma_revoked", lamina.api_key
    workspace.save()
    other_workspace.save()
    settings.LAMINA_API_KEY = "lma_revoked_too"
    assert inbox.refresh_keys()


def test_keys_are_not_asked_for_key_by_key_while_lamina_is_away(
    run: Run, other_workspace: Workspace, lamina: Sandbox
) -> None:
    other_workspace.lamina_api_key = "lma_another"
    other_workspace.save()
    lamina.set(server_errors=1.0)
    before = lamina.ledger()["requests"]["counts"]
    assert not inbox.refresh_keys()
    asked = [each for each in lamina.ledger()["requests"]["counts"] if each not in before]
    assert {each["path"] for each in asked} == {"/v1/webhooks/signing-key"}
    assert "lma_another" not in {each["key"] for each in lamina.ledger()["requests"]["recent"]}


def test_keys_are_fetched_at_most_once_in_a_cool_down(deliver: Deliver, lamina: Sandbox) -> None:
    cache.delete("signing-keys-asked")
    before = lamina.ledger()["requests"]["total"]
    assert inbox.refresh_keys()
    assert not inbox.refresh_keys()
    assert lamina.ledger()["requests"]["total"] == before + 1
    assert models.SigningKey.objects.count() == 2, "the older key is kept for what is on its way"


def test_stale_delivery_is_a_hint_and_lamina_is_asked(deliver: Deliver, sent: Run, lamina: Sandbox) -> None:
    assert deliver(age=3600).status_code == 200
    assert Delivery.objects.get().verdict == "stale"
    apply_all()
    go_round()
    sent.refresh_from_db()
    assert sent.status == Status.QUEUED, "what the old message says is not believed"
    assert sent.details_next_at is None
    lamina.complete(sent.lamina_run_id)
    Delivery.objects.update(applied_at=None, next_at=timezone.now())
    apply_all()
    go_round()
    sent.refresh_from_db()
    assert sent.status == Status.COMPLETED


@pytest.fixture
def lost(run: Run, lamina: Sandbox) -> Run:
    """A run whose answer was lost, and one just like it whose answer was lost at the same moment."""
    lamina.set(manual=True, lost_answers=1.0, webhooks=False)
    twin = Run.objects.get(pk=run.pk)
    twin.pk, twin.reference, twin.token = uuid.uuid4(), "R-TWIN", uuid.uuid4()
    twin.save(force_insert=True)
    for each in (run, twin):
        send(each.pk)
    lamina.set(lost_answers=0.0)
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    return run


def stale_news_of(run: Run, lamina_run_id: str, key: Ed25519PrivateKey, client: Client) -> None:
    """Deliver what was signed a quarter of an hour ago to a run's address."""
    body = json.dumps({"data": {"runId": lamina_run_id, "status": "completed", "outputs": []}}).encode()
    signed_at = int(time.time()) - 900
    headers = {
        "X-Lamina-Webhook-Signature": sign(key, body, signed_at),
        "X-Lamina-Webhook-Timestamp": str(signed_at),
        "X-Lamina-Webhook-Request-Id": lamina_run_id,
    }
    address = f"/hooks/lamina/{run.attempts.get().token}/"
    assert client.post(address, body, content_type="application/json", headers=headers).status_code == 200


def test_stale_delivery_tells_whose_run_it_is_when_the_answer_was_lost(
    lost: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client
) -> None:
    its = next(start["runId"] for start in lamina.ledger()["starts"])
    asked = lamina.ledger()["requests"]["total"]
    stale_news_of(lost, its, key, client)
    inbox.apply_delivery(Delivery.objects.get().pk)
    assert Delivery.objects.get().applied_at is None, "nobody has asked yet"
    assert lamina.ledger()["requests"]["total"] == asked, "not in the request, nor where deliveries are applied"
    assert go_round() == [lost.pk]
    lost.refresh_from_db()
    assert (lost.lamina_run_id, lost.status) == (its, Status.QUEUED), "what the old message says is not believed"
    assert Delivery.objects.get().applied_at
    assert not lost.attempts.get().unanswered


def test_stale_delivery_waits_for_a_lamina_that_is_away(
    lost: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client
) -> None:
    its = next(start["runId"] for start in lamina.ledger()["starts"])
    stale_news_of(lost, its, key, client)
    lamina.set(server_errors=1.0)
    go_round()
    assert Delivery.objects.get().applied_at is None
    lamina.set(server_errors=0.0)
    cache.clear()
    deadline = time.monotonic() + 20
    while go_round() != [lost.pk]:
        assert time.monotonic() < deadline
    lost.refresh_from_db()
    assert lost.lamina_run_id == its


def test_stale_delivery_of_a_run_that_lamina_does_not_know_is_kept_for_staff(
    lost: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client
) -> None:
    stale_news_of(lost, "gone", key, client)
    go_round()
    delivery = Delivery.objects.get()
    assert (delivery.applied_at, delivery.tries) == (None, 1)
    assert delivery.error
    assert delivery.next_at > timezone.now()
    assert inbox.deliveries_to_apply() == []


def test_stale_delivery_of_a_run_that_lamina_never_knows_is_dealt_with_in_the_end(
    lost: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client
) -> None:
    """It was not applied for ever: the gauge never came back to nothing, and it was never pruned."""
    stale_news_of(lost, "gone", key, client)
    for _ in range(GIVE_UP_AFTER_TRIES):
        Delivery.objects.update(next_at=timezone.now())
        assert go_round() == []
        assert Delivery.objects.get().applied_at is None
    Delivery.objects.update(next_at=timezone.now())
    asked = lamina.ledger()["requests"]["total"]
    assert go_round() == []
    delivery = Delivery.objects.get()
    assert delivery.applied_at
    assert delivery.error, "why nothing came of it is kept"
    assert lamina.ledger()["requests"]["total"] == asked
    assert figures().unapplied == 0


def test_stale_delivery_of_a_second_run_is_asked_about_and_put_on_record(
    sent: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client, member: Membership
) -> None:
    with client_for(member.workspace, lane=Lane.INTERACTIVE) as api:
        second = api.runs.start(sent.app.lamina_id, sent.inputs)
    stale_news_of(sent, second.run_id, key, client)
    go_round()
    told = f"Lamina has a second run for this one: {second.run_id}."
    assert told in {move.why for move in sent.history.all()}
    Delivery.objects.update(applied_at=None, next_at=timezone.now())
    go_round()
    assert sent.history.filter(why=told).count() == 1, "it is applied again, and is no news"


@pytest.mark.parametrize(
    ("length", "taken"), [(256 * 1024 + 1, 256 * 1024 + 1), (3_000_000, 3_000_000), (9_000_000, 4 * 1024**2)]
)
def test_large_body_is_refused_and_read_piece_by_piece(sent: Run, client: Client, length: int, taken: int) -> None:
    class Stream(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            got = super().read(size)
            self.largest = max(self.largest, len(got))
            return got

    stream = Stream(b" " * length)
    address = f"/hooks/lamina/{sent.attempts.get().token}/"
    told = {"wsgi.input": stream, "CONTENT_LENGTH": str(length)}
    assert client.post(address, content_type="application/json", **told).status_code == 413
    assert stream.tell() == taken, "the server would drop the connection and the next delivery with it"
    assert stream.largest <= 256 * 1024 + 1


@pytest.mark.parametrize(("more", "status"), [(b"", 200), (b" " * 256 * 1024, 413)])
def test_delivery_that_comes_in_chunks_is_read_although_it_has_no_length(
    sent: Run, key: Ed25519PrivateKey, client: Client, more: bytes, status: int
) -> None:
    news = {"data": {"runId": sent.lamina_run_id, "status": "running", "outputs": []}}
    body = json.dumps(news).encode() + more
    timestamp = int(time.time())
    headers = {
        "X-Lamina-Webhook-Signature": sign(key, body, timestamp),
        "X-Lamina-Webhook-Timestamp": str(timestamp),
        "Transfer-Encoding": "chunked",
    }
    # As the server hands it on: taken apart, with an end of its own.
    read = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    address = f"/hooks/lamina/{sent.attempts.get().token}/"
    answer = client.post(address, content_type="application/json", headers=headers, **read)
    assert answer.status_code == status


def test_delivery_says_which_attempt_a_lost_answer_belongs_to(
    run: Run, lamina: Sandbox, key: Ed25519PrivateKey, client: Client
) -> None:
    lamina.set(manual=True, lost_answers=1.0)
    send(run.pk)
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.UNCONFIRMED, None)
    remote_id = lamina.ledger()["starts"][0]["runId"]
    body = json.dumps({"data": {"runId": remote_id, "status": "completed", "outputs": []}}).encode()
    timestamp = int(time.time())
    headers = {
        "X-Lamina-Webhook-Signature": sign(key, body, timestamp),
        "X-Lamina-Webhook-Timestamp": str(timestamp),
    }
    address = f"/hooks/lamina/{run.attempts.get().token}/"
    assert client.post(address, body, content_type="application/json", headers=headers).status_code == 200
    apply_all()
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.COMPLETED, remote_id)


def test_delivery_is_left_to_its_message_for_longer_the_longer_its_lane_is_down(deliver: Deliver) -> None:
    deliver()
    assert inbox.deliveries_to_apply(), "its own message may be lost"
    assert inbox.deliveries_to_apply() == [], "each sweep would queue it again"
    now = timezone.now()
    hour_ago = now - timezone.timedelta(hours=1)
    Delivery.objects.update(next_at=now, received_at=hour_ago)
    assert inbox.deliveries_to_apply()
    assert Delivery.objects.get().next_at - now >= timezone.timedelta(minutes=5)


def test_delivery_that_failed_is_tried_again_soon_however_old_it_is(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver()
    now = timezone.now()
    Delivery.objects.update(received_at=now - timezone.timedelta(hours=1))
    (delivery_id,) = inbox.deliveries_to_apply()
    monkeypatch.setattr("portal.runs.track.adopt", _refuse)
    with pytest.raises(Exception, match="away"):
        inbox.apply_delivery(delivery_id)
    assert Delivery.objects.get().next_at - now < timezone.timedelta(seconds=10)


def test_broker_being_away_loses_no_delivery(deliver: Deliver, sent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.runs.tasks.apply_delivery.apply_async", _refuse)
    assert deliver().status_code == 200
    apply_all()
    sent.refresh_from_db()
    assert sent.status == Status.COMPLETED


def _refuse(*args: object, **kwargs: object) -> None:
    from kombu.exceptions import OperationalError

    raise OperationalError("the broker is away")


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"X_Lamina_Webhook_Signature": ""}, None, "headers"),
        ({"X_Lamina_Webhook_Timestamp": "yesterday"}, None, "headers"),
        ({}, b" " * (256 * 1024 + 1), "too_large"),
    ],
)
def test_junk_is_counted_by_reason_without_asking_the_database(
    deliver: Deliver, headers: dict[str, str], body: bytes | None, reason: str, sent: Run
) -> None:
    token = sent.attempts.get().token
    before = rejections.recent()
    with CaptureQueriesContext(connection) as asked:
        assert deliver(body, token=token, **headers).status_code in {400, 413}
    assert len(asked) == 0
    assert rejections.recent()[reason] == before[reason] + 1


def test_every_refusal_has_its_reason(deliver: Deliver) -> None:
    before = rejections.recent()
    deliver(token="g" * 32)
    deliver(signer=Ed25519PrivateKey.generate())
    inbox.refresh_keys()
    deliver(signer=Ed25519PrivateKey.generate())
    deliver(b"{")
    now = rejections.recent()
    assert {reason for reason in now if now[reason] > before[reason]} == {
        "unknown_address",
        "unknown_key",
        "forged",
        "malformed",
    }


def test_flood_of_forgeries_asks_for_the_keys_once(
    deliver: Deliver, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks_sent = []
    monkeypatch.setattr("portal.runs.views.hook.nudge", lambda task, *args: tasks_sent.append(task) or task(*args))
    before = lamina.ledger()["requests"]["total"]
    answers = {deliver(signer=Ed25519PrivateKey.generate()).status_code for _ in range(20)}
    assert answers == {503}, "nobody can tell a forgery from a key that is newer than ours"
    assert len(tasks_sent) == 1
    assert lamina.ledger()["requests"]["total"] == before + 1


def test_flood_of_forgeries_is_one_message_while_no_worker_asks(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks_sent = []
    monkeypatch.setattr("portal.runs.views.hook.nudge", lambda task, *args: tasks_sent.append(task))
    assert {deliver(signer=Ed25519PrivateKey.generate()).status_code for _ in range(20)} == {503}
    assert len(tasks_sent) == 1


def test_key_met_within_the_cool_down_is_fetched_once_it_is_over(deliver: Deliver, settings: Any) -> None:
    settings.PORTAL_PUBLIC_URL = "https://portal.example.test"
    models.SigningKey.objects.update(fetched_at=timezone.now())
    cache.delete_many([inbox.KEYS_WANTED, inbox.KEYS_ASKED])
    assert not inbox.needs_keys()
    cache.set(inbox.KEYS_ASKED, True, 60)
    assert deliver(signer=Ed25519PrivateKey.generate()).status_code == 503
    assert not inbox.needs_keys(), "not within the cool-down"
    cache.delete(inbox.KEYS_ASKED)
    assert inbox.needs_keys(), "nobody may come again who would ask for it"
    assert inbox.refresh_keys()
    cache.delete(inbox.KEYS_ASKED)
    assert not inbox.needs_keys(), "asked for once"


@pytest.mark.parametrize("keep_old", [True, False], ids=["with-overlap", "without-overlap"])
def test_keys_that_rotate_lose_no_delivery(
    run: Run, lamina: Sandbox, settings: Any, client: Client, keep_old: bool
) -> None:
    """What is signed with a new key is asked to come again, and then is known."""
    cache.delete("signing-keys-asked")
    inbox.forget_keys()
    inbox.refresh_keys()
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    lamina.rotate_signing_key(keep_old=keep_old)
    # Fetched before the rotation, a while ago.
    models.SigningKey.objects.update(fetched_at=timezone.now() - timezone.timedelta(minutes=5))
    cache.delete("signing-keys-asked")
    body = json.dumps({"data": {"runId": run.lamina_run_id, "status": "completed", "outputs": []}}).encode()

    def come() -> int:
        timestamp = int(time.time())
        signature = sign(lamina._world.keys.current, body, timestamp)
        headers = {"X-Lamina-Webhook-Signature": signature, "X-Lamina-Webhook-Timestamp": str(timestamp)}
        address = f"/hooks/lamina/{run.attempts.get().token}/"
        return client.post(address, body, content_type="application/json", headers=headers).status_code

    assert come() == 503
    assert inbox.refresh_keys()
    assert come() == 200


def test_delivery_that_overtakes_the_answer_to_the_start_is_not_lost(
    run: Run, lamina: Sandbox, key: Ed25519PrivateKey
) -> None:
    lamina.set(manual=True)
    attempt = claim(run.pk)
    started = submit._call(attempt)
    remote = {"runId": started.run_id, "status": "completed", "outputs": []}
    delivery = Delivery.objects.create(
        attempt=attempt,
        digest="d",
        verdict="accepted",
        lamina_run_id=started.run_id,
        signed_at=timezone.now(),
        body=json.dumps({"data": remote}),
    )
    inbox.apply_delivery(delivery.pk)
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.COMPLETED, started.run_id)
    outcomes.accept(attempt, started)
    run.refresh_from_db()
    attempt.refresh_from_db()
    assert (run.status, attempt.outcome) == (Status.COMPLETED, "accepted")


def test_applying_again_what_is_old_changes_nothing(
    deliver: Deliver, sent: Run, as_user: Callable[[User], Client], staff: User
) -> None:
    running = {"runId": sent.lamina_run_id, "status": "running", "outputs": []}
    deliver(json.dumps({"data": running}).encode())
    apply_all()
    deliver()
    apply_all()
    before = Run.objects.values().get(pk=sent.pk)
    chosen = list(Delivery.objects.values_list("pk", flat=True))
    as_user(staff).post("/admin/runs/delivery/", {"action": "replay", "_selected_action": chosen})
    apply_all()
    assert Run.objects.values().get(pk=sent.pk) == before
    assert not Delivery.objects.filter(applied_at=None).exists()
