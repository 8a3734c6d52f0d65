"""Every page in both themes: accessibility, narrow screens, the weight of scripts, the security headers."""

import gzip
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo, SignIn
from tests.browser.test_journeys import open_app, send, upload, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """Addresses of pages that exist only after a run, filled by the first test that needs them."""
    return {}


@pytest.fixture
def pages(sign_in: SignIn, photos: Path, addresses: dict[str, str]) -> dict[str, str]:
    """Every kind of page by name: made once, with a run that is done."""
    if not addresses:
        page = sign_in()
        open_app(page, "Product Try on")
        addresses["form"] = page.url
        upload(page, "Person", photos / "mug.jpg")
        upload(page, "Garments", photos / "mug.jpg")
        send(page)
        addresses["run"] = page.url
        wait_for(page, "completed")
        addresses["output"] = page.locator(".output-card a[href*='/gallery/']").first.get_attribute("href") or ""
        addresses |= {
            "choose": "/w/demo/create/",
            "runs": "/w/demo/runs/",
            "no runs": "/w/demo/runs/?state=problem&mine=1",
            "credits": "/w/demo/credits/",
            "gallery": "/w/demo/gallery/",
            "empty gallery": "/w/demo/gallery/?q=nothing-is-called-this",
            "not found": "/w/demo/runs/00000000-0000-4000-8000-000000000000/",
            "password": "/accounts/password/change/",
        }
    return addresses


NAMES = [
    "choose",
    "form",
    "run",
    "runs",
    "no runs",
    "credits",
    "gallery",
    "empty gallery",
    "output",
    "not found",
    "password",
]


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def problems(page: Page) -> list[str]:
    """Return axe's violations, a line each."""
    found = Axe().run(page, options={"runOnly": RULES})
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_page_has_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str], name: str, scheme: str) -> None:
    page = sign_in(color_scheme=scheme, reduced_motion="reduce")
    page.goto(pages[name])
    page.wait_for_load_state("networkidle")
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_invalid_form_has_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str], scheme: str) -> None:
    page = sign_in(color_scheme=scheme, reduced_motion="reduce")
    page.goto(pages["form"])
    page.locator("form.run-form button[type=submit]").click()
    page.get_by_role("alert").wait_for()
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/"])
def test_way_in_has_no_accessibility_violation(sign_in: SignIn, path: str, scheme: str) -> None:
    page = sign_in(color_scheme=scheme, reduced_motion="reduce")
    page.context.clear_cookies()
    page.goto(path)
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_staff_pages_have_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str], scheme: str) -> None:
    run_id = pages["run"].rstrip("/").rsplit("/", 1)[-1]
    page = sign_in("staff", color_scheme=scheme, reduced_motion="reduce")
    for address in ("/staff/", "/staff/?q=Try", f"/staff/runs/{run_id}/"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        assert problems(page) == [], address
        page.set_viewport_size({"width": 320, "height": 700})
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{address} is {wider} px too wide at 320 px"
        page.set_viewport_size({"width": 1280, "height": 700})


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_page_scrolls_sideways(sign_in: SignIn, pages: dict[str, str], width: int) -> None:
    page = sign_in(viewport={"width": width, "height": 700})
    for name in NAMES:
        page.goto(pages[name])
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{name} is {wider} px too wide at {width} px"


def test_scripts_weigh_at_most_60_kb_on_any_page(sign_in: SignIn, pages: dict[str, str]) -> None:
    page = sign_in()
    weights: dict[str, int] = {}
    page.on(
        "response",
        lambda answer: (
            weights.__setitem__(answer.url, len(gzip.compress(answer.body())))
            if answer.request.resource_type == "script"
            else None
        ),
    )
    for name in NAMES:
        weights.clear()
        page.goto(pages[name])
        page.wait_for_load_state("networkidle")
        assert sum(weights.values()) <= 60_000, (name, weights)


def test_every_answer_carries_the_security_headers(sign_in: SignIn, demo: Demo, pages: dict[str, str]) -> None:
    page = sign_in()
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with httpx.Client(base_url=demo.url, cookies=cookies) as client:
        for path in ["/accounts/login/", "/admin/login/", "/healthz", *pages.values()]:
            headers = client.get(path).headers
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "same-origin", path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_staff_site_obeys_the_policy_and_shows_every_room(sign_in: SignIn, scheme: str) -> None:
    page = sign_in("staff", color_scheme=scheme)
    page.goto("/admin/")
    addresses = page.locator("#content-main a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    for address in dict.fromkeys(addresses):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in {200, 403}, address
    page.goto("/admin/runs/run/")
    page.locator("#result_list th a").first.click()
    expect(page.locator("#content")).to_contain_text("Done")
