"""What is sent to start a run: its inputs, held against the newest schema, with addresses that Lamina can fetch."""

from typing import Any

from lamina_integration import App as LaminaApp
from lamina_integration import InputProblem, LaminaClient, LaminaInvalidInputs, inputs
from portal.catalogue.forms import OUTPUTS, STAND_IN_LINK, output_labels, with_links
from portal.catalogue.schemas import checked, schema_of
from portal.media.handover import lamina_url
from portal.media.library import find_media
from portal.runs.lanes import SCHEMA_SECONDS
from portal.runs.models import Run, RunLane


def prepare(run: Run, client: LaminaClient) -> tuple[LaminaApp, dict[str, Any]]:
    """Return the newest app and the inputs with addresses that Lamina can fetch.

    Raises LaminaInvalidInputs, before anything is uploaded, when the newest schema refuses the
    inputs; LaminaError when Lamina cannot be asked.
    """
    version = checked(run.app, client=client, within_seconds=SCHEMA_SECONDS[RunLane(run.lane)])
    app = schema_of(version)
    refs = list(media_refs(run.inputs, app))
    media = find_media(run.workspace, refs)
    seen = resolved(run.inputs, app, lambda ref: STAND_IN_LINK if ref in media else "")
    problems = (*inputs.check(app.parameters, seen), *outputs_gone(run.outputs_wanted, app))
    if problems:
        raise LaminaInvalidInputs(
            "Invalid inputs", status_code=400, code="VALIDATION_ERROR", request_id=None, problems=problems
        )
    addresses = {ref: lamina_url(media[ref], client=client) for ref in dict.fromkeys(refs)}
    return app, resolved(run.inputs, app, lambda ref: addresses[ref])


def outputs_gone(wanted: list[str], app: LaminaApp) -> list[InputProblem]:
    """Return the problem that some of the chosen outputs are not made any more: without them it is another order."""
    offered = {label.casefold() for label in output_labels(app)}
    gone = [label for label in wanted if label.casefold() not in offered] if offered else []
    return [InputProblem(OUTPUTS, "unknown_output", f"Not made any more: {', '.join(gone)}.")] if gone else []


def media_refs(given: dict[str, Any], app: LaminaApp) -> list[str]:
    """Return the references to files of ours among the inputs."""
    refs: list[str] = []

    def noted(ref: str) -> str:
        refs.append(ref)
        return ref

    resolved(given, app, noted)
    return refs


def resolved(given: dict[str, Any], app: LaminaApp, link_for: Any) -> dict[str, Any]:
    """Return the inputs with `link_for(ref)` in the place of each file; only media parameters have files."""
    media = {name for name in given if (found := inputs.find(app.parameters, name)) and found.type == "url"}
    return {name: with_links(value, link_for) if name in media else value for name, value in given.items()}


def labels_to_send(wanted: list[str], app: LaminaApp) -> list[str]:
    """Return the wanted labels that the app still has; none when that is everything it makes.

    To Lamina no labels mean all of them, so the labels are sent whenever the app makes more than
    the person has seen and chosen.
    """
    offered = {label.casefold() for label in output_labels(app)}
    labels = [label for label in wanted if label.casefold() in offered]
    return [] if {label.casefold() for label in labels} == offered else labels
