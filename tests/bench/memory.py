"""Memory: what each process holds after thousands of runs, to what it held after the first hundreds."""

from __future__ import annotations

from pathlib import Path

from tests.bench import scene, settling
from tests.bench.control import Hello
from tests.bench.report import Figure, Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import Stage

MOST_GROWTH = 1.1
WORKERS = {name: f"worker {name}" for name in settling.QUEUES}
ROLES = {"web": "web", **WORKERS, "beat": "beat", "stand-in": "stand-in"}
AT_ONCE = 100


def measure(stage: Stage, sizes: Sizes) -> Measured:
    """Return how much each process has grown between its first runs and its last."""
    settling.open_up(stage)
    stage.start_beat()
    member = scene.a_member()
    pinned = settling.pinned_app(member)
    cookie = scene.cookie_of(member)
    hello = Hello(stage=stage, requests=sizes.hellos)
    hello.measure()
    hello.samples.clear()
    hello.measure()

    def settle(count: int) -> None:
        for done in range(0, count, AT_ONCE):
            settling.settle(stage, pinned, cookie, min(AT_ONCE, count - done))
        hello.measure()

    settle(sizes.warm_runs)
    early = held(stage)
    settle(sizes.many_runs - sizes.warm_runs)
    late = held(stage)
    sent = stage.company.services["beat"].said.count("Scheduler: Sending due task")
    stage.stop("beat")
    settling.close_down(stage)
    grown = {key: late[key] / early[key] for key in early if key in late}
    figures = []
    for role, words in ROLES.items():
        own = [key for key in grown if key[0] == role]
        # The stand-in remembers every run on purpose: it is Lamina, and not ours.
        goal = None if role == "stand-in" else ("<=", MOST_GROWTH)
        figures.append(
            Figure(
                name=f"{words}: after {sizes.many_runs} runs, to after {sizes.warm_runs}",
                values=[max(grown[key] for key in own)],
                goal=goal,
            )
        )
        figures.append(Figure(name=f"{words}: its processes then", values=[late[key] for key in own], unit=" MB"))
    gone = early.keys() ^ late.keys()
    if gone:
        raise AssertionError(f"processes came or went meanwhile: {sorted(gone)}")
    return Measured(
        name="memory",
        what=f"what each process holds of its own and its share of the rest, after {sizes.many_runs} runs",
        control_name="hello",
        control=hello.rates,
        figures=figures,
        notes=[
            f"Runs as in settling, {AT_ONCE} at a time, while beat keeps its schedule ({sent} tasks sent). The first "
            "figure of each is that of the process that grew most; a process's memory is its proportional set size."
        ],
    )


def held(stage: Stage) -> dict[tuple[str, int], float]:
    """Return the megabytes of each process, by its service and id."""
    return {(name, pid): megabytes(pid) for name in ROLES for pid in stage.members(name) if megabytes(pid)}


def megabytes(pid: int) -> float:
    """Return what a process holds: its own pages, and its share of those it has with others."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return 0.0
