"""One start of the demo, from the options to the last process's end."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from portal import embedded
from portal.demo.errors import DemoError
from portal.demo.guard import Guard
from portal.demo.kept import Kept, load_or_make
from portal.demo.loopback import HOST, check_portal_port
from portal.demo.options import Options
from portal.demo.processes import Family, Service, Stopped
from portal.demo.services import environment, services
from portal.demo.steps import Done, steps
from portal.demo.stopping import StopRequest
from portal.demo.terminal import say

LARGEST_LOG_BYTES = 5_000_000
# The queue ends last: the others still write to it while they finish.
STOP_ORDER = (("web", "beat", "worker"), ("stand-in",), ("valkey",))


def run(options: Options, *, environ: Mapping[str, str]) -> None:
    """Run the demo until somebody stops it; raise DemoError if it cannot start."""
    began = time.monotonic()
    stop = StopRequest()
    with embedded.locked(options.data) as lock, Guard() as guard:
        check_portal_port(options.port)
        kept = load_or_make(options.data, portal_port=options.port)
        family = Family(
            environment=environment(options, kept, inherited=environ),
            logs=open_logs(options.data),
            lock=lock,
            guard=guard,
            stop=stop,
        )
        try:
            start(family, services(options, kept), options, kept)
            say(greeting(options, kept, seconds=time.monotonic() - began))
            family.keep_running()
        except Stopped:
            say("\nStopping before all was up ...")
        else:
            say("\nStopping ...")
        finally:
            family.stop_all(*STOP_ORDER)
    say("Stopped. The data stays; the same command goes on with it.")


def start(family: Family, services: Mapping[str, Service], options: Options, kept: Kept) -> None:
    """Bring everything up; returns once all of it answers."""
    say(f"Starting the portal, with its data in {options.data} ...")
    done = Done(options.data)
    migrate, collectstatic, demo_data = steps(data=options.data)
    due = [step for step in (migrate, collectstatic) if done.is_due(step)]
    demo_data_due = migrate in due or done.is_due(demo_data)

    for name in ("valkey", "stand-in"):
        family.start(services[name])
    family.wait_until_answering(["valkey"])
    family.run({step.name: step.command for step in due})
    family.wait_until_answering(["stand-in"])
    if demo_data_due:
        passwords = {f"DEMO_PASSWORD_{account.upper()}": word for account, word in kept.passwords.items()}
        family.run({demo_data.name: demo_data.command}, extra=passwords)
        due.append(demo_data)
    for step in due:
        done.mark(step)

    for name in ("web", "worker", "beat"):
        family.start(services[name])
    family.wait_until_answering(["web", "worker"])


def open_logs(data: Path) -> Path:
    """Return the folder of the logs, large ones of earlier starts put aside."""
    folder = data / "logs"
    try:
        folder.mkdir(exist_ok=True)
        for log in folder.glob("*.log"):
            if log.stat().st_size > LARGEST_LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
    except OSError as error:
        raise DemoError(f"{folder} cannot be written ({error.strerror}). Choose another data folder: DATA=.") from error
    if not os.access(folder, os.W_OK):
        raise DemoError(f"{folder} cannot be written. Choose another data folder: DATA=.")
    return folder


def greeting(options: Options, kept: Kept, *, seconds: float) -> str:
    """Return what a person needs to know once everything runs."""
    address = f"http://{HOST}:{options.port}/"
    whose = {"owner": "", "creator": "", "staff": f"   (also {address}admin/)"}
    accounts = [
        f"    {account + '@demo.test':20} {kept.passwords[account]:28}{note}".rstrip()
        for account, note in whose.items()
    ]
    webhooks = "" if options.webhooks else ", sending no webhooks"
    return "\n".join(
        [
            "",
            f"  Ready after {seconds:.0f} s:  {address}",
            "",
            "  Sign in as",
            *accounts,
            "",
            f"  Lamina is played by a stand-in at http://{HOST}:{kept.stand_in_port}{webhooks}. No credits are spent.",
            f"  Data: {options.data}",
            f"  Logs: {options.data / 'logs'}",
            "",
            "  Ctrl-C stops everything.",
        ]
    )
