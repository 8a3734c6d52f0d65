"""What a run was made from, in words and pictures."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from lamina_integration import Parameter, inputs
from portal.catalogue.fields import label_of, shown
from portal.catalogue.forms import RunForm
from portal.catalogue.schemas import schema_of
from portal.media.library import find_media
from portal.media.models import Media
from portal.runs.drafts import Draft
from portal.runs.models import Run


@dataclass
class InputShown:
    """One parameter and what was given for it."""

    label: str
    text: str = ""
    media: list[Media] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    is_default: bool = False


def inputs_shown(run: Run) -> list[InputShown]:
    """Return a run's inputs in the app's order; one query for all of its files."""
    app = schema_of(run.schema)
    refs = [item for value in run.inputs.values() for item in _items(value) if item.startswith("media:")]
    files = find_media(run.workspace, refs) if refs else {}
    return [
        _shown(parameter, run.inputs.get(inputs.address(app.parameters, parameter)), files)
        for parameter in app.parameters
    ]


def left_out(begun: Run | Draft, form: RunForm) -> list[InputShown]:
    """Return what was given for what this version of the app does not take any more."""
    lost = list(form.lost(begun.inputs))
    if not lost:
        return []
    before = schema_of(begun.schema).parameters
    lines = []
    for name, asked, values in lost:
        was = inputs.find(before, name)
        parameter = asked.parameter if asked else was
        text = ", ".join(shown(value) for value in values) if was and was.type != "url" else _("a file or link")
        lines.append(InputShown(label=label_of(parameter) if parameter else name, text=text))
    return lines


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
