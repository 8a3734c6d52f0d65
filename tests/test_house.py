"""What stands around the code: compose file, image, .env.example, README and Makefile keep to each other.

Docker itself is not run here. What can be held without it is: the file's shape, that every command
in it exists with the options it is given, and that no setting or queue was forgotten.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from portal import embedded
from portal.demo.kept import Kept
from portal.demo.options import read_options
from portal.demo.services import environment, services
from portal.settings import LANES
from portal.workspaces.slots import PLACES

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "portal:latest"}
# Settings that only docker-compose.yml reads, and its storage's keys, which boto3 reads by itself.
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "PORTAL_PORT"}
STORAGE_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def read(name: str) -> str:
    """Return a file of the project as text."""
    return (ROOT / name).read_text()


def settings_variables() -> set[str]:
    """Return the variables that the settings read."""
    return set(re.findall(r"(?:env\.\w+|needed|read)\(\s*\"([A-Z_]+)\"", read("portal/settings.py")))


def commands_of(service: dict[str, Any]) -> list[list[str]]:
    """Return the command lines a service runs, those inside `sh -c` one by one."""
    words = shlex.split(service["command"])
    if words[:2] != ["sh", "-c"]:
        return [words]
    return [shlex.split(part.strip(" ()")) for part in re.split(r"&&|\|\|", words[2])]


def test_compose_file_fits_the_schema() -> None:
    jsonschema.validate(COMPOSE, json.loads(read("tests/compose.schema.json")))


def test_compose_file_names_only_what_it_declares() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys(), name
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert volumes <= COMPOSE["volumes"].keys(), name


def test_compose_file_waits_only_for_health_that_is_checked() -> None:
    waited_for = {
        (needed, how["condition"]) for service in OURS.values() for needed, how in service["depends_on"].items()
    }
    assert ("release", "service_completed_successfully") in waited_for
    for needed, condition in waited_for:
        assert condition != "service_healthy" or "healthcheck" in COMPOSE["services"][needed], needed


@pytest.mark.parametrize(
    "command",
    [pytest.param(command, id=f"{name}-{command[0]}") for name in OURS for command in commands_of(OURS[name])],
)
def test_every_command_of_ours_exists_with_its_options(command: list[str]) -> None:
    if command[0] == "echo":
        return
    program = [sys.executable] if command[0] == "python" else [str(BIN / command[0])]
    # Up to the first option: program, subcommand; celery's own -A must come along.
    known = command[1:4] if command[0] == "celery" else command[1:3] if command[0] == "python" else []
    helped = subprocess.run([*program, *known, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    options = {word.partition("=")[0] for word in command[1 + len(known) :] if re.match(r"--?[a-zA-Z]", word)}
    assert options <= set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", helped.stdout))


def test_image_starts_what_the_web_service_starts() -> None:
    command = re.search(r"^CMD (\[.*\])$", read("Dockerfile"), re.MULTILINE)
    assert command
    assert json.loads(command[1]) == shlex.split(OURS["web"]["command"])


def test_image_copies_files_that_exist_and_no_secrets() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", read("Dockerfile"), re.MULTILINE)
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert {".env", ".git", ".venv", "var"} <= set(read(".dockerignore").split())


def test_web_health_check_names_a_host_the_portal_answers_to() -> None:
    script = OURS["web"]["healthcheck"]["test"][-1]
    compile(script, "healthcheck", "exec")
    assert "/healthz" in script


def test_every_queue_has_its_worker_in_compose_and_in_the_demo(tmp_path: Path) -> None:
    lanes = {name: shlex.split(service["command"]) for name, service in OURS.items() if name.startswith("worker-")}
    queues = {name: words[words.index("-Q") + 1] for name, words in lanes.items()}
    assert queues == {f"worker-{queue}": queue for queue in LANES}
    for name, queue in queues.items():
        assert OURS[name]["environment"]["LANE"] == queue
    demo = services(read_options({"DATA": str(tmp_path)}), a_kept())["worker"].command
    assert set(demo[demo.index("-Q") + 1].split(",")) == set(queues.values())


def test_worker_of_refinements_has_a_thread_for_its_sign_of_life() -> None:
    """Each refinement waits for Lamina for up to ten minutes; beat's heartbeat in the same lane must not."""
    words = shlex.split(OURS["worker-refinement"]["command"])
    assert words[words.index("--pool") + 1] == "threads"
    assert int(words[words.index("--concurrency") + 1]) > PLACES["long"]


def test_redis_of_compose_and_the_embedded_one_keep_and_never_evict(tmp_path: Path) -> None:
    production = shlex.split(COMPOSE["services"]["redis"]["command"])[1:]
    assert set(production) <= set(embedded.command(tmp_path))


def test_env_example_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", read(".env.example"), re.MULTILINE))
    assert named == settings_variables() | COMPOSE_ONLY


def test_compose_variables_are_explained_in_env_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", read("docker-compose.yml")))
    assert used == COMPOSE_ONLY | STORAGE_KEYS
    assert all(name in read(".env.example") for name in used)


def test_readme_has_every_setting_and_only_commands_that_exist() -> None:
    readme = read("README.md")
    table = set(re.findall(r"^\| `([A-Z_]+)`", readme, re.MULTILINE))
    assert settings_variables() <= table
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"\bmake ([a-z]+)", readme)) <= targets


def test_readme_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_demo_sets_every_address_and_secret_itself(tmp_path: Path) -> None:
    """A person's own .env must not make the demo write to another database or spend real credits."""
    own = environment(read_options({"DATA": str(tmp_path)}), a_kept(), inherited={})
    harmless = {"LOG_LEVEL", "TIME_ZONE", "SECURE_SSL_REDIRECT", "BUDGET_UNKNOWN_CREDITS", "CONFIRM_ABOVE_CREDITS"}
    harmless |= {"DATABASE_PREPARES"}  # the demo is on SQLite
    assert settings_variables() - own.keys() == harmless


def a_kept() -> Kept:
    """Return what a data folder might keep."""
    return Kept(secret_key="s", field_encryption_key="k", passwords={}, stand_in_port=8765)


def test_shell_of_ci_and_makefile_can_be_parsed() -> None:
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
    helped = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "make demo" in helped
    assert "make test" in helped
