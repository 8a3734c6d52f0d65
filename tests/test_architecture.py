"""The arrows between the rooms, the marks on the routes, and what every template must not do."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from portal.operations.access import STAFF
from portal.workspaces.models import Role

ROOT = Path(__file__).parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))

# Routes without a workspace, each with the reason why anybody may ask for it.
OPEN_ROUTES = {
    "home": "leads a signed-in person to a workspace",
    "workspace": "a redirect; what it leads to decides",
    "hook": "Lamina's way in; believed only when signed",
    "healthz": "says that the process lives",
    "readyz": "says what is well and what is not, and no more",
    "metrics": "asks for a token itself, or in development for this machine's own address",
}


def routes(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str, object]]:
    """Yield (name, address, view) of every route."""
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, address, entry.namespace or namespace)
        elif isinstance(entry, URLPattern):
            name = f"{namespace}:{entry.name}" if namespace else entry.name or address
            yield name, address, entry.callback


OWN_ROUTES = [route for route in routes(get_resolver()) if not route[1].startswith(("accounts/", "admin/"))]
# Pages across all workspaces, behind staff_required.
STAFF_ROUTES = {name for name, _address, view in OWN_ROUTES if getattr(view, "access", None) == STAFF}


def test_arrows_between_the_rooms_go_one_way() -> None:
    checked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("name", "address", "view"), OWN_ROUTES, ids=[route[0] for route in OWN_ROUTES])
def test_every_route_says_who_may_ask_for_it(name: str, address: str, view: object) -> None:
    if name in OPEN_ROUTES:
        return
    if address.startswith("staff/"):
        assert name in STAFF_ROUTES, f"{name} has no staff_required"
        return
    assert address.startswith("w/<slug:slug>/"), f"{name} is outside of a workspace and not among OPEN_ROUTES"
    assert set(getattr(view, "access", ())) <= set(Role)
    assert getattr(view, "access", None), f"{name} has no member_required"


def test_open_routes_all_exist() -> None:
    assert OPEN_ROUTES.keys() <= {name for name, _address, _view in OWN_ROUTES}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_has_no_inline_script_or_style(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|\|safe\b", text)
