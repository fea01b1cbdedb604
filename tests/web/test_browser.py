"""The page in a real browser: keys, sliders, screens, what a screen reader meets, strangers' decks."""

import re

import pytest

from web.conftest import Server
from web.deck import CARDS, hostile

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing").expect
expect.set_options(timeout=60_000)

PAGES = (
    "/",
    "/quiz/start",
    "/mock",
    "/demos",
    "/demos/dropout?p=0.3",
    "/demos/learning-curves",
    "/pitfalls",
    "/pitfalls/one-draw-path",
    "/diagnose",
    "/katas",
    "/katas/dropout",
    "/guide",
    "/stats",
    "/plan",
    "/search?q=dropout",
    "/cards/Q18.92",
    "/topics/theory",
    "/compare",
    "/nothing",
)


@pytest.fixture(scope="module")
def context(server, browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.address)
    page.wait_for_url(f"{server.base}/")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(context):
    """A page on which an error of a script, or a message of the policy, fails the test."""
    faults = []
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(30_000)
    yield page
    page.close()
    # Said there as well: a request that was replaced, a page that is not there, a refused form, a killed server.
    harmless = re.compile("40[049]|ERR_CONNECTION|^htmx:(afterRequest|sendAbort|sendError|responseError)")
    assert [fault for fault in faults if not harmless.search(fault)] == []


def settled(page, base, path):
    """A page with what it loads later."""
    page.goto(f"{base}{path}")
    page.wait_for_selector("#report[hx-get]", state="detached")
    return page


def quiz(page, base, ids):
    page.goto(f"{base}/quiz/start?ids={ids}")
    page.keyboard.press("Enter")
    page.wait_for_selector(".question")


SIZED = ["color-contrast", "target-size", "scrollable-region-focusable", "meta-viewport", "css-orientation-lock"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_light_steady_fits_its_screen_and_can_be_read_aloud(server, page, path):
    page.add_init_script(
        "window.shifts = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
        "if (!one.hadRecentInput) window.shifts += one.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    sizes = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    settled(page, server.base, path)
    assert sum(sizes) < 150_000
    assert page.evaluate("window.shifts") < 0.01
    assert re.search(r".+ · regdemo$", page.title())
    # What size and scheme may change is looked at in both, the rest once.
    for width, scheme, rules in ((1440, "light", None), (375, "dark", SIZED)):
        page.set_viewport_size({"width": width, "height": 812})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert violations(page, rules) == []


def violations(page, rules=None):
    """What axe-core finds by these rules or all: the rules, and the first elements that break each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing").Axe()
    only = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found = axe.run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


def test_each_step_of_a_quiz_and_a_mock_can_be_read_aloud(server, page):
    quiz(page, server.base, "Q18.92,Q18")
    found = {"question": violations(page)}
    page.check("input[name=pick] >> nth=0")
    page.click("#answer button.main")
    page.wait_for_selector(".verdict")
    found["outcome"] = violations(page)
    page.keyboard.press("Enter")
    page.click("text=Show the answer")
    page.wait_for_selector("#grades")
    found["grade"] = violations(page)
    page.goto(f"{server.base}/mock")
    page.fill("#limit", "1")
    page.click("main button.main")
    page.wait_for_selector("#sure")
    found["mock"] = violations(page)
    page.keyboard.press("Escape")
    page.locator("text=I do not know").click()
    page.wait_for_selector("text=Score card")
    found["score card"] = violations(page)
    assert found == {step: [] for step in found}


def test_the_lines_of_a_pitfall_fit_their_column(server, page):
    page.set_viewport_size({"width": 1280, "height": 800})
    settled(page, server.base, "/pitfalls/attention-in-eval")
    code = page.locator(".pair pre").first
    expect(code).to_have_css("font-size", "15px")
    assert code.evaluate("(one) => one.scrollWidth - one.clientWidth") <= 0


def test_code_and_keys_have_the_editors_font(server, page):
    page.goto(f"{server.base}/katas/dropout")
    set_in_code = page.locator("code, kbd, textarea.code")
    fonts = set_in_code.evaluate_all("(all) => all.map((one) => getComputedStyle(one).fontFamily)")
    assert len(fonts) > 5
    assert len(set(fonts)) == 1


def test_the_guide_prints_on_few_pages(server, page):
    page.goto(f"{server.base}/guide")
    paper = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "10mm"))
    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", paper)) <= 3


def test_a_session_by_keyboard_alone(server, page):
    quiz(page, server.base, "Q18.92,Q18.2,Q18")
    page.keyboard.press("a")
    expect(page.locator("input[name=pick]").first).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_be_visible()
    expect(page.locator("#live")).to_contain_text(re.compile("Right|Wrong"))
    page.keyboard.press("o")
    expect(page.locator("details:has-text('Sources')")).to_have_attribute("open", "")
    page.keyboard.press("Enter") if page.evaluate("document.activeElement.tagName") == "A" else page.locator(
        "a.button.main"
    ).press("Enter")
    expect(page.locator("#response")).to_be_focused()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_contain_text("Wrong")
    page.keyboard.press("u")
    expect(page.locator(".note")).to_contain_text("Took back your answer")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator(".verdict")).to_contain_text("Skipped")
    page.keyboard.press("Enter")
    expect(page.locator("textarea#response")).to_be_visible()
    expect(page.locator(".question")).to_be_focused()
    page.keyboard.press("e")
    page.keyboard.type("h is a letter here")
    expect(page.locator("#response")).to_have_value("h is a letter here")
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page.locator(".note")).to_contain_text("Hint 1")
    expect(page.locator("#response")).to_have_value("h is a letter here")
    page.keyboard.press("Space")
    expect(page.locator(".said")).to_have_text("h is a letter here")
    page.keyboard.press("a")
    expect(page.locator("input[name=made]").first).to_be_checked()
    expect(page.locator("#grades button.main")).to_contain_text("Again")
    page.keyboard.press("3")
    expect(page.locator(".verdict")).to_be_visible()


def test_what_arrives_can_be_used_at_once(server, page):
    """A point that is ticked in the moment in which the answer appears counts."""
    quiz(page, server.base, "Q18")
    page.fill("#response", "noise")
    page.evaluate(
        """() => new MutationObserver((_, own) => {
            const point = document.querySelector("input[name=made]");
            if (point) { own.disconnect(); point.click(); }
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    page.click("#answer button.main")
    expect(page.locator("#grades button.main")).to_contain_text("Again")


def test_an_answer_that_cannot_be_read_is_said_and_stays_in_its_field(server, page):
    quiz(page, server.base, "Q18.2")
    page.fill("#response", "what?")
    page.keyboard.press("Enter")
    expect(page.locator(".note.error")).to_be_focused()
    assert page.reload().status == 200
    expect(page.locator("#response")).to_have_value("what?")


def test_a_flag_on_the_grade_page_keeps_the_points_and_saves_no_grade(server, page):
    quiz(page, server.base, "Q18")
    page.keyboard.press("Space")
    page.wait_for_selector("#grades")
    page.keyboard.press("b")
    expect(page.locator("#grades button.main")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="take the flag off")).to_be_visible()
    expect(page.locator("input[name=made]").nth(1)).to_be_checked()
    expect(page.locator("#grades button.main")).to_be_visible()


def test_a_mock_whose_time_runs_out_says_what_is_still_possible(server, page):
    page.clock.install()
    page.goto(f"{server.base}/mock?new=1")
    page.fill("#minutes", "1")
    page.click("main button.main")
    page.wait_for_selector("#sure")
    expect(page.locator("#time-up")).to_be_hidden()
    page.clock.run_for(61_000)
    expect(page.locator("#time-up")).to_contain_text("You may still answer this question; it is the last one.")
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    page.click("text=End the interview now")
    page.wait_for_selector("text=Score card")


def test_an_entry_that_is_refused_has_the_focus_and_its_message(server, page):
    page.goto(f"{server.base}/compare?arms=mixup&values=q+1")
    page.click("main button.main")
    expect(page.locator("#values")).to_be_focused()
    expect(page.locator("#values")).to_be_in_viewport()
    expect(page.locator("#values")).to_have_accessible_description(re.compile("'q' isn't a parameter"))
    assert violations(page) == []


def test_the_focus_is_on_what_comes_next(server, page):
    quiz(page, server.base, "Q18.92")
    expect(page.locator(".question")).to_be_focused()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_be_focused()


def test_back_and_a_double_click_save_one_answer(server, page):
    quiz(page, server.base, "Q18.2,Q18.3")
    page.fill("#response", "3")
    page.locator("#answer button.main").dblclick()
    expect(page.locator(".verdict")).to_be_visible()
    page.go_back()
    page.wait_for_selector("#answer")
    page.goto(f"{server.base}/quiz")
    expect(page.locator(".where")).to_contain_text("2 of")


def test_a_slider_redraws_the_report_and_the_address_says_its_state(server, page):
    settled(page, server.base, "/demos/dropout")
    expect(page.locator("#report")).to_contain_text("claims hold")
    slider = page.get_by_label("p, slider")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#c-p")).to_have_value("0.15")
    page.wait_for_url(re.compile("p=0.15"))
    expect(page.locator("code", has_text="--p 0.15")).to_be_visible()
    reloaded = page.url
    settled(page, "", reloaded)
    expect(page.locator("#c-p")).to_have_value("0.15")


def test_a_value_that_is_not_allowed_is_said_and_the_last_report_stays(server, page):
    settled(page, server.base, "/demos/dropout")
    page.fill("#c-p", "1.5")
    expect(page.locator("#problem")).to_contain_text("p = 1.5 is not allowed")
    expect(page.locator("#report")).to_contain_text("claims hold")
    page.fill("#c-p", "0.5")
    expect(page.locator("#problem")).not_to_contain_text("not allowed")


def test_a_value_that_is_not_allowed_in_an_address_stays_until_it_is_changed(server, page):
    settled(page, server.base, "/demos/dropout?p=7")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#problem")).to_contain_text("p = 7.0 is not allowed")
    expect(page.locator("#c-p")).to_have_value("7")
    assert page.url.endswith("?p=7")
    page.fill("#c-p", "0.5")
    expect(page.locator("#report")).to_contain_text("--p 0.5")


def test_run_stays_on_the_screen_where_the_controls_are_taller(server, page):
    page.set_viewport_size({"width": 1280, "height": 800})
    settled(page, server.base, "/demos/dp-sgd")
    for down in (0, 600):
        page.mouse.wheel(0, down)
        expect(page.get_by_role("button", name="Run")).to_be_in_viewport(ratio=1)


def test_a_demo_shows_what_its_fields_say_when_the_server_is_back(browser, tmp_path):
    with own(browser, tmp_path, CARDS) as (server, page):
        page.goto(f"{server.base}/demos/dropout?p=0.3")
        server.kill()
        page.fill("#c-p", "0.5")
        expect(page.locator("#gone")).to_be_visible()
        server.start()
        expect(page.locator("#report")).to_contain_text("--p 0.5")


def test_see_it_runs_next_to_the_card(server, page):
    quiz(page, server.base, "Q18.2")
    page.fill("#response", "3")
    page.keyboard.press("Enter")
    expect(page.locator("aside #report svg")).to_be_visible()
    page.locator("aside input[type=range]").first.press("ArrowRight")
    expect(page.locator("aside #report svg")).to_be_visible()
    expect(page.locator("aside .controls")).to_have_css("position", "static")


def test_formulas_are_mathml(browser, tmp_path):
    with own(browser, tmp_path, CARDS) as (server, page):
        page.goto(f"{server.base}/cards/T6")
        page.click("summary")
        assert page.locator("math mfrac").count() == 1
        assert page.locator("math").evaluate("(one) => one.getBoundingClientRect().height") > 20


def test_a_kata_is_written_checked_and_shown_against_the_reference(browser, tmp_path):
    with own(browser, tmp_path, None) as (server, page):
        page.goto(f"{server.base}/katas/dropout")
        page.fill("#source", "def dropout(x, p, training, generator):\nreturn x\n")
        page.click("text=Save and check")
        expect(page.locator(".verdict")).to_contain_text("cannot be judged")
        expect(page.locator(".verdict")).to_be_in_viewport()
        page.fill("#source", "")
        page.locator("#source").focus()
        page.keyboard.type("def dropout(x, p, training, generator):\nreturn x")
        assert page.input_value("#source") == "def dropout(x, p, training, generator):\n    return x"
        page.keyboard.press("Control+Enter")
        expect(page.locator(".verdict")).to_contain_text("fails test")
        file = tmp_path / "katas" / "dropout.py"
        assert file.read_text().startswith("def dropout")
        page.keyboard.press("h")
        expect(page.locator(".note[data-focus]")).to_be_focused()
        page.fill("#source", "mine")
        page.keyboard.press("Escape")
        page.keyboard.press("h")
        expect(page.locator("text=Hint 2")).to_be_visible()
        expect(page.locator("#source")).to_have_value("mine")
        expect(page.locator("#verdict")).to_contain_text("The text above is not checked yet")
        file.write_text("raise ValueError")
        page.locator("#source").press("Control+Enter")
        expect(page.locator(".note.error")).to_be_focused()
        page.click("text=Keep the text below, and check it")
        expect(page.locator(".verdict")).to_be_focused()
        assert file.read_text() == "mine\n"


def test_a_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(browser, tmp_path):
    with own(browser, tmp_path, CARDS) as (server, page):
        quiz(page, server.base, "T3,T5")
        server.kill()
        page.fill("#response", "2")
        page.keyboard.press("Enter")
        expect(page.locator("#gone")).to_be_visible()
        server.start()
        expect(page.locator("#gone")).to_be_hidden()
        expect(page.locator("#response")).to_have_value("2")
        page.keyboard.press("Enter")
        expect(page.locator(".verdict")).to_contain_text("Right")


def test_a_hostile_deck_executes_nothing(browser, tmp_path):
    with own(browser, tmp_path, hostile()) as (server, page):
        fired, elsewhere = [], []
        page.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: elsewhere.append(request.url) if server.base not in request.url else None)
        with page.expect_event("dialog"):
            page.evaluate("setTimeout(() => alert('control'))")
        assert fired == ["control"], "the listener hears an alert"
        for path in ("/cards/H1", "/cards/H2", "/search?q=right", "/topics/cards", "/quiz/start?ids=H1,H2"):
            page.goto(f"{server.base}{path}")
            for summary in page.locator("main summary").all():
                summary.click()
            for link in page.locator("main a").all():
                link.hover()
        page.click("main button.main")
        page.check("input[name=pick] >> nth=0")
        page.click("#answer button.main")
        page.click("text=Next card")
        page.click("text=Show the answer")
        page.click("#grades button >> nth=0")
        page.wait_for_selector(".verdict")
        assert fired == ["control"]
        assert [url for url in elsewhere if not url.startswith("data:")] == []
        for attribute in ("href", "src"):
            values = page.evaluate(
                f"[...document.querySelectorAll('[{attribute}]')].map(e => e.getAttribute('{attribute}'))"
            )
            assert not [value for value in values if re.match(r"\s*(javascript|data|vbscript):", value, re.IGNORECASE)]
        assert page.locator("main script, main iframe, main [onload], main [onerror]").count() == 0


class own:
    """A server and a page of a test's own, on a deck of its own."""

    def __init__(self, browser, folder, deck):
        options = ["--dir", str(folder / "katas")]
        if deck is not None:
            (folder / "cards.md").write_text(deck)
            options += ["--bank", str(folder / "cards.md")]
        self.server = Server(folder / "home", *options)
        self.context = browser.new_context(reduced_motion="reduce")

    def __enter__(self):
        page = self.context.new_page()
        page.goto(self.server.address)
        page.wait_for_url(f"{self.server.base}/")
        return self.server, page

    def __exit__(self, *error):
        self.context.close()
        self.server.stop()
