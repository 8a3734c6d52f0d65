"""An app's form, drawn from one schema version.

The form walks the parameters in the order the app gives them and asks Lamina's own rules for the
verdict. It carries the schema version it was drawn from, so that a post is read with the options
the person saw even when the schema has changed meanwhile.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lamina_integration import App, inputs
from portal.catalogue.fields import (
    Chosen,
    MediaField,
    OptionsField,
    ParameterBoundField,
    ParameterField,
    field_for,
    message_for,
    shown,
    texts_of,
)
from portal.catalogue.models import SchemaVersion
from portal.media.intake import UploadRefused, take_in
from portal.media.library import find_media
from portal.media.models import Media
from portal.workspaces.models import Membership

OUTPUTS = "__outputs"  # Lamina's own word for a question about outputs; never a parameter's name
MOST_COUNTED = 100  # outputs that the button counts along; beyond, it says that they are chosen and not how many
STAND_IN_LINK = "https://media.invalid/"  # what the rules see where a file of ours will have an address


@dataclass(frozen=True, slots=True)
class Problem:
    """A line of the summary above a form."""

    anchor: str
    label: str
    message: str


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """Outputs of one label, which Lamina makes together or not at all."""

    value: str
    label: str
    selected: bool
    id: str
    times: int = 1
    is_default: bool = False


class RunForm(forms.Form):
    """What one run of an app is asked for; with `confirm`, that so many credits may be spent must be ticked too."""

    token = forms.UUIDField(widget=forms.HiddenInput)
    schema = forms.IntegerField(widget=forms.HiddenInput)
    outputs = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self,
        *args: Any,
        app: App,
        schema: SchemaVersion,
        member: Membership,
        earlier_inputs: Mapping[str, Any] | None = None,
        earlier_outputs: list[str] | None = None,
        confirm: int | None = None,
        token: uuid.UUID | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["initial"] = {"token": token or uuid.uuid4(), "schema": schema.pk}
        super().__init__(*args, **kwargs)
        self.app = app
        self.schema_version = schema
        self.member = member
        self._names: dict[str, str] = {}
        self._gone: dict[str, list[str]] = {}
        for position, parameter in enumerate(app.parameters):
            field = self.fields[f"p{position}"] = field_for(parameter)
            self._names[f"p{position}"] = inputs.address(app.parameters, parameter)
            field.unreachable = inputs.find(app.parameters, self._names[f"p{position}"]) is not parameter
        self._output_labels = output_labels(app)
        outputs = cast(forms.MultipleChoiceField, self.fields["outputs"])
        outputs.choices = [(str(n), label) for n, label in enumerate(self._output_labels)]
        self.confirm = confirm
        if confirm is not None:
            label = ngettext("Yes, spend up to %(n)d credit", "Yes, spend up to %(n)d credits", confirm)
            self.fields["confirmed"] = forms.CharField(required=False, label=label % {"n": confirm})
        wanted = {label.casefold() for label in earlier_outputs or self._output_labels}
        self.initial["outputs"] = [str(n) for n, label in enumerate(self._output_labels) if label.casefold() in wanted]
        for name, (field, value) in self._given(earlier_inputs or {}).items():
            self.initial[name] = field.from_input(value)
            self._gone[name] = field.unanswered(value)

    def _given(self, earlier: Mapping[str, Any]) -> dict[str, tuple[ParameterField, Any]]:
        """Return the fields that earlier inputs have a value for, with it."""
        # By the parameter that a name leads to now: it may have got a key meanwhile.
        found = {id(inputs.find(self.app.parameters, name)): value for name, value in earlier.items()}
        values = {
            name: (field, None if field.unreachable else found.get(id(field.parameter)))
            for name, field in self._parameter_items()
        }
        return {name: (field, value) for name, (field, value) in values.items() if value is not None}

    def _is_as_in(self, earlier: Mapping[str, Any], name: str) -> bool:
        """Return whether a field holds what these inputs fill it with, so that nobody has changed it since."""
        field, value = self._given(earlier).get(name, (self.fields[name], None))
        before = self.fields[name].initial if value is None else field.from_input(value)  # type: ignore[attr-defined]
        return (self[name].value() or None) == (before or None)

    def gone(self, name: str) -> list[str]:
        """Return the options that were chosen before and are not offered any more, while none is chosen instead.

        The form carries them, and a draft keeps them: what is paid for is never the app's default
        only because a person's own choice has gone.
        """
        field = self.fields[name]
        if not self.is_bound or not isinstance(field, OptionsField):
            return self._gone.get(name, [])
        if {value for value, _label in field.choices} & set(self[name].value()):
            return []
        return [label.replace("\x00", "") for label in cast(QueryDict, self.data).getlist(f"{name}_gone")]

    def _parameter_items(self) -> list[tuple[str, ParameterField]]:
        return [(name, field) for name, field in self.fields.items() if isinstance(field, ParameterField)]

    @cached_property
    def media_by_ref(self) -> dict[str, Media]:
        """Return every file of this workspace that the form mentions, in one query."""
        refs: list[str] = []
        for name, field in self._parameter_items():
            if isinstance(field, MediaField):
                value = self[name].value()
                refs.extend(value.refs if isinstance(value, Chosen) else ())
        return find_media(self.member.workspace, refs) if refs else {}

    @property
    def parameter_fields(self) -> list[ParameterBoundField]:
        """Return the fields in the app's order."""
        return [self[name] for name, _field in self._parameter_items()]  # type: ignore[misc]

    @property
    def output_choices(self) -> list[OutputChoice]:
        """Return what can be made; empty when there is nothing to choose."""
        if len(self._output_labels) < 2:
            return []
        chosen = self["outputs"].value() or []
        counts = Counter(spec.label.casefold() for spec in self.app.outputs)
        return [
            OutputChoice(
                value=str(n),
                label=shown(label) + (f" ×{times}" if times > 1 else ""),
                selected=str(n) in chosen,
                id=f"id_outputs_{n}",
                times=times,
            )
            for n, label in enumerate(self._output_labels)
            for times in [counts[label.casefold()]]
        ]

    @property
    def outputs_chosen(self) -> int:
        """Return how many outputs are asked for: of one label there may be several."""
        choices = self.output_choices
        return sum(choice.times for choice in choices if choice.selected) if choices else len(self.app.outputs)

    @property
    def problems(self) -> list[Problem]:
        """Return every problem once, in the form's order, for the summary."""
        lines = [Problem("", "", str(message)) for message in self.non_field_errors()]
        for field in self.parameter_fields:
            lines.extend(Problem(field.anchor, str(field.label), str(message)) for message in field.errors)
        lines.extend(Problem("id_outputs_0", _("What to make"), str(message)) for message in self["outputs"].errors)
        if self.confirm is not None:
            lines.extend(Problem("id_confirmed", "", str(message)) for message in self["confirmed"].errors)
        if any(self[name].errors for name in ("token", "schema")):
            lines.append(Problem("", "", _("The form was not complete. Look it over and send it again.")))
        return lines

    @property
    def submit_text(self) -> str:
        """Return the words on the button."""
        return self.submit_text_for(self.outputs_chosen or len(self.app.outputs))

    def submit_text_for(self, count: int) -> str:
        """Return the words on the button when so many outputs are asked for."""
        kinds = {spec.type for spec in self.app.outputs}
        if kinds == {"image"}:
            return ngettext("Make %(n)d picture", "Make %(n)d pictures", count) % {"n": count}
        if kinds == {"video"}:
            return ngettext("Make %(n)d video", "Make %(n)d videos", count) % {"n": count}
        return _("Make it") if count == len(self.app.outputs) else _("Make what is chosen")

    @property
    def submit_texts(self) -> str:
        """Return the words for each number of outputs, as JSON for the script that counts along."""
        most = min(len(self.app.outputs), MOST_COUNTED)
        return json.dumps({count: self.submit_text_for(count) for count in range(1, most + 1)}, ensure_ascii=False)

    def clean(self) -> dict[str, Any]:
        """Take in files that came with the post, then ask Lamina's rules about everything at once."""
        cleaned = super().clean() or {}
        for name, field in self._parameter_items():
            if isinstance(field, MediaField):
                self._clean_media(name, field, cleaned)
            elif self.gone(name):
                self.add_error(
                    name, message_for(inputs.InputProblem(field.parameter.name, "invalid_option", ""), field)
                )
        for problem in inputs.check(self.app.parameters, self._as_lamina_sees(cleaned)):
            self._place(problem)
        if self._output_labels and not cleaned.get("outputs") and len(self._output_labels) > 1:
            self.add_error("outputs", _("Choose at least one."))
        if self.confirm is not None and not self.is_confirmed:
            message = _("This may cost up to %d credits. Tick that you want to spend them.")
            self.add_error("confirmed", message % self.confirm)
        return cleaned

    @property
    def is_confirmed(self) -> bool:
        """Return whether this very number of credits was ticked, and not the one of an older estimate."""
        return bool(self["confirmed"].value() == str(self.confirm))

    def _clean_media(self, name: str, field: MediaField, cleaned: dict[str, Any]) -> None:
        """Turn what was given into references and links; keep the files that are right either way."""
        chosen: Chosen = cleaned.get(name) or Chosen()
        kept: list[str] = []
        refused = False
        for upload in chosen.files:
            try:
                media = take_in(
                    workspace=self.member.workspace, user=self.member.user, upload=upload, accept=field.accept
                )
            except UploadRefused as error:
                self.add_error(name, error.message)
                refused = True
            else:
                kept.append(media.ref)
        self._show_kept(name, Chosen(refs=(*chosen.refs, *kept), links=chosen.links))
        known = find_media(self.member.workspace, chosen.refs)
        for ref in chosen.refs:
            if ref not in known:
                self.add_error(name, _("One of the chosen files is not here any more. Add it again."))
            elif known[ref].kind not in field.accept:
                self.add_error(name, _("“%(name)s” is not of a kind this app takes here.") % {"name": known[ref].name})
        values = [*chosen.refs, *kept, *chosen.links]
        if not field.multiple and len(values) > 1:
            self.add_error(name, _("Only one is taken here. Remove the others."))
        if any(len(link) > 2000 for link in chosen.links):
            self.add_error(name, _("A link is longer than 2,000 characters."))
        if refused and not values:
            return
        cleaned[name] = values

    def _show_kept(self, name: str, chosen: Chosen) -> None:
        """Make a form that comes back show the files that were just kept as chosen."""
        posted = cast(QueryDict, self.data).copy()  # whoever cleans a form has posted it
        posted.setlist(name, list(chosen.refs))
        self.data = posted
        self.__dict__.pop("media_by_ref", None)

    def _as_lamina_sees(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """Return the inputs with an address in the place of each of our files."""
        seen: dict[str, Any] = {}
        for name, field in self._parameter_items():
            if field.unreachable:
                if not field.optional:
                    self.add_error(name, _("This app cannot be run from here: two of its fields are called alike."))
                continue
            value = field.to_input(cleaned.get(name)) if name not in self.errors else None
            if isinstance(field, MediaField) and value is not None:
                value = with_links(value, lambda _ref: STAND_IN_LINK)
            seen[self._names[name]] = value
        return seen

    def _place(self, problem: inputs.InputProblem) -> None:
        """Put one of Lamina's verdicts at its field, in words for people."""
        for name, field in self._parameter_items():
            if problem.param in {field.parameter.key, field.parameter.name, field.parameter.id}:
                if name in self.errors or (
                    problem.code == "missing_no_default" and (field.optional or self._has_value(name, field))
                ):
                    continue
                self.add_error(name, message_for(problem, field))
                return

    def _has_value(self, name: str, field: ParameterField) -> bool:
        return field.to_input(self.cleaned_data.get(name)) is not None

    def show_refusals(self, problems: list[dict[str, str]], *, of: Mapping[str, Any]) -> None:
        """Show at the fields what Lamina refused of a run's inputs, where they are as they were."""
        self._errors = forms.utils.ErrorDict()
        for problem in problems:
            if problem["param"] == OUTPUTS:
                if not self["outputs"].value():
                    message = _("What was chosen is not made any more. Choose again.")
                    self._errors.setdefault("outputs", self.error_class([message]))
                continue
            found = inputs.find(self.app.parameters, problem["param"])
            for name, field in self._parameter_items():
                if field.parameter is found and self._is_as_in(of, name):
                    refusal = inputs.InputProblem(problem["param"], problem["code"], problem["message"])
                    self._errors.setdefault(name, self.error_class([message_for(refusal, field)]))

    def inputs(self) -> dict[str, Any]:
        """Return the inputs by the name Lamina knows; what was left blank is left out."""
        values = {
            self._names[name]: field.to_input(self.cleaned_data.get(name))
            for name, field in self._parameter_items()
            if not field.unreachable
        }
        return {name: value for name, value in values.items() if value is not None}

    def outputs_wanted(self) -> list[str]:
        """Return the labels that were chosen; empty where there was nothing to choose.

        All of them are named too: an app that makes more by the time the run is sent makes only what
        the person has seen.
        """
        if len(self._output_labels) < 2:
            return []
        return [self._output_labels[int(n)] for n in self.cleaned_data.get("outputs") or []]

    def draft_inputs(self) -> dict[str, Any]:
        """Return what is filled in so far, by the name Lamina knows: nothing is checked, so it may be half done."""
        values = {
            self._names[name]: self.gone(name) or field.to_draft(self[name].value())
            for name, field in self._parameter_items()
            if not field.unreachable
        }
        return {name: value for name, value in values.items() if value is not None}

    def draft_outputs(self) -> list[str]:
        """Return the labels that are ticked so far."""
        ticked = self["outputs"].value() or []
        return [label for n, label in enumerate(self._output_labels) if str(n) in ticked]

    def lost(self, earlier: Mapping[str, Any]) -> Iterator[tuple[str, ParameterField | None, list[str]]]:
        """Yield the name, the field and the values of what an earlier form had and this one has no place for.

        What somebody has put into its place since is not lost.
        """
        for name, value in earlier.items():
            found = inputs.find(self.app.parameters, name)
            items = self._parameter_items()
            place, field = next(((name, field) for name, field in items if field.parameter is found), ("", None))
            lost = field.lost(value) if field else texts_of(value)
            if lost and (field is None or self._is_as_in(earlier, place)):
                yield name, field, lost

    @property
    def sent_token(self) -> uuid.UUID | None:
        """Return the token that was posted; None where it is none."""
        try:
            return uuid.UUID(str(self["token"].value()))
        except ValueError:
            return None

    def renew_token(self) -> None:
        """Make a posted form another one, which can be sent for itself."""
        posted = cast(QueryDict, self.data).copy()
        posted["token"] = str(uuid.uuid4())
        self.data = posted


def output_labels(app: App) -> list[str]:
    """Return the labels of an app's outputs, each once: Lamina takes them without regard to case."""
    labels: dict[str, str] = {}
    for spec in app.outputs:
        labels.setdefault(spec.label.casefold(), spec.label)
    return list(labels.values())


def with_links(value: Any, link_for: Any) -> Any:
    """Return a media value with every reference to a file of ours replaced by `link_for(ref)`."""
    if isinstance(value, list):
        return [with_links(item, link_for) for item in value]
    return link_for(value) if isinstance(value, str) and value.startswith("media:") else value
