"""From the click to Lamina's answer: what is interrupted, lost or repeated on that way."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.storm.ledger import Allowed
from tests.storm.processes import wait_until
from tests.storm.stage import LONE, NOTE
from tests.storm.trial import Trial


def kill_web_before_the_message(trial: Trial) -> None:
    """Hold every message back at the broker, wait until the rows are there, kill the web: no message was sent.

    Redis is told to pause writes, so that pages read their sessions and a form's row is committed,
    and the process then hangs in sending the message. The messages that hang die with it.
    """
    stage, rows = trial.stage, trial.stage.rows
    in_flight, rounds = 8, trial.count(8, least=1)
    briefs = trial.briefs(in_flight * rounds)
    caught = 0
    for number in range(rounds):
        part = briefs[number * in_flight : (number + 1) * in_flight]
        # The session and the schema are in the cache from here on, so that nothing is written before the row is.
        stage.visitor.form(stage.pins[NOTE], fresh=True)
        stage.redis.execute_command("CLIENT", "PAUSE", 20_000, "WRITE")
        sender = threading.Thread(target=trial.submit, args=(part,), kwargs={"threads": in_flight})
        sender.start()
        wait_until(lambda: len(rows.runs(trial.name)) >= (number + 1) * in_flight, seconds=8)  # noqa: B023
        stage.company.kill("web", comes_back=False)
        sender.join()
        caught += len(rows.runs(trial.name)) - number * in_flight
        # The connections of the dead are gone before anybody may write again.
        time.sleep(0.3)
        stage.redis.execute_command("CLIENT", "UNPAUSE")
        stage.company.start("web")
        stage.company.wait_up("web")
    killed_at = time.monotonic()
    sent = wait_until(
        lambda: (
            not rows.one("select count(*) from runs_run where sent_at is null and status in ('waiting', 'submitting')")
        ),
        seconds=90,
    )
    seconds = time.monotonic() - killed_at
    by_sweep = rows.one("select count(*) from runs_run where sent_at - created_at > interval '4.5 seconds'")
    trial.settle(within=60)
    trial.tried = f"{caught} forms whose row was committed and whose message was not sent, web killed {rounds} times"
    trial.note(f"all sent {seconds:.0f} s after the last kill (allowed: 60); the sweep found {by_sweep} of {caught}")
    trial.demand(sent and seconds <= 60, f"not all were sent within 60 s ({seconds:.0f} s)")
    trial.demand(caught >= in_flight * rounds / 2, f"only {caught} forms were caught between commit and message")
    trial.demand(by_sweep, "every run was sent at once: no message was lost, nothing was tried")
    # A form that never reached the database is no intent yet: the person saw no answer and presses again.
    trial.compare([run["brief"] for run in rows.runs(trial.name)])


def lose_answers(trial: Trial) -> None:
    """Have Lamina take each start and cut the connection; for half of the runs no delivery comes either."""
    stage, rows = trial.stage, trial.stage.rows
    flood = trial.briefs(trial.count(200, least=12))
    trial.submit(flood)
    # A Lamina that answers no start is tried less and less often: the last wait their turn.
    patience = 900 / stage.haste
    wait_until(lambda: not unstarted(trial, flood), seconds=patience, pause=0.5)
    wait_until(lambda: len(stage.lamina.ledger()["deliveries"]) >= len(flood), seconds=60, pause=0.5)
    # Alone of their app, and nothing is delivered: these the sweep has to find among Lamina's runs.
    stage.lamina.turn(webhook_dropped=1.0)
    lone = trial.briefs(len(LONE), kind="lone ")
    for brief, app in zip(lone, LONE, strict=True):
        trial.submit([brief], app=app)

    def dropped() -> int:
        return sum(each["kind"] == "dropped" for each in stage.lamina.ledger()["deliveries"])

    wait_until(lambda: not unstarted(trial, lone), seconds=patience, pause=0.5)
    # Beyond the grace time, when a run that could not be found might be sent again.
    time.sleep(130 / stage.haste)
    trial.settle(within=60, but=lambda: dropped() - len(lone))
    runs = rows.runs(trial.name)
    states = {state: sum(run["status"] == state for run in runs) for state in {run["status"] for run in runs}}
    lone_found = sum(run["status"] == "completed" for run in runs if run["brief"] in lone)
    trial.tried = f"{len(runs)} starts without an answer, {dropped()} of them without a delivery"
    trial.note(
        f"by callback or sweep {states.get('completed', 0)}, shown to staff {states.get('unconfirmed', 0)} at the end"
    )
    trial.note(f"the sweep found {lone_found} of {len(lone)} that were the only ones of their app")
    trial.demand(lone_found == len(lone), f"the sweep found only {lone_found} of {len(lone)} unmistakable runs")
    trial.demand(not states.get("failed"), f"{states.get('failed')} runs were called failed")
    told = states.get("unconfirmed", 0)
    shown = f"portal_unconfirmed_runs {told}.0" in stage.visitor.get("/metrics").text
    trial.demand(shown, f"/metrics does not show {told} unconfirmed runs")
    trial.compare([*flood, *lone], Allowed(unconfirmed=True))
    known = {run["brief"] for run in runs if run["status"] != "unconfirmed"}
    delivered = {each["runId"] for each in stage.lamina.ledger()["deliveries"] if each["answer"] == 200}
    briefs = {start["runId"]: start["inputs"]["brief_text"] for start in stage.lamina.ledger()["starts"]}
    missed = [briefs[run_id] for run_id in delivered if briefs[run_id] not in known]
    trial.demand(not missed, f"delivered and still unconfirmed: {missed[:5]}")


def unstarted(trial: Trial, briefs: list[str]) -> int:
    """Return how many of these intents Lamina has not taken yet."""
    taken = {start["inputs"].get("brief_text") for start in trial.stage.lamina.ledger()["starts"]}
    return len(set(briefs) - taken)


def click_together(trial: Trial) -> None:
    """Post one form fifty times at once, again from the history, and the same sentence from two tabs."""
    stage = trial.stage
    pin, threads = stage.pins[NOTE], 50
    clicks = trial.briefs(trial.count(20, least=2), kind="click ")
    landed: dict[str, set[str]] = {}
    statuses: set[int] = set()
    edited: set[int] = set()  # what the same form got with something else in it: asked about, and not sent
    with ThreadPoolExecutor(threads) as pool:
        for brief in clicks:
            token = stage.visitor.form(pin, fresh=True)["token"]
            answers = list(pool.map(lambda _: stage.visitor.send(pin, brief, token=token), range(threads)))  # noqa: B023
            # Back, and sent again: by now the run has begun or ended.
            answers.append(stage.visitor.send(pin, brief, token=token))
            edited.add(stage.visitor.send(pin, f"{brief} changed", token=token).status)
            landed[brief] = {answer.run_url for answer in answers}
            statuses |= {answer.status for answer in answers}
    tabs = trial.briefs(2, kind="tab ")
    pages = [stage.visitor.form(pin, fresh=True)["token"] for _ in tabs]
    trial.demand(len(set(pages)) == len(pages), "two tabs have the same form token")
    for brief, token in zip(tabs, pages, strict=True):
        stage.visitor.send(pin, brief, token=uuid.UUID(token))
    trial.settle(within=60)
    trial.tried = f"{len(clicks)} forms posted by {threads} threads each and once more by Back, once edited; two tabs"
    trial.demand(statuses == {302}, f"answers were {sorted(statuses)}, not all 302")
    trial.demand(edited == {409}, f"edited forms were answered {sorted(edited)}, not all 409")
    astray = [brief for brief, urls in landed.items() if len(urls) != 1]
    trial.demand(not astray, f"people were sent to different runs: {astray[:5]}")
    trial.compare([*clicks, *tabs])
