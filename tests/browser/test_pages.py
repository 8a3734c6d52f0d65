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
def pages(sign_in: SignIn, demo: Demo, photos: Path, addresses: dict[str, str]) -> dict[str, str]:
    """Every kind of page by name: made once, with a run that is done and one that failed."""
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
            "failed run": failed_run(page, demo, photos),
            "credits": "/w/demo/credits/",
            "gallery": "/w/demo/gallery/",
            "empty gallery": "/w/demo/gallery/?q=nothing-is-called-this",
            "not found": "/w/demo/runs/00000000-0000-4000-8000-000000000000/",
            "password": "/accounts/password/change/",
        }
    return addresses


def failed_run(page: Page, demo: Demo, photos: Path) -> str:
    """Return the address of a run whose app failed."""
    demo.turn(fail_runs=1.0, fail_message="The provider rejected the source image")
    try:
        open_app(page, "Product Try on")
        upload(page, "Person", photos / "mug.jpg")
        upload(page, "Garments", photos / "mug.jpg")
        send(page)
        wait_for(page, "failed")
    finally:
        demo.turn(fail_runs=0.0)
    return page.url


NAMES = [
    "choose",
    "form",
    "run",
    "runs",
    "no runs",
    "failed run",
    "credits",
    "gallery",
    "empty gallery",
    "output",
    "not found",
    "password",
]


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LOADED_SCRIPTS = """performance.getEntriesByType("resource")
    .filter(entry => entry.initiatorType === "script").map(entry => entry.name)"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


COLOURS_CHANGED = "Promise.allSettled(document.getAnimations().map(animation => animation.finished))"


def problems(page: Page) -> list[str]:
    """Return axe's violations in both themes, a line each; the page is the same in both, its colours are not."""
    lines = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(COLOURS_CHANGED)
        lines += [
            f"{scheme}: {violation['id']}: {node['target']} {node.get('failureSummary', '')}"
            for violation in Axe().run(page, options={"runOnly": RULES}).response["violations"]
            for node in violation["nodes"]
        ]
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_page_has_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str], name: str) -> None:
    page = sign_in()
    page.goto(pages[name])
    assert problems(page) == []


def test_invalid_form_has_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str]) -> None:
    page = sign_in()
    page.goto(pages["form"])
    page.locator("form.run-form button[type=submit]").click()
    page.get_by_role("alert").wait_for()
    assert problems(page) == []


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/"])
def test_way_in_has_no_accessibility_violation(sign_in: SignIn, path: str) -> None:
    page = sign_in()
    page.context.clear_cookies()
    page.goto(path)
    expect(page.get_by_label("Email")).to_be_visible()
    assert problems(page) == []


def test_sign_in_begins_at_the_email(sign_in: SignIn) -> None:
    page = sign_in()
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    expect(page.get_by_label("Email")).to_be_focused()


def test_staff_pages_have_no_accessibility_violation(sign_in: SignIn, pages: dict[str, str]) -> None:
    run_id = pages["run"].rstrip("/").rsplit("/", 1)[-1]
    page = sign_in("staff")
    page.goto("/admin/catalogue/app/")
    app = page.get_by_role("link", name="What changed").first.get_attribute("href")
    for address in ("/staff/", "/staff/?q=Try", f"/staff/runs/{run_id}/", "/staff/deliveries/", app):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        assert problems(page) == [], address
        page.set_viewport_size({"width": 320, "height": 700})
        wider = page.evaluate(WIDER)
        assert wider <= 0, f"{address} is {wider} px too wide at 320 px"
        page.set_viewport_size({"width": 1280, "height": 700})


@pytest.mark.parametrize("path", ["/w/demo/runs/?mine=1", "/w/demo/gallery/?mine=1"])
def test_page_of_somebody_who_made_nothing_has_no_accessibility_violation(
    sign_in: SignIn, pages: dict[str, str], path: str
) -> None:
    page = sign_in("staff")
    page.goto(path)
    expect(page.get_by_role("heading", name="You have made nothing yet")).to_be_visible()
    assert problems(page) == []


def test_one_endless_name_keeps_every_page_in_shape(sign_in: SignIn, pages: dict[str, str]) -> None:
    staff = sign_in("staff")
    staff.goto("/admin/catalogue/pinnedapp/?q=Try")
    staff.get_by_role("link", name="Product Try on").click()
    pinned = staff.url

    def call_it(name: str) -> None:
        staff.goto(pinned)
        staff.get_by_label("Title").fill(name)
        staff.get_by_role("button", name="Save", exact=True).click()

    call_it("W" * 200)
    try:
        page = sign_in()
        for name in ("choose", "form", "run", "failed run", "runs", "gallery", "output", "credits"):
            page.goto(pages[name])
            for width in (360, 1280):
                page.set_viewport_size({"width": width, "height": 700})
                assert page.evaluate(WIDER) <= 0, f"{name} at {width} px"
                if name == "choose":
                    card = page.locator(".app-card", has_text="WWW").bounding_box()
                    assert card is not None
                    assert card["height"] < 500
        staff.goto("/admin/runs/run/")
        assert staff.evaluate(WIDER) <= 0
    finally:
        call_it("")


def test_staff_fill_in_forms_and_read_lists_without_anything_cut(sign_in: SignIn, pages: dict[str, str]) -> None:
    narrow = sign_in("staff", viewport={"width": 360, "height": 700})
    narrow.goto("/admin/catalogue/pinnedapp/add/")
    module = narrow.locator("fieldset.module").bounding_box()
    assert module is not None
    for part in narrow.locator("fieldset.module :is(input, select, .related-widget-wrapper-link):visible").all():
        box = part.bounding_box()
        assert box is not None
        assert box["x"] > module["x"] + 8
        assert box["x"] + box["width"] <= module["x"] + module["width"] - 8
    wide = sign_in("staff", viewport={"width": 1280, "height": 700})
    for address in ("/admin/runs/run/", "/admin/runs/delivery/", "/admin/media/media/"):
        wide.goto(address)
        hidden = wide.locator("#changelist-form .results").evaluate("part => part.scrollWidth - part.clientWidth")
        assert hidden <= 0, address


# A row of the runs that a change of an app touches: there are none in a demo whose apps do not change.
TOUCHED = """() => {
    const list = document.createElement("ul");
    list.className = "card staff-list";
    list.dataset.kind = "look";
    list.innerHTML = `<li><a class="staff-list-link">R-2222-3333</a><span class="staff-list-text">Northwind</span>
        <span class="status" data-tone="warn">Needs your attention</span><time class="hint">26 Nov 2026</time></li>`;
    document.querySelector("main").append(list);
    return [...list.querySelectorAll(".status")].map(chip => chip.getBoundingClientRect().width);
}"""


def test_state_in_a_staff_s_list_is_as_wide_as_its_words(sign_in: SignIn) -> None:
    page = sign_in("staff")
    page.goto("/staff/")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert 100 < page.evaluate(TOUCHED)[0] < 220, width


def test_no_page_scrolls_sideways(sign_in: SignIn, pages: dict[str, str]) -> None:
    page = sign_in()
    for name in NAMES:
        page.goto(pages[name])
        for width in (320, 360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            wider = page.evaluate(WIDER)
            assert wider <= 0, f"{name} is {wider} px too wide at {width} px"


def test_scripts_weigh_at_most_60_kb_on_any_page(sign_in: SignIn, pages: dict[str, str]) -> None:
    page = sign_in()
    weights: dict[str, int] = {}
    for name in NAMES:
        page.goto(pages[name])
        scripts = page.evaluate(LOADED_SCRIPTS)
        for script in scripts:
            if script not in weights:
                weights[script] = len(gzip.compress(page.request.get(script).body()))
        assert 0 < sum(weights[script] for script in scripts) <= 60_000, (name, scripts)


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


def test_staff_site_obeys_the_policy_and_shows_every_room(sign_in: SignIn) -> None:
    page = sign_in("staff")
    page.goto("/admin/")
    addresses = page.locator("#content-main a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    for address in dict.fromkeys(addresses):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in {200, 403}, address
    page.goto("/admin/runs/run/")
    page.locator("#result_list th a").first.click()
    expect(page.locator("#content")).to_contain_text("Done")
