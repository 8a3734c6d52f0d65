"""Tell from Lamina's list of what runs have made which of it belongs in which place of a run.

The list names a thing by the label of its node and not by the id of its output, and what stands
between the nodes may be in it too. So a place is filled only where there is no other way to read
it; everything else is left to the run's own details.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamina_integration import Asset, RemoteOutput
from portal.runs.models import OPEN, Output, OutputStatus

# Marks a place that was filled from the list: its output's own id is not known yet.
FROM_LIST = "asset:"


@dataclass(frozen=True, slots=True)
class Found:
    """What the list has for a run's places, whether that is all of them, and whether there is something besides."""

    outputs: tuple[RemoteOutput, ...]
    is_all: bool
    has_more: bool

    @property
    def knows_ids(self) -> bool:
        """Return whether each of them has the id that Lamina calls it by in the run's details."""
        return not any(output.id.startswith(FROM_LIST) for output in self.outputs)


def matched(rows: Sequence[Output], assets: Iterable[Asset]) -> Found:
    """Return the outputs that the assets of one run fill its places with."""
    listed: dict[str, list[Asset]] = defaultdict(list)
    for asset in assets:
        if asset.status == "completed" and value_of(asset):
            listed[asset.node_label.casefold()].append(asset)
    places: dict[str, list[Output]] = defaultdict(list)
    for row in rows:
        places[row.label.casefold()].append(row)
    outputs: list[RemoteOutput] = []
    is_all = bool(rows)
    for label, group in places.items():
        waiting = [row for row in group if row.status in OPEN]
        have = {row.remote_url or row.text for row in group if row.status == OutputStatus.COMPLETED}
        fresh = [asset for asset in listed.get(label, []) if value_of(asset) not in have]
        if not waiting:
            continue
        if label and len(fresh) == len(waiting) and all(map(_fits, waiting, fresh)):
            outputs += map(_output, waiting, fresh)
        else:
            is_all = False
    return Found(tuple(outputs), is_all, has_more=not listed.keys() <= places.keys())


def value_of(asset: Asset) -> str:
    """Return the text, or the address where the thing is."""
    return (asset.text_content if asset.output_type == "text" else asset.url) or ""


def _fits(row: Output, asset: Asset) -> bool:
    return not row.kind or row.kind == asset.output_type


def _output(row: Output, asset: Asset) -> RemoteOutput:
    return RemoteOutput(
        id=row.lamina_id or f"{FROM_LIST}{asset.id}"[:200],
        label=row.label,
        type=asset.output_type,
        value=value_of(asset),
        status="completed",
    )
