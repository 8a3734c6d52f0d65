"""Workers that are killed, and tasks that come twice."""

import os
import re
import signal
import threading
import time
from collections import Counter

from tests.storm.stage import WORKERS
from tests.storm.trial import Trial

INTERACTIVE = "worker-interactive"


def kill_again_and_again(trial: Trial) -> None:
    """Submit while workers die: whole ones, as when a container ends, and single children, as when memory does."""
    briefs = trial.briefs(trial.count(500, least=16))
    over = threading.Event()
    killed: Counter[str] = Counter()
    company = trial.stage.company

    def kill() -> None:
        while not over.wait(trial.dice.uniform(1.5, 3.0)):
            # The lane that starts runs every other time: it is the one with something to lose.
            name = INTERACTIVE if trial.dice.random() < 0.5 else trial.dice.choice(WORKERS)
            children = company.children(name)
            if children and trial.dice.random() < 0.5:
                try:
                    os.kill(trial.dice.choice(children), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed["children"] += 1
            else:
                company.kill(name)
                killed["workers"] += 1

    killer = threading.Thread(target=kill, name="killer")
    killer.start()
    trial.submit(briefs, threads=4, pause=0.4)
    # The storm goes on over what is still waiting.
    time.sleep(trial.count(30, least=3))
    over.set()
    killer.join()
    seconds = trial.settle(within=120)
    trial.tried = f"{len(briefs)} runs, {killed['workers']} workers and {killed['children']} children killed"
    trial.note(f"settled {seconds:.0f} s after the last kill (allowed: 120)")
    trial.demand(killed.total() >= 2, "fewer than two workers were killed: nothing was tried")
    trial.compare(briefs)


def deliver_slow_tasks_again(trial: Trial) -> None:
    """Have the broker lose patience with tasks whose call takes three times as long."""
    slow = 15.0 if trial.scale >= 1 else 8.0
    trial.stage.lamina.turn(slow_starts=slow)
    seen = len(trial.stage.log_of(INTERACTIVE))
    briefs = trial.briefs(trial.count(40, least=4))
    trial.submit(briefs)
    seconds = trial.settle(within=120 + slow * len(briefs) / 4)
    received = Counter(
        re.findall(
            r"Task portal\.runs\.tasks\.send_run\[([0-9a-f-]+)\] received", trial.stage.log_of(INTERACTIVE)[seen:]
        )
    )
    again = sum(count - 1 for count in received.values())
    posts = Counter(start["webhook"] for start in trial.stage.lamina.ledger()["starts"])
    trial.tried = f"{len(briefs)} runs, Lamina answers after {slow:.0f} s, {again} tasks redelivered"
    trial.note(f"all settled after {seconds:.0f} s")
    trial.demand(again, "the broker redelivered nothing: nothing was tried")
    trial.demand(max(posts.values(), default=0) == 1, f"an attempt was posted {max(posts.values(), default=0)} times")
    attempts = len(trial.stage.rows.of_runs("runs_attempt", trial.name))
    trial.demand(attempts == len(briefs), f"{attempts} attempts for {len(briefs)} runs")
    trial.compare(briefs)
