"""The site as a reader sees it: built without a warning, opened in Chromium, clicked through."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect, sync_playwright

from rtl_gen.presets import PRESETS
from scripts.targets import TARGETS
from sparse_vit import __all__ as public
from sparse_vit.command_line import COMMANDS

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; a warning, a dead link among them, is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "scripts.documents.build", "--site-dir", folder]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert all(line.startswith("INFO") for line in built.stderr.splitlines()), built.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page(address) -> Iterator[Page]:
    """The home page; at the end, nothing may have gone wrong or been asked of another machine."""
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    complaints: list[str] = []
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{address}/index.html")
        yield page
        browser.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


def entries(nav: list) -> Iterator[str]:
    """The documents of a navigation, in order."""
    for entry in nav:
        (target,) = entry.values()
        if isinstance(target, str):
            yield target
        else:
            yield from entries(target)


def test_every_page_of_the_navigation_opens(page, address):
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text().partition("\ntheme:")[0])["nav"]
    for document in entries(menu):
        page.goto(f"{address}/{document.replace('.md', '.html')}")
        expect(page.locator("article h1").first).to_be_visible()
        broken = "images => images.filter(i => !i.naturalWidth).map(i => i.src)"
        assert page.locator("article img").evaluate_all(broken) == []


def test_a_reader_clicks_from_the_start_to_a_tutorial(page, address):
    page.goto(f"{address}/index.html")
    page.locator("article").get_by_role("link", name="Start in five minutes").click()
    expect(page.locator("article h1")).to_contain_text("Start in five minutes")
    page.locator("article").get_by_role("link", name="tutorial", exact=True).click()
    expect(page.locator("article h1")).to_contain_text("Own masks to cycles")
    expect(page.locator("article .highlight code").first).to_contain_text("import sparse_vit")


def test_the_reference_names_everything(page, address):
    page.goto(f"{address}/reference/commands.html")
    text = page.locator("article").inner_text()
    names = [name for commands in COMMANDS.values() for name in commands]
    assert [name for name in names if f"sparse-vit {name}\n" not in text.replace("¶", "")] == []
    page.goto(f"{address}/reference/targets.html")
    text = page.locator("article").inner_text()
    assert [name for name in TARGETS if f"make {name}" not in text] == []
    page.goto(f"{address}/reference/configuration.html")
    heads = page.locator("article table").nth(1).locator("th").all_inner_texts()
    assert heads == ["choice", *PRESETS]
    page.goto(f"{address}/reference/library.html")
    headings = page.locator("article h3").evaluate_all("all => all.map(h => h.id)")
    shown = {heading.rpartition(".")[2] for heading in headings}
    assert [name for name in public if name != "PRESETS" and name not in shown] == []


def test_search_finds_a_unit(page, address):
    page.goto(f"{address}/index.html")
    page.get_by_placeholder("Search").click()
    page.keyboard.type("MaskDecoder")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
