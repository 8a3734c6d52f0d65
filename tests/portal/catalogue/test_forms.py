"""Forms from schemas: what is asked, how it is named, what goes to Lamina."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict

from lamina_integration import App
from portal.catalogue.forms import RunForm
from portal.catalogue.models import SchemaVersion
from portal.workspaces.models import Membership
from tests.factories import detail, media_of

FormMaker = Callable[..., RunForm]


@pytest.fixture
def form_for(member: Membership) -> FormMaker:
    """A function that returns the form of an app with these parameters, posted or not."""

    def make(*parameters: dict[str, Any], post: dict[str, Any] | None = None, **options: Any) -> RunForm:
        app = App.from_detail(detail(*parameters, outputs=options.pop("outputs", None)))
        if post is None:
            return RunForm(app=app, schema=SchemaVersion(pk=1), member=member, **options)
        data = QueryDict(mutable=True)
        for name, value in ({"token": str(uuid.uuid4()), "schema": "1"} | post).items():
            data.setlist(name, value if isinstance(value, list) else [value])
        return RunForm(data, {}, app=app, schema=SchemaVersion(pk=1), member=member, **options)

    return make


def text(name: str, **members: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "type": "text", **members}


def options(name: str, *labels: str, **members: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "type": "options", "options": list(labels), **members}


def url(name: str, **members: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "type": "url", "accept": ["image"], **members}


def test_parameter_without_default_is_needed_whatever_required_says(form_for: FormMaker) -> None:
    form = form_for(text("Brief", required=False), post={"p0": " "})
    assert not form.is_valid()
    assert form.errors["p0"] == ["Fill this in."]


@pytest.mark.parametrize("default", ["", "red", 0, False])
def test_parameter_with_any_default_may_be_left_blank_and_is_left_out(form_for: FormMaker, default: object) -> None:
    form = form_for(text("Colour", required=True, default=default), post={"p0": ""})
    assert form.is_valid(), form.errors
    assert form.inputs() == {}


def test_null_default_is_no_default(form_for: FormMaker) -> None:
    assert not form_for(text("Colour", default=None), post={"p0": ""}).is_valid()


def test_every_problem_is_told_at_once(form_for: FormMaker) -> None:
    form = form_for(text("A"), options("B", "x", "y"), url("C"), post={"p1": "7", "p2_link": "ftp://x/y"})
    assert not form.is_valid()
    assert [problem.label for problem in form.problems] == ["A", "B", "C"]
    assert "Choose one of the options that are listed." in form.errors["p1"]
    assert "A link starts with https:// or http:// and has no spaces." in form.errors["p2"]


def test_labels_go_out_byte_for_byte_and_are_shown_trimmed(form_for: FormMaker) -> None:
    parameter = options("Model  Ethnicity", "Standard ", "Plus  Size", "Disney / Pixar")
    form = form_for(parameter, post={"p0": "0"})
    assert form.is_valid(), form.errors
    assert form.inputs() == {"Model  Ethnicity": "Standard "}
    assert form["p0"].label == "Model Ethnicity"
    assert [choice.label for choice in form["p0"].choices] == ["Standard", "Plus Size", "Disney / Pixar"]


def test_text_keeps_its_spaces_and_gets_its_line_ends_back(form_for: FormMaker) -> None:
    form = form_for(text("Brief"), post={"p0": "  two\r\nlines "})
    assert form.is_valid()
    assert form.inputs() == {"Brief": "  two\nlines "}


@pytest.mark.parametrize(
    "name",
    [
        "csrfmiddlewaretoken",
        "__proto__",
        "data.value[0]",
        '"><script>alert(1)</script>',
        "مرحبا بالعالم",
        "token",
        "schema",
        "p1",
        "__outputs",
        "x" * 300,
    ],
)
def test_a_parameter_may_be_called_anything(form_for: FormMaker, name: str) -> None:
    form = form_for(text(name), post={"p0": "hello"})
    assert form.is_valid(), form.errors
    assert form.inputs() == {name: "hello"}


def test_key_is_preferred_then_name_then_id(form_for: FormMaker) -> None:
    form = form_for(
        {"id": "1", "key": "your_text", "name": "Same", "type": "text"},
        {"id": "2", "name": "Same name", "type": "text"},
        {"id": "3", "name": "Same name", "type": "text"},
        post={"p0": "a", "p1": "b", "p2": "c"},
    )
    assert form.is_valid(), form.errors
    assert form.inputs() == {"your_text": "a", "Same name": "b", "3": "c"}


def test_several_options_become_a_list(form_for: FormMaker) -> None:
    form = form_for(options("Views", "Front", "Back ", "Side", multiple=True), post={"p0": ["1", "2"]})
    assert form.is_valid(), form.errors
    assert form["p0"].control == "checkboxes"
    assert form.inputs() == {"Views": ["Back ", "Side"]}


@pytest.mark.parametrize(
    ("count", "control"), [(2, "radios"), (5, "radios"), (6, "select"), (15, "select"), (16, "search")]
)
def test_control_follows_the_number_of_options(form_for: FormMaker, count: int, control: str) -> None:
    assert form_for(options("Style", *(f"Style {n}" for n in range(count))))["p0"].control == control


def test_default_option_is_preselected_and_called_default(form_for: FormMaker) -> None:
    field = form_for(options("Ratio", "1:1", "4:5", default="4:5"))["p0"]
    assert [(choice.label, choice.selected, choice.is_default) for choice in field.choices] == [
        ("1:1", False, False),
        ("4:5", True, True),
    ]
    assert field.default_text == "4:5"


def test_default_that_is_no_option_can_be_left_to_the_app(form_for: FormMaker) -> None:
    parameter = options("Ratio", "1:1", "4:5", default="auto")
    assert form_for(parameter)["p0"].choices[0].label == "The app's default: auto"
    form = form_for(parameter, post={"p0": ""})
    assert form.is_valid(), form.errors
    assert form.inputs() == {}


def test_unknown_type_is_a_text_field_with_a_note(form_for: FormMaker) -> None:
    field = form_for({"id": "1", "name": "Mood", "type": "slider"})["p0"]
    assert field.control == "text"
    assert "slider" in field.note
    form = form_for({"id": "1", "name": "Mood", "type": "slider"}, post={"p0": "0.7"})
    assert form.is_valid(), form.errors
    assert form.inputs() == {"Mood": "0.7"}


def test_files_and_links_go_together_where_several_are_welcome(form_for: FormMaker, member: Membership) -> None:
    media = media_of(member.workspace)
    form = form_for(
        url("Mood", multiple=True), post={"p0": [media.ref], "p0_link": "https://a.test/1\nhttps://a.test/2"}
    )
    assert form.is_valid(), form.errors
    assert form.inputs() == {"Mood": [media.ref, "https://a.test/1", "https://a.test/2"]}


def test_one_file_is_enough_where_one_is_asked(form_for: FormMaker, member: Membership) -> None:
    first, second = media_of(member.workspace), media_of(member.workspace)
    form = form_for(url("Product"), post={"p0": [first.ref, second.ref]})
    assert not form.is_valid()
    assert form.errors["p0"] == ["Only one is taken here. Remove the others."]
    assert form_for(url("Product"), post={"p0": first.ref}).is_valid()


def test_a_file_of_another_workspace_does_not_exist(form_for: FormMaker, other_workspace: Any) -> None:
    foreign = media_of(other_workspace)
    form = form_for(url("Product"), post={"p0": foreign.ref})
    assert not form.is_valid()
    assert form.errors["p0"] == ["One of the chosen files is not here any more. Add it again."]
    assert form["p0"].media_tiles == []


def test_a_form_with_errors_keeps_what_was_filled_in(form_for: FormMaker, member: Membership) -> None:
    media = media_of(member.workspace)
    form = form_for(
        text("Missing"),
        text("Brief"),
        options("Ratio", "1:1", "4:5"),
        url("Product", multiple=True),
        post={"p1": "kept", "p2": "1", "p3": media.ref, "p3_link": "https://a.test/x"},
    )
    assert not form.is_valid()
    assert form["p1"].value() == "kept"
    assert [choice.selected for choice in form["p2"].choices] == [False, True]
    assert form["p3"].media_tiles == [media]
    assert form["p3"].links == "https://a.test/x"


def test_an_earlier_run_fills_the_form_again(form_for: FormMaker, member: Membership) -> None:
    media = media_of(member.workspace)
    form = form_for(
        text("Brief"),
        options("Ratio", "1:1", "4:5", default="1:1"),
        url("Product"),
        earlier_inputs={"Brief": "again", "Ratio": "4:5", "Product": media.ref},
    )
    assert form["p0"].value() == "again"
    assert [choice.selected for choice in form["p1"].choices] == [False, True]
    assert form["p2"].media_tiles == [media]


OUTPUTS = [
    {"index": 0, "label": "Front View", "type": "image"},
    {"index": 1, "label": "AI Designer", "type": "image"},
    {"index": 2, "label": "ai designer", "type": "image"},
]


def test_all_outputs_are_wanted_at_first(form_for: FormMaker) -> None:
    choices = form_for(outputs=OUTPUTS).output_choices
    assert [(choice.label, choice.selected) for choice in choices] == [("Front View", True), ("AI Designer ×2", True)]
    form = form_for(outputs=OUTPUTS, post={"outputs": ["0", "1"]})
    assert form.is_valid(), form.errors
    assert form.outputs_wanted() == ["Front View", "AI Designer"]


def test_chosen_outputs_are_sent_by_label(form_for: FormMaker) -> None:
    form = form_for(outputs=OUTPUTS, post={"outputs": ["1"]})
    assert form.is_valid(), form.errors
    assert form.outputs_wanted() == ["AI Designer"]


def test_no_output_at_all_is_a_problem(form_for: FormMaker) -> None:
    form = form_for(outputs=OUTPUTS, post={"outputs": []})
    assert not form.is_valid()
    assert [problem.message for problem in form.problems] == ["Choose at least one."]


def test_namesakes_that_lamina_cannot_tell_apart_are_never_mixed_up(form_for: FormMaker) -> None:
    first, second = {"name": "Photo", "type": "text"}, {"name": "Photo", "type": "text", "default": "own"}
    form = form_for(first, second, post={"p0": "first", "p1": "second"})
    assert form.is_valid(), form.errors
    assert form.inputs() == {"Photo": "first"}
    assert "called the same" in form["p1"].note
    assert not form_for(first, first, post={"p0": "first", "p1": "second"}).is_valid()


def test_nothing_chosen_of_several_says_what_is_used(form_for: FormMaker) -> None:
    field = form_for(options("Views", "Front", "Back", multiple=True, default=["Front"]))["p0"]
    assert field.note == "With nothing chosen, the app's default is used: Front."


@pytest.mark.parametrize(
    ("names", "label"),
    [
        ({"name": "", "key": "brief_text"}, "brief_text"),
        ({"name": "  ", "key": None}, "the-id"),
        ({"name": "\u200b", "key": ""}, "the-id"),
        ({"name": "", "id": ""}, "(no name)"),
    ],
)
def test_parameter_without_a_name_is_called_by_what_it_has(
    form_for: FormMaker, names: dict[str, Any], label: str
) -> None:
    assert form_for({"id": "the-id", "type": "text", **names})["p0"].label == label


def test_blank_option_has_words(form_for: FormMaker) -> None:
    form = form_for(options("Style", "", "Bold", "  ", default=""))
    assert [choice.label for choice in form["p0"].choices] == ["(blank)", "Bold", "(blank)"]


def test_outputs_are_counted_and_not_their_labels(form_for: FormMaker) -> None:
    outputs = [{"index": n, "label": label, "type": "image"} for n, label in enumerate(["Front", "Back", "Front"])]
    form = form_for(outputs=outputs)
    assert (form.outputs_chosen, form.submit_text) == (3, "Make 3 pictures")
    fewer = form_for(outputs=outputs, post={"outputs": ["0"]})
    assert (fewer.outputs_chosen, fewer.submit_text) == (2, "Make 2 pictures")
    assert json.loads(form.submit_texts) == {"1": "Make 1 picture", "2": "Make 2 pictures", "3": "Make 3 pictures"}


def test_outputs_of_several_kinds_are_not_counted_on_the_button(form_for: FormMaker) -> None:
    outputs = [{"index": n, "label": kind, "type": kind} for n, kind in enumerate(["image", "text"])]
    assert form_for(outputs=outputs).submit_text == "Make it"
    assert form_for(outputs=outputs, post={"outputs": ["0"]}).submit_text == "Make what is chosen"
