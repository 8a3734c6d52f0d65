"""The demo's processes: started again when they die, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import embedded
from portal.demo.errors import DemoError
from portal.demo.guard import Guard
from portal.demo.processes import Family, Service
from portal.demo.stopping import SIGNALS, StopRequest

FOREVER = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w').close(); {FOREVER}"


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """Return a stop request, and give the test runner its signal handlers back."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGCHLD)}
    yield StopRequest()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def family(tmp_path: Path, stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """Return a family without members."""
    monkeypatch.chdir(tmp_path)
    with embedded.locked(tmp_path) as lock, Guard() as guard:
        family = Family(environment=dict(os.environ), logs=tmp_path, lock=lock, guard=guard, stop=stop)
        yield family
        family.stop_all(tuple(family.children))


def service(code: str, *, name: str = "member", answers: Callable[[], bool] = lambda: True) -> Service:
    """Return a service that runs this Python code."""
    return Service(name=name, command=[sys.executable, "-c", code], answers=answers, stop_within_seconds=0.3)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Return once the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_dead_process_is_started_again_with_a_line_about_it(
    family: Family, stop: StopRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = f"""
import os, pathlib, signal
if pathlib.Path("was-here").exists():
    os.kill({os.getpid()}, signal.SIGTERM)
    {FOREVER}
pathlib.Path("was-here").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""
    family.start(service(again))
    first = family.children["member"].process.pid
    family.keep_running()
    assert family.children["member"].process.pid != first
    assert "The member process was killed (SIGKILL); starting it again in 1 s." in capfd.readouterr().out


def test_process_that_ends_at_once_is_told_with_its_last_words(family: Family) -> None:
    family.start(service("raise SystemExit('no such table')", answers=lambda: False))
    with pytest.raises(DemoError, match=r"The member process ended with status 1: no such table \(all of it: .*log\)"):
        family.wait_until_answering(["member"])


def test_process_that_never_answers_is_told(family: Family) -> None:
    family.start(service(FOREVER, answers=lambda: False))
    with pytest.raises(DemoError, match="did not answer within 0 seconds"):
        family.wait_until_answering(["member"], seconds=0.1)


def test_failing_step_is_told_with_its_last_words(family: Family) -> None:
    with pytest.raises(DemoError, match=r"The migrate process failed with status 3: broken"):
        family.run({"migrate": [sys.executable, "-c", "print('broken'); raise SystemExit(3)"]})


def test_stop_kills_the_deaf_and_what_a_process_forked(family: Family, tmp_path: Path) -> None:
    fork = f"import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); {FOREVER}"
    family.start(service(fork, name="parent"))
    family.start(service(DEAF, name="deaf"))
    wait_for(lambda: (tmp_path / "deaf").exists() and bool((tmp_path / "parent.log").read_text().strip()))
    forked = int((tmp_path / "parent.log").read_text())
    pids = [child.process.pid for child in family.children.values()]
    family.stop_all(("parent", "deaf"))
    wait_for(lambda: not any(map(is_running, [forked, *pids])))


def test_processes_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    supervisor = f"""
import os, sys, time
from portal import embedded
from portal.demo.guard import Guard
from portal.demo.processes import Family, Service
from portal.demo.stopping import StopRequest
from pathlib import Path
here = Path({str(tmp_path)!r})
with embedded.locked(here) as lock, Guard() as guard:
    family = Family(environment=dict(os.environ), logs=here, lock=lock, guard=guard, stop=StopRequest())
    command = [sys.executable, "-c", {FOREVER!r}]
    family.start(Service(name="member", command=command, answers=bool, stop_within_seconds=1))
    print(family.children["member"].process.pid, flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", supervisor], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    member = int(process.stdout.readline())
    assert is_running(member)
    process.kill()
    process.communicate()
    wait_for(lambda: not is_running(member))
    wait_for(lambda: can_be_locked(tmp_path))


def can_be_locked(folder: Path) -> bool:
    """Tell whether a data folder is held by nobody."""
    try:
        with embedded.locked(folder):
            return True
    except embedded.DataFolderInUse:
        return False
