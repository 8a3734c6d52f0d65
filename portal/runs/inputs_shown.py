"""What a run was made from, in words and pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from lamina_integration import InputProblem, Parameter, inputs
from portal.catalogue.fields import field_for, label_of, message_for, shown
from portal.catalogue.forms import OUTPUTS, RunForm, output_labels
from portal.catalogue.models import SchemaVersion
from portal.catalogue.schemas import schema_of
from portal.media.library import find_media
from portal.media.models import Media
from portal.runs.models import Draft, Run


@dataclass
class InputShown:
    """One parameter and what was given for it."""

    label: str
    text: str = ""
    media: list[Media] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that was refused: what it is called, what was given for it, and why it is not taken."""

    label: str
    given: str
    message: str
    param: str
    code: str


def inputs_shown(run: Run) -> list[InputShown]:
    """Return a run's inputs in the app's order; one query for all of its files."""
    app = schema_of(run.schema)
    refs = [item for value in run.inputs.values() for item in _items(value) if item.startswith("media:")]
    files = find_media(run.workspace, refs) if refs else {}
    return [
        _shown(parameter, run.inputs.get(inputs.address(app.parameters, parameter)), files)
        for parameter in app.parameters
    ]


def refusals(run: Run) -> list[Refusal]:
    """Return what was refused of a run, as the newest schema calls it, else as it was called; one query."""
    if not run.problems:
        return []
    versions = SchemaVersion.objects.filter(pk__in={run.app.schema_id, run.schema_id}).defer("detail")
    newest_first = sorted(versions, key=lambda version: version.pk != run.app.schema_id)
    asked = [schema_of(version).parameters for version in newest_first]
    offered = output_labels(schema_of(newest_first[0]))
    problems = [InputProblem(each["param"], each["code"], each["message"]) for each in run.problems]
    return [
        _outputs_refused(run, problem, offered) if problem.param == OUTPUTS else _refusal(run, problem, asked)
        for problem in problems
    ]


def _outputs_refused(run: Run, problem: InputProblem, offered: Sequence[str]) -> Refusal:
    known = {label.casefold() for label in offered}
    gone = [label for label in run.outputs_wanted if label.casefold() not in known] or run.outputs_wanted
    return Refusal(_("What to make"), ", ".join(gone), _("It is not made any more."), problem.param, problem.code)


def _refusal(run: Run, problem: InputProblem, asked: Iterable[Sequence[Parameter]]) -> Refusal:
    parameter = next(filter(None, (inputs.find(each, problem.param) for each in asked)), None)
    if parameter is None:
        return Refusal(problem.param, "", problem.message, problem.param, problem.code)
    names = {parameter.key, parameter.name, parameter.id}
    value = next((value for name, value in run.inputs.items() if name in names), None)
    given = "" if value is None or parameter.type == "url" else _shown(parameter, value, {}).text
    message = message_for(problem, field_for(parameter))
    return Refusal(label_of(parameter), given, message, problem.param, problem.code)


def left_out(begun: Run | Draft, form: RunForm) -> list[InputShown]:
    """Return what was given for what this version of the app does not take any more, and what it does not make."""
    offered = {label.casefold() for label in output_labels(form.app)}
    gone = [label for label in begun.outputs_wanted if label.casefold() not in offered]
    lines = [InputShown(label=_("What to make"), text=", ".join(map(shown, gone)))] if gone else []
    lost = list(form.lost(begun.inputs))
    if not lost:
        return lines
    before = schema_of(begun.schema).parameters
    for name, asked, values in lost:
        was = inputs.find(before, name)
        parameter = asked.parameter if asked else was
        text = ", ".join(shown(value) for value in values) if was and was.type != "url" else _("a file or link")
        lines.append(InputShown(label=label_of(parameter) if parameter else name, text=text))
    return lines


def new_outputs(begun: Run | Draft, form: RunForm) -> list[str]:
    """Return what this version of the app makes besides what it made when a form was filled in."""
    if begun.schema_id == form.schema_version.pk:
        return []
    before = {label.casefold() for label in output_labels(schema_of(begun.schema))}
    return [shown(label) for label in output_labels(form.app) if label.casefold() not in before]


def _shown(parameter: Parameter, value: object, files: dict[str, Media]) -> InputShown:
    line = InputShown(label=label_of(parameter))
    if value is None:
        line.is_default = True
        line.text = _default_text(parameter)
    elif parameter.type == "url":
        for item in _items(value):
            if item in files:
                line.media.append(files[item])
            elif item.startswith("media:"):
                line.text = _("A file that is not here any more.")
            else:
                line.links.append(item)
    else:
        line.text = ", ".join(shown(item) if parameter.type == "options" else item for item in _items(value))
    return line


def _default_text(parameter: Parameter) -> str:
    default = parameter.default
    if default in (None, "", []):
        return _("left blank")
    if parameter.type == "url":
        return _("the app's own sample")
    return ", ".join(shown(str(item)) for item in _items(default))


def _items(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
