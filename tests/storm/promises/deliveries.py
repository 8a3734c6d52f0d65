"""Deliveries: repeated, late, false, interrupted, many."""

import hashlib
import threading
import time
from collections import Counter
from typing import Any

from lamina_integration.webhooks import TIMESTAMP_HEADER
from tests.storm.lamina import signed
from tests.storm.ledger import Allowed
from tests.storm.overheard import Overheard
from tests.storm.post import Letter, post_all
from tests.storm.processes import wait_until
from tests.storm.trial import Trial

# Deliveries a second while the web is killed under them.
PACE = 100


def repeat_and_lie(trial: Trial) -> None:
    """Three of each delivery in any order, and among them corrupt, stale and foreign ones."""
    stage, rows = trial.stage, trial.stage.rows
    briefs = trial.briefs(trial.count(300, least=16))
    # One in a hundred as promised; more where so few come that there would be none.
    chance = max(0.01, 6 / (len(briefs) * 6))
    stage.lamina.turn(webhook_corrupt=chance, webhook_stale=chance, webhook_unknown=chance)
    with Overheard(stage.lamina) as heard:
        trial.submit(briefs)
        seconds = trial.settle(within=120)
        # Lamina's second tries of what was refused still come in: what counts is that nothing stays.
        is_applied = wait_until(lambda: not unapplied(trial), seconds=60)
        wait_until(lambda: not unasked(trial, heard), seconds=60, pause=1)
    sent = Counter(each["kind"] for each in stage.lamina.ledger()["deliveries"])
    answers = Counter((each["kind"], each["answer"]) for each in stage.lamina.ledger()["deliveries"])
    corrupt_taken = sum(
        count for (kind, answer), count in answers.items() if kind == "corrupt" and 200 <= int(answer) < 300
    )
    trial.tried = f"{len(briefs)} runs, {sum(sent.values())} deliveries: " + ", ".join(
        f"{count} {kind}" for kind, count in sorted(sent.items())
    )
    if chance > 0.01:
        trial.note(f"the share of false ones is raised to {chance:.0%}, so that there are some")
    trial.note(f"settled {seconds:.0f} s after the last form")
    trial.demand({"corrupt", "stale", "unknown"} <= sent.keys(), f"not every kind of lie was told: {dict(sent)}")
    trial.demand(not corrupt_taken, f"{corrupt_taken} corrupt deliveries were taken")
    trial.demand(is_applied, f"{unapplied(trial)} deliveries were not applied within 60 s")
    fives = [answer for (_kind, answer) in answers if isinstance(answer, int) and answer >= 500 and answer != 503]
    trial.demand(not fives, f"deliveries were answered {fives}")
    stale = sum(each["verdict"] == "stale" for each in rows.deliveries(trial.name))
    came = sum(count for (kind, answer), count in answers.items() if (kind, answer) == ("stale", 200))
    trial.demand(stale == came, f"{stale} deliveries were called stale, {came} were")
    trial.demand(not unasked(trial, heard), f"stale, and nobody asked about {unasked(trial, heard)[:3]}")
    count_rows(trial)
    trial.compare(briefs, Allowed(on_record=True))


def unasked(trial: Trial, heard: Overheard) -> list[str]:
    """Return the runs at Lamina that a stale delivery told of and that nobody has asked about since."""
    stale = [each for each in trial.stage.rows.deliveries(trial.name) if each["verdict"] == "stale"]
    return [
        each["lamina_run_id"]
        for each in stale
        if not heard.asked_about(each["lamina_run_id"], since=each["received_at"].replace(microsecond=0))
    ]


def count_rows(trial: Trial) -> None:
    """Demand a row for each different thing that was told, and none for anything else.

    What was signed is not in the ledger. But each 200 is a row and each 202 a repeat, a row's digest is
    that of its own body, and of each state that Lamina told of a run to an address there is one.
    """
    # One may be on its way: its row is there before Lamina has its answer.
    wait_until(lambda: told_and_kept(trial)[-1], seconds=20, pause=1)
    found, told, is_equal = told_and_kept(trial)
    answers = Counter(each["answer"] for each in told)
    repeats = sum(row["repeats"] for row in found)
    trial.demand(is_equal, f"{len(found)} rows and {repeats} repeats are counted for the answers {dict(answers)}")
    trial.demand(answers[202], "nothing was repeated: nothing was tried")
    untrue = [
        row for row in found if row["digest"] != digest_of(int(row["signed_at"].timestamp()), row["body"].encode())
    ]
    trial.demand(not untrue, f"{len(untrue)} rows have another digest than what was signed")
    kept = {(row["token"], row["lamina_run_id"], row["status"]) for row in found}
    taken = [each for each in told if each["kind"] in {"genuine", "stale"} and each["answer"] in {200, 202}]
    missing = {(each["url"].rstrip("/").rsplit("/", 1)[-1], each["runId"], each["status"]) for each in taken} - kept
    trial.demand(not missing, f"{len(missing)} different deliveries were taken and have no row")


def told_and_kept(trial: Trial) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Return the rows of deliveries, what Lamina told and was answered, and whether the one is as many as the other.

    One that Lamina has no answer to may have been kept all the same, as a row or a repeat.
    """
    found = trial.stage.rows.ask(
        "select d.digest, d.repeats, d.body, d.signed_at, d.lamina_run_id, a.token,"
        " d.body::json->'data'->>'status' as status"
        " from runs_delivery d join runs_attempt a on a.id = d.attempt_id"
    )
    told = trial.stage.lamina.ledger()["deliveries"]
    answers = Counter(each["answer"] for each in told)
    unanswered = sum(count for answer, count in answers.items() if not isinstance(answer, int))
    beyond = len(found) - answers[200], sum(row["repeats"] for row in found) - answers[202]
    return found, told, all(0 <= more <= unanswered for more in beyond)


def kill_web_while_they_come(trial: Trial) -> None:
    """Kill the web again and again while deliveries come in; each one that was answered 2xx must be a row."""
    stage, rows = trial.stage, trial.stage.rows
    count = trial.count(5000, least=300)
    letters = letters_for(trial, runs=trial.count(50, least=10), count=count)
    over = threading.Event()
    kills = 0

    def kill() -> None:
        nonlocal kills
        while not over.wait(trial.dice.uniform(1.0, 2.0)):
            stage.company.kill("web")
            kills += 1
            stage.company.wait_up("web")

    killer = threading.Thread(target=kill, name="killer")
    killer.start()
    began = time.monotonic()
    # At a steady rate: sent as fast as they are taken, a short storm's were through before the first kill.
    sent = post_all(stage.web_url, letters, threads=8, a_second=PACE, patience=60)
    seconds = time.monotonic() - began
    over.set()
    killer.join()
    known = {row["digest"] for row in rows.deliveries(trial.name)}
    taken = [each for each in sent if 200 <= each.status < 300]
    lost = [each for each in taken if digest(each.letter) not in known]
    trial.tried = f"{len(sent)} deliveries in {seconds:.0f} s, web killed {kills} times"
    trial.note(f"{len(taken)} answered 2xx, {len(known)} rows")
    trial.demand(kills >= 1, "the web was never killed: nothing was tried")
    trial.demand(len(taken) == len(letters), f"{len(letters) - len(taken)} deliveries were never taken")
    trial.comparison.lost.extend(f"delivery {digest(each.letter)[:12]} was answered {each.status}" for each in lost)
    repeated = rows.one("select count(*) - count(distinct digest) from runs_delivery")
    trial.demand(not repeated, f"{repeated} deliveries are stored twice")


def letters_for(trial: Trial, *, count: int, runs: int = 0) -> list[Letter]:
    """Return so many different, genuine deliveries for runs that Lamina has; some are started for it if asked."""
    stage = trial.stage
    trial.submit(trial.briefs(runs, kind="told of "))
    wait_until(lambda: not stage.rows.one("select count(*) from runs_run where lamina_run_id is null"), seconds=60)
    addresses = [
        (row["lamina_run_id"], f"/hooks/lamina/{row['token']}/")
        for row in stage.rows.ask(
            "select r.lamina_run_id, a.token from runs_run r join runs_attempt a on a.run_id = r.id"
            " where r.lamina_run_id is not null order by r.id limit 100"
        )
    ]
    key = stage.lamina.key()
    known = {run_id: stage.lamina.run(run_id) for run_id, _path in addresses}
    letters = []
    for number in range(count):
        run_id, path = addresses[number % len(addresses)]
        told = {**known[run_id], "progress": {"percentComplete": number / count}}
        headers, body = signed(told, key=key, run_id=run_id)
        letters.append((path, headers, body))
    return letters


def digest(letter: Letter) -> str:
    """Return what the portal knows a delivery by."""
    _path, headers, body = letter
    return digest_of(int(headers[TIMESTAMP_HEADER]), body)


def digest_of(timestamp: int, body: bytes) -> str:
    """Return the digest of what is signed."""
    return hashlib.sha256(f"{timestamp}.".encode() + body).hexdigest()


def unapplied(trial: Trial) -> int:
    """Return how many deliveries of the storm wait to be applied."""
    return sum(row["applied_at"] is None for row in trial.stage.rows.deliveries(trial.name))
