"""A wish for a change: asked once, never twice, and nothing that was made is lost."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.runs import refine, track
from portal.runs.models import Output, Refinement, RefinementState, Run
from portal.runs.states import Status, Teller
from portal.workspaces.budgets import stop_spending
from portal.workspaces.models import LedgerLine, LineKind, LineState, User
from tests.portal.runs.conftest import Ask, copy_all


def asked_of(lamina: Sandbox) -> list[str]:
    return [each["feedback"] for each in lamina.ledger()["refinements"]]


def age(refinement: Refinement, **by: float) -> None:
    """Make a wish older."""
    row = Refinement.objects.get(pk=refinement.pk)
    past = timedelta(**by)
    Refinement.objects.filter(pk=row.pk).update(
        next_at=timezone.now(),
        lease_until=row.lease_until - past if row.lease_until else None,
        sent_at=row.sent_at - past if row.sent_at else None,
    )


def test_change_makes_new_versions_and_keeps_the_earlier_ones(ask: Ask, done: Run, lamina: Sandbox) -> None:
    before = {output.position: output.media_id for output in done.outputs.all()}
    refinement = ask("Warmer light")
    refine.send(refinement.pk)
    copy_all(done)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.changed) == (RefinementState.DONE, 2)
    earlier = {row.position: row.media_id for row in done.outputs.filter(is_current=False)}
    assert earlier == before
    current = done.outputs.filter(is_current=True)
    assert [(row.position, row.version, row.label, row.is_ready) for row in current] == [
        (0, 2, "Front", True),
        (1, 2, "Back", True),
    ]
    assert {row.media_id for row in current}.isdisjoint(before.values())
    done.refresh_from_db()
    assert done.status == Status.COMPLETED
    assert asked_of(lamina) == ["Warmer light"]


def test_second_change_is_version_three(ask: Ask, done: Run) -> None:
    for words in ("Warmer", "Cooler again"):
        refine.send(ask(words).pk)
        copy_all(done)
    assert [row.version for row in done.outputs.filter(position=0)] == [1, 2, 3]
    assert [row.version_text for row in done.outputs.filter(position=0)] == [
        "Version 1, earlier",
        "Version 2, earlier",
        "Version 3",
    ]


def test_one_form_is_one_wish_however_often_it_is_sent(ask: Ask, lamina: Sandbox) -> None:
    token = uuid.uuid4()
    wishes = {ask("once", token).pk, ask("twice", token).pk}
    assert len(wishes) == 1
    for pk in [*wishes, *wishes]:
        refine.send(pk)
    assert asked_of(lamina) == ["once"]


@pytest.mark.django_db(transaction=True)
def test_many_forms_at_once_are_one_wish(ask: Ask, lamina: Sandbox) -> None:
    def post(number: int) -> bool:
        try:
            ask(f"wish {number}")
        except refine.RefinementRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(post, range(8))) == 1
    wish = Refinement.objects.get()

    def work(_: int) -> None:
        try:
            refine.send(wish.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert asked_of(lamina) == [wish.words]


def test_lost_answer_is_never_asked_for_again_and_found_by_looking(ask: Ask, done: Run, lamina: Sandbox) -> None:
    # A picture that was changed is known by its new address, and plain ones have but one.
    lamina.set(lost_answers=1.0, plain_media=False)
    refinement = ask()
    refine.send(refinement.pk)
    refinement.refresh_from_db()
    assert refinement.state == RefinementState.UNCONFIRMED
    refine.send(refinement.pk)
    age(refinement, minutes=1)
    assert refine.due_to_send() == []
    assert refine.settle_unconfirmed() == [done.pk]
    refinement.refresh_from_db()
    assert (refinement.state, refinement.changed) == (RefinementState.DONE, 2)
    assert len(asked_of(lamina)) == 1


def test_wish_that_never_arrived_stays_open_for_half_an_hour_and_says_so(ask: Ask, lamina: Sandbox) -> None:
    lamina.set(lost_requests=1.0)
    refinement = ask()
    refine.send(refinement.pk)
    lamina.set(lost_requests=0.0)
    age(refinement, minutes=10)
    assert refine.settle_unconfirmed() == []
    age(refinement, minutes=25)
    refine.settle_unconfirmed()
    refinement.refresh_from_db()
    assert refinement.state == RefinementState.FAILED
    assert "does not say whether it charged" in refinement.outcome
    assert asked_of(lamina) == []


def test_file_whose_address_was_signed_anew_is_no_new_version(ask: Ask, done: Run, lamina: Sandbox) -> None:
    lamina.set(lost_requests=1.0)
    refinement = ask()
    refine.send(refinement.pk)
    lamina.set(lost_requests=0.0)
    for output in done.outputs.all():
        Output.objects.filter(pk=output.pk).update(remote_url=output.remote_url + "?signature=old")
    age(refinement, minutes=1)
    assert refine.settle_unconfirmed() == []


def test_killed_worker_sends_again_only_what_never_left(ask: Ask, lamina: Sandbox) -> None:
    refinement = ask()
    claimed = refine.claim(refinement.pk)
    age(refinement, minutes=10)
    refine.release_lost()
    refinement.refresh_from_db()
    assert refinement.state == RefinementState.WAITING
    assert claimed is not None
    claimed = refine.claim(refinement.pk)
    refine.mark_sent(claimed, RemoteRun.model_validate({"runId": claimed.run.lamina_run_id}))
    age(refinement, minutes=10)
    refine.release_lost()
    refinement.refresh_from_db()
    assert refinement.state == RefinementState.UNCONFIRMED
    refine.send(refinement.pk)
    assert asked_of(lamina) == []


def test_wish_that_never_arrived_is_not_told_as_made_where_our_addresses_are_the_asset_list_s(
    ask: Ask, done: Run, lamina: Sandbox
) -> None:
    for output in done.outputs.all():
        done.outputs.filter(pk=output.pk).update(remote_url=f"https://cdn.test/assetlib/{output.pk}.jpg")
    lamina.set(lost_requests=1.0)
    refinement = ask()
    refine.send(refinement.pk)
    lamina.set(lost_requests=0.0)
    Refinement.objects.update(next_at=timezone.now())
    refine.settle_unconfirmed()
    refinement.refresh_from_db()
    assert (refinement.state, refinement.changed) == (RefinementState.UNCONFIRMED, 0)
    assert asked_of(lamina) == []


@pytest.mark.parametrize("fault", ["server_errors", "rate_limited"])
def test_wish_is_not_looked_for_when_lamina_could_not_even_be_asked_before(
    ask: Ask, lamina: Sandbox, fault: str
) -> None:
    refinement = ask()
    lamina.set(**{fault: 1.0})
    refine.send(refinement.pk)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.sent_at) == (RefinementState.WAITING, None)


def test_answer_that_comes_after_the_worker_was_given_up_still_counts(ask: Ask, done: Run, lamina: Sandbox) -> None:
    refinement = refine.claim(ask().pk)
    assert refinement is not None
    answer = refine.call(refinement)
    age(refinement, minutes=10)
    refine.release_lost()
    refine.take(refinement, answer)
    refine.take(refinement, answer)
    assert done.outputs.filter(version=2).count() == 2


def test_busy_lamina_makes_the_wish_wait(ask: Ask, lamina: Sandbox) -> None:
    lamina.set(rate_limited=1.0, rate_limited_seconds=7)
    refinement = ask()
    refine.send(refinement.pk)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.sent_at) == (RefinementState.WAITING, None)
    assert asked_of(lamina) == []


@pytest.mark.parametrize("status", [Status.WAITING, Status.RUNNING, Status.FAILED, Status.CANCELLED])
def test_only_a_completed_run_can_be_changed(status: Status, ask: Ask, done: Run) -> None:
    Run.objects.filter(pk=done.pk).update(status=status)
    with pytest.raises(refine.RefinementRefused):
        ask()
    assert not Refinement.objects.exists()


def test_late_news_of_the_run_changes_nothing_that_was_refined(ask: Ask, done: Run, lamina: Sandbox) -> None:
    refine.send(ask().pk)
    copy_all(done)
    before = list(done.outputs.values())
    track.adopt(done.pk, client_get(done), told_by=Teller.DELIVERY)
    assert list(done.outputs.values()) == before


def client_get(run: Run) -> Any:
    from lamina_integration import Lane
    from portal.workspaces.lamina import client_for

    with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
        return client.runs.get(run.lamina_run_id)


def test_page_offers_the_change_with_its_cost_and_polls_while_it_goes_on(
    done: Run, visitor: Client, lamina: Sandbox, django_assert_max_num_queries: Any
) -> None:
    page = visitor.get(done.get_absolute_url()).content.decode()
    assert "Lamina does not say beforehand what this costs" in page
    assert 'progress/" hx-trigger' not in page
    post = {"token": str(uuid.uuid4()), "words": "Less shadow"}
    for _ in range(2):
        assert visitor.post(done.get_absolute_url() + "refine/", post)["Location"] == done.get_absolute_url()
    refinement = Refinement.objects.get()
    address = done.get_absolute_url() + "progress/"
    with django_assert_max_num_queries(5):
        part = visitor.get(address)
    assert 'progress/" hx-trigger' in part.content.decode()
    assert 'name="words"' not in part.content.decode()
    refine.send(refinement.pk)
    assert visitor.get(address, headers={"If-None-Match": part["ETag"]}).status_code == 200
    copy_all(done)
    page = visitor.get(done.get_absolute_url()).content.decode()
    assert 'progress/" hx-trigger' not in page
    assert "Earlier versions" in page
    assert page.count("Less shadow") >= 2, "at the top, and in the list of changes"


@pytest.mark.parametrize("words", ["", "  \n ", "x" * 2001])
def test_words_that_cannot_be_sent_come_back_with_what_is_wrong(done: Run, visitor: Client, words: str) -> None:
    answer = visitor.post(done.get_absolute_url() + "refine/", {"token": str(uuid.uuid4()), "words": words})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "There is a problem" in page
    assert page.count('id="refine-words"') == 1
    assert words.strip() in page


def test_words_are_not_lost_when_somebody_else_was_faster(ask: Ask, done: Run, visitor: Client) -> None:
    ask("Theirs")
    answer = visitor.post(done.get_absolute_url() + "refine/", {"token": str(uuid.uuid4()), "words": "Mine <b>"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "A change is being made already" in page
    assert "Mine &lt;b&gt;</textarea>" in page


def test_page_that_has_its_form_with_what_is_wrong_gets_no_second_one_with_the_news(
    ask: Ask, done: Run, visitor: Client
) -> None:
    theirs = ask("Theirs")
    page = visitor.post(done.get_absolute_url() + "refine/", {"token": str(uuid.uuid4()), "words": "Mine"})
    address = page.content.decode().split('hx-get="')[1].split('"')[0]
    refine.send(theirs.pk)
    copy_all(done)
    news = visitor.get(address).content.decode()
    assert "made anew" in news
    assert 'id="refine"' not in news
    assert 'id="refine"' in visitor.get(done.get_absolute_url() + "progress/").content.decode()


def words_in_the_form(browser: Client, run: Run) -> str:
    page = browser.get(run.get_absolute_url()).content.decode()
    form = page.split('name="words"')[1].split("</textarea>")[0]
    return form.split(">", 1)[1].removeprefix("\n")


@pytest.mark.parametrize("words", ["Warmer <light> & less\nshadow", "\nbegins with a line break"])
def test_words_of_a_change_that_lamina_refused_stand_in_the_form_again(
    ask: Ask, done: Run, visitor: Client, lamina: Sandbox, words: str
) -> None:
    assert words_in_the_form(visitor, done) == ""
    refinement = ask(words)
    lamina.reset()
    refine.send(refinement.pk)
    assert words_in_the_form(visitor, done) == escape(words.strip())


def test_words_of_a_change_that_was_withdrawn_stand_in_the_form_again(
    ask: Ask, done: Run, visitor: Client, creator: User
) -> None:
    refine.withdraw(ask("Warmer light"), person=creator)
    assert words_in_the_form(visitor, done) == "Warmer light"
    refine.send(ask("Cooler light").pk)
    copy_all(done)
    assert words_in_the_form(visitor, done) == "", "a later one succeeded"


@pytest.mark.parametrize("code", ["failed", "unanswered", "staff"])
def test_form_is_empty_where_a_change_may_have_cost_something(ask: Ask, done: Run, visitor: Client, code: str) -> None:
    ask()
    Refinement.objects.update(state=RefinementState.FAILED, outcome_code=code)
    assert words_in_the_form(visitor, done) == ""


def test_words_that_come_back_with_what_is_wrong_are_those_just_typed(
    ask: Ask, done: Run, visitor: Client, creator: User
) -> None:
    refine.withdraw(ask("Warmer light"), person=creator)
    answer = visitor.post(f"{done.get_absolute_url()}refine/", {"token": str(uuid.uuid4()), "words": "Colder " * 400})
    form = answer.content.decode().split('id="refine-words"')[1].split("</textarea>")[0]
    assert "Colder" in form
    assert "Warmer light" not in form


def test_gallery_has_every_version_with_its_number(ask: Ask, done: Run, visitor: Client) -> None:
    refine.send(ask().pk)
    copy_all(done)
    page = visitor.get("/w/demo/gallery/").content.decode()
    assert "Version 2" in page
    assert "Version 1, earlier" in page


def line(run: Run) -> LedgerLine:
    return LedgerLine.objects.get(run_id=run.pk, kind=LineKind.REFINEMENT)


def test_budget_holds_a_change_and_settles_it(ask: Ask, done: Run) -> None:
    refinement = ask()
    assert line(done).state == LineState.HELD
    refine.send(refinement.pk)
    assert (line(done).state, line(done).held) == (LineState.SETTLED, 0)
    assert line(done).settled > 0


def test_page_says_what_each_change_cost(ask: Ask, done: Run, visitor: Client, lamina: Sandbox) -> None:
    for words, cost in (("Warmer", 7), ("Cooler", 5)):
        refine.send(ask(words).pk)
        copy_all(done)
        LedgerLine.objects.filter(pk=Refinement.objects.last().line_id).update(settled=cost)
    page = visitor.get(done.get_absolute_url()).content.decode()
    latest, changes = page.split('id="changes"')[0], page.split('class="changes"')[1].split("</ol>")[0]
    assert "About 5 credits, as estimated." in latest
    assert "About 7 credits" not in latest
    warmer, cooler = changes.split("Cooler")
    assert "About 7 credits, as estimated." in warmer
    assert "About 5 credits, as estimated." in cooler
    lamina.set(out_of_credits=True)
    refine.send(ask("Darker").pk)
    page = visitor.get(done.get_absolute_url()).content.decode()
    assert "credits, as estimated" not in page.split("Change asked for:")[1].split('id="changes"')[0].split("Refine")[0]


def test_open_page_hears_what_a_change_holds_and_then_costs(ask: Ask, done: Run, visitor: Client) -> None:
    refinement = ask()
    address = done.get_absolute_url() + "progress/"
    part = visitor.get(address)
    assert "held for it" in part.content.decode()
    refine.send(refinement.pk)
    told = visitor.get(address, headers={"If-None-Match": part["ETag"]}).content.decode()
    assert "held for it" not in told
    assert told.count("as estimated") == 3, "the run's, and the change's at the top and in the list"


def test_change_that_lamina_refused_counts_nothing(ask: Ask, done: Run, lamina: Sandbox) -> None:
    refinement = ask()
    lamina.reset()
    refine.send(refinement.pk)
    refinement.refresh_from_db()
    assert refinement.outcome.endswith("Nothing was charged.")
    assert (line(done).held, line(done).settled) == (0, 0)


def test_change_that_does_not_fit_the_budget_comes_back_with_its_words(done: Run, visitor: Client) -> None:
    done.workspace.monthly_budget = 0
    done.workspace.save(update_fields=["monthly_budget"])
    answer = visitor.post(done.get_absolute_url() + "refine/", {"token": str(uuid.uuid4()), "words": "Warmer"})
    assert answer.status_code == 422
    assert "budget" in answer.content.decode()
    assert "Warmer</textarea>" in answer.content.decode()
    assert not Refinement.objects.exists()


def test_stopped_spending_keeps_a_change_waiting(ask: Ask, done: Run, lamina: Sandbox, staff: User) -> None:
    refinement = ask()
    stop_spending(workspace=None, why="a check", by=staff)
    refine.send(refinement.pk)
    refinement.refresh_from_db()
    assert (refinement.state, refinement.sent_at) == (RefinementState.WAITING, None)
    assert "a check" in refinement.outcome
    assert asked_of(lamina) == []
