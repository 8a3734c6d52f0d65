"""The journeys a person makes: from a photo to pictures and a video, and every way it can go wrong."""

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.conftest import Demo, SignIn

pytestmark = pytest.mark.browser

RUN_SECONDS = 60
EVERY_FIELD = "5a4d0000-0000-4000-9000-000000000090"


# What a browser tells a page of a file that is dropped or pasted.
CARRY = """([way, photo, selector]) => {
    const bytes = Uint8Array.from(atob(photo), letter => letter.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], "mug.jpg", {type: "image/jpeg"}));
    const event = way === "drop"
        ? new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true})
        : new ClipboardEvent("paste", {clipboardData: carried, bubbles: true, cancelable: true});
    (selector ? document.querySelector(selector) : document.activeElement).dispatchEvent(event);
}"""


def open_app(page: Page, name: str) -> None:
    """Choose an app, as a person does, and let its page finish loading: what it does by script begins there.

    What another test has begun is put away.
    """
    page.goto("/w/demo/create/")
    page.get_by_role("link", name=name).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.wait_for_load_state()
    afresh = page.get_by_role("button", name="Start afresh")
    if afresh.count():
        afresh.click()
        expect(page.get_by_text("The draft is gone")).to_be_visible()
        page.wait_for_load_state()


def upload(page: Page, field: str, *files: Path) -> None:
    """Add files to a field and wait until they are here."""
    group = page.get_by_role("group", name=field)
    group.locator("input[type=file]").set_input_files(files)
    expect(group.locator('input[value^="media:"]')).to_have_count(len(files))


def send(page: Page) -> None:
    """Press the one button and arrive at the run's page."""
    page.locator("form.run-form button[type=submit]").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))


def wait_for(page: Page, status: str) -> None:
    """Wait until the run is in a state and the page has stopped asking."""
    progress = page.locator("#run-progress")
    expect(progress).to_have_attribute("data-status", status, timeout=RUN_SECONDS * 1000)
    expect(progress).not_to_have_attribute("hx-get", re.compile("."), timeout=RUN_SECONDS * 1000)


def is_shown(page: Page, selector: str) -> bool:
    """Return whether every picture of a selector really has pixels."""
    page.wait_for_function(
        "selector => [...document.querySelectorAll(selector)].every(image => image.complete && image.naturalWidth > 0)",
        arg=selector,
    )
    return page.locator(selector).count() > 0


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("webhooks", [True, False], ids=["by webhook", "by sweep alone"])
def test_a_photo_becomes_pictures_in_the_gallery(sign_in: SignIn, demo: Demo, photos: Path, webhooks: bool) -> None:
    demo.turn(webhooks=webhooks)
    try:
        page = sign_in(reduced_motion="no-preference")
        open_app(page, "Product Shots with Mood Board")
        upload(page, "Your product", photos / "sideways.jpg")
        expect(page.get_by_text("Turned upright, location removed")).to_be_visible()
        page.get_by_label("9:16", exact=True).check()
        send(page)
        expect(page.get_by_text("You can close this page")).to_be_visible()
        reference = page.locator("#reference").inner_text()
        wait_for(page, "completed")
        expect(page.locator(".output-card[data-state=ready]")).to_have_count(4)
        assert is_shown(page, ".output-card img")
        page.goto("/w/demo/gallery/?mine=1")
        for label in ("Hero Shot", "Lifestyle Shot", "Detail Shot"):
            expect(page.get_by_text(label).first).to_be_visible()
        page.goto("/w/demo/runs/")
        expect(page.get_by_text(reference)).to_be_visible()
    finally:
        demo.turn(webhooks=True)


@pytest.mark.usefixtures("drawn")
def test_a_video_app_makes_a_video_that_plays_and_seeks(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Performance Marketing Video (V3) Sample")
    upload(page, "Product images", photos / "mug.jpg", photos / "large.jpg")
    page.get_by_label("Script").fill("A mug. A morning. A marble counter.")
    page.get_by_label("Yes, spend up to").check()
    send(page)
    wait_for(page, "completed")
    page.locator(".output-card", has_text="Performance video").get_by_role("link").first.click()
    video = page.locator("video")
    expect(video).to_have_attribute("poster", re.compile("/poster/"))
    seconds = video.evaluate(
        """async video => {
            video.muted = true;
            await video.play();
            video.pause();
            video.currentTime = video.duration / 2;
            await new Promise(done => video.addEventListener("seeked", done, {once: true}));
            return [video.duration, video.currentTime];
        }"""
    )
    assert seconds[0] > 1
    assert seconds[1] == pytest.approx(seconds[0] / 2, abs=0.2)


def test_text_outputs_can_be_read_and_copied(sign_in: SignIn, photos: Path) -> None:
    page = sign_in(permissions=["clipboard-read", "clipboard-write"])
    open_app(page, "Product Try on")
    upload(page, "Person", photos / "mug.jpg")
    upload(page, "Garments", photos / "large.jpg")
    send(page)
    wait_for(page, "completed")
    page.goto("/w/demo/gallery/?kind=text")
    page.get_by_role("link", name=re.compile("Styling note")).first.click()
    page.get_by_role("button", name="Copy").first.click()
    assert len(page.evaluate("navigator.clipboard.readText()")) > 20


def test_a_failing_app_says_what_happened_and_keeps_everything(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    demo.turn(fail_runs=1.0, fail_message="The provider rejected the source image")
    try:
        page = sign_in()
        open_app(page, "Swift Catalog Generation")
        upload(page, "Garment", photos / "mug.jpg")
        page.get_by_label("Beach").check()
        send(page)
        wait_for(page, "failed")
        expect(page.locator("#run-progress")).to_contain_text("The provider rejected the source image")
        expect(page.locator("#run-progress")).to_contain_text(re.compile("charged"))
    finally:
        demo.turn(fail_runs=0.0)
    page.get_by_role("link", name="Edit and run again").click()
    expect(page.get_by_label("Beach")).to_be_checked()
    expect(page.get_by_role("group", name="Garment").locator('input[value^="media:"]')).to_have_count(1)
    send(page)
    wait_for(page, "completed")
    expect(page.get_by_text("Made again from")).to_be_visible()


def test_an_invalid_form_comes_back_with_everything_in_it(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Performance Marketing Video (V3) Sample")
    upload(page, "Product images", photos / "mug.jpg")
    page.get_by_label("16:9", exact=True).check()
    page.locator("form.run-form button[type=submit]").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("There is a problem")
    expect(summary).to_be_focused()
    assert page.title().startswith("Error:")
    expect(page.get_by_label("16:9", exact=True)).to_be_checked()
    expect(page.get_by_role("group", name="Product images").locator('input[value^="media:"]')).to_have_count(1)
    summary.get_by_role("link", name=re.compile("Script")).click()
    expect(page.get_by_label("Script")).to_be_focused()


def test_a_wrong_file_is_refused_in_words_and_never_blocks_the_others(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Product Try on")
    group = page.get_by_role("group", name="Garments")
    group.locator("input[type=file]").set_input_files([photos / "fake.jpg", photos / "mug.jpg"])
    expect(group.get_by_text("“fake.jpg” is not a picture that can be used here")).to_be_visible()
    expect(group.locator('input[value^="media:"]')).to_have_count(1)


def test_a_picture_chosen_twice_is_here_once_and_that_is_said(sign_in: SignIn, photos: Path, tmp_path: Path) -> None:
    page = sign_in()
    open_app(page, "Product Try on")
    copies = [tmp_path / f"copy {number}.jpg" for number in range(3)]
    for copy in copies:
        copy.write_bytes((photos / "mug.jpg").read_bytes())
    group = page.get_by_role("group", name="Garments")
    group.locator("input[type=file]").set_input_files(copies)
    expect(group.locator("[data-say]")).to_have_text(
        "1 of 1 uploaded · The same file was chosen more than once; it is here once."
    )
    expect(group.locator(".tile")).to_have_count(1)


def test_a_box_for_one_file_says_that_another_takes_its_place(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Product Try on")
    group = page.get_by_role("group", name="Person")
    expect(group.get_by_role("button", name="Choose a file")).to_be_visible()
    upload(page, "Person", photos / "mug.jpg")
    expect(group.get_by_role("button", name="Replace")).to_be_visible()
    expect(group.get_by_role("button", name="Choose a file")).to_have_count(0)


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_files_can_be_dropped_and_pasted(sign_in: SignIn, photos: Path, way: str) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    photo = base64.b64encode((photos / "mug.jpg").read_bytes()).decode()
    page.evaluate(CARRY, [way, photo, "[data-media-field]"])
    group = page.get_by_role("group", name="Garment")
    expect(group.locator('input[value^="media:"]')).to_have_count(1)
    expect(group.locator(".tile-name")).to_contain_text("mug.jpg")


def test_a_pasted_file_goes_where_it_was_meant_to_and_never_over_another(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Premium Catalog 1.0")
    front, back = page.get_by_role("group", name="Front"), page.get_by_role("group", name="Back")
    photo = base64.b64encode((photos / "large.jpg").read_bytes()).decode()
    upload(page, "Front", photos / "mug.jpg")
    kept = front.locator('input[value^="media:"]').get_attribute("value")
    page.get_by_role("heading", level=1).click()
    page.evaluate(CARRY, ["paste", photo, ""])
    expect(back.locator('input[value^="media:"]')).to_have_count(1)
    page.evaluate(CARRY, ["paste", photo, ""])
    expect(front.locator("[data-say]")).to_contain_text("Nothing was pasted")
    assert front.locator('input[value^="media:"]').get_attribute("value") == kept
    back.locator("[data-remove]").click()
    page.get_by_role("heading", level=1).click()
    front.get_by_text("or drop or paste here").click()
    page.evaluate(CARRY, ["paste", photo, ""])
    expect(front.locator('input[value^="media:"]')).not_to_have_value(kept or "")
    expect(back.locator(".tile")).to_have_count(0)


def test_a_long_list_is_searched_with_the_mouse(sign_in: SignIn, demo: Demo) -> None:
    demo.manage("pin_app", EVERY_FIELD, "--capability", "image", "--workspace", "demo")
    page = sign_in()
    open_app(page, "Every kind of field")
    box = page.get_by_role("combobox", name="Many options")
    before = box.input_value()
    box.click()
    options = page.locator(".combobox [role=option]")
    expect(options).to_have_count(40)
    page.keyboard.type("39")
    expect(box).to_have_value("39")
    expect(options).to_have_count(1)
    page.keyboard.press("Escape")
    expect(box).to_have_value(before)
    box.click()
    page.keyboard.type("39")
    options.click()
    expect(box).to_have_value(re.compile("39"))
    # And on: what is chosen is selected again, and typing takes its place.
    box.click()
    page.keyboard.type("07")
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile("07"))


def test_the_button_counts_what_is_to_be_made(sign_in: SignIn) -> None:
    page = sign_in()
    open_app(page, "Product Shots with Mood Board")
    button = page.locator("form.run-form button[type=submit]")
    expect(button).to_have_text("Make 4 pictures")
    page.get_by_label("Detail Shot").uncheck()
    expect(button).to_have_text("Make 3 pictures")
    expect(page.locator("[data-outputs-count]")).to_have_text("3 of 4")


def test_lamina_being_down_makes_a_run_wait_and_then_go_on(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    upload(page, "Garment", photos / "mug.jpg")
    demo.turn(down=6.0)
    send(page)
    expect(page.locator("#run-progress")).to_have_attribute("data-status", "waiting", timeout=10_000)
    wait_for(page, "completed")


def test_two_presses_and_the_back_button_make_one_run(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    upload(page, "Garment", photos / "mug.jpg")
    before = len(demo.ledger()["starts"])
    page.locator("form.run-form button[type=submit]").dblclick()
    page.wait_for_url(re.compile(r"/runs/"))
    first = page.url
    wait_for(page, "completed")
    page.go_back()
    page.wait_for_url(re.compile(r"token="))
    expect(page.get_by_text("This form was sent already")).to_be_visible()
    page.locator("form.run-form button[type=submit]").click()
    page.wait_for_url(re.compile(r"/runs/"))
    assert page.url == first
    assert len(demo.ledger()["starts"]) == before + 1


def test_a_form_that_is_edited_after_the_back_button_is_asked_about_and_kept(
    sign_in: SignIn, demo: Demo, photos: Path
) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    upload(page, "Garment", photos / "mug.jpg")
    before = len(demo.ledger()["starts"])
    send(page)
    first = page.url
    wait_for(page, "completed")
    page.go_back()
    page.wait_for_url(re.compile(r"token="))
    page.get_by_label("Beach").check()
    expect(page.locator("[data-draft-say]")).to_contain_text("Sent already as R-")
    page.locator("form.run-form button[type=submit]").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("What you changed since was not sent")
    expect(notice).to_be_focused()
    expect(page.get_by_label("Beach")).to_be_checked()
    expect(page.locator('input[value^="media:"]')).to_have_count(1)
    expect(page.locator("[data-draft-say]")).to_contain_text("Saved")
    send(page)
    assert page.url != first
    wait_for(page, "completed")
    assert len(demo.ledger()["starts"]) == before + 2


def test_what_is_filled_in_outlives_a_reload_the_back_button_and_the_device(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Performance Marketing Video (V3) Sample")
    address = page.url
    upload(page, "Product images", photos / "mug.jpg", photos / "large.jpg")
    page.get_by_label("Script").fill("A mug. A morning.")
    page.get_by_label("16:9", exact=True).check()
    expect(page.locator("[data-draft-say]")).to_have_text(re.compile(r"Saved \d\d:\d\d"))
    page.get_by_role("button", name="Move later").first.click()
    first = page.locator('input[value^="media:"]').first.get_attribute("value")

    def is_all_there(page: Page) -> None:
        expect(page.get_by_text("Your draft from")).to_be_visible()
        expect(page.get_by_label("Script")).to_have_value("A mug. A morning.")
        expect(page.get_by_label("16:9", exact=True)).to_be_checked()
        expect(page.locator('input[value^="media:"]')).to_have_count(2)
        expect(page.locator('input[value^="media:"]').first).to_have_value(first or "")

    page.reload()  # before the pause of an automatic save is over
    is_all_there(page)
    page.goto("/w/demo/gallery/")
    page.go_back()
    page.wait_for_url(re.compile(r"token="))
    is_all_there(page)
    other = sign_in()
    other.goto(address)
    is_all_there(other)
    other.get_by_role("button", name="Start afresh").click()
    expect(other.get_by_text("The draft is gone")).to_be_visible()
    expect(other.get_by_label("Script")).to_have_value("")
    page.goto(address)
    expect(page.get_by_text("Your draft from")).to_have_count(0)


def test_a_draft_ends_with_its_sending(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    address = page.url
    upload(page, "Garment", photos / "mug.jpg")
    expect(page.locator("[data-draft-say]")).to_contain_text("Saved")
    page.get_by_label("Beach").check()
    send(page)
    page.goto(address)
    expect(page.get_by_text("Your draft from")).to_have_count(0)
    expect(page.locator('input[value^="media:"]')).to_have_count(0)


def test_a_run_is_the_same_in_two_tabs_and_after_a_reload(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    upload(page, "Garment", photos / "mug.jpg")
    send(page)
    other = page.context.new_page()
    other.goto(page.url)
    page.reload()
    wait_for(page, "completed")
    wait_for(other, "completed")


def test_a_lost_connection_is_said_until_it_is_back(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    demo.turn(manual=True)
    try:
        page = sign_in()
        open_app(page, "Swift Catalog Generation")
        upload(page, "Garment", photos / "mug.jpg")
        send(page)
        page.route("**/progress/", lambda route: route.abort())
        expect(page.get_by_text("No connection to the portal")).to_be_visible(timeout=30_000)
        page.unroute("**/progress/")
        expect(page.get_by_text("No connection to the portal")).to_be_hidden(timeout=10_000)
    finally:
        demo.turn(manual=False)
    wait_for(page, "completed")


def test_the_question_before_a_cancel_is_of_the_moment(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    demo.turn(manual=True)
    try:
        page = sign_in()
        open_app(page, "Swift Catalog Generation")
        upload(page, "Garment", photos / "mug.jpg")
        demo.turn(down=6.0)
        send(page)
        progress = page.locator("#run-progress")
        expect(progress).to_have_attribute("data-status", "waiting")
        page.locator("#cancel-open").click()
        expect(page.locator("#cancel-text")).to_contain_text("cancelling costs nothing")
        expect(progress).to_have_attribute("data-status", re.compile("queued|running"), timeout=RUN_SECONDS * 1000)
        expect(page.locator("#cancel-text")).to_contain_text("Lamina stops as soon as it can.")
        page.get_by_role("link", name="Let it go on").click()
        page.locator("#cancel-open").click()
        expect(page.locator("#cancel-text")).to_contain_text("Lamina stops as soon as it can.")
        page.get_by_role("button", name="Cancel the run").click()
        wait_for(page, "cancelled")
    finally:
        demo.turn(manual=False)


@pytest.mark.parametrize("is_asked", [False, True], ids=["on the button", "in the question"])
def test_focus_goes_to_the_heading_when_there_is_nothing_left_to_cancel(
    sign_in: SignIn, demo: Demo, photos: Path, is_asked: bool
) -> None:
    demo.turn(manual=True)
    try:
        page = sign_in()
        open_app(page, "Swift Catalog Generation")
        upload(page, "Garment", photos / "mug.jpg")
        send(page)
        expect(page.locator("#run-progress")).to_have_attribute("data-status", re.compile("queued|running"))
        other = page.context.new_page()
        other.goto(page.url)
        opener = page.locator("#cancel-open")
        opener.focus()
        if is_asked:
            page.keyboard.press("Enter")
            expect(page.locator("#cancel-run")).to_be_visible()
        other.locator("#cancel-open").click()
        other.get_by_role("button", name="Cancel the run").click()
        wait_for(page, "cancelled")
        expect(page.locator("#cancel-run")).to_be_hidden()
        expect(page.get_by_role("heading", level=1)).to_be_focused()
    finally:
        demo.turn(manual=False)


def test_a_change_waits_can_be_withdrawn_and_goes_on_by_itself(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    page = sign_in()
    open_app(page, "Swift Catalog Generation")
    upload(page, "Garment", photos / "mug.jpg")
    send(page)
    wait_for(page, "completed")
    words, changes = page.locator("#refine-words"), page.locator("#changes")
    expect(changes).to_be_hidden()
    demo.turn(server_errors=1.0)
    try:
        words.fill("Warmer light")
        page.get_by_role("button", name="Refine").click()
        said = expect(page.locator("[data-headline]"))
        said.to_contain_text("this waits and goes on", timeout=RUN_SECONDS * 1000)
        expect(changes).to_contain_text("this waits and goes on")
        withdraw = page.get_by_role("button", name="Withdraw")
        withdraw.focus()
        expect(withdraw).to_be_focused()
        page.keyboard.press("Enter")
        expect(changes).to_contain_text("Withdrawn")
        expect(words).to_have_value("Warmer light")
        page.get_by_role("button", name="Refine").click()
        expect(changes.locator("li")).to_have_count(2)
        withdraw.focus()
    finally:
        demo.turn(server_errors=0.0)
    # Nobody loads the page again: the list, the new versions and the empty form come by themselves.
    expect(changes.locator("li").last).to_contain_text("made anew", timeout=RUN_SECONDS * 1000)
    expect(page.locator(".output-card[data-state=ready]")).to_have_count(6)
    expect(words).to_have_value("")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("[id=changes]")).to_have_count(1)


@pytest.mark.usefixtures("drawn")
def test_everything_works_without_scripts(sign_in: SignIn, demo: Demo, photos: Path) -> None:
    sign_in()
    page = sign_in(java_script_enabled=False)
    open_app(page, "Swift Catalog Generation")
    page.locator("form.run-form button[type=submit]").click()
    expect(page.get_by_role("alert")).to_contain_text("Add a picture")
    page.get_by_role("group", name="Garment").locator("input[type=file]").set_input_files(photos / "mug.jpg")
    page.locator("form.run-form button[type=submit]").click()
    page.wait_for_url(re.compile(r"/runs/"))
    for _ in range(30):
        if page.locator("#run-progress").get_attribute("data-page-state") == "done":
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator(".output-card[data-state=ready]")).to_have_count(3)


def test_the_whole_journey_with_the_keyboard_alone(sign_in: SignIn, photos: Path) -> None:
    page = sign_in()
    page.goto("/w/demo/create/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=re.compile("[Ss]kip"))).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "document.activeElement.textContent.includes('Swift Catalog Generation')")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Swift Catalog Generation")
    page.wait_for_load_state()
    tab_to(page, "document.activeElement.matches('[data-add]')")
    press_to_choose(page, photos / "mug.jpg")
    expect(page.locator('input[value^="media:"]')).to_have_count(1)
    tab_to(page, "document.activeElement.matches('input[type=radio]')")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/runs/"))
    wait_for(page, "completed")
    page.goto("/w/demo/gallery/")
    tab_to(page, "document.activeElement.closest('[data-grid]') !== null")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.href") != first
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/gallery/\d+/"))


def press_to_choose(page: Page, photo: Path, most: int = 3) -> None:
    """Press Enter on the focused button and choose a file; on a busy machine a chooser's opening is not always told."""
    for _ in range(most):
        try:
            with page.expect_file_chooser(timeout=5_000) as chooser:
                page.keyboard.press("Enter")
        except TimeoutError:
            continue
        chooser.value.set_files(photo)
        return
    pytest.fail(f"no file chooser after {most} presses")


def tab_to(page: Page, condition: str, most: int = 80) -> None:
    """Press Tab until the focused element is the one, checking that focus can be seen on the way."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    pytest.fail(f"not reached with the keyboard: {condition}")
