"""Make the virtual environment fit a lock file, then become a Python that runs in it.

    python3 portal/demo/bootstrap.py requirements.lock -m portal.demo

Runs under whatever `python3` a machine has, so it uses the standard library alone, and nothing of
this project. Syntax stays readable for Python 3.7, or a too-old one could not say what it is.
Whatever goes wrong ends in one line that says how to mend it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"

# What pip says when it cannot reach the package index.
NETWORK_WORDS = ("connection", "name resolution", "timed out", "proxyerror", "sslerror", "network is unreachable")


def main(lock: str, *arguments: str) -> None:
    """Install a lock file where that is needed and run Python with these arguments."""
    if os.name != "posix":
        sys.exit("The portal runs on Linux and macOS; on Windows use WSL.")
    if sys.version_info < OLDEST:
        become_newer_python()
    prepare(lock=ROOT / lock)
    os.chdir(str(ROOT))
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, *arguments])  # noqa: S606


def become_newer_python() -> None:
    """Run this file again under a Python that is new enough, or end with a line that names the mend."""
    for name in NEWER_NAMES:
        path = shutil.which(name)
        if path and runs(path):
            os.execv(path, [path, str(Path(__file__).resolve()), *sys.argv[1:]])  # noqa: S606
    sys.exit(
        f"This is Python {sys.version_info[0]}.{sys.version_info[1]}; the portal needs 3.11 or newer. "
        "Install one (Debian 12, Ubuntu 24.04: apt install python3 python3-venv), then run this again."
    )


def runs(path: str) -> bool:
    """Tell whether a Python starts: a version manager has a name for each, also for those it would refuse."""
    asked = subprocess.run(  # noqa: S603
        [path, "-c", ""], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return asked.returncode == 0


def prepare(*, lock: Path) -> None:
    """Make .venv hold exactly what a lock file names; do nothing if it does already."""
    if is_ready(lock):
        return
    with open(str(ROOT / ".venv.lock"), "w") as turn:
        wait_for_others(turn.fileno())
        if not is_ready(lock):
            set_up(lock)


def set_up(lock: Path) -> None:
    """Make .venv where there is none that can be used, and install a lock file into it."""
    if not is_usable():
        make_venv()
    note("Installing dependencies into .venv (up to a minute the first time) ...")
    unfinished().touch()
    install(lock)
    # The development lock holds all of the other one, so one install serves both.
    covered = {lock, ROOT / "requirements.lock"} if "dev" in lock.name else {lock}
    installed().write_text("\n".join(sorted(map(stamp_of, covered))) + "\n")
    unfinished().unlink()


def wait_for_others(turn: int) -> None:
    """Return once nobody else sets .venv up; it is this process's turn until it closes the file with this number.

    Where files cannot be locked, as on some network disks, nobody waits.
    """
    import fcntl  # not on Windows, which is told before

    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("Another start is setting up .venv; waiting until it has ...")
        fcntl.flock(turn, fcntl.LOCK_EX)
    except OSError:
        return


def is_ready(lock: Path) -> bool:
    """Tell whether .venv holds what a lock file names."""
    return is_usable() and stamp_of(lock) in read_lines(installed())


def installed() -> Path:
    """Return the file that says what .venv holds."""
    return VENV / "installed"


def unfinished() -> Path:
    """Return the file that says an install was begun and has not ended."""
    return VENV / "unfinished"


def is_usable() -> bool:
    """Tell whether .venv has a Python with pip and no install was cut short in it."""
    pip = list(VENV.glob("lib/python3.*/site-packages/pip/__main__.py"))
    return (VENV / "bin" / "python").exists() and bool(pip) and not unfinished().exists()


def stamp_of(lock: Path) -> str:
    """Return what changes when the lock, or the Python under .venv, changes."""
    interpreter = os.path.realpath(str(VENV / "bin" / "python"))
    return f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()} {interpreter}"


def read_lines(path: Path) -> "list[str]":
    """Return the lines of a file, none if there is no such file."""
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def make_venv() -> None:
    """Make .venv afresh."""
    # Debian ships venv without ensurepip until python3-venv is installed.
    for module in ("venv", "ensurepip"):
        if subprocess.run([sys.executable, "-c", "import " + module], capture_output=True).returncode:  # noqa: S603
            sys.exit(
                f"Python's {module} module is missing. Debian and Ubuntu: "
                f"apt install python3.{sys.version_info[1]}-venv; then run this again."
            )
    note("Making a virtual environment in .venv ...")
    made = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True
    )
    if made.returncode:
        reason = last_line(made.stderr or made.stdout)
        sys.exit(f"The virtual environment {VENV} cannot be made: {reason}. Is the folder writable, is the disk full?")


def install(lock: Path) -> None:
    """Install what the lock names, each file checked against its hash.

    By uv in seconds, or where that does not succeed by pip, which takes a minute and explains itself.
    """
    if not run_pip(ROOT / "requirements-setup.lock").returncode and is_installed_by_uv(lock):
        return
    done = run_pip(lock)
    if done.returncode:
        log = VENV / "pip.log"
        log.write_text(done.stdout + done.stderr)
        # It ended by itself, so it left nothing half-written: the next try may go on from here.
        unfinished().unlink()
        sys.exit(f"{explain(done.stdout + done.stderr)} (All that pip said: {log})")


def run_pip(lock: Path) -> "subprocess.CompletedProcess[str]":
    """Have pip install a lock file; return what came of it."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
    # To compile all of it takes as long as to unpack it, and a third is ever imported: Python does that as it goes.
    command += [] if sys.dont_write_bytecode else ["--no-compile"]
    environment = dict(os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_ROOT_USER_ACTION="ignore")
    return subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603


def is_installed_by_uv(lock: Path) -> bool:
    """Have uv install a lock file; tell whether it did."""
    command = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python")]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
    command += ["--compile-bytecode"] if sys.dont_write_bytecode else []
    # It does not read what pip is told; and pip comes next, so it need not try for long.
    environment = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "1"}
    for name, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if os.environ.get(theirs):
            environment[name] = os.environ[theirs]
    environment.update(os.environ)
    try:
        return not subprocess.run(command, capture_output=True, env=environment).returncode  # noqa: S603
    except OSError:
        return False


def explain(output: str) -> str:
    """Return one line for what pip said."""
    said = output.lower()
    if any(word in said for word in NETWORK_WORDS):
        return (
            "The dependencies could not be fetched: no connection to the package index. Mend it, then run this again."
        )
    if "no space left" in said:
        return "The disk is full: the dependencies need about 500 MB. Make room, then run this again."
    if "no such option" in said:
        return "The pip in .venv is too old. Delete the folder .venv, then run this again."
    if "do not match the hashes" in said:
        return (
            "A downloaded file is not the one the lock names. Empty pip's cache (pip cache purge), then run this again."
        )
    return f"The dependencies could not be installed: {last_line(output)}."


def last_line(output: str) -> str:
    """Return the last line that says something, errors first."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no reason given"])[-1].rstrip(".")


def note(text: str) -> None:
    """Tell the person what takes so long."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{ROOT} cannot be set up: {error}. Is the folder writable, is the disk full?")
