"""The stand-in's own page: a person plays Lamina with it."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from lamina_integration.sandbox import Sandbox
from tests.browser.test_pages import problems

pytestmark = pytest.mark.browser

CARTOONIFY = "3f68debe-df0a-4fc9-bdd3-9d45a4160587"


@pytest.fixture
def lamina() -> Iterator[Sandbox]:
    """A stand-in in which nothing happens by itself."""
    with Sandbox(manual=True, limit=0, plain_media=True) as running:
        yield running


def started(lamina: Sandbox, *, webhook: str | None = None) -> str:
    """Start a run; return its id."""
    answer = httpx.post(
        f"{lamina.url}/v1/apps/{CARTOONIFY}/runs",
        json={"inputs": {"Style": "Ghibli"}},
        params={"webhook": webhook} if webhook else {},
        headers={"x-api-key": lamina.api_key},
    )
    return str(answer.json()["data"]["runId"])


def opened(browser: Browser, lamina: Sandbox, *, width: int = 1280) -> Page:
    """Return the page, with its table filled."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(lamina.url)
    page.locator("#runs tbody tr").first.wait_for()
    return page


def test_person_completes_fails_cancels_and_delivers_again(browser: Browser, lamina: Sandbox) -> None:
    # The callback is the stand-in itself, which answers 405: that is a delivery all the same.
    runs = {verb: started(lamina, webhook=f"{lamina.url}/healthz") for verb in ("complete", "fail", "cancel")}
    page = opened(browser, lamina)
    # One by one: the words of a failure make the table's columns anew, and a button is not where it was.
    for verb, status in (("complete", "completed"), ("fail", "failed"), ("cancel", "cancelled")):
        page.get_by_role("button", name=f"{verb} run {runs[verb][:8]}").click()
        row = page.locator("#runs tbody tr").filter(has_text=runs[verb])
        expect(row.locator(f"[data-status={status}]")).to_be_visible()
    expect(page.locator("#runs tbody tr").filter(has_text=runs["fail"])).to_contain_text("failed: Generation failed")
    page.get_by_role("button", name=f"redeliver run {runs['fail'][:8]}").click()
    expect(page.locator("#deliveries tbody tr").filter(has_text="again")).to_contain_text("failed")


def test_button_keeps_the_focus_while_other_runs_come_and_end(browser: Browser, lamina: Sandbox) -> None:
    first = started(lamina)
    page = opened(browser, lamina)
    page.get_by_role("button", name=f"fail run {first[:8]}").focus()
    second = started(lamina)
    page.get_by_text(second).wait_for()
    lamina.complete(second)
    page.locator("[data-status=completed]").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"fail run {first[:8]}"


def test_knob_that_does_not_fit_says_why(browser: Browser, lamina: Sandbox) -> None:
    started(lamina)
    page = opened(browser, lamina)
    knob = page.get_by_label("latency", exact=True)
    fits = "fits => document.querySelector('[name=latency]').checkValidity() === fits"
    for text, is_good in (("much", False), ("0.2", True)):
        knob.fill(text)
        with page.expect_response("**/_sandbox/knobs"):
            knob.blur()
        page.wait_for_function(fits, arg=is_good)
    assert httpx.get(f"{lamina.url}/_sandbox/knobs").json()["latency"] == 0.2


def test_knobs_with_fixed_words_offer_them(browser: Browser, lamina: Sandbox) -> None:
    started(lamina)
    page = opened(browser, lamina)
    for name, chosen in (("partial runs", "completed"), ("legacy", ["plain-429", "status-422"])):
        with page.expect_response("**/_sandbox/knobs"):
            page.get_by_label(name, exact=True).select_option(chosen)
    knobs = httpx.get(f"{lamina.url}/_sandbox/knobs").json()
    assert (knobs["partial_runs"], knobs["legacy"]) == ("completed", ["plain-429", "status-422"])
    offered = page.locator("[name=legacy] option[value=plain-429]")
    assert offered.get_attribute("title") == "a refusal for the rate is plain text"


def test_person_adds_credits(browser: Browser, lamina: Sandbox) -> None:
    started(lamina)
    page = opened(browser, lamina)
    page.get_by_role("button", name="Add 1000 credits to example-shop").click()
    expect(page.locator("#workspaces")).to_contain_text("example-shop: 6000 credits")


def test_status_keeps_its_place_beside_four_buttons(browser: Browser, lamina: Sandbox) -> None:
    started(lamina, webhook=f"{lamina.url}/healthz")
    page = opened(browser, lamina)
    assert page.locator("#runs tbody tr button").count() == 4
    status = page.locator("#runs tbody td").nth(2).bounding_box()
    assert status is not None
    assert status["width"] >= 9 * 16
    assert status["height"] < 60, "its one word is on one line"


@pytest.mark.parametrize("width", [320, 1280])
def test_page_is_for_everybody(browser: Browser, lamina: Sandbox, width: int) -> None:
    lamina.fail(started(lamina), "The provider gave up. " * 10)
    started(lamina, webhook=f"{lamina.url}/healthz")
    page = opened(browser, lamina, width=width)
    assert problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    expect(page.get_by_role("button", name="complete run")).to_be_in_viewport()
