"""What happens to a delivery after it was stored, and how fast and under which key it is stored."""

import time
from collections import Counter

from lamina_integration.webhooks import SIGNATURE_HEADER
from tests.storm.elsewhere import Elsewhere
from tests.storm.post import Letter, percentile, post_all
from tests.storm.processes import wait_until
from tests.storm.promises.deliveries import letters_for, unapplied
from tests.storm.stage import WORKERS
from tests.storm.trial import Trial

KEY_PATH = "/webhooks/signing-key"
STRANGER = 20

# The first time a delivery moves one of every ten runs the database refuses the line in its history: the
# handler fails in the middle of its own transaction, by an error nobody in the portal knows of.
STUMBLE = """
create or replace function storm_stumble() returns trigger language plpgsql as $$
begin
    if new.told_by = 'delivery' and abs(hashtext(new.run_id::text)) % 10 < {tenths}
       and (select max(d.tries) from runs_delivery d join runs_attempt a on a.id = d.attempt_id
            where a.run_id = new.run_id) = 1
    then
        perform nextval('storm_stumbles');
        raise exception 'the storm trips this handler the first time';
    end if;
    return new;
end $$;
create sequence if not exists storm_stumbles;
create or replace trigger storm_stumble before insert on runs_move for each row execute function storm_stumble();
"""


def fail_the_first_time(trial: Trial) -> None:
    """Trip the handler of a tenth of the deliveries once; nothing may be left for anybody to remember."""
    stage, rows = trial.stage, trial.stage.rows
    # More of them where there are so few that a tenth would be none.
    tenths = 1 if trial.scale >= 0.2 else 5
    briefs = trial.briefs(trial.count(300, least=16))
    rows.do(STUMBLE.format(tenths=tenths))
    try:
        trial.submit(briefs)
        ended = time.monotonic()
        trial.settle(within=60)
        is_applied = wait_until(lambda: not unapplied(trial), seconds=max(0.0, 60 - (time.monotonic() - ended)))
        seconds = time.monotonic() - ended
        stumbles = int(rows.one("select case when is_called then last_value else 0 end from storm_stumbles"))
    finally:
        rows.do("drop trigger storm_stumble on runs_move; drop function storm_stumble; drop sequence storm_stumbles")
    tries = Counter(row["tries"] for row in rows.deliveries(trial.name))
    answers = Counter(each["answer"] for each in stage.lamina.ledger()["deliveries"])
    trial.tried = (
        f"{len(briefs)} runs, {stumbles} handlers tripped (deliveries by tries: {dict(sorted(tries.items()))})"
    )
    trial.note(f"nothing was left unprocessed {seconds:.0f} s after the last form (allowed: 60)")
    trial.demand(stumbles, "no handler failed: nothing was tried")
    trial.demand(is_applied, f"{unapplied(trial)} deliveries are unprocessed after 60 s")
    fives = {answer: count for answer, count in answers.items() if isinstance(answer, int) and answer >= 500}
    trial.demand(not fives.keys() - {503}, f"deliveries were answered {fives}")
    trial.compare(briefs)


def rotate_keys(trial: Trial) -> None:
    """Change the signing key with and without overlap while runs end, and flood the portal with forgeries."""
    stage = trial.stage
    cool_down = 60 / stage.haste
    # As Lamina pauses between its tries: the last comes later than a cool-down.
    stage.lamina.turn(webhook_pace=1 / stage.haste)
    began = time.monotonic()
    asked = stage.lamina.requests(path=KEY_PATH)
    briefs: list[str] = []
    for kind, keep_old in (("before", None), ("overlap", True), ("bare", False)):
        if keep_old is not None:
            # What was signed with the old key has arrived; what ends now is signed with the new one.
            wait_until(lambda: stage.rows.unsettled(trial.name) == 0, seconds=90)
            stage.lamina.rotate_key(keep_old=keep_old)
        part = trial.briefs(trial.count(60, least=5), kind=f"{kind} ")
        trial.submit(part)
        briefs += part
    flood = forgeries(trial, count=trial.count(5000, least=300))
    sent = post_all(stage.web_url, flood, threads=4)
    trial.settle(within=150)
    wait_until(lambda: not pending(trial), seconds=150 / stage.haste + 30, pause=1)
    fetched = stage.lamina.requests(path=KEY_PATH) - asked
    elapsed = time.monotonic() - began
    answers = Counter(each.status for each in sent)
    lost = pending(trial)
    trial.tried = (
        f"{len(briefs)} runs over three keys, {len(sent)} forgeries in {sum(e.seconds for e in sent) / 4:.0f} s"
    )
    trial.note(f"the keys were fetched {fetched} times in {elapsed:.0f} s; the cool-down is {cool_down:.0f} s")
    trial.note(f"forgeries were answered {dict(answers)}")
    trial.demand(fetched <= elapsed // cool_down + 1, f"the keys were fetched {fetched} times in {elapsed:.0f} s")
    trial.demand(fetched >= 1, "the keys were never fetched: nothing was tried")
    trial.demand(answers.keys() == {503}, f"forgeries were answered {dict(answers)}")
    trial.demand(not lost, f"{len(lost)} genuine deliveries were never taken: {lost[:3]}")
    trial.compare(briefs)


def pending(trial: Trial) -> list[str]:
    """Return the runs whose genuine deliveries were all refused so far."""
    taken: dict[str, bool] = {}
    for each in trial.stage.lamina.ledger()["deliveries"]:
        taken[each["runId"]] = taken.get(each["runId"], False) or each["answer"] in (200, 202)
    return [run_id for run_id, is_taken in taken.items() if not is_taken]


def forgeries(trial: Trial, *, count: int) -> list[Letter]:
    """Return deliveries that have all a genuine one has but a signature of Lamina's."""
    return forged(trial, letters_for(trial, count=count))


def forged(trial: Trial, letters: list[Letter]) -> list[Letter]:
    """Return these with signatures that no key has made."""
    return [
        (path, {**headers, SIGNATURE_HEADER: trial.dice.randbytes(64).hex()}, body) for path, headers, body in letters
    ]


def answer_fast(trial: Trial) -> None:
    """Send two hundred deliveries a second while no worker runs, one of twenty signed with a key nobody knows."""
    stage = trial.stage
    rate, seconds = 200, trial.count(30, least=3)
    letters = letters_for(trial, runs=20, count=rate * seconds)
    letters[::STRANGER] = forged(trial, letters[::STRANGER])
    strangers = len(letters[::STRANGER])
    for name in WORKERS:
        stage.company.kill(name, comes_back=False)
    asked, queued = settled_requests(trial), stage.queued("tracking")
    elsewhere = Elsewhere(stage.company)
    sent = post_all(stage.web_url, letters, threads=16, a_second=rate)
    called = stage.lamina.requests() - asked
    times = [each.seconds for each in sent]
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    is_quiet, words = elsewhere.is_quiet, elsewhere.words()
    answers = Counter(each.status for each in sent)
    stored = len(stage.rows.deliveries(trial.name))
    trial.tried = f"{len(sent)} deliveries at {rate} a second, {strangers} with an unknown key, all workers stopped"
    trial.note(
        f"median {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms (allowed: 500), slowest {max(times) * 1000:.0f} ms,"
        " from the moment each was due"
    )
    trial.note(words)
    trial.demand(answers == {200: len(sent) - strangers, 503: strangers}, f"answers were {dict(answers)}")
    trial.demand(stored == len(sent) - strangers, f"{stored} rows for {len(sent) - strangers} genuine deliveries")
    # Those of the schedule, one of which is for the keys; not one for each that nobody could verify.
    told = stage.queued("tracking") - queued
    trial.demand(told <= seconds + 10, f"{told} messages for the keys of {strangers} deliveries")
    trial.demand(p99 <= 0.5 or not is_quiet, f"p99 was {p99 * 1000:.0f} ms")
    trial.demand(not called, f"{called} calls went out while no worker ran: they came from the requests")


def settled_requests(trial: Trial) -> int:
    """Return how many requests the stand-in has had, once it counts no more of those the dead had sent."""
    count = trial.stage.lamina.requests()
    for _ in range(10):
        time.sleep(0.5)
        before, count = count, trial.stage.lamina.requests()
        if count == before:
            break
    return count
