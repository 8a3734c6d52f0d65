"""The staff's pages: who gets in, what the overview tells, finding a run, its timeline."""

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.catalogue.schemas import remember
from portal.operations import deliveries, looking
from portal.operations.exposition import exposition
from portal.operations.screens import IN_ADMIN
from portal.runs import inbox, rejections, settle, track
from portal.runs.models import Attempt, Delivery, Output, Run, SecondRun
from portal.runs.states import Status
from portal.runs.submit import send
from portal.workspaces.brakes import note_key_refused
from portal.workspaces.lamina import ANSWERED_KEY, BUDGET_KEY, shared_budget
from portal.workspaces.models import Membership, User, Workspace
from tests.factories import UserFactory, detail, draft_of, media_of, pin_of, run_of
from tests.test_architecture import STAFF_ROUTES

AsUser = Callable[[User], Client]


@pytest.fixture
def held(member: Membership) -> Run:
    """A run that was sent an hour ago and never answered."""
    pinned = pin_of(member.workspace, detail(name="Mug on a table"))
    run = run_of(member, pinned)
    assert run.move(Status.SUBMITTING, told_by="worker")
    assert run.move(Status.UNCONFIRMED, told_by="worker", why="Sent, and no answer came.", sent_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=3))
    return run


@pytest.fixture
def desk(as_user: AsUser, staff: User) -> Client:
    """A browser of somebody of staff."""
    return as_user(staff)


def to_look_at(desk: Client) -> str:
    """Return what the overview says below "Runs to look at", in one line."""
    page = " ".join(desk.get("/staff/").content.decode().split())
    return page.partition("Runs to look at")[2].partition("</section>")[0]


def address(name: str, run: Run) -> str:
    """Return the address of a staff's page."""
    return reverse(name, args={"operations:run": [run.pk], "operations:app": [run.app_id]}.get(name, []))


@pytest.mark.parametrize("name", sorted(STAFF_ROUTES))
def test_staff_pages_are_for_staff_alone(
    name: str, held: Run, as_user: AsUser, creator: User, owner: User, outsider: User, staff: User, client: Client
) -> None:
    response = client.get(address(name, held))
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")
    for person in (creator, owner, outsider):
        assert as_user(person).get(address(name, held)).status_code == 403
    assert as_user(staff).get(address(name, held)).status_code == 200
    assert as_user(staff).post(address(name, held)).status_code == 405


def test_there_are_staff_pages() -> None:
    assert {"operations:overview", "operations:app", "operations:deliveries", "operations:run"} == STAFF_ROUTES


def test_overview_shows_the_four_numbers_and_every_dependency(desk: Client, held: Run, lanes_at_work: None) -> None:
    page = desk.get("/staff/").content.decode()
    for words in ("Oldest unsettled run", "Webhook lag, p95", "Settled by our own check", "Unconfirmed runs"):
        assert words in page
    assert "3 h 0 min" in page
    for words in ("Database", "Redis", "Workers", "Lamina", "Disk", "Every lane works"):
        assert words in page
    for lane in ("interactive", "inbox", "tracking", "batch", "media"):
        assert f"<strong>{lane}</strong>" in page
    assert "runs without an answer: 1" in page


def test_overview_lists_what_is_held_up_with_why_and_links(desk: Client, held: Run, member: Membership) -> None:
    fresh = run_of(member, held.pin)
    waiting = run_of(member, held.pin)
    Run.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(minutes=10))
    attention = run_of(member, held.pin, status=Status.NEEDS_ATTENTION)
    late = run_of(member, held.pin, status=Status.RUNNING, lamina_run_id="late")
    Run.objects.filter(pk=late.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    soon = run_of(member, held.pin, status=Status.RUNNING, lamina_run_id="soon", accepted_at=timezone.now())
    page = desk.get("/staff/").content.decode()
    for run in (held, waiting, attention, late):
        assert run.reference in page
        assert f"/admin/runs/run/{run.pk}/change/" in page
        assert f"/staff/runs/{run.pk}/" in page
    assert fresh.reference not in page
    assert soon.reference not in page
    assert "Sent, and no answer came." in page
    assert "more than a quarter of an hour ago" in page


def test_runs_that_wait_their_turn_hide_nothing_that_needs_somebody(
    desk: Client, held: Run, member: Membership
) -> None:
    attention = run_of(member, held.pin, status=Status.NEEDS_ATTENTION)
    odd = run_of(member, held.pin, status=Status.RUNNING, lamina_run_id="odd", error_code="unknown_state")
    rows = [run_of(member, held.pin, lane="batch") for _ in range(60)]
    braked = run_of(member, held.pin, held_up="Staff have stopped spending.")
    long_ago = timezone.now() - timedelta(hours=4)
    Run.objects.filter(pk__in=[run.pk for run in [*rows, braked]]).update(created_at=long_ago)
    page = to_look_at(desk)
    for run in (held, attention, odd):
        assert run.reference in page
    for run in (rows[0], braked):
        assert run.reference not in page
    assert "61 more runs wait only for their turn" in page
    assert "the first for 4 h 0 min." in page
    assert "/admin/runs/run/?status__exact=waiting" in page


def test_each_kind_of_run_to_look_at_says_how_many_there_are(desk: Client, held: Run, member: Membership) -> None:
    oldest = run_of(member, held.pin, status=Status.NEEDS_ATTENTION)
    Run.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(days=3))
    for _ in range(looking.SHOWN):
        run_of(member, held.pin, status=Status.NEEDS_ATTENTION)
    page = to_look_at(desk)
    assert page.index(held.reference) < page.index(oldest.reference), "the kind says how bad it is, and not the age"
    assert f"Needs attention: the oldest {looking.SHOWN} of {looking.SHOWN + 1} are shown." in page
    assert page.count("are shown") == 1
    link = "/admin/runs/run/?status__exact=needs_attention&amp;o=6"
    assert link in page
    listed = desk.get(link.replace("&amp;", "&")).content.decode()
    assert f"{looking.SHOWN + 1} runs" in listed
    assert held.reference not in listed


@pytest.mark.parametrize("kind", looking.Kind)
def test_link_to_all_runs_of_a_kind_is_one_the_admin_takes(desk: Client, held: Run, kind: looking.Kind) -> None:
    table = "runs/secondrun" if kind == looking.Kind.SECOND else "runs/run"
    assert desk.get(f"/admin/{table}/?{IN_ADMIN[kind]}").status_code == 200, "it redirects away from what it refuses"


@pytest.fixture
def twice(run: Run, lamina: Sandbox) -> SecondRun:
    """A run that Lamina has a second time, as "another", heard of two months ago."""
    send(run.pk)
    for _ in range(2):
        track.adopt(run.pk, RemoteRun.model_validate({"runId": "another", "status": "running"}), told_by="delivery")
    SecondRun.objects.update(created_at=timezone.now() - timedelta(days=60))
    return SecondRun.objects.get()


def test_second_run_at_lamina_is_shown_until_staff_deal_with_it_and_counted_for_good(
    desk: Client, run: Run, twice: SecondRun, staff: User
) -> None:
    page = to_look_at(desk)
    assert "Begun twice" in page
    assert "Lamina has a second run for it, which may be paid for as well: another." in page
    assert "for 60 days" in page
    assert f"/staff/runs/{run.pk}/" in page
    assert f"/admin/runs/secondrun/{twice.pk}/change/" in page
    told = exposition().decode()
    assert "portal_second_runs 1.0" in told
    assert "portal_second_runs_not_dealt_with 1.0" in told
    settle.deal_with(twice, person=staff, reason="The vendor gave the credits back.")
    assert run.reference not in to_look_at(desk)
    told = exposition().decode()
    assert "portal_second_runs 1.0" in told
    assert "portal_second_runs_not_dealt_with 0.0" in told


def test_run_is_found_by_lamina_s_id_of_its_second_one(desk: Client, run: Run, twice: SecondRun) -> None:
    page = desk.get("/staff/", {"q": "another"}).content.decode()
    assert "1 run fits" in page
    assert run.reference in page.partition("1 run fits")[2].partition("</section>")[0]


def test_second_run_is_dealt_with_from_the_list_itself(desk: Client, twice: SecondRun) -> None:
    form = to_look_at(desk).partition("<form")[2].partition("</form>")[0]
    address = re.search('action="([^"]+)"', form)
    fields = dict(re.findall('name="(action|_selected_action)" value="([^"]+)"', form))
    assert address
    assert fields == {"action": "deal_with", "_selected_action": str(twice.pk)}
    page = desk.post(address[1], fields).content.decode()
    assert "another" in page
    assert 'name="reason"' in page
    desk.post(address[1], fields | {"decide": "yes", "reason": "Cancelled there."})
    assert "Begun twice" not in to_look_at(desk)


def test_second_run_of_a_run_that_was_pruned_stays_until_it_is_dealt_with(
    desk: Client, run: Run, twice: SecondRun, staff: User
) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.COMPLETED, finished_at=timezone.now() - timedelta(days=40))
    call_command("prune", "--runs-older-than", "30", stdout=io.StringIO())
    assert not Run.objects.exists()
    page = to_look_at(desk)
    for words in (run.reference, run.title, str(run.workspace), "as well: another.", "Our run was pruned meanwhile."):
        assert words in page
    assert f"/staff/runs/{run.pk}/" not in page
    settle.deal_with(twice, person=staff, reason="The vendor gave the credits back.")
    assert "Begun twice" not in to_look_at(desk)


def test_only_who_may_decide_about_runs_is_offered_to_deal_with_a_second_one(as_user: AsUser, twice: SecondRun) -> None:
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_run"))
    page = to_look_at(as_user(looker))
    assert "another" in page
    assert f"/admin/runs/secondrun/{twice.pk}/change/" in page
    assert "deal_with" not in page


def test_overview_costs_the_same_for_many_second_runs(
    desk: Client, twice: SecondRun, django_assert_max_num_queries: Any
) -> None:
    for n in range(looking.SHOWN):
        track.adopt(twice.run_id, RemoteRun.model_validate({"runId": f"r{n}", "status": "running"}), told_by="delivery")
    desk.get("/staff/")
    with django_assert_max_num_queries(27):
        page = to_look_at(desk)
    assert f"Begun twice: the oldest {looking.SHOWN} of {looking.SHOWN + 1} are shown." in page
    assert f"/admin/runs/secondrun/?{IN_ADMIN[looking.Kind.SECOND]}".replace("&", "&amp;") in page


def test_run_that_waited_long_is_not_held_up_when_it_is_being_sent(desk: Client, held: Run, member: Membership) -> None:
    run = run_of(member, held.pin, status=Status.SUBMITTING)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=1))
    attempt = Attempt.objects.create(run=run, lease_until=timezone.now())
    assert run.reference not in to_look_at(desk)
    Attempt.objects.filter(pk=attempt.pk).update(opened_at=timezone.now() - timedelta(minutes=3))
    assert run.reference in to_look_at(desk)


def test_overview_offers_the_admin_only_to_whom_it_is_open(as_user: AsUser, held: Run, staff: User) -> None:
    staff.is_superuser = False
    staff.save()
    page = as_user(staff).get("/staff/").content.decode()
    assert held.reference in page
    assert "/admin/runs/" not in page


def test_overview_without_redis_says_so(desk: Client, held: Run, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = desk.get("/staff/").content.decode()
    assert "No answer in time" in page
    assert "Without Redis nobody can say" in page
    assert held.reference in page


def test_overview_of_a_quiet_portal_says_that_nothing_waits(desk: Client) -> None:
    page = desk.get("/staff/").content.decode()
    assert "No run is held up" in page
    assert "nothing is going on" in page


def test_overview_names_the_workspaces_whose_key_lamina_refuses(desk: Client, workspace: Workspace) -> None:
    workspace.lamina_api_key = "lma_one"
    workspace.save()
    note_key_refused(workspace)
    page = desk.get("/staff/").content.decode()
    assert "Lamina does not accept the key of this workspace:" in page
    assert f'<a href="/admin/workspaces/workspace/{workspace.pk}/change/">{workspace.name}</a>' in page
    assert "LAMINA_API_KEY" not in page
    workspace.lamina_api_key = "lma_another"
    workspace.save()
    assert "does not accept" not in desk.get("/staff/").content.decode()


def test_overview_names_the_setting_when_lamina_refuses_the_portal_s_own_key(
    desk: Client, workspace: Workspace
) -> None:
    note_key_refused(workspace)
    page = desk.get("/staff/").content.decode()
    assert "Lamina does not accept LAMINA_API_KEY" in page
    assert f"/admin/workspaces/workspace/{workspace.pk}/change/" not in page


def test_overview_says_why_changes_wait(desk: Client, held: Run) -> None:
    held.refinements.create(words="Warmer", outcome="No credits.", asked_at=timezone.now() - timedelta(minutes=3))
    page = desk.get("/staff/").content.decode()
    assert "changes to ask for" in page
    assert "No credits." in page


def test_overview_costs_the_same_however_long(
    desk: Client, held: Run, member: Membership, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        run_of(member, held.pin, status=Status.NEEDS_ATTENTION)
        late = run_of(member, held.pin, status=Status.RUNNING, lamina_run_id=f"r{n}")
        Run.objects.filter(pk=late.pk).update(accepted_at=timezone.now() - timedelta(hours=1))
    desk.get("/staff/")  # what a process keeps, such as how long runs usually take
    with django_assert_max_num_queries(27):
        page = desk.get("/staff/?q=example").content.decode()
    assert page.count("/admin/runs/run/") == 25


@pytest.mark.parametrize(
    "word",
    [
        "{run.reference}",
        "{lower}",
        "{bare}",
        "{spaced}",
        "{run.pk}",
        "{run.pk.hex}",
        "lamina-77",
        "request-5",
        "creator@example.test",
        "CREATOR@",
        "demo",
    ],
)
def test_run_is_found_by(word: str, desk: Client, held: Run, other_workspace: Any) -> None:
    Run.objects.filter(pk=held.pk).update(lamina_run_id="lamina-77", request_id="request-5", status=Status.RUNNING)
    lower = held.reference.lower()
    words = word.format(run=held, lower=lower, bare=lower.replace("-", ""), spaced=lower.replace("-", " "))
    page = desk.get("/staff/", {"q": f" {words} "}).content.decode()
    assert f"/staff/runs/{held.pk}/" in page
    assert "1 run fits" in page


@pytest.mark.parametrize(
    "words", ["R-NONE-NONE", "' OR 1=1 --", "\x00", "x" * 5000, "<img src=x onerror=alert(1)>", "%"]
)
def test_what_fits_nothing_is_said_and_shown_as_text(words: str, desk: Client, held: Run) -> None:
    response = desk.get("/staff/", {"q": words})
    assert response.status_code == 200
    assert "<img src=x" not in response.content.decode()
    assert "1 run fits" not in response.content.decode()


def test_timeline_has_everything_that_happened_in_order(
    desk: Client, run: Run, lamina: Sandbox, member: Membership
) -> None:
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    now = timezone.now()
    attempt = Attempt.objects.get(run=run)
    for number, (verdict, error) in enumerate([("accepted", ""), ("stale", "Lamina was away")]):
        Delivery.objects.create(
            attempt=attempt,
            digest=str(number),
            verdict=verdict,
            lamina_run_id=run.lamina_run_id,
            signed_at=now - timedelta(seconds=2),
            received_at=now + timedelta(seconds=number),
            applied_at=now + timedelta(seconds=3) if not error else None,
            repeats=number,
            error=error,
            body="the body is not shown",
        )
    media = media_of(member.workspace)
    Output.objects.filter(run=run, position=0).update(
        status="completed", made_at=now + timedelta(seconds=4), media=media, copy_tries=3
    )
    media.created_at = now + timedelta(seconds=5)
    media.save()
    Run.objects.filter(pk=run.pk).update(
        checked_at=now + timedelta(seconds=6), cancel_asked_at=now + timedelta(seconds=7)
    )
    page = desk.get(f"/staff/runs/{run.pk}/").content.decode()
    order = [
        "Waiting its turn",
        "A worker took it",
        "Sent to Lamina",
        "Attempt over",
        "Delivery received",
        "Delivery applied",
        "Output arrived",
        "Copied: ",
        "Checked at Lamina",
        "Cancel asked for",
    ]
    timeline = page[page.index("What happened") :]
    places = [timeline.index(words) for words in order]
    assert places == sorted(places)
    assert "Came 1 more times." in page
    assert "Lamina was away" in page
    assert "signed 2.0 s before" in page
    assert run.lamina_run_id in page
    assert "the body is not shown" not in page


def test_history_tells_of_no_answer_before_anybody_was_asked(desk: Client, run: Run) -> None:
    assert run.move(Status.SUBMITTING, told_by="worker")
    page = desk.get(f"/staff/runs/{run.pk}/").content.decode()
    assert "Told by our worker." in page
    assert "answer to our call" not in page


def test_how_often_a_run_was_sent_again_counts_what_staff_did(desk: Client, held: Run, staff: User) -> None:
    assert "<dt>Sent again</dt><dd>0</dd>" in desk.get(f"/staff/runs/{held.pk}/").content.decode()
    assert held.wait_again(told_by="sweep", why="Lamina has no such run, so it is sent once more.")
    assert "<dt>Sent again</dt><dd>1</dd>" in desk.get(f"/staff/runs/{held.pk}/").content.decode()
    assert held.move(Status.SUBMITTING, told_by="worker")
    assert held.move(Status.UNCONFIRMED, told_by="worker")
    settle.send_once_more(held, person=staff, reason="Support says so.")
    assert "<dt>Sent again</dt><dd>2, by staff: 1</dd>" in desk.get(f"/staff/runs/{held.pk}/").content.decode()


def test_timeline_says_what_each_delivery_told(desk: Client, run: Run, lamina: Sandbox) -> None:
    """A signed "failed" that came after "completed" left no trace anywhere."""
    send(run.pk)
    attempt = Attempt.objects.get(run=run)
    remote_id = Run.objects.get(pk=run.pk).lamina_run_id
    told = [(remote_id, "running"), (remote_id, "completed"), (remote_id, "failed"), ("another", "completed")]
    for number, (lamina_run_id, state) in enumerate(told):
        delivery = Delivery.objects.create(
            attempt=attempt,
            digest=str(number),
            verdict="accepted",
            lamina_run_id=lamina_run_id,
            signed_at=timezone.now(),
            body=json.dumps({"runId": lamina_run_id, "status": state}),
        )
        inbox.apply_delivery(delivery.pk)
    page = desk.get(f"/staff/runs/{run.pk}/").content.decode()
    assert "It tells “running”. Accepted; signed 0.0 s before." in page
    assert page.count("It tells “completed”. Accepted;") == 2
    assert "It tells “failed”. Accepted;" in page
    assert "It tells “failed”, and the run stays “Done”." in page
    assert page.count("and the run stays") == 1
    assert "It tells of another run at Lamina, another." in page


def test_delivery_of_which_nothing_came_is_not_called_applied(desk: Client, held: Run) -> None:
    attempt = Attempt.objects.create(run=held, lease_until=timezone.now(), closed_at=timezone.now())
    now = timezone.now()
    kept = {"digest": "d", "verdict": "stale", "lamina_run_id": "gone", "signed_at": now, "applied_at": now}
    Delivery.objects.create(attempt=attempt, error="Lamina knows no such run.", **kept)
    page = desk.get(f"/staff/runs/{held.pk}/").content.decode()
    assert "Delivery given up" in page
    assert "Delivery applied" not in page
    assert "given up" in desk.get("/staff/deliveries/").content.decode()


def test_timeline_shows_remote_words_as_text(desk: Client, held: Run) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    Run.objects.filter(pk=held.pk).update(error=nasty, lamina_run_id=nasty)
    held.outputs.update(label=nasty, error=nasty, made_at=timezone.now())
    assert "<img src=x" not in desk.get(f"/staff/runs/{held.pk}/").content.decode()


def test_refused_inputs_are_named_to_staff_by_label_and_code(desk: Client, run: Run) -> None:
    problem = {"param": "ratio_text", "code": "invalid_option", "message": "not an option"}
    Run.objects.filter(pk=run.pk).update(status=Status.NEEDS_ATTENTION, problems=[problem])
    page = desk.get(f"/staff/runs/{run.pk}/").content.decode()
    assert f"<strong>{run.schema.detail['parameters'][1]['name']}</strong>" in page
    assert "Choose one of the options that are listed." in page
    assert "ratio_text · invalid_option" in page
    Run.objects.filter(pk=run.pk).update(problems=[])
    assert "Refused inputs" not in desk.get(f"/staff/runs/{run.pk}/").content.decode()


def test_timeline_of_no_run_is_404(desk: Client) -> None:
    assert desk.get("/staff/runs/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_deliveries_are_listed_by_what_was_made_of_them_and_refusals_by_reason(desk: Client, held: Run) -> None:
    attempt = Attempt.objects.create(run=held, lease_until=timezone.now(), closed_at=timezone.now())
    for verdict, repeats in (("accepted", 2), ("stale", 0)):
        Delivery.objects.create(
            attempt=attempt,
            digest=verdict,
            verdict=verdict,
            lamina_run_id="r",
            signed_at=timezone.now(),
            repeats=repeats,
        )
    rejections.count(rejections.Reason.FORGED)
    found = {row.show or row.label: row.hour for row in deliveries.counts()}
    assert {name: found[name] for name in ("accepted", "duplicate", "stale")} == {
        "accepted": 1,
        "duplicate": 2,
        "stale": 1,
    }
    assert found[f"Rejected: {rejections.Reason.FORGED.label}"] >= 1
    page = desk.get("/staff/deliveries/").content.decode()
    assert page.count(f"/staff/runs/{held.pk}/") == 2
    assert "came 2 more times" in page
    assert desk.get("/staff/deliveries/?show=stale").content.decode().count(f"/staff/runs/{held.pk}/") == 1
    assert "Rejected" in desk.get("/staff/").content.decode()


def test_refused_address_is_said_on_the_overview(desk: Client, held: Run) -> None:
    assert "PORTAL_PUBLIC_URL" not in desk.get("/staff/").content.decode()
    Attempt.objects.create(run=held, lease_until=timezone.now(), closed_at=timezone.now(), callback="refused")
    assert "PORTAL_PUBLIC_URL" in desk.get("/staff/").content.decode()


def test_change_of_an_app_is_told_with_the_runs_it_touches(desk: Client, member: Membership) -> None:
    text = {"id": "1", "name": "Brief", "type": "text", "default": ""}
    size = {"id": "2", "name": "Size", "type": "options", "options": ["S", "L"], "default": "S"}
    document = detail(text, size, name="Mug on a table")
    pinned = pin_of(member.workspace, document)
    run = run_of(member, pinned, status=Status.NEEDS_ATTENTION)
    over = run_of(member, pinned, status=Status.FAILED)
    assert "this week" not in desk.get("/staff/").content.decode()
    changed = {**document, "parameters": [text, {**size, "options": ["S", "L "]}, {**text, "id": "3", "name": "New"}]}
    remember(pinned.app, changed)
    assert f"/staff/apps/{pinned.app_id}/" in desk.get("/staff/").content.decode()
    page = desk.get(f"/staff/apps/{pinned.app_id}/").content.decode()
    assert run.reference in page
    assert over.reference not in page
    assert "&quot;L &quot;" in page, "a stray space may be all that changed"
    assert "New" in page
    assert f"/staff/apps/{pinned.app_id}/" in desk.get(f"/admin/catalogue/app/{pinned.app_id}/change/").content.decode()


def test_schema_that_returns_to_an_earlier_version_is_a_change(desk: Client, member: Membership) -> None:
    first = detail({"id": "1", "name": "Size", "type": "options", "options": ["S", "L"], "default": "S"})
    pinned = pin_of(member.workspace, first)
    second = {**first, "parameters": [{**first["parameters"][0], "options": ["S", "M", "L"]}]}
    for document in (second, second, first):
        remember(pinned.app, document)
    page = " ".join(desk.get(f"/staff/apps/{pinned.app_id}/").content.decode().split())
    newest, changed, oldest = page.split('<li class="card card-body">')[1:]
    assert "back to an earlier version" in newest
    assert "in use" in newest
    assert "<del>&quot;S&quot;, &quot;M&quot;, &quot;L&quot;</del>" in newest
    assert "back to" not in changed + oldest
    assert "in use" not in changed + oldest
    assert "The first version that we saw." in oldest
    assert desk.get("/staff/").content.decode().count(f"/staff/apps/{pinned.app_id}/") == 2


def test_change_of_an_app_is_told_with_the_drafts_it_touches(desk: Client, member: Membership, owner: User) -> None:
    pinned = pin_of(member.workspace, detail({"id": "1", "name": "Brief", "type": "text"}))
    draft_of(member, pinned)
    sent = run_of(member, pinned)
    draft_of(owner.memberships.get(), pinned, token=sent.token)
    address = f"/staff/apps/{pinned.app_id}/"
    assert member.user.email not in desk.get(address).content.decode()
    remember(pinned.app, detail({"id": "2", "name": "Other", "type": "text"}))
    Run.objects.update(schema=pinned.app.schema)
    response = desk.get(address)
    assert response.context["draft_count"] == 1
    page = response.content.decode()
    assert member.user.email in page
    assert owner.email not in page, "what was sent is no draft"


def test_overview_says_what_waits_in_each_lane_why_and_for_how_long(
    desk: Client, held: Run, member: Membership, lanes_at_work: None
) -> None:
    limited = run_of(member, held.pin)
    limited.move(Status.SUBMITTING, told_by="worker")
    limited.move(Status.WAITING, told_by="worker", why="Lamina asks us to wait a moment.")
    Run.objects.filter(pk=limited.pk).update(created_at=timezone.now() - timedelta(minutes=7))
    for _ in range(3):
        run_of(member, held.pin, lane="batch")
    run_of(member, held.pin, lane="batch", held_up="Staff have stopped <spending>.")
    held.refinements.create(words="Warmer", asked_at=timezone.now() - timedelta(minutes=4))
    page = " ".join(desk.get("/staff/").content.decode().split())
    interactive, batch = page.split("<strong>interactive</strong>")[1].split("<strong>batch</strong>")
    assert "runs to send: 1 " in interactive
    assert "the first for 7 min" in interactive
    assert "1 × Lamina asks us to wait a moment." in interactive
    assert "runs to send: 4 " in batch
    assert "3 × Its turn has not come yet." in batch
    assert "1 × Staff have stopped &lt;spending&gt;." in batch
    refinement = page.split("<strong>refinement</strong>")[1]
    assert "changes to ask for: 1 " in refinement
    assert "the first for 4 min" in refinement


def test_call_that_hangs_is_seen_while_it_hangs(
    desk: Client, held: Run, member: Membership, lanes_at_work: None
) -> None:
    store = redis.Redis.from_url(settings.REDIS_URL)
    store.delete(BUDGET_KEY)
    now = timezone.now()
    store.set(ANSWERED_KEY, now.timestamp() - 25)
    for seconds in (5, 24):
        run = run_of(member, held.pin, status=Status.SUBMITTING)
        given_back = now - timedelta(minutes=9)
        Attempt.objects.create(run=run, opened_at=given_back, lease_until=now, closed_at=given_back)
        Attempt.objects.create(run=run, opened_at=now - timedelta(seconds=seconds), lease_until=now)
    try:
        page = " ".join(desk.get("/staff/").content.decode().split())
        interactive, batch = page.split("<strong>interactive</strong>")[1].split("<strong>batch</strong>")
        assert 'being sent: 2 <span class="hint">the first for 24 s' in interactive
        assert "being sent" not in batch
        assert "The last answer came 25 s ago. A run has been on its way for 24 s." in page
        Run.objects.filter(status=Status.SUBMITTING).update(status=Status.CANCELLED)
        page = desk.get("/staff/").content.decode()
        assert "The last answer came 25 s ago." in page
        assert "on its way" not in page
    finally:
        store.delete(ANSWERED_KEY)


def test_overview_says_how_calls_to_lamina_are_held_back(desk: Client, held: Run, lanes_at_work: None) -> None:
    budget = shared_budget()
    store = redis.Redis.from_url(settings.REDIS_URL)
    store.delete(BUDGET_KEY, ANSWERED_KEY)
    try:
        assert "No answer is known of yet." in desk.get("/staff/").content.decode()
        budget.unanswered(30.0)
        budget.unanswered(30.0)
        budget.hold(40)
        page = desk.get("/staff/").content.decode()
        assert "The last calls had no answer. One call tries again in 2 s" in page
        assert "Lamina told everybody to wait, for 40 s more." in page
        found = exposition().decode()
        assert "portal_lamina_away 1.0" in found
        assert 'portal_runs_waiting{lane="batch"} 0.0' in found
    finally:
        store.delete(BUDGET_KEY)
