"""What the form says of costs and budgets, and when it does not send."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import App, PinnedApp
from portal.runs.models import Run
from portal.runs.rounds import go_round
from portal.runs.submit import cancel, send
from portal.runs.views import create
from portal.workspaces.budgets import (
    BudgetState,
    Price,
    correct,
    hold,
    lift,
    make_exact,
    settle,
    state_of,
    stop_spending,
    this_month,
)
from portal.workspaces.models import LedgerLine, Membership, User, Workspace
from portal.workspaces.words import left, month_text
from tests.portal.runs.test_pages import form_post


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    return as_user(creator)


@pytest.fixture
def poster(poster: PinnedApp) -> PinnedApp:
    """The poster app, estimated at 12 credits (9 to 20)."""
    App.objects.update(credits_expected=12, credits_min=9, credits_max=20)
    poster.app.refresh_from_db()
    return poster


def text_of(response: object) -> str:
    return " ".join(response.content.decode().split()).replace("&#x27;", "'")


def test_form_says_the_cost_and_what_the_workspace_has(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(credits_balance=340)
    page = text_of(visitor.get(poster.get_absolute_url()))
    assert "about 12 credits (9 to 20); the workspace has 340" in page
    assert 'name="confirmed"' not in page


def test_form_says_when_the_cost_is_not_known(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(credits_balance=340)
    App.objects.update(credits_expected=None, credits_min=None, credits_max=None)
    page = text_of(visitor.get(poster.get_absolute_url()))
    assert "not known: Lamina gives no estimate for this app; the workspace has 340" in page


def test_run_that_does_not_fit_is_refused_with_everything_kept(visitor: Client, poster: PinnedApp) -> None:
    Workspace.objects.update(monthly_budget=15)
    answer = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug on a table"))
    page = text_of(answer)
    assert answer.status_code == 422
    assert "This run may cost up to 20 credits. This month's budget has 15 credits left: 0 of 15 credits spent." in page
    assert "Nothing was sent and nothing is charged; everything you filled in is still here." in page
    assert "The budget begins anew on" in page
    assert "the portal's staff can raise it" in page
    assert "A mug on a table" in page
    assert not Run.objects.exists()


def test_stopped_spending_is_said_at_the_form_and_saves_nothing(
    visitor: Client, poster: PinnedApp, workspace: Workspace, staff: User
) -> None:
    stop_spending(workspace=None, why="The bill is being checked", by=staff)
    answer = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug on a table"))
    assert answer.status_code == 422
    assert "Staff have stopped spending for now (The bill is being checked)." in text_of(answer)
    assert "A mug on a table" in text_of(answer)
    assert not Run.objects.exists()
    assert state_of(workspace).used == 0


def test_costly_run_is_sent_only_once_its_number_is_ticked(
    visitor: Client, poster: PinnedApp, settings: object
) -> None:
    settings.CONFIRM_ABOVE_CREDITS = 19
    assert "Yes, spend up to 20 credits" in text_of(visitor.get(poster.get_absolute_url()))
    asked = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug"))
    assert asked.status_code == 422
    assert "This may cost up to 20 credits. Tick that you want to spend them." in text_of(asked)
    outdated = visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug", confirmed="15"))
    assert outdated.status_code == 422
    assert not Run.objects.exists()
    assert visitor.post(poster.get_absolute_url(), form_post(poster, p0="A mug", confirmed="20")).status_code == 302
    assert Run.objects.count() == 1


def test_estimate_is_never_fetched_while_a_page_is_served(visitor: Client, poster: PinnedApp, lamina: Sandbox) -> None:
    before = lamina.ledger()["requests"]["total"]
    visitor.get(poster.get_absolute_url())
    visitor.post(poster.get_absolute_url(), form_post(poster, p0=""))
    assert lamina.ledger()["requests"]["total"] == before


def spend(member: Membership, amount: int) -> None:
    key = uuid.uuid4()
    price = Price(expected=Decimal(amount), outputs=1)
    hold(workspace=member.workspace, key=key, price=price, run_id=key, reference="R-2222-3333", what="Gone")
    settle(key, made=1)


def test_run_that_was_given_up_is_said_to_count_in_the_budget(visitor: Client, run: Run) -> None:
    run.move("submitting", told_by="worker")
    run.move("unconfirmed", told_by="worker", sent_at=timezone.now())
    run.move("failed", told_by="staff", error_code="unanswered")
    page = text_of(visitor.get(run.get_absolute_url()))
    assert (
        "Nobody knows whether Lamina charged for it. The budget counts about 12 credits for it, as estimated." in page
    )


def test_banner_warns_those_who_spend_from_eighty_percent_on(
    visitor: Client, member: Membership, reviewer: User, as_user: Callable[[User], Client]
) -> None:
    Workspace.objects.update(monthly_budget=100)
    spend(member, 79)
    assert "of this month's budget is used" not in text_of(visitor.get("/w/demo/create/"))
    spend(member, 4)
    for address in ("/w/demo/create/", "/w/demo/runs/", "/w/demo/gallery/"):
        page = text_of(visitor.get(address))
        assert "83 % of this month's budget is used" in page
        assert "83 of 100 credits spent. The budget begins anew on" in page
        assert "This month: 83 of 100 spent" in page
    assert "budget" not in text_of(as_user(reviewer).get("/w/demo/runs/")).replace("budget.css", "")
    spend(member, 17)
    assert "This month's budget is used up" in text_of(visitor.get("/w/demo/create/"))


def test_banner_says_that_spending_is_stopped_and_why(visitor: Client, workspace: Workspace, staff: User) -> None:
    stop = stop_spending(workspace=workspace, why="The bill is being checked", by=staff)
    page = text_of(visitor.get("/w/demo/runs/"))
    assert "Staff have stopped spending for now" in page
    assert "The bill is being checked. Nothing new can be started" in page
    lift(stop, why="Explained", by=staff)
    assert "stopped spending" not in text_of(visitor.get("/w/demo/runs/"))


def test_banner_of_a_neighbour_is_not_ours(
    visitor: Client, workspace: Workspace, other_workspace: Workspace, staff: User
) -> None:
    stop_spending(workspace=other_workspace, why="Theirs", by=staff)
    assert "stopped spending" not in text_of(visitor.get("/w/demo/runs/"))


def test_credits_page_tells_the_month_and_the_latest_lines(
    visitor: Client, run: Run, member: Membership, django_assert_max_num_queries: Any
) -> None:
    Workspace.objects.update(monthly_budget=100, credits_balance=340)
    spend(member, 30)
    with django_assert_max_num_queries(10):
        page = text_of(visitor.get("/w/demo/credits/"))
    assert "30 of 100 credits spent, and 20 held for runs that are going" in page
    assert "About 12 credits; up to 20 are held for it." in page
    assert run.get_absolute_url() in page
    assert "About 30 credits, as estimated." in page
    assert "These are estimates" in page


def test_credits_page_without_a_budget_says_so(visitor: Client, workspace: Workspace) -> None:
    page = text_of(visitor.get("/w/demo/credits/"))
    assert "There is no budget for the month" in page
    assert "What runs cost is listed here" in page


def test_credits_page_tells_what_is_exact_and_what_was_corrected(visitor: Client, member: Membership) -> None:
    member.workspace.lamina_api_key = "lma_own"
    member.workspace.save()
    spend(member, 30)
    make_exact(LedgerLine.objects.get().pk, Decimal("28.5"))
    correct(member.workspace, Decimal(-4), month=None)
    page = text_of(visitor.get("/w/demo/credits/"))
    assert "28.50 credits, as Lamina counts." in page
    assert "Correction by Lamina's own count" in page
    assert "−4 credits" in page
    assert "25 credits spent" in page


def test_run_page_says_what_is_held_and_then_what_it_came_to(visitor: Client, run: Run, lamina: Sandbox) -> None:
    for address in (run.get_absolute_url(), f"{run.get_absolute_url()}progress/"):
        assert "About 12 credits; up to 20 are held for it." in text_of(visitor.get(address))
    send(run.pk)
    lamina.finish()
    Run.objects.update(next_at=timezone.now())
    go_round()
    for address in (run.get_absolute_url(), f"{run.get_absolute_url()}progress/"):
        assert "About 12 credits, as estimated." in text_of(visitor.get(address))
    make_exact(run.pk, Decimal(14))
    assert "14 credits, as Lamina counts." in text_of(visitor.get(run.get_absolute_url()))


def test_poll_with_its_cost_still_costs_three_queries(
    visitor: Client, run: Run, django_assert_max_num_queries: Any
) -> None:
    address = f"{run.get_absolute_url()}progress/"
    visitor.get(address)
    with django_assert_max_num_queries(3):
        assert "are held for it" in text_of(visitor.get(address))


def test_run_again_is_refused_in_words_when_the_budget_is_used(visitor: Client, run: Run) -> None:
    cancel(run)
    Workspace.objects.update(monthly_budget=5)
    answer = visitor.post(f"{run.get_absolute_url()}again/", {"token": str(uuid.uuid4())}, follow=True)
    assert "This run may cost up to 20 credits." in text_of(answer)
    assert Run.objects.count() == 1


def test_poll_with_news_brings_the_credits_beside_the_page(
    visitor: Client, run: Run, lamina: Sandbox, django_assert_max_num_queries: Any
) -> None:
    Workspace.objects.update(monthly_budget=100, credits_balance="4988.40", credits_checked_at=timezone.now())
    address = f"{run.get_absolute_url()}progress/"
    assert "This month: 0 of 100 spent, 20 held" in text_of(visitor.get(run.get_absolute_url()))
    tag = visitor.get(address)["ETag"]
    send(run.pk)
    lamina.finish()
    Run.objects.update(next_at=timezone.now())
    go_round()
    with django_assert_max_num_queries(3):
        page = text_of(visitor.get(address, headers={"If-None-Match": tag}))
    assert 'id="credits" hx-swap-oob="true"' in page
    assert "This month: 12 of 100 spent <" in page.replace("</a>", " <")
    assert "4,988" in page
    assert "4,988.40" not in page


def test_page_whose_run_has_just_ended_asks_for_what_is_left_until_it_is_known(visitor: Client, run: Run) -> None:
    Workspace.objects.update(credits_balance=340, credits_checked_at=timezone.now())
    assert "credits/left/" not in text_of(visitor.get(run.get_absolute_url()))
    cancel(run)
    since = int(Run.objects.get().finished_at.timestamp() * 1000)
    address = f"/w/demo/credits/left/?since={since}"
    for page in (run.get_absolute_url(), f"{run.get_absolute_url()}progress/", address):
        assert f'hx-get="{address}" hx-trigger="every 5s' in text_of(visitor.get(page))
    Workspace.objects.update(credits_balance=331, credits_checked_at=timezone.now())
    assert "credits/left/" not in text_of(visitor.get(run.get_absolute_url()))
    part = text_of(visitor.get(address))
    assert part.startswith('<div class="credits"')
    assert "331" in part
    assert "hx-" not in part


@pytest.mark.parametrize("since", ["", "x", "²", "9" * 30, "1", "-5"])
def test_page_does_not_await_what_is_long_past(visitor: Client, run: Run, since: str) -> None:
    answer = visitor.get("/w/demo/credits/left/", {"since": since})
    assert answer.status_code == 200
    assert "hx-" not in text_of(answer)


def test_what_is_left_is_never_rounded_up() -> None:
    state = BudgetState(limit=Decimal(1500), spent=Decimal("39.20"), held=Decimal("4.10"), starts_on=this_month())
    assert month_text(state) == "This month: 39 of 1,500 spent, 5 held"
    assert left(Decimal("4960.80")) == "4,960"
    assert left(Decimal("0.40")) == "0.40"


def test_form_with_a_mistake_still_says_that_spending_is_stopped(
    visitor: Client, poster: PinnedApp, admin_user: User
) -> None:
    stop_spending(workspace=None, why="invoice", by=admin_user)
    response = visitor.post(poster.get_absolute_url(), form_post(poster) | {"token": "none"})
    assert response.status_code == 422
    assert "Staff have stopped spending for now" in text_of(response)


def test_form_with_a_mistake_of_a_member_who_was_just_removed_is_no_error_of_ours(
    visitor: Client, poster: PinnedApp, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed_meanwhile(*arguments: Any) -> Any:
        Membership.objects.all().delete()
        return bound(*arguments)

    bound = create.bound_form
    monkeypatch.setattr(create, "bound_form", removed_meanwhile)
    assert visitor.post(poster.get_absolute_url(), form_post(poster) | {"token": "none"}).status_code == 422
