"""Drafts: what is filled in is found again, by its member alone, until it is sent."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from lamina_integration import RemoteRun
from portal.catalogue.models import PinnedApp
from portal.catalogue.schemas import remember
from portal.runs import track
from portal.runs.drafting import MOST_BYTES, unsent
from portal.runs.models import Draft, Run
from portal.runs.recording import MendedAlready
from portal.runs.states import Status, Teller
from portal.runs.submit import submit
from portal.workspaces.models import Membership, User
from tests.factories import MembershipFactory, detail, draft_of, media_of, pin_of, run_of

SENTENCE = "A mug, as blue as <the> sea"


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


@pytest.fixture
def shelf(member: Membership) -> PinnedApp:
    """An app that asks for one of each kind."""
    return pin_of(
        member.workspace,
        detail(
            {"id": "1", "name": "Brief", "type": "text"},
            {"id": "2", "name": "Colour", "type": "options", "options": ["Red", "Teal "], "default": "Red"},
            {"id": "3", "name": "Extras", "type": "options", "options": ["A", "B"], "multiple": True, "default": ["A"]},
            {"id": "4", "name": "Photos", "type": "url", "accept": ["image"], "multiple": True},
            outputs=[
                {"index": 0, "label": "Front", "type": "image"},
                {"index": 1, "label": "Back", "type": "image"},
            ],
        ),
    )


def filled(pin: PinnedApp, **values: Any) -> dict[str, Any]:
    """Return what the form's script posts."""
    return {
        "token": str(uuid.uuid4()),
        "schema": pin.app.schema_id,
        "outputs": ["0", "1"],
        "p1": "0",
        "p2": ["0"],
        **values,
    }


def save(visitor: Client, pin: PinnedApp, post: dict[str, Any], query: str = "") -> Any:
    """Save a draft as the form's script does."""
    return visitor.post(reverse("runs:draft", args=["demo", pin.pk]) + query, post)


def test_what_is_filled_in_is_there_again(visitor: Client, shelf: PinnedApp, member: Membership) -> None:
    photo = media_of(member.workspace)
    post = filled(shelf, p0=SENTENCE, p1="1", p2=[], p3=[photo.ref], p3_link="not yet a li", outputs=["1"])
    answer = save(visitor, shelf, post)
    assert answer.status_code == 200
    assert "Saved" in answer.content.decode()
    page = visitor.get(shelf.get_absolute_url())
    text = page.content.decode()
    assert "Your draft from" in text
    assert "as blue as &lt;the&gt; sea" in text
    form = page.context["form"]
    assert form["p1"].value() == ["1"]
    assert form["p2"].value() == [], "that the default was unticked is kept"
    assert form["p3"].value().refs == (photo.ref,)
    assert form["p3"].value().links == ("not yet a li",)
    assert form["outputs"].value() == ["1"]
    assert str(form["token"].value()) == post["token"], "the same draft on two devices is one run"


def test_draft_belongs_to_its_member_alone(
    visitor: Client, shelf: PinnedApp, owner: User, as_user: Callable[[User], Client]
) -> None:
    save(visitor, shelf, filled(shelf, p0=SENTENCE))
    assert "as blue as" not in as_user(owner).get(shelf.get_absolute_url()).content.decode()
    as_user(owner).post(reverse("runs:draft_discard", args=["demo", shelf.pk]))
    assert "as blue as" in visitor.get(shelf.get_absolute_url()).content.decode()


def test_draft_stays_in_its_workspace(visitor: Client, shelf: PinnedApp, creator: User, other_workspace: Any) -> None:
    MembershipFactory(workspace=other_workspace, user=creator)
    theirs = PinnedApp.objects.create(workspace=other_workspace, app=shelf.app, capability="image")
    save(visitor, shelf, filled(shelf, p0=SENTENCE))
    assert "as blue as" not in visitor.get(theirs.get_absolute_url()).content.decode()
    assert visitor.post(f"/w/other/create/{shelf.pk}/draft/", filled(shelf, p0="x")).status_code == 404


def test_later_save_takes_the_place_of_the_earlier(visitor: Client, shelf: PinnedApp) -> None:
    for sentence in ("One", "Two"):
        save(visitor, shelf, filled(shelf, p0=sentence))
    assert Draft.objects.get().inputs["Brief"] == "Two"


def test_form_with_nothing_in_it_leaves_no_draft(visitor: Client, shelf: PinnedApp) -> None:
    post = filled(shelf, p0="A mug")
    save(visitor, shelf, post)
    other = filled(shelf)
    assert save(visitor, shelf, other).content.strip() == b""
    assert Draft.objects.count() == 1, "another tab's form is not this one's to clear"
    save(visitor, shelf, {**post, "p0": ""})
    assert not Draft.objects.exists()


def test_sent_form_has_no_draft_any_more(visitor: Client, shelf: PinnedApp) -> None:
    post = filled(shelf, p0="A mug", p3_link="https://example.com/a.png")
    save(visitor, shelf, post)
    visitor.post(shelf.get_absolute_url(), post)
    assert Run.objects.count() == 1
    assert not Draft.objects.exists()


def test_save_that_arrives_after_the_sending_brings_nothing_back(visitor: Client, shelf: PinnedApp) -> None:
    post = filled(shelf, p0="A mug", p3_link="https://example.com/a.png")
    visitor.post(shelf.get_absolute_url(), post)
    late = save(visitor, shelf, post)
    assert late.status_code == 409
    assert Run.objects.get().reference in late.content.decode()
    assert not Draft.objects.exists()


def test_row_saved_in_the_very_moment_of_sending_is_no_draft(
    visitor: Client, shelf: PinnedApp, member: Membership
) -> None:
    run = run_of(member, shelf)
    draft_of(member, shelf, token=run.token, inputs={"Brief": SENTENCE})
    assert not unsent(Draft.objects.all()).exists()
    assert "as blue as" not in visitor.get(shelf.get_absolute_url()).content.decode()


def test_another_tabs_draft_outlives_this_tabs_sending(visitor: Client, shelf: PinnedApp) -> None:
    save(visitor, shelf, filled(shelf, p0="The other tab's"))
    visitor.post(shelf.get_absolute_url(), filled(shelf, p0="A mug", p3_link="https://example.com/a.png"))
    assert Draft.objects.get().inputs["Brief"] == "The other tab's"


def test_refused_spending_keeps_the_draft(visitor: Client, shelf: PinnedApp, member: Membership) -> None:
    post = filled(shelf, p0="A mug", p3_link="https://example.com/a.png")
    save(visitor, shelf, post)
    member.workspace.monthly_budget = 0
    member.workspace.save()
    assert visitor.post(shelf.get_absolute_url(), post).status_code == 422
    assert Draft.objects.count() == 1


def test_start_afresh_forgets_it(visitor: Client, shelf: PinnedApp) -> None:
    save(visitor, shelf, filled(shelf, p0=SENTENCE))
    answer = visitor.post(reverse("runs:draft_discard", args=["demo", shelf.pk]))
    assert answer["Location"] == shelf.get_absolute_url()
    assert "as blue as" not in visitor.get(shelf.get_absolute_url()).content.decode()


def test_run_that_is_edited_wins_over_a_draft_and_leaves_it_alone(
    visitor: Client, shelf: PinnedApp, member: Membership
) -> None:
    source = run_of(member, shelf, inputs={"Brief": "The run's"})
    save(visitor, shelf, filled(shelf, p0="The draft's"))
    page = visitor.get(f"{shelf.get_absolute_url()}?from={source.pk}").content.decode()
    assert "The run&#x27;s" in page
    assert "The draft&#x27;s" not in page
    assert Draft.objects.get().inputs["Brief"] == "The draft's"


def test_edit_of_a_run_goes_on_from_its_own_draft(visitor: Client, shelf: PinnedApp, member: Membership) -> None:
    source = run_of(member, shelf, inputs={"Brief": "The run's"})
    query = f"?from={source.pk}"
    save(visitor, shelf, filled(shelf, p0="The edited one"), query)
    for address in (shelf.get_absolute_url() + query, shelf.get_absolute_url()):
        page = visitor.get(address)
        assert "The edited one" in page.content.decode()
        assert page.context["source_run"] == source, "what it becomes is still linked to the run"


def test_draft_is_filled_in_through_the_newest_schema_and_what_is_gone_is_named(
    visitor: Client, shelf: PinnedApp, member: Membership
) -> None:
    save(visitor, shelf, filled(shelf, p0=SENTENCE, p1="1", p3_link="https://example.com/a.png"))
    _brief, colour, extras, photos = shelf.app.schema.detail["parameters"]
    changed = [photos, {**colour, "options": ["Blue", "Red"]}, extras, {"id": "5", "name": "Mood", "type": "text"}]
    remember(shelf.app, {**shelf.app.schema.detail, "parameters": changed})
    page = visitor.get(shelf.get_absolute_url())
    assert page.context["form"]["p0"].value().links == ("https://example.com/a.png",)
    lines = [(line.label, line.text) for line in page.context["left_out"]]
    assert lines == [("Brief", SENTENCE), ("Colour", "Teal")]
    assert "does not take this any more" in page.content.decode()


def test_parameter_that_got_a_key_is_still_the_same(visitor: Client, shelf: PinnedApp) -> None:
    save(visitor, shelf, filled(shelf, p0=SENTENCE))
    brief, *others = shelf.app.schema.detail["parameters"]
    remember(shelf.app, {**shelf.app.schema.detail, "parameters": [{**brief, "key": "brief_text"}, *others]})
    assert "as blue as" in visitor.get(shelf.get_absolute_url()).content.decode()


def test_what_is_longer_than_a_draft_holds_is_refused_in_words(visitor: Client, shelf: PinnedApp) -> None:
    answer = save(visitor, shelf, filled(shelf, p0="x" * (MOST_BYTES + 1)))
    assert answer.status_code == 413
    assert "too long" in answer.content.decode()
    assert not Draft.objects.exists()


def test_form_without_a_token_is_no_form(visitor: Client, shelf: PinnedApp) -> None:
    assert save(visitor, shelf, {"p0": "A mug"}).status_code == 400


def test_sign_that_no_database_takes_is_left_out(visitor: Client, shelf: PinnedApp) -> None:
    save(visitor, shelf, filled(shelf, p0="A\x00 mug", p3_link="https://a\x00b"))
    assert Draft.objects.get().inputs == {
        "Brief": "A mug",
        "Colour": ["Red"],
        "Extras": ["A"],
        "Photos": ["https://ab"],
    }


def test_save_of_somebody_signed_out_is_no_page_to_sign_in(client: Client, shelf: PinnedApp) -> None:
    address = reverse("runs:draft", args=["demo", shelf.pk])
    answer = client.post(address, filled(shelf), headers={"X-Requested-With": "XMLHttpRequest"})
    assert answer.status_code == 403


def test_form_page_with_a_draft_costs_at_most_ten_queries(
    visitor: Client, shelf: PinnedApp, member: Membership, django_assert_max_num_queries: Any
) -> None:
    source = run_of(member, shelf, inputs={"Brief": "The run's"})
    post = filled(shelf, p0=SENTENCE, p3=[media_of(member.workspace).ref])
    save(visitor, shelf, post, f"?from={source.pk}")
    for address in (shelf.get_absolute_url(), f"{shelf.get_absolute_url()}?from={source.pk}"):
        with django_assert_max_num_queries(10):
            assert "Your draft from" in visitor.get(address).content.decode()


# A run that is mended


@pytest.fixture
def refused(shelf: PinnedApp, member: Membership) -> Run:
    """A run whose colour is not offered any more and whose photos are not taken; its app takes Blue and Red now."""
    colour = {"param": "Colour", "code": "invalid_option", "message": "not an option"}
    photos = {"param": "Photos", "code": "invalid_media", "message": "not a file"}
    run = run_of(
        member,
        shelf,
        status=Status.NEEDS_ATTENTION,
        inputs={"Brief": SENTENCE, "Colour": "Teal ", "Photos": ["https://example.com/a.png"]},
        outputs_wanted=["Front"],
        problems=[colour, photos],
    )
    change_parameter(shelf, 1, options=["Blue", "Red"])
    return run


def change_parameter(pin: PinnedApp, position: int, **members: Any) -> None:
    """Have the app take something else in one place."""
    parameters = [dict(each) for each in pin.app.schema.detail["parameters"]]
    parameters[position] |= members
    remember(pin.app, {**pin.app.schema.detail, "parameters": parameters})


def mended(pin: PinnedApp, **values: Any) -> dict[str, Any]:
    """Return what a browser posts of the form that mends: nothing is ticked of what was refused, which is carried."""
    post = filled(pin, p0=SENTENCE, p1_gone="Teal ", p3_link="https://example.com/b.png", outputs=["0"]) | values
    if "p1" not in values:
        del post["p1"]
    return post


COLOUR, PHOTOS = "Colour: Choose one of the options", "Photos: A link starts with"


def test_second_visit_to_mend_marks_what_is_still_as_it_was_refused(
    visitor: Client, shelf: PinnedApp, refused: Run
) -> None:
    query = f"?from={refused.pk}"
    page = visitor.get(shelf.get_absolute_url() + query).content.decode()
    assert COLOUR in page
    assert PHOTOS in page
    save(visitor, shelf, mended(shelf), query)
    for address in (shelf.get_absolute_url() + query, shelf.get_absolute_url()):
        answer = visitor.get(address)
        page = answer.content.decode()
        assert "Your draft from" in page
        assert COLOUR in page
        assert PHOTOS not in page, "that was mended"
        assert answer.context["form"]["p1"].value() == [], "the default does not answer it"
        assert [(line.label, line.text) for line in answer.context["left_out"]] == [("Colour", "Teal")]
    save(visitor, shelf, mended(shelf, p1="1"), query)
    answer = visitor.get(shelf.get_absolute_url())
    assert COLOUR not in answer.content.decode()
    assert answer.context["form"]["p1"].value() == ["1"]
    assert answer.context["left_out"] == []


def test_second_visit_to_mend_still_names_what_the_app_does_not_ask_any_more(
    visitor: Client, shelf: PinnedApp, refused: Run
) -> None:
    change_parameter(shelf, 0, id="9", name="Mood")
    query = f"?from={refused.pk}"
    save(visitor, shelf, mended(shelf, p0=""), query)
    lines = visitor.get(shelf.get_absolute_url() + query).context["left_out"]
    assert ("Brief", SENTENCE) in [(line.label, line.text) for line in lines]


def test_choice_that_was_refused_is_not_answered_by_the_default_in_silence(
    visitor: Client, shelf: PinnedApp, refused: Run
) -> None:
    address = f"{shelf.get_absolute_url()}?from={refused.pk}"
    answer = visitor.post(address, mended(shelf))
    assert answer.status_code == 422
    assert COLOUR in answer.content.decode()
    assert 'name="p1_gone" value="Teal "' in answer.content.decode(), "and it is asked once more"
    assert not Run.objects.filter(retry_of=refused).exists()
    assert visitor.post(address, mended(shelf, p1="1")).status_code == 302
    assert Run.objects.get(retry_of=refused).inputs["Colour"] == "Red"


@pytest.mark.parametrize("count", [3, 8, 20])
def test_list_has_nothing_chosen_in_the_place_of_what_has_gone(
    visitor: Client, shelf: PinnedApp, refused: Run, count: int
) -> None:
    change_parameter(shelf, 1, options=["Red", *(f"Colour {n}" for n in range(count))])
    page = visitor.get(f"{shelf.get_absolute_url()}?from={refused.pk}").content.decode()
    field = page.split('name="p1"', 1)[1].split('id="id_p2-label"')[0]
    assert "checked" not in field
    assert ('<option value="" selected disabled>' in field) == (count > 4)
    assert field.count("selected") <= 1


def test_default_that_is_none_of_the_options_is_picked_like_any_other(
    visitor: Client, shelf: PinnedApp, refused: Run
) -> None:
    change_parameter(shelf, 1, options=["Blue", "Red"], default="As the light falls")
    address = f"{shelf.get_absolute_url()}?from={refused.pk}"
    assert visitor.post(address, mended(shelf)).status_code == 422
    assert visitor.post(address, mended(shelf, p1="")).status_code == 302
    assert "Colour" not in Run.objects.get(retry_of=refused).inputs


def test_second_visit_ticks_no_output_where_all_that_were_chosen_have_gone(
    visitor: Client, shelf: PinnedApp, member: Membership
) -> None:
    problem = {"param": "__outputs", "code": "unknown_output", "message": "gone"}
    source = run_of(
        member, shelf, status=Status.NEEDS_ATTENTION, outputs_wanted=["Side"], problems=[problem], inputs={"Brief": "A"}
    )
    query = f"?from={source.pk}"
    save(visitor, shelf, filled(shelf, p0="A", outputs=[]), query)
    answer = visitor.get(shelf.get_absolute_url() + query)
    assert answer.context["form"]["outputs"].value() == []
    assert "What was chosen is not made any more." in answer.content.decode()
    save(visitor, shelf, filled(shelf, p0="A", outputs=["1"]), query)
    assert "What was chosen is not made any more." not in visitor.get(shelf.get_absolute_url()).content.decode()


def test_outputs_that_are_gone_and_new_ones_are_named_at_every_visit(
    visitor: Client, shelf: PinnedApp, member: Membership
) -> None:
    source = run_of(member, shelf, inputs={"Brief": "A"}, outputs_wanted=["Front", "Back"])
    outputs = [{"index": n, "label": label, "type": "image"} for n, label in enumerate(["front", "<Side>"])]
    remember(shelf.app, {**shelf.app.schema.detail, "outputs": outputs})
    query = f"?from={source.pk}"
    for _visit in range(2):
        answer = visitor.get(shelf.get_absolute_url() + query)
        assert [(line.label, line.text) for line in answer.context["left_out"]] == [("What to make", "Back")]
        assert "New: &lt;Side&gt;." in answer.content.decode()
        assert answer.context["form"]["outputs"].value() == ["0"]
        save(visitor, shelf, filled(shelf, p0="A", outputs=["0"]), query)


def test_draft_that_was_begun_with_other_outputs_names_them(visitor: Client, shelf: PinnedApp) -> None:
    save(visitor, shelf, filled(shelf, p0="A"))
    assert visitor.get(shelf.get_absolute_url()).context["new_outputs"] == []
    outputs = [{"index": n, "label": label, "type": "image"} for n, label in enumerate(["Front", "Side"])]
    remember(shelf.app, {**shelf.app.schema.detail, "outputs": outputs})
    answer = visitor.get(shelf.get_absolute_url())
    assert [(line.label, line.text) for line in answer.context["left_out"]] == [("What to make", "Back")]
    assert answer.context["new_outputs"] == ["Side"]


# Back, edit, send again


def sent_form(visitor: Client, pin: PinnedApp) -> dict[str, Any]:
    """Send a form and return what was posted."""
    post = filled(pin, p0="A mug", p3_link="https://example.com/a.png")
    visitor.post(pin.get_absolute_url(), post)
    return post


@pytest.mark.parametrize("change", [{"p0": "A blue mug"}, {"outputs": ["1"]}, {"p0": ""}])
def test_sent_form_with_something_else_in_it_comes_back_as_a_new_one(
    visitor: Client, shelf: PinnedApp, change: dict[str, Any]
) -> None:
    post = sent_form(visitor, shelf)
    answer = visitor.post(shelf.get_absolute_url(), {**post, **change})
    run = Run.objects.get()
    page = answer.content.decode()
    assert answer.status_code == 409
    assert f'href="{run.get_absolute_url()}"' in page
    assert "sent already" in page
    assert "https://example.com/a.png" in page
    token = str(answer.context["form"]["token"].value())
    assert token != post["token"]
    again = visitor.post(shelf.get_absolute_url(), {**post, "p0": "A blue mug", "token": token})
    assert again.status_code == 302
    assert Run.objects.count() == 2


def test_token_of_another_app_s_run_starts_nothing(visitor: Client, shelf: PinnedApp, member: Membership) -> None:
    other = pin_of(member.workspace, detail({"id": "1", "name": "Brief", "type": "text"}))
    post = sent_form(visitor, shelf)
    answer = visitor.post(other.get_absolute_url(), {"token": post["token"], "schema": "1", "p0": "A mug"})
    assert answer.status_code == 409
    assert Run.objects.count() == 1


def test_history_leads_back_to_what_was_sent(visitor: Client, shelf: PinnedApp) -> None:
    post = sent_form(visitor, shelf)
    page = visitor.get(f"{shelf.get_absolute_url()}?token={post['token']}")
    assert "sent already" in page.content.decode()
    assert page.context["form"]["p0"].value() == "A mug"
    assert str(page.context["form"]["token"].value()) == post["token"]
    run = Run.objects.get()
    assert visitor.post(shelf.get_absolute_url(), post)["Location"] == run.get_absolute_url()


def test_history_of_somebody_else_leads_nowhere(
    visitor: Client, shelf: PinnedApp, owner: User, as_user: Callable[[User], Client]
) -> None:
    post = sent_form(visitor, shelf)
    page = as_user(owner).get(f"{shelf.get_absolute_url()}?token={post['token']}").content.decode()
    assert "sent already" not in page


def test_mended_form_starts_nothing_when_the_run_turns_out_to_have_arrived(
    visitor: Client, shelf: PinnedApp, refused: Run
) -> None:
    address = f"{shelf.get_absolute_url()}?from={refused.pk}"
    form = visitor.get(address)
    assert '<input type="hidden" name="mends" value="1">' in form.content.decode()
    news = {"runId": "early", "status": "running", "outputs": []}
    track.adopt(refused.pk, RemoteRun.model_validate(news), told_by=Teller.DELIVERY)
    answer = visitor.post(address, mended(shelf, p1="1", mends="1"), follow=True)
    assert answer.redirect_chain == [(refused.get_absolute_url(), 302)]
    assert "does not wait to be mended any more, so nothing was sent" in answer.content.decode()
    assert not Run.objects.filter(retry_of=refused).exists()


def test_run_that_goes_on_while_its_mended_form_is_taken_is_not_started_twice(shelf: PinnedApp, refused: Run) -> None:
    news = {"runId": "early", "status": "running", "outputs": []}
    track.adopt(refused.pk, RemoteRun.model_validate(news), told_by=Teller.DELIVERY)
    member = Membership.objects.get(workspace=refused.workspace, user=refused.created_by)
    with pytest.raises(MendedAlready):
        submit(
            member=member,
            pin=shelf,
            schema=shelf.app.schema,
            inputs={},
            outputs_wanted=[],
            token=uuid.uuid4(),
            retry_of=refused,  # as it was read before
        )
    assert not Run.objects.filter(retry_of=refused).exists()


def test_mended_form_that_is_sent_twice_leads_to_its_run(visitor: Client, shelf: PinnedApp, refused: Run) -> None:
    address, post = f"{shelf.get_absolute_url()}?from={refused.pk}", mended(shelf, p1="1", mends="1")
    first = visitor.post(address, post)
    assert visitor.post(address, post).url == first.url
    assert Run.objects.get(retry_of=refused).get_absolute_url() == first.url
