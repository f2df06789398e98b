"""The kept report of FER+ in a real Chromium, on a desk and on a phone: order, numbers, links, nothing cut."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Page, sync_playwright

from mien.study.report.contents import FIRST_SCREEN, ORDER

CHROMIUM = os.environ.get("MIEN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
REPORT = Path(__file__).parents[2] / "docs" / "results" / "ferplus" / "report.html"
AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
SIZES = {"desk": (1280, 800), "phone": (390, 844)}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (set MIEN_CHROMIUM to its path)"),
]


@pytest.fixture(scope="module", params=SIZES)
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = SIZES[request.param]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": width, "height": height})
        problems: list[str] = []
        opened.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        opened.on(
            "request", lambda r: problems.append(r.url[:80]) if not r.url.startswith(("file:", "data:")) else None
        )
        opened.goto(REPORT.as_uri())
        yield opened
        browser.close()
    assert problems == []


def test_question_and_five_answers_are_on_the_first_screen(page: Page) -> None:
    assert page.viewport_size is not None
    height = page.viewport_size["height"]
    places = page.eval_on_selector_all(".question, .badge", "all => all.map(e => e.getBoundingClientRect().bottom)")
    assert len(places) == 6
    assert max(places) < height
    words = page.eval_on_selector_all(".badge", "all => all.map(e => e.textContent.trim())")
    assert set(words) <= {"yes", "no", "undecided"}
    if page.viewport_size["width"] > 1000:
        bottoms = page.eval_on_selector_all("#fig-a, #table-a", "all => all.map(e => e.getBoundingClientRect().bottom)")
        assert len(bottoms) == 2
        assert max(bottoms) < height


def test_exhibits_come_in_the_order_of_their_numbers_and_every_name_is_a_file(page: Page) -> None:
    ids = page.eval_on_selector_all("figure[id], #table-a", "all => all.map(e => e.id)")
    keys = ["-".join(id.split("-")[:2]) for id in ids]
    assert set(keys[:2]) == set(FIRST_SCREEN)
    assert keys[2:] == [key for key in ORDER[2:] if key in keys]
    assert {"table-6", "fig-7", "table-p", "table-q"} <= set(keys)
    assert all((REPORT.parent / "results" / f"{id}.csv").is_file() for id in ids)
    for id, caption in zip(ids, page.eval_on_selector_all(
        "figure[id], #table-a", "all => all.map(e => (e.querySelector('figcaption, h3')).textContent)"
    ), strict=True):  # fmt: skip
        kind, number = id.split("-")[:2]
        label = f"{'Table' if kind == 'table' else 'Fig.'} {number if number[0].isdigit() else number.upper()}."
        assert caption.startswith(label)
    assert page.locator("section:has(> h2#method)").evaluate("e => !e.nextElementSibling.querySelector('figure')")


def test_every_link_leads_somewhere(page: Page) -> None:
    links = set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))"))
    here = {link[1:] for link in links if link.startswith("#")}
    assert here
    missing = page.evaluate("names => names.filter(n => !document.getElementById(n))", sorted(here))
    assert missing == []
    files = {link for link in links if re.match(r"(results|figures)/", link)}
    assert len(files) > 60
    assert [f for f in files if not (REPORT.parent / f).is_file()] == []
    assert links - files - {f"#{name}" for name in here} == {"https://doi.org/10.1007/s11633-019-1176-9"}


CUT = """() => {
  for (const d of document.querySelectorAll('details')) d.open = true;
  const out = {page: document.documentElement.scrollWidth - innerWidth, uncued: [], loose: [], beyond: []};
  for (const box of document.querySelectorAll('.wide')) {
    const name = box.closest('figure').id, over = box.scrollWidth - box.clientWidth;
    if (over > 1 && !getComputedStyle(box).backgroundImage.includes('gradient')) out.uncued.push(name);
    const first = box.querySelector('tbody th');
    if (over > 1 && first) {
      const before = first.getBoundingClientRect().left;
      box.scrollLeft = over;
      if (Math.abs(first.getBoundingClientRect().left - before) > 1) out.loose.push(name);
      const last = box.querySelector('tbody tr').lastElementChild.getBoundingClientRect();
      if (last.right > box.getBoundingClientRect().right + 1) out.beyond.push(name);
      if (first.getBoundingClientRect().right > last.left + 1) out.beyond.push(name + ' is covered');
      box.scrollLeft = 0;
    }
  }
  return out;
}"""
"""Overhang of the page; tables that scroll without a cue; whose first column goes; whose last cannot be seen whole."""


def test_nothing_is_cut(page: Page) -> None:
    assert page.evaluate(CUT) == {"page": 0, "uncued": [], "loose": [], "beyond": []}
    narrow = page.eval_on_selector_all(".wide.picture img", "all => all.map(i => i.getBoundingClientRect().width)")
    assert min(narrow) > 600, "a figure's words cannot be read"


def test_everyone_can_read_it(page: Page) -> None:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
