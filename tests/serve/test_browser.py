"""The page in a real Chromium: what a user does, without a console error and without asking any other host."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from builders.serve import running
from mien.analyze.analyzer import Analyzer
from mien.assets import SAMPLE
from mien.serve import ServeSettings
from mien.serve.app import create_app
from mien.types import UInt8

CHROMIUM = os.environ.get("MIEN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
]  # fmt: skip
AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
TOKEN = "0123456789abcdef"
PATIENCE_MS = 30_000
"""The first picture waits for dlib's models, on machines that do other things besides."""
expect.set_options(timeout=PATIENCE_MS)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found (set MIEN_CHROMIUM to its path)"),
]


@pytest.fixture(scope="module")
def home(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server."""
    folder = tmp_path_factory.mktemp("served")
    models = folder / "models"
    shutil.copytree(tiny_models, models)
    rows = ["network,emotion,area,p,low,high,n,n_right", "anyarea,fear,mouth,0.4,0.3,0.5,20,8"]
    for name in ("authenticity", "authenticity_fused"):
        (models / f"{name}.csv").write_text("\n".join(rows))
    report = folder / "report.html"
    report.write_text("<!doctype html><html lang=en><title>Study</title><h1>Study</h1>", "utf-8")
    with running(create_app(ServeSettings(report=report, upload_bytes=5_000_000), Analyzer(models))) as address:
        yield address


@pytest.fixture(scope="module")
def film(photo: UInt8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake webcam shows."""
    path = tmp_path_factory.mktemp("film") / "face.mjpeg"
    coded = bytes(cv2.imencode(".jpg", cv2.resize(photo[:384, 64:448], (480, 480))[..., ::-1])[1])
    path.write_bytes(coded * 10)
    return path


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Watched:
    """A page, and all that it complained of or asked for."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", f"blob:{self.home}")):
            self.foreign.append(request.url)

    def check(self) -> None:
        assert self.complaints == []
        assert self.foreign == []


@contextlib.contextmanager
def visit(browser: Browser, home: str, path: str = "", **context: Any) -> Iterator[Page]:
    """A page that must neither complain nor ask elsewhere."""
    options = {"viewport": {"width": 1280, "height": 860}} | context
    with contextlib.closing(browser.new_context(**options)) as opened:
        watched = Watched(opened.new_page(), home)
        watched.page.set_default_timeout(PATIENCE_MS)
        watched.page.goto(home + path)
        yield watched.page
        watched.check()


def upload(page: Page, path: Path = SAMPLE) -> None:
    page.set_input_files("#file", path)
    expect(page.locator("#picture-name")).to_have_text(path.name)
    expect(page.locator("#busy")).to_be_hidden()


def axe(page: Page) -> list[str]:
    """Serious and critical findings."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']}: {v['help']} ({', '.join(str(node['target']) for node in v['nodes'][:3])})"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def test_the_first_answer_is_there_without_a_click(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        expect(page.locator("#verdict")).not_to_be_empty()
        expect(page.locator("#picture-name")).to_have_text("portrait.jpg")


FIRST_ANSWER = """
    const look = () => {
        const words = document.getElementById("verdict");
        if (words?.textContent && words.checkVisibility()) window.firstAnswer ??= performance.now();
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""


def test_the_first_answer_is_there_within_a_second(browser: Browser, home: str) -> None:
    waited = []
    for _ in range(4):  # the first also waits for the server's processes; others may meet a busy machine
        with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 860})) as context:
            context.add_init_script(FIRST_ANSWER)
            page = context.new_page()
            page.goto(home)
            expect(page.locator("#verdict")).not_to_be_empty()
            waited.append(page.evaluate("window.firstAnswer"))
    assert min(waited) < 1000


def test_upload_read_the_answer_and_hide_the_mouth(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        answer = page.evaluate("fetch('api/sample').then(r => r.blob()).then(b => fetch('api/analyze?what_if=true', "
                               "{method: 'POST', body: b})).then(r => r.json())")  # fmt: skip
        without_mouth = answer["faces"][0]["what_if"]["nose_eyes"]
        expect(page.locator("#trust-range")).to_contain_text("95% interval")
        assert page.locator("#overlay circle").count() == 68
        assert page.locator("#overlay rect[data-part]").count() == 3
        expect(page.locator("#areas tbody tr")).to_have_count(8)
        expect(page.locator("#areas tbody tr").first).to_contain_text("All that is visible")

        mouth = page.get_by_role("button", name="Hide the mouth")
        mouth.click()
        expect(mouth).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#seen")).to_have_text("eyes and nose")
        expect(page.locator("#trust-words")).to_contain_text(without_mouth["words"], ignore_case=True)
        expect(page.locator("#change")).not_to_be_empty()
        for row in page.locator("#areas tr.dim").all():  # areas that show a covered part
            assert "%" not in row.locator("td").nth(1).inner_text()
        expect(page.locator("#areas tr.dim")).to_have_count(4)
        for part in ("eyes", "nose"):
            page.get_by_role("button", name=f"Hide the {part}").click()
        expect(page.locator("#verdict")).to_have_text("No answer")


def test_nothing_lies_over_anything_while_scrolling(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        expect(page.locator("#areas tbody tr")).to_have_count(8)
        for width in (1000, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            for down in range(0, 1600, 200):
                page.evaluate(f"scrollTo(0, {down})")
                picture, areas = (page.locator(name).bounding_box() for name in ("#picture", "#areas"))
                assert picture is not None
                assert areas is not None
                assert picture["y"] + picture["height"] <= areas["y"]


def test_the_new_photo_is_there_at_once_and_the_old_answer_is_gone(browser: Browser, home: str) -> None:
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(home)
        expect(page.locator("#verdict")).not_to_be_empty()
        held: list[Any] = []
        page.route("**/api/analyze?*", lambda route: held.append(route))
        page.set_input_files("#file", SAMPLE)
        expect(page.locator("#picture-name")).to_have_text(SAMPLE.name)
        expect(page.locator("#photo")).to_be_visible()
        expect(page.locator("#waiting")).to_be_visible()
        expect(page.locator("#verdict")).to_be_hidden()
        assert page.locator("#overlay > *").count() == 0
        while not held:  # the photo is decoded before it is sent
            page.wait_for_timeout(50)
        held.pop().continue_()
        expect(page.locator("#verdict")).to_be_visible()


def test_several_pictures_are_queued_and_listed(browser: Browser, home: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"photo{number}.jpg" for number in range(3)]
    for path in paths:
        shutil.copy(SAMPLE, path)
    broken = tmp_path / "broken.jpg"
    broken.write_text("not a picture")
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        page = context.new_page()
        page.goto(home)
        page.set_input_files("#file", [*paths[:1], broken, *paths[1:]])
        expect(page.locator("#all-faces tbody tr")).to_have_count(3)  # the broken one loses none of the others
        for path in paths:
            expect(page.locator("#all-faces")).to_contain_text(path.name)
        with page.expect_download() as started:
            page.get_by_role("button", name="CSV").click()
        lines = Path(started.value.path()).read_text("utf-8").splitlines()
        assert len(lines) == 4
        assert "p_correct" in lines[0].split(",")
        with page.expect_download() as started:
            page.get_by_role("button", name="JSON").click()
        saved = json.loads(Path(started.value.path()).read_text("utf-8"))
        assert [one["input"] for one in saved] == [path.name for path in paths]
        page.locator("#least").fill("99")
        right = saved[0]["faces"][0]["fused"]["p_correct"]["value"]
        expect(page.locator("#all-faces tbody tr")).to_have_count(3 if right >= 0.99 else 0)


def test_boxes_are_named_with_their_trust_and_can_be_focused(
    browser: Browser, home: str, photo: UInt8, tmp_path: Path
) -> None:
    path = tmp_path / "two.png"
    cv2.imwrite(str(path), np.hstack([photo, photo])[..., ::-1])
    with visit(browser, home) as page:
        upload(page, path)
        boxes = page.locator("#overlay [data-face]")
        expect(boxes).to_have_count(2)
        assert "%" in boxes.nth(1).locator("text").text_content()
        boxes.nth(1).focus()
        page.keyboard.press("Enter")
        expect(boxes.nth(1)).to_have_attribute("aria-pressed", "true")
        expect(boxes.nth(1)).to_be_focused()
        expect(page.locator("#verdict")).not_to_be_empty()


def test_every_number_is_explained_where_it_stands(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        for button in page.locator("[data-result] .ask").all():
            button.click()
            words = page.locator(f"#{button.get_attribute('aria-controls')}")
            expect(words).to_be_visible()
            button.click()
            expect(words).to_be_hidden()
        assert page.locator("[data-result] .ask").count() >= 5
        page.get_by_role("link", name="Help and limits").click()
        for words in ("Intended use", "European Union", "Licences", "Shapley"):
            expect(page.locator("#view-help")).to_contain_text(words)
        page.get_by_role("link", name="Back to the pictures").click()
        expect(page.locator("#verdict")).to_be_visible()


def test_the_mix_of_emotions_and_the_whole_picture_are_sent(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        page.locator("#options summary").click()
        with page.expect_request("**/api/analyze?*prior=balanced*"):
            page.get_by_label("Mix of emotions", exact=True).select_option("balanced")
        with page.expect_request("**/api/analyze?*whole_picture=true*") as asked:
            page.get_by_label("Each whole picture is one face").check()
        assert asked.value.response().status == 200


def test_examples_are_one_click_away(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        for title, name in (
            ("Mask", "mask"),
            ("Sunglasses", "sunglasses"),
            ("Hand", "hand"),
            ("Mask and sunglasses", "mask-sunglasses"),
            ("Group", "group"),
        ):
            page.get_by_role("button", name=title, exact=True).click()
            expect(page.locator("#picture-name")).to_have_text(f"{name}.jpg")
            expect(page.locator("#picture-facts")).not_to_be_empty()


def test_words_in_the_browser(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        said = page.evaluate(
            """async () => {
                const {verdict, tag} = await import(new URL("static/words.js", location.href).href);
                const low = {emotion: "happiness", second: "anger", right: {value: 0.51, low: 0.4, high: 0.6}};
                const high = {...low, right: {value: 0.97, low: 0.95, high: 0.98}};
                return [verdict(low), tag(low), verdict(high), tag(high), verdict(null)];
            }"""
        )
        assert said == ["perhaps happiness, or anger", "happiness? 51%", "happiness", "happiness 97%", "no answer"]


def test_the_heatmap_has_a_key_and_follows_its_slider(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        assert page.locator("#overlay [data-heatmap]").count() == 0
        page.get_by_role("slider", name="Opacity").fill("80")
        heatmap = page.locator("#overlay [data-heatmap]")
        expect(heatmap).to_have_attribute("opacity", "0.8")
        expect(page.locator("#heatmap-key")).to_contain_text("least")
        page.get_by_role("checkbox", name="Heat map").uncheck()
        expect(heatmap).to_have_count(0)
        expect(page.locator("#heatmap-key")).to_be_hidden()


def test_parts_by_keyboard(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        page.get_by_role("button", name="Hide the nose").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Hide the nose")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("button", name="Hide the nose")).to_be_focused()


def test_the_png_holds_picture_and_words(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        upload(page)
        with page.expect_download() as started:
            page.get_by_role("button", name="Save PNG").click()
        assert started.value.suggested_filename == "astronaut-mien.png"
        picture = cv2.imread(str(started.value.path()))
        assert picture is not None
        high, wide = picture.shape[:2]
        assert wide == 960
        assert high > 960  # the answer is written below


def assert_laid_over(page: Page) -> None:
    """Overlay and photo cover each other. Both are read at one moment: the photo may still be zooming in."""
    overlay, photo = page.evaluate(
        """["overlay", "photo"].map(id => {
            const box = document.getElementById(id).getBoundingClientRect();
            return [box.x, box.y, box.width, box.height];
        })"""
    )
    assert overlay == pytest.approx(photo, abs=1)


def test_a_tiff_is_shown_although_the_browser_cannot(browser: Browser, home: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.tiff"
    cv2.imwrite(str(path), cv2.imread(str(SAMPLE)))
    with visit(browser, home) as page:
        upload(page, path)
        expect(page.locator("#overlay circle")).to_have_count(68)
        assert page.evaluate("document.getElementById('photo').naturalWidth") == 512
        assert_laid_over(page)


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_finding(browser: Browser, home: str, scheme: Any, width: int) -> None:
    size = {"width": width, "height": 800}
    with visit(browser, home, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce", viewport=size) as page:
        upload(page)
        page.get_by_role("button", name="Hide the mouth").click()
        expect(page.locator("#all-faces tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe(page) == []
        page.get_by_role("link", name="Trust table").click()
        expect(page.locator("#trust-areas table")).to_be_visible()
        assert axe(page) == []
        page.get_by_role("link", name="Help and limits").click()
        assert axe(page) == []


def test_the_checks_can_fail(browser: Browser, home: str) -> None:
    with contextlib.closing(browser.new_context(bypass_csp=True)) as context:
        watched = Watched(context.new_page(), home)
        watched.page.goto(home)
        watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input><button></button>')")
        assert any(finding.startswith("label") for finding in axe(watched.page))
        watched.page.evaluate("console.error('a complaint'); fetch('http://127.0.0.1:9/elsewhere').catch(() => {})")
        assert "a complaint" in watched.complaints
        assert watched.foreign == ["http://127.0.0.1:9/elsewhere"]


def test_themes(browser: Browser, home: str) -> None:
    with visit(browser, home, color_scheme="light") as page:
        paper = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(paper)
        button = page.locator("#theme")
        button.click()
        expect(button).to_have_attribute("aria-label", "Colour theme: light")
        button.click()
        expect(button).to_have_attribute("aria-label", "Colour theme: dark")
        assert page.evaluate(paper) != light
        page.reload()
        expect(page.locator("#theme")).to_have_attribute("aria-label", "Colour theme: dark")


def test_trust_table_and_report(browser: Browser, home: str) -> None:
    with visit(browser, home, "#trust") as page:
        cell = page.locator("#trust-areas td", has_text="40%")
        expect(cell).to_contain_text("30 to 50")
        expect(cell).to_have_attribute("title", "Mouth says fear: right 8 of 20 times")
        page.get_by_role("link", name="Study report").click()
        expect(page.get_by_role("heading", name="Study")).to_be_visible()
        page.get_by_role("link", name="Back to mien").click()
        expect(page.locator("#verdict")).to_be_visible()


def test_the_api_page_is_self_hosted(browser: Browser, home: str) -> None:
    with visit(browser, home, "docs") as page:
        expect(page.get_by_text("/api/analyze")).to_be_visible()


def test_a_video_is_a_row_for_each_moment(browser: Browser, home: str, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the extra 'video' is not installed")
    path = tmp_path / "clip.webm"
    face = np.ascontiguousarray(cv2.imread(str(SAMPLE))[:320, 64:384])
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for _ in range(15):
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(face, format="bgr24")))
        clip.mux(stream.encode())
    with visit(browser, home) as page:
        upload(page, path)
        rows = page.locator("#all-faces tbody tr")
        expect(rows).to_have_count(3)  # two a second
        expect(rows.nth(1)).to_contain_text("0:00.5")
        with page.expect_download() as started:
            page.get_by_role("button", name="CSV").click()
        header, *lines = Path(started.value.path()).read_text("utf-8").splitlines()
        at = header.split(",").index("approx_time")
        assert [float(line.split(",")[at]) for line in lines] == [0.0, 0.5, 1.0]


def test_bad_pictures_are_said_in_a_sentence(browser: Browser, home: str, tmp_path: Path) -> None:
    words, empty = tmp_path / "words.jpg", tmp_path / "empty.png"
    words.write_text("not a picture")
    cv2.imwrite(str(empty), np.full((300, 300, 3), 120, np.uint8))
    large = tmp_path / "large.jpg"
    large.write_bytes(b"x" * 5_000_001)
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 860})) as context:
        page = context.new_page()
        page.goto(home)
        for path, said in ((words, "not a picture"), (large, "5 MB")):
            page.set_input_files("#file", path)
            expect(page.locator("#failed-words")).to_contain_text(said)
            assert page.evaluate("document.getElementById('picture').offsetHeight") < 300  # no large black plate
            expect(page.locator("#verdict")).to_be_hidden()
        page.set_input_files("#file", empty)
        expect(page.locator("#nobody")).to_be_visible()
        upload(page)
        expect(page.locator("#parts")).to_be_visible()


def test_drop_a_photo(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        page.evaluate(
            """async () => {
                const blob = await (await fetch('api/sample')).blob();
                const data = new DataTransfer();
                data.items.add(new File([blob], 'dropped.jpg', {type: 'image/jpeg'}));
                const options = {dataTransfer: data, bubbles: true, cancelable: true};
                for (const type of ['dragenter', 'dragover', 'drop'])
                    document.getElementById('drop').dispatchEvent(new DragEvent(type, options));
            }"""
        )
        expect(page.locator("#verdict")).not_to_be_empty()
        expect(page.locator("#picture-name")).to_have_text("dropped.jpg")


def test_webcam(browser: Browser, home: str) -> None:
    with visit(browser, home) as page:
        frames = []
        page.on("request", lambda request: frames.append(request.url) if "api/analyze" in request.url else None)
        page.get_by_role("button", name="Use the webcam").click()
        expect(page.locator("#stop")).to_be_visible()
        expect(page.locator("#overlay circle")).to_have_count(68)
        page.get_by_role("button", name="Hide the eyes").click()
        for _ in range(2):  # it goes on
            page.wait_for_event("response", lambda response: "api/analyze" in response.url)
        expect(page.get_by_role("button", name="Hide the eyes")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Stop the webcam").click()
        expect(page.locator("#photo")).to_be_visible()
        expect(page.locator("#overlay circle")).to_have_count(68)
        page.wait_for_timeout(300)
        stopped = len(frames)
        page.wait_for_timeout(600)
        assert len(frames) == stopped
        assert all(url.startswith(home) for url in frames)


def test_the_token_is_asked_for_once(browser: Browser, tiny_models: Path) -> None:
    app = create_app(ServeSettings(host="0.0.0.0", token=TOKEN), Analyzer(tiny_models))
    with running(app) as address, contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(address)
        page.get_by_label("Token").fill("wrong-token-wrong")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("not the server's token")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        expect(page.locator("#drop")).to_be_visible()
        page.reload()
        expect(page.locator("#drop")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
    with running(app) as address, contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(f"{address}#token={TOKEN}")
        expect(page.locator("#drop")).to_be_visible()
        assert TOKEN not in page.url
