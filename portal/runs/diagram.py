"""The states of a run as a page of documentation, drawn from the table of moves."""

from portal.runs.states import ACTIVE, FINAL, MEANINGS, MOVES, Status

FILE = "docs/states.md"
HEAD = """# The states of a run

Drawn from `MOVES` in `portal/runs/states.py` by `manage.py draw_states`; a test fails when this page is older than
the table. `Run.move` is the only function that makes a move: an `UPDATE` filtered on the state it leaves and, in the
same transaction, a line of history with who told us and why.
"""


def states_page() -> str:
    """Return the page: a diagram, what each state means, and why each move is made."""
    return "\n".join([HEAD, *_diagram(), "", *_states(), "", *_moves(), ""])


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Status.WAITING.value}"]
    for leaving, moves in MOVES.items():
        lines += [f"    {Status(leaving).value} --> {Status(to).value}" for to in moves]
    lines += [f"    {state.value} --> [*]" for state in Status if state in FINAL]
    return [*lines, "```"]


def _states() -> list[str]:
    lines = ["| state | shown as | means | what is waited for |", "| --- | --- | --- | --- |"]
    for state in Status:
        lines.append(f"| `{state.value}` | {state.label} | {MEANINGS[state]} | {_waits_for(state)} |")
    return lines


def _waits_for(state: Status) -> str:
    if state in FINAL:
        return "nothing: it is over"
    return "the portal or Lamina" if state in ACTIVE else "a person"


def _moves() -> list[str]:
    lines = ["| from | to | why |", "| --- | --- | --- |"]
    for leaving, moves in MOVES.items():
        lines += [f"| `{Status(leaving).value}` | `{Status(to).value}` | {why} |" for to, why in moves.items()]
    return lines
