"""A month's budget under many clicks at once and a crash in the middle."""

import threading
import time
from decimal import Decimal

from tests.storm.processes import wait_until
from tests.storm.stage import NOTE
from tests.storm.trial import Trial

THREADS = 64
PRICE = """
select greatest(credits_expected, credits_min, credits_max) from catalogue_app a
join catalogue_pinnedapp p on p.app_id = a.id where p.id = %s
"""


def spend_all_at_once(trial: Trial) -> None:
    """Send more than the budget holds from 64 threads, kill web and workers meanwhile, and add everything up."""
    stage, rows = trial.stage, trial.stage.rows
    price = Decimal(rows.one(PRICE, stage.pins[NOTE]))
    fitting = trial.count(200, least=20)
    # A little more than so many runs: what is left is less than a price, and must not be spent either.
    budget = price * fitting + price / 2
    rows.do("update workspaces_workspace set monthly_budget = %s where slug = 'demo'", budget)
    briefs = trial.briefs(fitting * 3)
    over = threading.Event()
    most = Decimal(0)

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, rows.one("select coalesce(max(held + spent), 0) from workspaces_budgetmonth"))

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    sender = threading.Thread(target=trial.submit, args=(briefs,), kwargs={"threads": THREADS, "tries": 100})
    sender.start()
    wait_until(lambda: len(rows.runs(trial.name)) >= fitting // 3, seconds=30, pause=0.02)
    stage.company.kill("web")
    wait_until(lambda: len(rows.runs(trial.name)) >= fitting * 2 // 3, seconds=30, pause=0.02)
    stage.company.kill("web")
    stage.company.kill("worker-interactive")
    sender.join()
    # The machine is whole again, and there is room for none of these.
    trial.submit(trial.briefs(10, kind="after "), threads=2, tries=100)
    taken, kept = len(rows.runs(trial.name)), most
    # Until now no run could end, so that none made room for another.
    stage.lamina.turn(manual=False)
    ended = time.monotonic()
    trial.settle(within=120)
    held = "select coalesce(sum(held), 0) from workspaces_budgetmonth"
    released = wait_until(lambda: rows.one(held) == 0, seconds=60)
    seconds = time.monotonic() - ended
    over.set()
    watcher.join()
    runs = rows.runs(trial.name)
    month = rows.ask("select held, spent from workspaces_budgetmonth")[0]
    lines = rows.ask("select run_id, held, settled from workspaces_ledgerline")
    trial.tried = (
        f"{len(briefs) + 10} forms from {THREADS} threads into a budget for {fitting}, web killed twice, a worker once"
    )
    trial.note(f"{taken} runs were taken; held and spent were at most {kept:g} of {budget:g}")
    trial.note(f"nothing was held any more {seconds:.0f} s after the runs went on (allowed: 60)")
    trial.demand(most <= budget, f"{most} of {budget} were held and spent")
    trial.demand(len(runs) <= fitting, f"{len(runs)} runs in a budget for {fitting}")
    trial.demand(
        len(runs) == fitting, f"only {len(runs)} runs in a budget for {fitting}: something was held for nothing"
    )
    trial.demand(released and seconds <= 60, f"{rows.one(held)} are still held {seconds:.0f} s after the runs went on")
    sums = (sum(line["held"] for line in lines), sum(line["settled"] for line in lines))
    trial.demand(sums == (month["held"], month["spent"]), f"the lines add up to {sums}, the month says {month}")
    trial.demand({line["run_id"] for line in lines} == {run["id"] for run in runs}, "lines and runs are not the same")
    charged = sum(Decimal(str(each["credits"])) for each in stage.lamina.ledger()["charges"])
    trial.demand(month["spent"] == charged, f"{month['spent']} are counted, Lamina charged {charged}")
    trial.compare([run["brief"] for run in runs])
