"""Write docs/images/web-*.png: the page with the shipped models on the bundled photo. Needs Chromium.

python scripts/docs/web_screenshots.py [OUT]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from builders.serve import running  # noqa: E402
from mien.serve import ServeSettings  # noqa: E402
from mien.serve.app import create_app  # noqa: E402

DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
REPORT = ROOT / "docs" / "results" / "ferplus" / "report.html"


def opened(page: Page, home: str) -> None:
    """Open the page and wait for the answer that it opens with."""
    page.goto(home)
    page.locator("#verdict:not(:empty)").wait_for()
    page.wait_for_selector("#busy", state="hidden")


def shoot(page: Page, path: Path, *, whole: bool = True) -> None:
    """Save a picture of the page from its top, once all its images are there and nothing moves any more."""
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("[...document.images].every(i => !i.checkVisibility() || (i.complete && i.naturalWidth))")
    page.wait_for_timeout(800)
    page.screenshot(path=path, full_page=whole)


def hide_mouth(page: Page) -> None:
    """Hide the mouth and lay the heat map over the face."""
    page.get_by_role("button", name="Hide the mouth").click()
    if page.is_visible("#show-heatmap"):
        page.check("#show-heatmap")


def try_all_examples(page: Page) -> None:
    """Analyse every face to try, so that the table has rows."""
    for button in page.locator("#examples button").all():
        button.click()
        page.locator("#picture-facts:not(:empty)").wait_for()
        page.wait_for_selector("#busy", state="hidden")
        page.wait_for_timeout(500)


def main() -> None:
    """Write all pictures."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    settings = ServeSettings(report=REPORT if REPORT.is_file() else None)
    with running(create_app(settings)) as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for name, size, scheme in (("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"), ("phone", PHONE, "light")):
            context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page = context.new_page()
            page.on("console", lambda message: print(message.type, message.text))
            opened(page, home)
            if name == "light":
                shoot(page, out / "web-start.png", whole=False)
            if name != "dark":
                shoot(page, out / f"web-{name}.png")
            if name != "phone":
                hide_mouth(page)
                shoot(page, out / f"web-{name}-mouth-hidden.png")
            if name == "light":
                try_all_examples(page)
                page.locator("#all").scroll_into_view_if_needed()
                page.wait_for_timeout(800)
                page.locator("#all").screenshot(path=out / "web-table.png")
                page.goto(f"{home}#trust")
                page.locator("#trust-areas table").wait_for()
                shoot(page, out / "web-trust.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
