"""What staff can do with runs and deliveries."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from lamina_integration import LaminaClient, RemoteOutput
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.runs import settle
from portal.runs.models import Delivery, Run
from portal.runs.states import Status
from portal.runs.submit import send
from portal.workspaces.models import Membership, User
from tests.conftest import POSTER
from tests.factories import UserFactory, run_of

RUNS = "/admin/runs/run/"


@pytest.fixture
def unconfirmed(run: Run) -> Run:
    """A run that was sent and never answered."""
    Run.objects.filter(pk=run.pk).update(status=Status.UNCONFIRMED)
    return Run.objects.get(pk=run.pk)


def decide(visitor: Client, action: str, *runs: Run, **answers: str) -> Any:
    """Choose runs and an action; with answers, fill in the page that comes between."""
    post = {"action": action, "_selected_action": [str(run.pk) for run in runs]}
    return visitor.post(RUNS, post | ({"decide": "yes"} | answers if answers else {}), follow=True)


def test_sending_once_more_asks_for_a_reason_and_keeps_who_and_why(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run
) -> None:
    visitor = as_user(staff)
    page = decide(visitor, "send_once_more", unconfirmed).content.decode()
    assert unconfirmed.reference in page
    assert 'name="reason"' in page
    assert "This field is required" in decide(visitor, "send_once_more", unconfirmed, reason=" ").content.decode()
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.UNCONFIRMED
    decide(visitor, "send_once_more", unconfirmed, reason="It is not in Lamina's list.")
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.WAITING
    line = unconfirmed.history.last()
    assert (line.told_by, line.why) == ("staff", f"{staff} says: it never arrived. It is not in Lamina's list.")
    assert "not in Lamina's list" in LogEntry.objects.get(object_id=str(unconfirmed.pk)).change_message


@pytest.mark.parametrize("action", ["send_once_more", "give_up"])
def test_only_unconfirmed_runs_are_decided_about(
    as_user: Callable[[User], Client], staff: User, run: Run, action: str
) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, lamina_run_id="remote")
    page = decide(as_user(staff), action, run, reason="because").content.decode()
    assert "not unconfirmed any more" in page
    run.refresh_from_db()
    assert run.status == Status.RUNNING


def test_who_may_only_look_cannot_decide(as_user: Callable[[User], Client], unconfirmed: Run) -> None:
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_run"))
    page = as_user(looker).get(RUNS).content.decode()
    for action in ("send_once_more", "give_up", "join_run"):
        assert action not in page
        decide(as_user(looker), action, unconfirmed, reason="because", lamina_run_id="x")
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.UNCONFIRMED


def test_run_that_nobody_looks_for_any_more_is_failed_and_its_page_hides_nothing(
    as_user: Callable[[User], Client], staff: User, creator: User, unconfirmed: Run
) -> None:
    decide(as_user(staff), "give_up", unconfirmed, reason="Asked Lamina's support.")
    unconfirmed.refresh_from_db()
    assert (unconfirmed.status, unconfirmed.error_code) == (Status.FAILED, "unanswered")
    page = as_user(creator).get(unconfirmed.get_absolute_url()).content.decode()
    assert "Nobody knows whether Lamina charged for it." in page
    assert str(staff) not in page
    assert "Lamina's support" not in page


@pytest.fixture
def lost(run: Run, lamina: Sandbox) -> tuple[Run, str]:
    """A run whose answer was lost, and its id at Lamina."""
    lamina.set(manual=True, lost_answers=1.0)
    send(run.pk)
    lamina.set(lost_answers=0.0)
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    return run, lamina.ledger()["starts"][-1]["runId"]


@pytest.mark.parametrize("action", ["send_once_more", "give_up"])
def test_who_says_that_a_run_is_not_there_has_seen_what_could_be_it(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str], lamina: Sandbox, action: str
) -> None:
    """It was sent again and paid twice, while Lamina listed it a second from the moment it was sent."""
    run, remote_id = lost
    visitor = as_user(staff)
    assert f'name="none_of" value="{remote_id}" ' in decide(visitor, action, run).content.decode()
    page = decide(visitor, action, run, reason="Surely not.").content.decode()
    assert "say that it is none of that" in page
    twin = start_like(lamina)
    page = decide(visitor, action, run, reason="Surely not.", none_of=remote_id).content.decode()
    assert "another run since you looked" in page
    both = " ".join(sorted([remote_id, twin]))
    assert f'name="none_of" value="{both}" >' in page, "not ticked: nobody has seen the other one"
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    decide(visitor, action, run, reason="Both are somebody else's.", none_of=both)
    run.refresh_from_db()
    assert run.status == (Status.WAITING if action == "send_once_more" else Status.FAILED)
    assert remote_id in run.history.last().why
    assert twin in run.history.last().why


def start_like(lamina: Sandbox) -> str:
    """Start a run of the same app at Lamina, as somebody else would; return its id."""
    with LaminaClient(base_url=lamina.url, api_key=lamina.api_key) as client:
        return client.runs.start(POSTER, {"brief_text": "Another mug"}).run_id


def test_nobody_says_that_a_run_is_not_there_in_passing_while_lamina_is_away(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run, settings: Any
) -> None:
    settings.LAMINA_BASE_URL = "http://127.0.0.1:1"
    visitor = as_user(staff)
    page = decide(visitor, "send_once_more", unconfirmed, reason="It is not there.").content.decode()
    assert "Lamina could not be asked" in page
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.UNCONFIRMED
    decide(visitor, "send_once_more", unconfirmed, reason="Lamina's support says so.", none_of="–")
    unconfirmed.refresh_from_db()
    assert unconfirmed.status == Status.WAITING


def test_candidates_of_the_same_second_are_told_apart(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str], lamina: Sandbox
) -> None:
    run, remote_id = lost
    twin = start_like(lamina)
    lamina.complete(twin)
    with LaminaClient(base_url=lamina.url, api_key=lamina.api_key) as client:
        began = timezone.localtime(client.runs.get(twin).created_at)
        made = client.runs.get(twin).outputs
    page = decide(as_user(staff), "join_run", run).content.decode()
    assert f"{began:%H:%M:%S.%f}"[:-3] in page
    assert f'href="{made[0].value}"' in page
    assert made[0].label in page
    assert f'value="{remote_id}"' in page


def test_what_a_candidate_made_is_no_link_unless_it_is_an_address() -> None:
    output = RemoteOutput.model_validate({"type": "image", "status": "completed", "value": "javascript:alert(1)"})
    assert settle._made(output).address == ""


def test_staff_join_a_run_with_the_one_at_lamina_that_is_listed_for_them(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str]
) -> None:
    run, remote_id = lost
    visitor = as_user(staff)
    assert f'value="{remote_id}"' in decide(visitor, "join_run", run).content.decode()
    decide(visitor, "join_run", run, lamina_run_id=f" {remote_id} ", reason="The only one of that minute.")
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.QUEUED, remote_id)
    assert run.history.last().why == f"{staff} says: this is its run. The only one of that minute."


def test_staff_join_a_run_that_is_not_listed_by_its_id(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str]
) -> None:
    """The radios and the text box were of one name once, and the box, left empty, undid every choice."""
    run, remote_id = lost
    visitor = as_user(staff)
    because = {"reason": "Lamina's support says so."}
    assert (
        "Choose the run of the list, or give its id."
        in decide(visitor, "join_run", run, another_id=" ", **because).content.decode()
    )
    page = decide(visitor, "join_run", run, lamina_run_id="made-up", another_id=remote_id, **because).content.decode()
    assert "Keep one of them." in page
    assert f'value="{remote_id}"' in page
    decide(visitor, "join_run", run, lamina_run_id="", another_id=f" {remote_id} ", **because)
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.QUEUED, remote_id)


def test_chosen_run_stays_chosen_when_the_reason_is_missing(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str]
) -> None:
    run, remote_id = lost
    page = decide(as_user(staff), "join_run", run, lamina_run_id=remote_id, another_id="", reason="").content.decode()
    assert "This field is required" in page
    assert f'value="{remote_id}" checked' in page


@pytest.mark.parametrize("action", ["look_now", "copy_again"])
def test_who_has_a_run_looked_at_may_change_it_and_is_kept(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run, action: str
) -> None:
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_run"))
    decide(as_user(looker), action, unconfirmed)
    assert not LogEntry.objects.exists()
    decide(as_user(staff), action, unconfirmed)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (staff, str(unconfirmed.pk))


def test_who_applies_a_delivery_again_may_change_it_and_is_kept(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run
) -> None:
    attempt = unconfirmed.attempts.create(lease_until=timezone.now())
    delivery = Delivery.objects.create(
        attempt=attempt, digest="d", verdict="accepted", signed_at=timezone.now(), applied_at=timezone.now(), body="{}"
    )
    again = {"action": "replay", "_selected_action": [delivery.pk]}
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    as_user(looker).post("/admin/runs/delivery/", again)
    delivery.refresh_from_db()
    assert delivery.applied_at
    as_user(staff).post("/admin/runs/delivery/", again)
    delivery.refresh_from_db()
    assert delivery.applied_at is None
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (staff, str(delivery.pk), "Applied again")


def test_deliveries_that_are_not_applied_are_listed_and_applied_again_from_their_page(
    as_user: Callable[[User], Client], staff: User, unconfirmed: Run
) -> None:
    attempt = unconfirmed.attempts.create(lease_until=timezone.now())
    kept = {"attempt": attempt, "verdict": "accepted", "signed_at": timezone.now(), "body": "{}"}
    applied = Delivery.objects.create(digest="d" * 64, applied_at=timezone.now(), **kept)
    waiting = Delivery.objects.create(digest="e" * 64, **kept)
    visitor = as_user(staff)
    page = visitor.get("/admin/runs/delivery/", {"applied": "no"}).content.decode()
    assert f"/admin/runs/delivery/{waiting.pk}/" in page
    assert f"/admin/runs/delivery/{applied.pk}/" not in page
    page = visitor.get(f"/admin/runs/delivery/{applied.pk}/change/").content.decode()
    assert "Apply again" in page
    assert f'name="_selected_action" value="{applied.pk}"' in page
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    assert "Apply again" not in as_user(looker).get(f"/admin/runs/delivery/{applied.pk}/change/").content.decode()


def test_run_that_cannot_be_it_is_refused(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str], member: Membership, poster: PinnedApp
) -> None:
    run, remote_id = lost
    visitor = as_user(staff)
    assert (
        "Lamina has no run with this id"
        in decide(visitor, "join_run", run, lamina_run_id="made-up", reason="because").content.decode()
    )
    other = run_of(member, poster, lamina_run_id="taken")
    assert (
        f"That is {other.reference} already."
        in decide(visitor, "join_run", run, lamina_run_id="taken", reason="because").content.decode()
    )
    Run.objects.filter(pk=run.pk).update(sent_at=timezone.now() - timedelta(hours=3))
    assert (
        "more than an hour"
        in decide(visitor, "join_run", run, lamina_run_id=remote_id, reason="because").content.decode()
    )
    run.app.lamina_id = "another-app"
    run.app.save()
    assert "another app" in decide(visitor, "join_run", run, lamina_run_id=remote_id, reason="because").content.decode()
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.UNCONFIRMED, None)


def test_lists_of_the_admin_ask_lamina_nothing(
    as_user: Callable[[User], Client], staff: User, lost: tuple[Run, str], lamina: Sandbox
) -> None:
    before = lamina.ledger()["requests"]["total"]
    as_user(staff).get(RUNS)
    as_user(staff).get(f"{RUNS}{lost[0].pk}/change/")
    assert lamina.ledger()["requests"]["total"] == before


def test_any_run_is_found_by_reference_person_and_lamina_s_id(
    as_user: Callable[[User], Client], staff: User, run: Run
) -> None:
    Run.objects.filter(pk=run.pk).update(lamina_run_id="far-away-7", status=Status.QUEUED)
    visitor = as_user(staff)
    for words in (run.reference, "far-away-7", run.created_by.email, run.workspace.name):
        assert run.reference in visitor.get(RUNS, {"q": words}).content.decode(), words
    assert run.reference in visitor.get(f"{RUNS}{run.pk}/change/").content.decode()


def test_admin_tells_times_to_the_second_and_ids_in_one_line(
    as_user: Callable[[User], Client], staff: User, run: Run
) -> None:
    moved = timezone.localtime(run.created_at)
    Run.objects.filter(pk=run.pk).update(lamina_run_id="01234567-89ab-cdef-0123-456789abcdef")
    visitor = as_user(staff)
    listed = visitor.get(RUNS).content.decode()
    assert f"{moved:%H:%M:%S}" in listed
    assert "01234567…" in listed
    assert 'title="01234567-89ab-cdef-0123-456789abcdef"' in listed
    assert f"{moved:%H:%M:%S}" in visitor.get(f"{RUNS}{run.pk}/change/").content.decode()
