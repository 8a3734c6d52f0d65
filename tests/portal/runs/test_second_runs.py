"""A run that Lamina began a second time: kept in the ledger, dealt with by staff once."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.runs import settle
from portal.runs.models import KnownRemote, Run, SecondRun
from portal.runs.states import Teller
from portal.runs.submit import send
from portal.runs.track import adopt
from portal.workspaces.models import LedgerLine, User
from tests.factories import UserFactory

SECONDS = "/admin/runs/secondrun/"
AsUser = Callable[[User], Client]


def begun_again(run: Run, lamina_run_id: str = "another") -> SecondRun:
    """Have Lamina tell of another run for the same one of ours."""
    adopt(run.pk, RemoteRun.model_validate({"runId": lamina_run_id, "status": "running"}), told_by=Teller.DELIVERY)
    return SecondRun.objects.get(lamina_run_id=lamina_run_id)


@pytest.fixture
def second(run: Run, lamina: Sandbox) -> SecondRun:
    """The second run of one that goes on at Lamina."""
    lamina.set(manual=True)
    send(run.pk)
    return begun_again(run)


def deal_with(visitor: Client, *seconds: SecondRun, **answers: str) -> Any:
    """Choose second runs and the action; with answers, fill in the page that comes between."""
    post = {"action": "deal_with", "_selected_action": [str(second.pk) for second in seconds]}
    return visitor.post(SECONDS, post | ({"decide": "yes"} | answers if answers else {}), follow=True)


def test_dealing_with_a_second_run_asks_for_a_reason_and_keeps_who_and_why(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    visitor = as_user(staff)
    page = deal_with(visitor, second).content.decode()
    assert f"{run.reference} · another" in page
    assert "This field is required" in deal_with(visitor, second, reason=" ").content.decode()
    second.refresh_from_db()
    assert second.dealt_with_at is None
    page = deal_with(visitor, second, reason="Credits asked back, ticket 7.").content.decode()
    assert f"It was dealt with: {run.reference} · another." in page
    second.refresh_from_db()
    assert second.dealt_with_at
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (staff, str(second.pk))
    assert entry.change_message == "It was dealt with: Credits asked back, ticket 7."
    line = run.history.last()
    assert (line.told_by, line.leaving, line.to) == ("staff", "queued", "queued")
    assert line.why == (
        f"{staff} says: its second run at Lamina, another, was dealt with. Credits asked back, ticket 7."
    )


def test_people_do_not_read_what_staff_wrote_about_a_second_run(
    as_user: AsUser, staff: User, creator: User, run: Run, second: SecondRun
) -> None:
    settle.deal_with(second, person=staff, reason="The vendor was rude.")
    page = as_user(creator).get(run.get_absolute_url()).content.decode()
    assert "rude" not in page
    assert str(staff) not in page


def test_who_comes_second_is_told_that_it_was_dealt_with(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    colleague = as_user(UserFactory(is_staff=True, is_superuser=True))
    deal_with(as_user(staff), second, reason="Credits asked back.")
    said_at = SecondRun.objects.get().dealt_with_at
    assert "dealt with already" in deal_with(colleague, second).content.decode(), "before a reason is typed"
    page = deal_with(colleague, second, reason="Me, too.").content.decode()
    assert "Somebody has said so already." in page
    assert SecondRun.objects.get().dealt_with_at == said_at
    assert LogEntry.objects.count() == 1
    assert run.history.filter(told_by="staff").count() == 1


def test_of_many_second_runs_those_that_are_left_are_dealt_with(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    third = begun_again(run, "third")
    settle.deal_with(second, person=staff, reason="Credits asked back.")
    page = deal_with(as_user(staff), second, third, reason="Both cancelled.").content.decode()
    assert f"It was dealt with: {run.reference} · third." in page
    assert f"{run.reference} · another: Somebody has said so already." in page
    assert not SecondRun.objects.not_dealt_with().exists()


def test_news_of_a_second_run_that_was_dealt_with_opens_nothing_again(staff: User, run: Run, second: SecondRun) -> None:
    settle.deal_with(second, person=staff, reason="It may stay.")
    adopt(run.pk, RemoteRun.model_validate({"runId": "another", "status": "completed"}), told_by=Teller.DELIVERY)
    assert not SecondRun.objects.not_dealt_with().exists()
    assert SecondRun.objects.count() == 1


@pytest.mark.parametrize("codename", ["view_run", "view_ledgerline"])
def test_who_may_only_look_does_not_deal_with_it(as_user: AsUser, second: SecondRun, codename: str) -> None:
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename=codename))
    visitor = as_user(looker)
    may_see = codename == "view_run"
    for address in (SECONDS, f"{SECONDS}{second.pk}/change/"):
        response = visitor.get(address)
        assert response.status_code == (200 if may_see else 403)
        assert "deal_with" not in response.content.decode()
    deal_with(visitor, second, reason="because")
    second.refresh_from_db()
    assert second.dealt_with_at is None


def test_who_may_change_runs_deals_with_it(as_user: AsUser, second: SecondRun) -> None:
    person = UserFactory(is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="change_run"))
    visitor = as_user(person)
    assert "deal_with" in visitor.get(f"{SECONDS}{second.pk}/change/").content.decode()
    deal_with(visitor, second, reason="Cancelled there.")
    second.refresh_from_db()
    assert second.dealt_with_at
    assert "deal_with" not in visitor.get(f"{SECONDS}{second.pk}/change/").content.decode()


def test_second_run_is_found_by_either_id_and_leads_to_ours(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    visitor = as_user(staff)
    for words in ("another", run.reference, run.workspace.name):
        assert f"{SECONDS}{second.pk}/change/" in visitor.get(SECONDS, {"q": words}).content.decode(), words
    assert f"/admin/runs/run/{run.pk}/change/" in visitor.get(f"{SECONDS}{second.pk}/change/").content.decode()
    assert visitor.get(f"{SECONDS}{run.pk}/change/").status_code == 302, "the line of the run itself is no second run"


def test_list_of_second_runs_keeps_those_that_are_left_apart(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    third = begun_again(run, "third")
    settle.deal_with(second, person=staff, reason="Credits asked back.")
    visitor = as_user(staff)
    for chosen, shown, hidden in (("no", third, second), ("yes", second, third)):
        page = visitor.get(SECONDS, {"dealt_with": chosen}).content.decode()
        assert f"{SECONDS}{shown.pk}/" in page
        assert f"{SECONDS}{hidden.pk}/" not in page


def test_second_run_of_a_pruned_one_is_dealt_with_all_the_same(
    as_user: AsUser, staff: User, run: Run, second: SecondRun
) -> None:
    run.delete()
    visitor = as_user(staff)
    assert f"{run.reference}, which was pruned" in visitor.get(f"{SECONDS}{second.pk}/change/").content.decode()
    deal_with(visitor, second, reason="Credits asked back.")
    assert not SecondRun.objects.not_dealt_with().exists()
    assert "Credits asked back." in LogEntry.objects.get().change_message


def test_second_runs_of_old_count_as_dealt_with_from_when_they_left_the_list(run: Run, second: SecondRun) -> None:
    migration = import_module("portal.workspaces.migrations.0006_second_runs_dealt_with")
    old = begun_again(run, "old")
    heard_at = timezone.now() - timedelta(days=8)
    LedgerLine.objects.filter(pk=old.pk).update(created_at=heard_at)
    LedgerLine.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(days=6))
    migration.count_old_as_dealt_with(apps, None)
    left = LedgerLine.objects.filter(dealt_with_at=None)
    assert set(left.values_list("pk", flat=True)) == {second.pk, run.pk}, "nor is any other line marked"
    assert SecondRun.objects.get(pk=old.pk).dealt_with_at == heard_at + timedelta(days=7)


def test_second_runs_of_old_are_named_by_the_id_that_is_theirs(run: Run, second: SecondRun) -> None:
    migration = import_module("portal.runs.migrations.0018_second_runs")
    begun_again(run, "third")
    LedgerLine.objects.update(lamina_run_id="")
    KnownRemote.objects.create(lamina_run_id="a-stranger", reference=run.reference)
    migration.name_them(apps, None)
    assert SecondRun.objects.get(pk=second.pk).lamina_run_id == "another"
    assert set(SecondRun.objects.values_list("lamina_run_id", flat=True)) == {"another", "third"}
    assert LedgerLine.objects.get(pk=run.pk).lamina_run_id == ""
