"""The way in: .venv fits the lock, and what is wrong is said in one line."""

import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portal.demo import bootstrap

EMPTY_LOCK = "# nothing to install\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with an empty lock, which the bootstrap takes for its own."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    (tmp_path / "requirements.lock").write_text(EMPTY_LOCK)
    (tmp_path / "requirements-dev.lock").write_text(EMPTY_LOCK)
    return tmp_path


@pytest.fixture
def made(project: Path) -> Path:
    """Return a project folder whose .venv looks whole, without the seconds that a real pip and uv take."""
    venv.create(project / ".venv", with_pip=False)
    pip = next((project / ".venv").glob("lib/python3*/site-packages")) / "pip"
    pip.mkdir()
    (pip / "__main__.py").write_text(
        "import pathlib, sys\n"
        f"with open({str(project / 'calls')!r}, 'a') as calls: print(*sys.argv[1:], file=calls)\n"
        f"said = pathlib.Path({str(project / 'says')!r})\n"
        "if said.exists(): sys.exit(said.read_text())\n"
    )
    uv = project / ".venv" / "bin" / "uv"
    uv.write_text(f"#!/bin/sh\necho \"$*\" >> '{project / 'uv-calls'}'\nexit 0\n")
    uv.chmod(0o755)
    return project


def calls(project: Path) -> int:
    """Return how often uv was called."""
    return len(bootstrap.read_lines(project / "uv-calls"))


def pip_calls(project: Path) -> list[str]:
    """Return what pip was called with, each time."""
    return bootstrap.read_lines(project / "calls")


def test_prepare_installs_once_and_again_when_the_lock_changes(made: Path) -> None:
    lock = made / "requirements.lock"
    bootstrap.prepare(lock=lock)
    bootstrap.prepare(lock=lock)
    assert calls(made) == 1
    assert "--require-hashes" in (made / "uv-calls").read_text()
    lock.write_text("# changed\n")
    bootstrap.prepare(lock=lock)
    assert calls(made) == 2


def test_prepare_with_the_development_lock_serves_the_demo_too(made: Path) -> None:
    bootstrap.prepare(lock=made / "requirements-dev.lock")
    bootstrap.prepare(lock=made / "requirements.lock")
    assert calls(made) == 1


def test_prepare_makes_a_venv_afresh_when_an_install_was_cut_short(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.unfinished().touch()
    made_again = []
    monkeypatch.setattr(bootstrap, "make_venv", lambda: made_again.append(bootstrap.unfinished().unlink()))
    bootstrap.prepare(lock=made / "requirements.lock")
    assert len(made_again) == 1
    assert bootstrap.is_usable()


def test_where_uv_does_not_succeed_pip_installs_the_same(made: Path) -> None:
    (made / ".venv" / "bin" / "uv").write_text("#!/bin/sh\nexit 2\n")
    bootstrap.prepare(lock=made / "requirements.lock")
    first, second = pip_calls(made)
    assert f"{made}/requirements-setup.lock" in first
    assert f"{made}/requirements.lock" in second
    assert all("--require-hashes" in call for call in pip_calls(made))


def test_where_there_is_no_uv_pip_installs_the_same(made: Path) -> None:
    (made / ".venv" / "bin" / "uv").unlink()
    bootstrap.prepare(lock=made / "requirements.lock")
    assert f"{made}/requirements.lock" in pip_calls(made)[-1]


def test_venv_whose_python_is_gone_is_not_usable(made: Path) -> None:
    python = made / ".venv" / "bin" / "python"
    assert bootstrap.is_usable()
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert not bootstrap.is_usable()


def test_failed_install_is_explained_in_one_line_and_tried_again(made: Path) -> None:
    (made / "says").write_text("WARNING: Retrying after connection broken: Temporary failure in name resolution\n")
    with pytest.raises(SystemExit, match="no connection to the package index") as ended:
        bootstrap.prepare(lock=made / "requirements.lock")
    assert "\n" not in str(ended.value)
    (made / "says").unlink()
    bootstrap.prepare(lock=made / "requirements.lock")
    assert calls(made) == 1


@pytest.mark.parametrize(
    ("output", "mend"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "The disk is full"),
        ("no such option: --only-binary", "pip in .venv is too old"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "Empty pip's cache"),
        ("x\nERROR: No matching distribution found for av==1\n\n", "No matching distribution found for av==1"),
        ("", "no reason given"),
    ],
)
def test_explain_names_the_mend(output: str, mend: str) -> None:
    assert mend in bootstrap.explain(output)


def test_missing_ensurepip_is_named_with_the_package_that_has_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = project / "python-without-ensurepip"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(SystemExit, match=r"ensurepip module is missing.*apt install python3\.\d+-venv"):
        bootstrap.prepare(lock=project / "requirements.lock")


def test_venv_that_cannot_be_made_is_one_line(project: Path) -> None:
    (project / ".venv").write_text("a file in the way")
    with pytest.raises(SystemExit, match="cannot be made") as ended:
        bootstrap.prepare(lock=project / "requirements.lock")
    assert "\n" not in str(ended.value)


def test_old_python_looks_for_a_newer_one_and_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"This is Python 3\.9; the portal needs 3\.11 or newer"):
        bootstrap.main("requirements.lock")


def test_old_python_passes_by_a_name_that_a_version_manager_refuses_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"This is Python 3\.9; the portal needs 3\.11 or newer"):
        bootstrap.main("requirements.lock")


def test_old_python_becomes_the_newer_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = tmp_path / "python3.13"
    newer.write_text("#!/bin/sh\n")
    newer.chmod(0o755)
    became: list[list[str]] = []

    def note(path: str, arguments: list[str]) -> None:
        became.append(arguments)
        raise SystemExit

    monkeypatch.setattr(os, "execv", note)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "requirements.lock", "-V"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        bootstrap.main("requirements.lock", "-V")
    assert became == [[str(newer), bootstrap.__file__, "requirements.lock", "-V"]]


def test_bootstrap_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", bootstrap.__file__], capture_output=True, text=True, check=False)
    assert "main() missing 1 required positional argument" in done.stderr


def test_second_start_waits_while_the_first_sets_up(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: list[str] = []
    turn = (project / ".venv.lock").open("w")
    bootstrap.wait_for_others(turn.fileno())
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "is_ready", lambda _lock: bool(made))
        patch.setattr(bootstrap, "set_up", lambda _lock: made.append("the second's"))
        second = pool.submit(bootstrap.prepare, lock=project / "requirements.lock")
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        made.append("the first's")
        turn.close()
        second.result(timeout=10)
    assert made == ["the first's"]
    assert "Another start is setting up .venv" in capsys.readouterr().err
