"""Pictures of each page for the documentation: on a desktop and a phone, in light and dark.

    python scripts/screenshots.py FOLDER [NAME ...]

Starts a server of its own on a made-up history of four months, so that there is something to see. Needs playwright,
and Chromium as Debian packages it. The same history and the same seeds give the same pages, but for today's date.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from regdemo.quiz import decks
from regdemo.quiz import goal as goals
from regdemo.quiz.cards import Card
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import AGAIN, GOOD, HARD, CardState, after, microseconds

SIZES = {"desktop": (1440, 900), "phone": (375, 812)}
DAYS = 120
PER_DAY = 14


def learner(home: Path) -> None:
    """A history of somebody who practised on most days, and recalls what FSRS predicts of them."""
    rng = random.Random(0)
    cards = [card for card in decks.load(decks.bundled()).cards if card.kind != "code"]
    now = datetime.now(UTC)
    states: dict[str, CardState] = {}
    with History(home) as history:
        for day in range(DAYS, 0, -1):
            at = now - timedelta(days=day, minutes=rng.randrange(300))
            if rng.random() < 0.25:
                continue
            due = [card for card in cards if card.id in states and states[card.id].due <= at]
            fresh = [card for card in cards if card.id not in states][:3]
            reviews = []
            for card in [*due, *fresh][: rng.randrange(PER_DAY // 2, 2 * PER_DAY)]:
                known = states[card.id].recall(at) if card.id in states else 0.6
                rating = GOOD if rng.random() < known else rng.choice((AGAIN, AGAIN, HARD))
                at += timedelta(seconds=rng.randrange(10, 90))
                review = _review(card, at, rating)
                states[card.id] = after(states.get(card.id), review)
                reviews.append(review)
            history.add_all(reviews)
    goals.write(home, goals.Goal(date.today() + timedelta(days=16), minutes=20))


def _review(card: Card, at: datetime, rating: int) -> Review:
    share = float(rating > AGAIN)
    return Review(
        card.id, microseconds(at), card.kind, rating, share, "", "{}", "", 0, 20_000, "", id=f"{card.id} {at}"
    )


def _quiz(ids: str) -> Callable[[Page, str], None]:
    def begin(page: Page, base: str) -> None:
        page.goto(f"{base}/quiz/start?ids={ids}")
        page.click("main button.main")
        page.wait_for_selector(".question")

    return begin


def _answered(page: Page, base: str) -> None:
    _quiz("Q18.92")(page, base)
    page.check("input[name=pick] >> nth=1")
    page.click("#answer button.main")
    page.wait_for_selector(".verdict")


def _next_to_it(page: Page, base: str) -> None:
    _quiz("Q18.3")(page, base)
    page.fill("#response", "0.09")
    page.click("#answer button.main")
    page.wait_for_selector("aside #report .map svg")


def _graded(page: Page, base: str) -> None:
    _quiz("Q18")(page, base)
    page.fill(
        "#response", "Noise that regularizes: units are dropped with probability p,\nthe others are scaled by 1/(1-p)."
    )
    page.click("#answer button.main")
    for point in (0, 1, 2):
        page.check(f"input[name=made] >> nth={point}")
    page.wait_for_selector("#grades button.main")


def _mock(page: Page, base: str) -> None:
    page.goto(f"{base}/mock?new=1")
    if page.locator("#minutes").count():
        page.fill("#limit", "6")
        page.click("main button.main")
        while page.locator("#sure").count():
            heading = page.locator("h1").inner_text()
            number = int(heading.split()[-1])
            for field in page.locator("#response, [name=gap]").all():
                field.fill("2")
            if page.locator("[name=pick]").count():
                page.locator("[name=pick]").nth(number % 2).check()
            page.fill("#sure", str((90, 60, 75, 30, 50, 80)[number - 1]))
            page.click("#answer button.main")
            expect(page.locator("h1")).not_to_have_text(heading)
        while page.locator(".grades").count():
            place = page.locator(".where").inner_text()
            page.click(".grades button >> nth=2")
            expect(page.locator(".where", has_text=place.partition("\n")[0])).to_have_count(0)
    page.wait_for_selector("text=Score card")


def _at(path: str) -> Callable[[Page, str], None]:
    def go(page: Page, base: str) -> None:
        page.goto(f"{base}{path}")
        page.wait_for_selector("#report[hx-get]", state="detached")

    return go


VIEWS: dict[str, Callable[[Page, str], None]] = {
    "today": _at("/"),
    "quiz": _quiz("Q18.92"),
    "quiz-answer": _answered,
    "quiz-see-it": _next_to_it,
    "quiz-grade": _graded,
    "mock": _mock,
    "demos": _at("/demos"),
    "demo": _at("/demos/attention-dropout?p=0.3"),
    "pitfall": _at("/pitfalls/one-draw-path"),
    "compare": _at("/compare"),
    "katas": _at("/katas"),
    "kata": _at("/katas/dropout"),
    "guide": _at("/guide"),
    "stats": _at("/stats"),
    "plan": _at("/plan"),
    "search": _at("/search?q=attention dropout"),
}


def main() -> None:
    """Write FOLDER/NAME-SIZE-SCHEME.png for each view."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(VIEWS)
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or sys.exit("there is no chromium: apt install chromium")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        home = Path(scratch) / "home"
        learner(home)
        process = subprocess.Popen(
            [sys.executable, "-m", "regdemo", "web", "--no-browser", "--dir", f"{scratch}/katas"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "REGDEMO_HOME": str(home)},
        )
        assert process.stdout
        address = process.stdout.readline().strip()
        base = address.partition("/enter")[0]
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = browser.new_page(reduced_motion="reduce")
            page.goto(address)
            page.wait_for_url(f"{base}/")
            for name in names:
                for size, (width, height) in SIZES.items():
                    page.set_viewport_size({"width": width, "height": height})
                    VIEWS[name](page, base)
                    for scheme in ("light", "dark"):
                        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                        path = folder / f"{name}-{size}-{scheme}.png"
                        page.screenshot(path=path, full_page=size == "phone")
                        print(path)
        finally:
            browser.close()
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
