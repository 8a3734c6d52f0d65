"""Form fields for an app's parameters: one class for each type, and the table that chooses it.

A parameter's name is remote text and may be anything, so nothing of it becomes a name in our HTML:
the form calls its fields p0, p1, … and options are posted as their position in the schema. What
comes back is mapped to the very strings Lamina knows. A new type is a new row in `FIELDS`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from lamina_integration import InputProblem, Parameter
from portal.media.models import Media
from portal.media.words import rules_text

if TYPE_CHECKING:
    from portal.catalogue.forms import RunForm

RADIOS_UP_TO = 5
PLAIN_SELECT_UP_TO = 15
LONG_TEXT_NAMES = ("text", "brief", "script", "prompt", "description", "caption")
FILE_TYPES = {"image": "image/*,.heic,.heif,.avif", "video": "video/*,.mov,.mkv", "audio": "audio/*"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a parameter, as a template shows it."""

    value: str
    label: str
    selected: bool
    is_default: bool
    id: str


class ParameterBoundField(BoundField):
    """What the field templates ask of a parameter's field."""

    field: "ParameterField"
    form: "RunForm"

    def __getattr__(self, name: str) -> Any:
        """Offer the field's own facts: control, multiple, optional, default_text, note, …"""
        if name.startswith("_") or name == "field":
            raise AttributeError(name)
        return getattr(self.field, name)

    @property
    def choices(self) -> list[Choice]:
        """Return the options with their state."""
        chosen = set(self.value() or [])
        return [
            Choice(
                value=value,
                label=label,
                selected=value in chosen,
                is_default=value in self.field.default_values,
                id=f"{self.auto_id}_{value or 'default'}",
            )
            for value, label in self.field.choices
        ]

    @property
    def gone(self) -> list[str]:
        """Return what was chosen before and is not offered any more, until something is chosen in its place."""
        return self.form.gone(self.name)

    @property
    def media_tiles(self) -> list[Media]:
        """Return the chosen files, in their order."""
        return [self.form.media_by_ref[ref] for ref in self._chosen.refs if ref in self.form.media_by_ref]

    @property
    def links(self) -> str:
        """Return the pasted links, one a line."""
        return "\n".join(self._chosen.links)

    @property
    def _chosen(self) -> "Chosen":
        value = self.value()
        return value if isinstance(value, Chosen) else Chosen()

    @property
    def anchor(self) -> str:
        """Return the id of the control that a summary of problems leads to."""
        if self.field.control in {"radios", "checkboxes"} and self.choices:
            return self.choices[0].id
        return f"{self.auto_id}_file" if self.field.control == "media" else self.auto_id


class ParameterField(forms.Field):
    """A field for one parameter. The verdict over its value is Lamina's rules', not the field's."""

    bound_field_class = ParameterBoundField
    control = "text"
    unreachable = False  # no name leads Lamina to this parameter: another one is called alike
    rows = 1
    choices: Sequence[tuple[str, str]] = ()
    default_values: frozenset[str] = frozenset()
    missing_message = gettext_lazy("Fill this in.")

    def __init__(self, parameter: Parameter, **kwargs: Any) -> None:
        super().__init__(
            required=False, label=label_of(parameter), help_text=shown(parameter.description or ""), **kwargs
        )
        self.parameter = parameter
        self.multiple = parameter.multiple
        self.optional = parameter.has_default

    @property
    def note(self) -> str:
        """Return what else a person should know; empty when there is nothing."""
        if self.unreachable:
            return _("Another field of this app is called the same, so nothing can be sent for this one.")
        return ""

    @property
    def default_text(self) -> str:
        """Return the app's default as people read it; empty when it is blank or there is none."""
        default = self.parameter.default
        if isinstance(default, list):
            return ", ".join(shown(str(item)) for item in default)
        return shown(str(default)) if default not in (None, "") else ""

    def from_input(self, value: Any) -> Any:
        """Return the field's initial value for what a run was given."""
        return value

    def to_input(self, value: Any) -> Any:
        """Return what Lamina is given for a cleaned value; None leaves the parameter out."""
        return value or None

    def to_draft(self, value: Any) -> Any:
        """Return what a draft keeps of an unchecked value, for `from_input` to take; None where it keeps nothing."""
        return value or None

    def lost(self, value: Any) -> list[str]:
        """Return what of an earlier value this version of the parameter has no place for."""
        return [] if self.from_input(value) or not value else texts_of(value)

    def unanswered(self, value: Any) -> list[str]:
        """Return what of an earlier value leaves a question that the app's default must not answer by itself."""
        return []


class TextField(ParameterField):
    """Free text, sent as it was typed."""

    widget = forms.Textarea

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(parameter)
        name = f"{parameter.key or ''} {parameter.name}".lower()
        self.rows = 4 if any(word in name for word in LONG_TEXT_NAMES) or len(self.default_text) > 60 else 1

    def to_python(self, value: Any) -> str:
        """Return the text with the line ends that a browser adds taken back."""
        text = str(value or "").replace("\r\n", "\n")
        if "\x00" in text:
            raise forms.ValidationError(_("This text has a character that cannot be sent. Type it again."))
        return text if text.strip() else ""

    def from_input(self, value: Any) -> str:
        """Return the text."""
        return value if isinstance(value, str) else ""

    def to_draft(self, value: Any) -> str | None:
        """Return the text as it was typed, without what no database takes."""
        return str(value or "").replace("\r\n", "\n").replace("\x00", "") or None


class UnknownField(TextField):
    """Text for a parameter whose type we have never heard of."""

    @property
    def note(self) -> str:
        """Say that the app asks for something this portal does not know."""
        return _("This app asks for “%(type)s”, which the portal does not know yet. What you type is sent as text.") % {
            "type": self.parameter.type
        }


class OptionsField(ParameterField):
    """One label of a list, or several. Posted by position, sent byte for byte."""

    missing_message = gettext_lazy("Choose one.")

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(parameter)
        labels = parameter.options
        self.choices = [(str(position), option_text(label)) for position, label in enumerate(labels)]
        self.default_values = frozenset(self.from_input(parameter.default))
        self.initial = sorted(self.default_values, key=int)
        if parameter.has_default and not self.initial and not self.multiple:
            text = self.default_text
            label = _("The app's default: %(value)s") % {"value": text} if text else _("Leave it to the app")
            self.choices = [("", label), *self.choices]
            self.initial = [""]
            self.default_values = frozenset({""})
        self.control = self._control(len(self.choices))
        self.widget = forms.SelectMultiple() if self.multiple else forms.Select()

    def _control(self, count: int) -> str:
        if count > PLAIN_SELECT_UP_TO:
            return "search"
        if self.multiple:
            return "checkboxes"
        return "radios" if count <= RADIOS_UP_TO else "select"

    @property
    def note(self) -> str:
        """Say what an empty choice means where the app has a default of its own."""
        if self.multiple and self.default_text:
            return _("With nothing chosen, the app's default is used: %(value)s.") % {"value": self.default_text}
        return super().note

    def bound_data(self, data: Any, initial: Any) -> list[str]:
        """Return the posted positions as a list, also for a single choice."""
        if data is None:
            return []
        return [str(item) for item in data] if isinstance(data, list) else [str(data)]

    def to_python(self, value: Any) -> list[str]:
        """Return the chosen labels, as the schema spells them; raises ValidationError for anything else."""
        labels = []
        for position in self.bound_data(value, None):
            if position == "":
                continue
            if not position.isascii() or not position.isdigit() or int(position) >= len(self.parameter.options):
                raise forms.ValidationError(_("Choose one of the options that are listed."))
            labels.append(self.parameter.options[int(position)])
        return labels

    def from_input(self, value: Any) -> list[str]:
        """Return the positions of these labels; labels the schema no longer has are dropped."""
        wanted = value if isinstance(value, list) else [value]
        return [str(position) for position, label in enumerate(self.parameter.options) if label in wanted]

    def to_input(self, value: list[str]) -> Any:
        """Return one label, or a list of them when several are welcome."""
        if not value:
            return None
        return value if self.multiple else value[0]

    def to_draft(self, value: Any) -> list[str] | None:
        """Return the labels; that a default was unticked is kept too."""
        labels = [label for n, label in enumerate(self.parameter.options) if str(n) in (value or [])]
        return labels if labels or (self.multiple and self.default_values) else None

    def lost(self, value: Any) -> list[str]:
        """Return the labels that are not offered any more."""
        return [label for label in texts_of(value) if label not in self.parameter.options]

    def unanswered(self, value: Any) -> list[str]:
        """Return the lost labels where none is left; where no choice is a choice, too, and no default, nothing is."""
        may_be_empty = self.multiple and self.optional and not self.default_text
        return [] if may_be_empty or self.from_input(value) else self.lost(value)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was given for a media parameter: files of ours, links, and files that came with the post."""

    refs: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    files: "tuple[UploadedFile[bytes], ...]" = ()

    def __len__(self) -> int:
        return len(self.refs) + len(self.links) + len(self.files)

    @classmethod
    def from_values(cls, values: Iterable[str]) -> "Chosen":
        """Sort a run's values into files of ours and links."""
        values = [value for value in values if isinstance(value, str) and value]
        refs = tuple(value for value in values if value.startswith("media:"))
        return cls(refs=refs, links=tuple(value for value in values if not value.startswith("media:")))


class MediaWidget(forms.Widget):
    """Reads the three ways to give a file: chosen tiles, pasted links, a plain file input."""

    needs_multipart_form = True

    def value_from_datadict(self, data: Any, files: "MultiValueDict[str, UploadedFile[bytes]]", name: str) -> Chosen:
        """Return everything that was posted for this field."""
        lines = (line.strip() for link in data.getlist(f"{name}_link") for line in link.splitlines())
        return Chosen(
            refs=tuple(dict.fromkeys(ref for ref in data.getlist(name) if ref)),
            links=tuple(dict.fromkeys(line for line in lines if line)),
            files=tuple(files.getlist(f"{name}_file")) if files else (),
        )


class MediaField(ParameterField):
    """Files: uploaded, picked from what is here already, or links."""

    widget = MediaWidget
    control = "media"

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(parameter)
        known = [kind for kind in parameter.accept if kind in FILE_TYPES]
        self.accept = known or list(FILE_TYPES)
        self.accept_attr = ",".join(FILE_TYPES[kind] for kind in self.accept)
        self.rules_text = rules_text(self.accept)
        self.max_items = None if self.multiple else 1

    @property
    def default_text(self) -> str:
        """Say that the app has a file of its own; its address means nothing to people."""
        return _("the app's own sample") if self.parameter.default not in (None, "", []) else ""

    @property
    def missing_message(self) -> str:  # type: ignore[override]
        """Say what to add, by kind."""
        if self.accept == ["image"]:
            return _("Add a picture.")
        if self.accept == ["video"]:
            return _("Add a video.")
        return _("Add a file.")

    def from_input(self, value: Any) -> Chosen:
        """Return a run's files and links."""
        return Chosen.from_values(value if isinstance(value, list) else [value])

    def to_input(self, value: list[str]) -> Any:
        """Return one reference or link, or a list of them when several are welcome."""
        if not value:
            return None
        return value if self.multiple else value[0]

    def to_draft(self, value: Any) -> list[str] | None:
        """Return the files of ours and the links, whether they are right or not."""
        values = [*value.refs, *value.links] if isinstance(value, Chosen) else []
        return [value.replace("\x00", "") for value in values] or None


def shown(text: str) -> str:
    """Return remote text as people see it: stray spaces are part of the value and not of the look."""
    return " ".join(text.split()) or pgettext("a parameter without a name", "(no name)") if text else ""


def texts_of(value: Any) -> list[str]:
    """Return an earlier form's value as the texts it is made of."""
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def label_of(parameter: Parameter) -> str:
    """Return what a parameter is called on screens: its name, else its key, else its id, whichever can be seen."""
    for name in (parameter.name, parameter.key, parameter.id):
        if name and any(sign.isprintable() and not sign.isspace() for sign in name):
            return shown(name)
    return pgettext("a parameter without a name", "(no name)")


def option_text(label: str) -> str:
    """Return an option as people read it; a blank one has no words of its own."""
    return " ".join(label.split()) or pgettext("an option without words", "(blank)")


FIELDS: dict[str, type[ParameterField]] = {"text": TextField, "options": OptionsField, "url": MediaField}


def field_for(parameter: Parameter) -> ParameterField:
    """Return a field for a parameter; a type we do not know gets a text field with a note."""
    return FIELDS.get(parameter.type, UnknownField)(parameter)


def message_for(problem: InputProblem, field: ParameterField) -> str:
    """Return a sentence for people; what Lamina said itself where we have no better one."""
    match problem.code:
        case "missing_no_default":
            return str(field.missing_message)
        case "invalid_option":
            return _("Choose one of the options that are listed.")
        case "invalid_media":
            return _("A link starts with https:// or http:// and has no spaces.")
        case "invalid_type":
            return _("This takes text.")
    return problem.message
