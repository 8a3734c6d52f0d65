"""The pages of choosing, filling in, watching: what they say and what they cost."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.catalogue.schemas import remember
from portal.runs.models import Output, Run
from portal.runs.states import Status, Teller
from portal.runs.words import RunScreen
from portal.workspaces.models import Membership, User
from tests.factories import detail, media_of, pin_of, ready_output_of, run_of

CREATE = "/w/demo/create/"


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


@pytest.fixture
def many_fields(member: Membership) -> PinnedApp:
    """An app with a lot to fill in."""
    parameters = [
        {
            "id": f"p{n}",
            "name": f"Field {n}",
            "type": kind,
            "options": ["A", "B"],
            "accept": ["image"],
            "multiple": True,
        }
        for n, kind in enumerate(["text", "options", "url"] * 8)
    ]
    return pin_of(member.workspace, detail(*parameters))


def form_post(pin: PinnedApp, **values: Any) -> dict[str, Any]:
    """Return what a browser posts."""
    return {"token": str(uuid.uuid4()), "schema": pin.app.schema_id, "outputs": ["0", "1"], **values}


def test_choose_groups_apps_by_what_they_make(visitor: Client, member: Membership) -> None:
    pin_of(member.workspace, detail(name="Clip maker"), "video")
    pin_of(member.workspace, detail(name="Shot maker"), "image")
    page = visitor.get(CREATE).content.decode()
    assert page.index("Product pictures") < page.index("Shot maker") < page.index("Video") < page.index("Clip maker")
    assert "Catalogue sets" not in page


def test_app_that_has_made_nothing_yet_shows_a_drawn_cover_and_then_its_picture(
    visitor: Client, member: Membership
) -> None:
    pinned = pin_of(member.workspace, detail(name="Clip maker"), "video")
    before = visitor.get(CREATE).content.decode()
    assert "cover-art" in before
    assert 'data-count="1"' in before
    output = ready_output_of(run_of(member, pinned), 1)
    after = visitor.get(CREATE).content.decode()
    assert "cover-art" not in after
    assert output.media.thumb_url in after


def test_choose_costs_the_same_however_many_apps(
    visitor: Client, member: Membership, django_assert_max_num_queries: Any
) -> None:
    for _ in range(8):
        ready_output_of(run_of(member, pin_of(member.workspace, detail())), 1)
    with django_assert_max_num_queries(10):
        assert visitor.get(CREATE).status_code == 200


def test_form_page_asks_lamina_nothing(visitor: Client, poster: PinnedApp, lamina: Sandbox) -> None:
    before = lamina.ledger()["requests"]["total"]
    assert visitor.get(poster.get_absolute_url()).status_code == 200
    cache.clear()
    assert visitor.get(poster.get_absolute_url()).status_code == 200
    assert lamina.ledger()["requests"]["total"] == before


def test_form_page_costs_at_most_ten_queries(
    visitor: Client, many_fields: PinnedApp, member: Membership, django_assert_max_num_queries: Any
) -> None:
    media = [media_of(member.workspace) for _ in range(9)]
    source = run_of(member, many_fields, inputs={f"Field {n}": media[n % 9].ref for n in range(2, 24, 3)})
    cache.clear()
    with django_assert_max_num_queries(10):
        page = visitor.get(f"{many_fields.get_absolute_url()}?from={source.pk}")
    assert page.status_code == 200
    assert str(media[2].pk) in page.content.decode()


def test_valid_form_starts_one_run_and_leads_to_its_page(visitor: Client, poster: PinnedApp) -> None:
    post = form_post(poster, p0="A mug", p1="1")
    first = visitor.post(poster.get_absolute_url(), post)
    second = visitor.post(poster.get_absolute_url(), post)
    run = Run.objects.get()
    assert (first.status_code, first["Location"], second["Location"]) == (
        302,
        run.get_absolute_url(),
        run.get_absolute_url(),
    )
    assert run.inputs == {"brief_text": "A mug", "ratio_text": "4:5"}
    assert run.created_by.email == "creator@example.test"


def test_invalid_form_comes_back_filled_in_with_every_problem(visitor: Client, poster: PinnedApp) -> None:
    response = visitor.post(poster.get_absolute_url(), form_post(poster, p0="", p1="1", outputs=[]))
    page = response.content.decode()
    assert response.status_code == 422
    assert "<title>Error:" in page.replace("\n", "")
    assert "There is a problem" in page
    assert page.count("Fill this in.") == 2, "in the summary and at the field"
    assert "Choose at least one." in page
    assert not Run.objects.exists()


def test_post_of_a_form_drawn_before_the_schema_changed_means_what_the_person_saw(
    visitor: Client, poster: PinnedApp
) -> None:
    post = form_post(poster, p0="A mug", p1="1")
    changed = dict(poster.app.schema.detail)
    changed["parameters"] = [changed["parameters"][0], {**changed["parameters"][1], "options": ["16:9", "9:16", "4:5"]}]
    remember(poster.app, changed)
    visitor.post(poster.get_absolute_url(), post)
    assert Run.objects.get().inputs["ratio_text"] == "4:5"


def test_refused_inputs_are_shown_at_their_fields_and_mending_ends_the_first_run(
    visitor: Client, run: Run, poster: PinnedApp
) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    problem = {"param": "ratio_text", "code": "invalid_option", "message": "not an option"}
    run.move(Status.NEEDS_ATTENTION, told_by=Teller.WORKER, problems=[problem])
    address = f"{poster.get_absolute_url()}?from={run.pk}"
    assert "Choose one of the options that are listed." in visitor.get(address).content.decode()
    visitor.post(address, form_post(poster, p0="A mug", p1="0"))
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert Run.objects.get(retry_of=run).inputs["ratio_text"] == "1:1"


def test_mended_run_leads_to_what_it_was_sent_as_and_is_not_sent_again_as_it_was(
    visitor: Client, run: Run, poster: PinnedApp
) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    problem = {"param": "ratio_text", "code": "invalid_option", "message": "not an option"}
    run.move(Status.NEEDS_ATTENTION, told_by=Teller.WORKER, problems=[problem])
    address = f"{poster.get_absolute_url()}?from={run.pk}"
    visitor.post(address, form_post(poster, p0="A mug", p1="0"))
    mended = Run.objects.get(retry_of=run)
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert f'Mended and sent as <a href="{mended.get_absolute_url()}">{mended.reference}</a>.' in page
    assert 'id="again"' not in page
    visitor.post(run.get_absolute_url() + "again/", {"token": str(uuid.uuid4())})
    assert Run.objects.count() == 2
    assert "Choose one of the options that are listed." in visitor.get(address).content.decode(), "still refused"


def test_refused_run_that_was_let_be_and_mended_later_was_cancelled_all_the_same(
    visitor: Client, run: Run, poster: PinnedApp
) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    problem = {"param": "ratio_text", "code": "invalid_option", "message": "not an option"}
    run.move(Status.NEEDS_ATTENTION, told_by=Teller.WORKER, problems=[problem])
    visitor.post(run.get_absolute_url() + "cancel/")
    visitor.post(f"{poster.get_absolute_url()}?from={run.pk}", form_post(poster, p0="A mug", p1="0"))
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert "This run was cancelled." in page
    assert "Mended and sent as" not in page
    assert Run.objects.get(retry_of=run).reference in page


def test_run_that_needs_attention_names_what_was_refused_by_its_label(visitor: Client, run: Run) -> None:
    problems = [
        {"param": "ratio_text", "code": "invalid_option", "message": "not an option"},
        {"param": "__outputs", "code": "unknown_output", "message": "gone"},
        {"param": "<old>", "code": "unknown_parameter", "message": "No parameter is called <old>."},
    ]
    Run.objects.filter(pk=run.pk).update(
        status=Status.NEEDS_ATTENTION,
        problems=problems,
        inputs={"brief_text": "A mug", "ratio_text": "5:4"},
        outputs_wanted=["Side"],
    )
    page = visitor.get(run.get_absolute_url()).content.decode()
    ratio = run.schema.detail["parameters"][1]["name"]
    listed = page.split('class="refusals"')[1].split("</ul>")[0]
    assert f"<strong>{ratio}</strong> (“5:4”): Choose one of the options that are listed." in listed
    assert "<strong>What to make</strong> (“Side”): It is not made any more." in listed
    assert "No parameter is called &lt;old&gt;." in listed
    assert "ratio_text" not in listed


def test_run_page_is_there_at_once_and_says_what_goes_on(visitor: Client, run: Run) -> None:
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert run.reference in page
    assert "Waiting its turn" in page
    assert "You can close this page" in page


def test_open_page_hears_why_its_run_waits(visitor: Client, run: Run, django_assert_max_num_queries: Any) -> None:
    address = run.get_absolute_url() + "progress/"
    assert "It is sent in a moment." in visitor.get(address).content.decode()
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    run.wait_again(told_by=Teller.WORKER, why="Lamina cannot be reached; this waits and goes on.")
    with django_assert_max_num_queries(3):
        page = visitor.get(address).content.decode()
    assert "Lamina cannot be reached; this waits and goes on." in page
    assert "It is sent in a moment." not in page


def test_failed_run_stopped_where_it_ran_and_never_got_to_be_kept(run: Run) -> None:
    now = timezone.now()
    run.status, run.sent_at, run.accepted_at, run.started_at = Status.FAILED, now, now, now
    steps = RunScreen(run, []).steps
    assert [step.state for step in steps] == ["done", "done", "stopped", "next"]
    assert steps[-1].detail == ""


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.FAILED, Status.NEEDS_ATTENTION])
def test_run_that_was_never_sent_is_not_said_to_be(run: Run, status: Status) -> None:
    run.status = status
    first = RunScreen(run, []).steps[0]
    assert (first.label, first.state, first.at) == ("Not sent", "stopped", None)


def test_steps_never_follow_each_other_backwards_when_an_answer_was_lost(run: Run) -> None:
    sent = timezone.now()
    run.status, run.sent_at, run.started_at = Status.RUNNING, sent, sent + timedelta(seconds=1)
    run.accepted_at = sent + timedelta(seconds=3)  # learnt from Lamina's list, when it ran already
    times = [step.at for step in RunScreen(run, []).steps]
    assert times == [sent, run.started_at, run.started_at, None]


def test_error_that_outputs_share_is_said_once(visitor: Client, run: Run) -> None:
    run.outputs.update(status="error", error="The model refused the picture")
    Run.objects.filter(pk=run.pk).update(
        status=Status.FAILED, error="The model refused the picture", error_code="failed", lamina_run_id="remote"
    )
    assert visitor.get(run.get_absolute_url()).content.decode().count("The model refused the picture") == 1
    Run.objects.filter(pk=run.pk).update(status=Status.COMPLETED, error="", error_code="")
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert page.count("The model refused the picture") == 1
    assert "2 outputs are missing" in page
    Output.objects.filter(run=run, position=1).update(error="Another reason")
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert page.count("The model refused the picture") == page.count("Another reason") == 1


def test_run_that_is_done_leads_to_what_it_made(visitor: Client, member: Membership) -> None:
    pinned = pin_of(member.workspace, detail())
    run, other = (run_of(member, pinned, status=Status.COMPLETED, lamina_run_id=name) for name in "ab")
    for each in (run, other):
        each.outputs.all().delete()
        ready_output_of(each, 1)
    address = f"/w/demo/gallery/?q={run.reference}"
    assert (
        f'Everything is in <a href="{address}">your gallery</a>.'
        in visitor.get(run.get_absolute_url()).content.decode()
    )
    assert [output.run for output in visitor.get(address).context["page"].object_list] == [run]


def test_run_that_did_not_make_a_wanted_output_does_not_say_everything(visitor: Client, member: Membership) -> None:
    run = run_of(member, pin_of(member.workspace, detail()), status=Status.COMPLETED, lamina_run_id="a")
    run.outputs.update(status="cancelled")
    ready_output_of(run, 1)
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert "Not made" in page
    assert "Done, but 1 output is missing." in page
    assert "Everything is in" not in page


@pytest.mark.parametrize(("kinds", "kind"), [(["audio", "audio"], "audio"), (["audio", "text"], ""), ([], "")])
def test_run_in_the_list_is_marked_by_the_one_kind_that_it_makes(run: Run, kinds: list[str], kind: str) -> None:
    outputs = [Output(run=run, position=n, kind=each) for n, each in enumerate(kinds)]
    assert RunScreen(run, outputs).kind == kind


def test_list_of_somebody_who_made_nothing_says_so(
    visitor: Client, reviewer: User, as_user: Callable[[User], Client]
) -> None:
    page = visitor.get("/w/demo/runs/?mine=1").content.decode()
    assert "You have made nothing yet" in page
    assert "Make something" in page
    assert "Make something" not in as_user(reviewer).get("/w/demo/runs/?mine=1").content.decode()
    filtered = visitor.get("/w/demo/runs/?mine=1&state=done").content.decode()
    assert "No run matches" in filtered
    assert "Clear filters" in filtered


def test_list_s_poll_without_news_costs_three_queries_and_a_304(
    visitor: Client, run: Run, poster: PinnedApp, member: Membership, django_assert_max_num_queries: Any
) -> None:
    others = [run_of(member, poster) for _ in range(4)]
    for path in ("/w/demo/runs/", "/w/demo/runs/?page=1&state=active&mine=1"):
        first = visitor.get(path, headers={"HX-Request": "true"})
        asking = {"HX-Request": "true", "If-None-Match": first["ETag"]}
        with django_assert_max_num_queries(3):
            unchanged = visitor.get(path, headers=asking)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        others[0].touch()
        assert visitor.get(path, headers=asking).status_code == 200


@pytest.mark.parametrize("number", ["0", "99", "x", "-1", "1" * 12])
def test_list_of_a_page_that_is_not_there_is_shown_all_the_same(visitor: Client, run: Run, number: str) -> None:
    page = visitor.get(f"/w/demo/runs/?page={number}", headers={"HX-Request": "true"})
    assert page.status_code == 200
    assert run.reference in page.content.decode()


def test_poll_costs_three_queries_and_without_news_two_and_a_304(
    visitor: Client, run: Run, django_assert_max_num_queries: Any
) -> None:
    address = run.get_absolute_url() + "progress/"
    visitor.get(address)
    with django_assert_max_num_queries(3):
        first = visitor.get(address)
    assert first.status_code == 200
    with django_assert_max_num_queries(2):
        unchanged = visitor.get(address, headers={"If-None-Match": first["ETag"]})
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    assert visitor.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_run_without_an_answer_for_long_says_who_sees_it_and_what_stays_held(visitor: Client, run: Run) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    run.move(Status.UNCONFIRMED, told_by=Teller.WORKER, sent_at=timezone.now() - timedelta(seconds=100))
    address = run.get_absolute_url() + "progress/"
    asked = visitor.get(address)
    assert "Support sees it too" not in asked.content.decode()
    Run.objects.update(sent_at=timezone.now() - timedelta(seconds=130))
    page = visitor.get(address, headers={"If-None-Match": asked["ETag"]}).content.decode()
    assert "We are checking; do not send it again." in page
    assert "Support sees it too, and can settle it. Until it is settled its credits stay held." in page


def test_poll_without_news_tells_a_stranger_nothing(
    visitor: Client, run: Run, outsider: User, as_user: Callable[[User], Client]
) -> None:
    address = run.get_absolute_url() + "progress/"
    asked = {"If-None-Match": visitor.get(address)["ETag"]}
    neighbours = address.replace(f"/w/{run.workspace.slug}/", "/w/other/")
    for foreign in (address, neighbours):
        assert as_user(outsider).get(foreign, headers=asked).status_code == 404


def test_polling_stops_when_the_run_is_over_and_its_files_are_ours(visitor: Client, run: Run) -> None:
    address = run.get_absolute_url() + "progress/"
    assert "hx-trigger" in visitor.get(address).content.decode()
    Run.objects.filter(pk=run.pk).update(status=Status.FAILED, error="Bad picture", error_code="failed", version=5)
    page = visitor.get(address).content.decode()
    assert "hx-trigger" not in page
    assert "Bad picture" in page


def test_polled_part_is_the_very_part_of_the_page(visitor: Client, run: Run) -> None:
    part = visitor.get(run.get_absolute_url() + "progress/").content.decode().strip()
    assert part.startswith("<section")
    assert 'id="run-progress"' in part
    assert 'id="run-progress"' in visitor.get(run.get_absolute_url()).content.decode()


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.UNCONFIRMED, Status.NEEDS_ATTENTION])
def test_every_state_says_what_happened(visitor: Client, run: Run, status: Status) -> None:
    Run.objects.filter(pk=run.pk).update(status=status)
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert run.reference in page
    wanted = {
        Status.FAILED: "Nothing was charged.",
        Status.CANCELLED: "Nothing was charged.",
        Status.UNCONFIRMED: "do not send it again",
        Status.NEEDS_ATTENTION: "Nothing was charged.",
    }[status]
    assert wanted in page


def test_cancel_ends_a_waiting_run(visitor: Client, run: Run) -> None:
    visitor.post(run.get_absolute_url() + "cancel/")
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_run_list_filters_and_costs_the_same_however_long(
    visitor: Client, poster: PinnedApp, member: Membership, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        run_of(member, poster)
    Run.objects.filter(pk=Run.objects.first().pk).update(status=Status.FAILED)
    with django_assert_max_num_queries(10):
        page = visitor.get("/w/demo/runs/").content.decode()
    assert page.count("R-") >= 12
    assert visitor.get("/w/demo/runs/?state=problem").content.decode().count("/w/demo/runs/") < page.count(
        "/w/demo/runs/"
    )


def test_remote_text_is_shown_and_never_markup(visitor: Client, member: Membership) -> None:
    nasty = '"><img src=x onerror=alert(1)>'
    pinned = pin_of(
        member.workspace,
        detail(
            {"id": "1", "name": nasty, "type": "options", "options": [nasty, "B"], "description": nasty},
            {"id": "2", "name": nasty + "2", "type": "text", "default": nasty},
            name=nasty,
            outputs=[{"index": 0, "label": nasty, "type": "image"}, {"index": 1, "label": "B", "type": "image"}],
        ),
    )
    run = run_of(member, pinned, inputs={nasty: nasty}, status=Status.FAILED, error=nasty, error_code="failed")
    run.outputs.update(label=nasty, kind="text", text=nasty, status="completed")
    for address in (CREATE, pinned.get_absolute_url(), run.get_absolute_url(), "/w/demo/runs/", "/w/demo/gallery/"):
        page = visitor.get(address).content.decode()
        assert "<img src=x" not in page, address


def test_text_beside_tall_pictures_gets_no_tall_box(run: Run) -> None:
    run.inputs = {"Aspect ratio": "9:16"}
    picture, text = Output(run=run, position=0, kind="image"), Output(run=run, position=1, kind="text")
    assert [output.ratio_name for output in RunScreen(run, [picture, text]).outputs] == ["9x16", "1x1"]


@pytest.mark.parametrize(
    ("status", "code", "offered"),
    [
        (Status.FAILED, "failed", {"again", "edit-open"}),
        (Status.FAILED, "insufficient_credits", {"again", "edit-open"}),
        (Status.FAILED, "app_gone", {"edit-open"}),
        (Status.CANCELLED, "", {"again", "edit-open"}),
        (Status.NEEDS_ATTENTION, "", {"edit-open"}),
        (Status.COMPLETED, "", {"edit-open", "refine"}),
        (Status.UNCONFIRMED, "", set()),
    ],
)
def test_every_end_offers_what_helps(visitor: Client, run: Run, status: Status, code: str, offered: set[str]) -> None:
    Run.objects.filter(pk=run.pk).update(status=status, error_code=code, lamina_run_id="remote")
    run.outputs.update(status="cancelled")
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert {name for name in ("again", "edit-open", "refine") if f'id="{name}"' in page} == offered


def test_run_again_keeps_everything_and_is_one_linked_run(visitor: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.FAILED, error_code="failed")
    post = {"token": str(uuid.uuid4())}
    addresses = {visitor.post(run.get_absolute_url() + "again/", post)["Location"] for _ in range(2)}
    follower = Run.objects.get(retry_of=run)
    assert addresses == {follower.get_absolute_url()}
    assert (follower.inputs, follower.status) == (run.inputs, Status.WAITING)
    assert run.reference in visitor.get(follower.get_absolute_url()).content.decode()
    assert follower.reference in visitor.get(run.get_absolute_url()).content.decode()


def test_going_run_is_never_started_again_by_a_press(visitor: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.UNCONFIRMED)
    visitor.post(run.get_absolute_url() + "again/", {"token": str(uuid.uuid4())})
    assert Run.objects.count() == 1


def test_what_the_app_asks_no_more_is_said_and_not_dropped_in_silence(
    visitor: Client, run: Run, poster: PinnedApp
) -> None:
    Run.objects.filter(pk=run.pk).update(
        status=Status.NEEDS_ATTENTION,
        inputs={"brief_text": "A mug", "old_text": "as blue as <the> sea"},
        problems=[{"param": "old_text", "code": "unknown_parameter", "message": "No parameter is called old_text."}],
    )
    page = visitor.get(f"{poster.get_absolute_url()}?from={run.pk}").content.decode()
    assert "does not take this any more" in page
    assert "old_text" in page
    detail_page = visitor.get(run.get_absolute_url()).content.decode()
    assert "output-grid" not in detail_page, "nothing is being made"


def test_value_that_is_left_out_is_shown_under_the_name_it_had(visitor: Client, run: Run, poster: PinnedApp) -> None:
    Run.objects.filter(pk=run.pk).update(inputs={"brief_text": "as blue as <the> sea"})
    changed = {**poster.app.schema.detail, "parameters": poster.app.schema.detail["parameters"][1:]}
    remember(poster.app, changed)
    page = visitor.get(f"{poster.get_absolute_url()}?from={run.pk}").content.decode()
    assert "as blue as &lt;the&gt; sea" in page
    name = poster.app.schema_versions.order_by("created_at").first().detail["parameters"][0]["name"]
    assert f"{name}: “" in page


@pytest.mark.parametrize(
    ("moves", "step", "output"),
    [
        ([], "Not sent yet", "Not sent yet"),
        ([Status.SUBMITTING], "Sending", "Not sent yet"),
        ([Status.SUBMITTING, Status.UNCONFIRMED], "not known yet", "Not known yet"),
    ],
)
def test_run_that_is_not_known_to_be_at_lamina_is_not_said_to_be_made(
    visitor: Client, member: Membership, moves: list[Status], step: str, output: str
) -> None:
    run = run_of(member, pin_of(member.workspace, detail()))
    for to in moves:
        run.move(to, told_by=Teller.WORKER, sent_at=timezone.now())
    page = visitor.get(run.get_absolute_url()).content.decode()
    assert step in page.split('class="run-steps"')[1].split("</ol>")[0]
    assert output in page.split('class="output-grid"')[1].split("</ul>")[0]
    assert "Making…" not in page
    assert "Edit and run again" not in page
