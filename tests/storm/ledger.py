"""The comparison after a storm: the portal's tables against the stand-in's ledger, row by row.

Each intent has a sentence of its own, which is among the inputs the ledger keeps: so both sides are
joined by what was wanted, not by what either believes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

FINAL = ("completed", "failed", "cancelled")
ORDER = {"waiting": 0, "needs_attention": 0, "submitting": 0, "unconfirmed": 0, "queued": 1, "running": 2}


@dataclass
class Comparison:
    """What does not agree, a sentence each."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """Return all of it, with what kind of fault it is."""
        return [f"{kind}: {each}" for kind in ("lost", "double", "stuck", "wrong") for each in getattr(self, kind)]


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a storm may leave behind: runs and strange news that staff are shown, failures before anything was sent."""

    unconfirmed: bool = False
    failed_unsent: bool = False
    outputs_differ: bool = False
    on_record: bool = False


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The portal's rows of one storm: its runs, their outputs, their history."""

    runs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    moves: list[dict[str, Any]]


def compare(
    tables: Tables, ledger: dict[str, Any], *, tag: str, intents: Iterable[str], allowed: Allowed
) -> Comparison:
    """Return everything in which the portal and Lamina differ about the runs of a storm."""
    found = Comparison()
    starts: dict[str, list[str]] = defaultdict(list)
    for start in ledger["starts"]:
        brief = str(start["inputs"].get("brief_text", ""))
        if brief.startswith(f"{tag} "):
            starts[brief].append(start["runId"])
    remote = {run["runId"]: run for run in ledger["runs"]}
    runs = _grouped(tables.runs, "brief")
    outputs = _grouped(tables.outputs, "run_id")
    history = _grouped(tables.moves, "run_id")

    for brief in sorted({*intents, *starts, *runs}):
        ours, theirs = runs[brief], starts[brief]
        if not ours:
            found.lost.append(f"{brief}: the portal has no run for it")
        if len(ours) > 1:
            found.double.append(f"{brief}: {len(ours)} runs in the portal")
        if len(theirs) > 1:
            found.double.append(f"{brief}: {len(theirs)} runs at Lamina")
        known = {run["lamina_run_id"] for run in ours}
        is_shown = allowed.unconfirmed and any(run["status"] == "unconfirmed" for run in ours)
        if not is_shown:
            found.lost += [f"{brief}: Lamina's {run_id} is not known" for run_id in theirs if run_id not in known]
        for run in ours:
            _compare_run(run, outputs[run["id"]], theirs, remote, found, allowed)
            _read_history(run, history[run["id"]], found, allowed)
    return found


def _grouped(rows: Iterable[dict[str, Any]], column: str) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


def _compare_run(
    run: dict[str, Any],
    outputs: list[dict[str, Any]],
    theirs: list[str],
    remote: dict[str, Any],
    found: Comparison,
    allowed: Allowed,
) -> None:
    name, status, run_id = f"{run['reference']} ({run['brief']})", run["status"], run["lamina_run_id"]
    if status not in FINAL:
        if not (status == "unconfirmed" and allowed.unconfirmed):
            found.stuck.append(f"{name} is {status}")
        return
    if run_id is None:
        if status == "completed" or (status == "failed" and not allowed.failed_unsent):
            found.wrong.append(f"{name} is {status} and was never at Lamina")
        return
    if run_id not in theirs or run_id not in remote:
        found.wrong.append(f"{name} has Lamina's run {run_id}, which was not started for it")
        return
    if remote[run_id]["status"] != status:
        found.wrong.append(f"{name} is {status}, at Lamina {remote[run_id]['status']}")
        return
    if not allowed.outputs_differ:
        _compare_outputs(name, outputs, remote[run_id]["outputs"], found)


def _compare_outputs(name: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], found: Comparison) -> None:
    left = list(ours)
    for made in theirs:
        if made["status"] == "pending":
            continue
        # By its id; or by what it is, where the portal learnt of it from a list that has no such ids.
        mine = [output for output in left if output["lamina_id"] == made["id"]]
        mine += [
            output for output in left if made["value"] and (output["text"] or output["remote_url"]) == made["value"]
        ]
        mine += [output for output in left if output["label"] == made["label"]]
        if not mine:
            found.wrong.append(f"{name}: the output {made['label']} is not there")
            continue
        output = mine[0]
        left.remove(output)
        if output["status"] != made["status"]:
            found.wrong.append(f"{name}: {made['label']} is {output['status']}, at Lamina {made['status']}")
        elif made["status"] == "completed":
            if (output["text"] or output["remote_url"]) != made["value"]:
                found.wrong.append(f"{name}: {made['label']} is not what Lamina made")
            elif made["type"] != "text" and output["media_id"] is None:
                found.stuck.append(f"{name}: {made['label']} is not copied ({output['copy_error'] or 'not tried'})")


def _read_history(run: dict[str, Any], moves: list[dict[str, Any]], found: Comparison, allowed: Allowed) -> None:
    """Follow a run's history: each line begins where the one before ended, and none goes back."""
    at = ""
    for move in moves:
        if move["leaving"] == move["to"]:
            if not allowed.on_record:
                found.wrong.append(f"{run['reference']} ({run['brief']}): {move['why']}")
            continue
        if move["leaving"] != at or at in FINAL or ORDER.get(move["to"], 3) < ORDER.get(at, 0):
            found.wrong.append(f"{run['reference']} ({run['brief']}) went {at or 'nowhere'} -> {move['to']}")
        at = move["to"]
    if at != run["status"]:
        found.wrong.append(f"{run['reference']} ({run['brief']}) is {run['status']}, its history ends with {at}")
