"""What changed between two versions of an app's schema, in the words of its author."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import App as LaminaApp
from lamina_integration import Parameter
from portal.catalogue.models import App, SchemaUse, SchemaVersion

LATELY = timedelta(days=7)
LONGEST = 300
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """One aspect of a parameter or output, as it was and as it is."""

    aspect: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter or output that is new, gone or different."""

    kind: str
    thing: str
    name: str
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class VersionStep:
    """A version of a schema and what it changed; the first one changed nothing, and one may come back."""

    version: SchemaVersion
    at: datetime
    is_current: bool
    is_first: bool
    is_back: bool
    changes: list[Change]


def steps(app: App) -> list[VersionStep]:
    """Return the versions an app has had, the newest first, each with what differs from the one before."""
    uses = list(app.schema_uses.select_related("version").order_by("-since", "-pk")[: SHOWN + 1])[::-1]
    found = []
    for number, use in enumerate(uses):
        before = LaminaApp.from_detail(uses[number - 1].version.detail) if number else None
        after = LaminaApp.from_detail(use.version.detail)
        found.append(
            VersionStep(
                version=use.version,
                at=use.since,
                is_current=use is uses[-1] and use.version_id == app.schema_id,
                is_first=before is None,
                is_back=any(use.version_id == earlier.version_id for earlier in uses[:number]),
                changes=changes(before, after) if before else [],
            )
        )
    return found[-SHOWN:][::-1]


def changes(before: LaminaApp, after: LaminaApp) -> list[Change]:
    """Return what is new, gone or different: the parameters first, then the outputs."""
    return [*_parameters(before, after), *_outputs(before, after)]


def changed_lately() -> QuerySet[SchemaUse]:
    """Return where a version took the place of another in the last week, the newest first."""
    earlier = SchemaUse.objects.filter(app=OuterRef("app"), since__lt=OuterRef("since"))
    recent = SchemaUse.objects.filter(Exists(earlier), since__gte=timezone.now() - LATELY)
    return recent.select_related("app").order_by("-since")


def _parameters(before: LaminaApp, after: LaminaApp) -> Iterator[Change]:
    old, new = ({_identity(each): each for each in app.parameters} for app in (before, after))
    for identity, parameter in new.items():
        if identity not in old:
            must = [Difference(_("must be filled in"), "", _("yes"))] if parameter.default is None else []
            yield Change("added", _("parameter"), parameter.name, must)
        elif differences := list(_differences(old[identity], parameter)):
            yield Change("changed", _("parameter"), parameter.name, differences)
    for identity in old.keys() - new.keys():
        yield Change("removed", _("parameter"), old[identity].name)


def _identity(parameter: Parameter) -> str:
    return parameter.key or parameter.id or parameter.name


def _differences(old: Parameter, new: Parameter) -> Iterator[Difference]:
    if (old.default is None) != (new.default is None):
        yield Difference(_("must be filled in"), _yes(old.default is None), _yes(new.default is None))
    aspects = {
        "name": _("name"),
        "type": _("type"),
        "default": _("default"),
        "options": _("options"),
        "accept": _("accepts"),
        "multiple": _("several"),
        "description": _("help"),
    }
    for attribute, aspect in aspects.items():
        was, is_now = getattr(old, attribute), getattr(new, attribute)
        if was != is_now:
            yield Difference(aspect, _text(was), _text(is_now))


def _outputs(before: LaminaApp, after: LaminaApp) -> Iterator[Change]:
    old, new = (Counter(spec.label for spec in app.outputs) for app in (before, after))
    types = [{spec.label: spec.type for spec in app.outputs} for app in (before, after)]
    for label in dict.fromkeys([*new, *old]):
        if label not in old:
            yield Change("added", _("output"), label)
        elif label not in new:
            yield Change("removed", _("output"), label)
        else:
            pairs = [(_("type"), types[0][label], types[1][label]), (_("how many"), old[label], new[label])]
            differences = [Difference(aspect, str(was), str(is_now)) for aspect, was, is_now in pairs if was != is_now]
            if differences:
                yield Change("changed", _("output"), label, differences)


def _yes(value: bool) -> str:
    return _("yes") if value else _("no")


def _text(value: Any) -> str:
    """Return a value as it stands in the schema: a stray space may be all that changed."""
    if value is None:
        return _("none")
    if isinstance(value, (list, tuple)):
        return ", ".join(json.dumps(item, ensure_ascii=False) for item in value)[:LONGEST] or _("none")
    if isinstance(value, bool):
        return _yes(value)
    return json.dumps(value, ensure_ascii=False, default=str)[:LONGEST]
