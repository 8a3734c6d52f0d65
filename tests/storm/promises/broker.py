"""A broker that goes away."""

import threading
import time

from tests.storm.processes import wait_until
from tests.storm.trial import Trial

RESTARTS = 5


def restart_under_load(trial: Trial) -> None:
    """Kill Redis five times while people submit, then keep it away; what waits must move soon after it is back."""
    stage, rows = trial.stage, trial.stage.rows
    briefs = trial.briefs(trial.count(300, least=20))
    half = len(briefs) // 2
    sender = threading.Thread(
        target=trial.submit, args=(briefs[:half],), kwargs={"threads": 3, "pause": 0.5, "tries": 5}
    )
    sender.start()
    pause = 2.0 if trial.scale >= 1 else 0.5
    for _ in range(RESTARTS):
        time.sleep(pause)
        stage.company.kill("redis")
        stage.company.wait_up("redis")
    sender.join()

    away = 60 if trial.scale >= 1 else 6
    stage.company.kill("redis", comes_back=False)
    gone_at = time.monotonic()
    answers = trial.submit(briefs[half:], threads=3, tries=5)
    refused = sum(answer.status != 302 for answer in answers.values())
    time.sleep(max(0.0, away - (time.monotonic() - gone_at)))
    waiting = "select count(*) from runs_run where status = 'waiting'"
    backlog = rows.one(waiting)
    stage.company.start("redis")
    stage.company.wait_up("redis")
    back_at = time.monotonic()
    fell = wait_until(lambda: rows.one(waiting) < backlog, seconds=90)
    falls_after = time.monotonic() - back_at
    seconds = trial.settle(within=180)
    trial.tried = f"{len(briefs)} runs, Redis killed {RESTARTS} times, then away {away} s with {backlog} runs waiting"
    trial.note(
        f"the backlog fell {falls_after:.1f} s after Redis was back (allowed: 15), all settled {seconds:.0f} s later"
    )
    trial.demand(backlog, "nothing was waiting when Redis came back: nothing was tried")
    trial.demand(fell and falls_after <= 15, f"the backlog fell only after {falls_after:.0f} s")
    trial.demand(not refused, f"{refused} forms were not taken while Redis was away")
    trial.compare(briefs)
