"""What the comparison after a storm finds: a storm that cannot fail would prove nothing."""

from typing import Any

import pytest

from tests.storm.ledger import Allowed, Comparison, Tables, compare

BRIEF = "R0 00001"


def a_run(**changes: Any) -> dict[str, Any]:
    """Return a run's row as it is when all went well."""
    return {
        "id": 1, "reference": "R-1", "brief": BRIEF, "status": "completed", "lamina_run_id": "L1", **changes
    }  # fmt: skip


def moves(*states: str) -> list[dict[str, Any]]:
    """Return a history that goes through these states."""
    return [
        {"run_id": 1, "leaving": leaving, "to": to, "why": ""}
        for leaving, to in zip(("", *states), states, strict=False)
    ]


GOOD_MOVES = moves("waiting", "submitting", "queued", "completed")
TEXT = {"id": "n1", "label": "Note", "type": "text", "value": "words", "status": "completed"}
OUTPUT = {
    "run_id": 1,
    "lamina_id": "n1",
    "label": "Note",
    "status": "completed",
    "text": "words",
    "remote_url": "",
    "media_id": None,
}
START = {"runId": "L1", "inputs": {"brief_text": BRIEF}}
REMOTE = {"runId": "L1", "status": "completed", "outputs": [TEXT]}


def compared(
    *,
    runs: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    history: list[dict[str, Any]] | None = None,
    starts: list[dict[str, Any]] | None = None,
    remote: list[dict[str, Any]] | None = None,
    allowed: Allowed | None = None,
) -> Comparison:
    """Compare one intent that went well but for what is given."""
    tables = Tables(
        runs=[a_run()] if runs is None else runs,
        outputs=[OUTPUT] if outputs is None else outputs,
        moves=GOOD_MOVES if history is None else history,
    )
    ledger = {"starts": [START] if starts is None else starts, "runs": [REMOTE] if remote is None else remote}
    return compare(tables, ledger, tag="R0", intents=[BRIEF], allowed=allowed or Allowed())


def test_compare_is_silent_when_both_sides_agree() -> None:
    assert compared().complaints == []


def test_compare_leaves_other_storms_alone() -> None:
    foreign = {"runId": "L9", "inputs": {"brief_text": "R5 00001"}}
    assert compared(starts=[START, foreign]).complaints == []


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("lost", {"runs": [], "outputs": [], "history": []}),
        ("lost", {"runs": [a_run(status="failed", lamina_run_id=None)], "history": moves("waiting", "failed")}),
        ("double", {"starts": [START, {**START, "runId": "L2"}]}),
        ("double", {"runs": [a_run(), a_run(id=2, reference="R-2")]}),
        ("stuck", {"runs": [a_run(status="queued")], "history": moves("waiting", "submitting", "queued")}),
        ("wrong", {"remote": [{**REMOTE, "status": "failed"}]}),
        ("wrong", {"outputs": []}),
        ("wrong", {"outputs": [{**OUTPUT, "text": "other words"}]}),
        ("wrong", {"outputs": [{**OUTPUT, "status": "error"}]}),
        ("wrong", {"history": moves("waiting", "running", "queued", "completed")}),
        ("wrong", {"history": moves("waiting", "completed", "failed", "completed")}),
        ("wrong", {"history": moves("waiting", "submitting", "queued")}),
        ("wrong", {"runs": [a_run(lamina_run_id="L7")]}),
    ],
)
def test_compare_finds_what_differs(kind: str, changes: dict[str, Any]) -> None:
    assert getattr(compared(**changes), kind)


def test_compare_finds_a_picture_that_was_never_copied() -> None:
    picture = {**TEXT, "type": "image", "value": "http://far/1.jpg"}
    output = {**OUTPUT, "text": "", "remote_url": "http://far/1.jpg", "copy_error": ""}
    assert compared(outputs=[output], remote=[{**REMOTE, "outputs": [picture]}]).stuck


def test_compare_knows_an_output_by_what_it_is_where_its_id_is_from_a_list() -> None:
    assert compared(outputs=[{**OUTPUT, "lamina_id": "asset:1"}]).complaints == []


def test_compare_takes_unconfirmed_only_where_staff_may_be_asked() -> None:
    waiting = {
        "runs": [a_run(status="unconfirmed", lamina_run_id=None)],
        "history": moves("waiting", "submitting", "unconfirmed"),
    }
    assert compared(**waiting).lost
    assert compared(**waiting).stuck
    assert compared(**waiting, allowed=Allowed(unconfirmed=True)).complaints == []
