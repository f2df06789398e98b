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


def show_sample(page: Page, home: str) -> None:
    """Open the page and analyse the bundled photo."""
    page.goto(home)
    page.click("#sample")
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_selector("#busy", state="hidden")


def hide_mouth(page: Page) -> None:
    """Hide the mouth and lay the heatmap over the face."""
    page.click('[data-toggles="mouth"]')
    page.evaluate("document.getElementById('tools').open = true")
    if page.is_visible("#opacity"):
        page.fill("#opacity", "60")


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
            show_sample(page, home)
            page.wait_for_timeout(500)
            if name != "dark":
                page.screenshot(path=out / f"web-{name}.png", full_page=True)
            if name != "phone":
                hide_mouth(page)
                page.wait_for_timeout(500)
                page.screenshot(path=out / f"web-{name}-mouth-hidden.png", full_page=True)
            if name == "light":
                page.goto(f"{home}#trust")
                page.wait_for_timeout(800)
                page.screenshot(path=out / "web-trust.png", full_page=True)
                page.goto("about:blank")
                page.goto(home)
                page.wait_for_timeout(400)
                page.screenshot(path=out / "web-start.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
