"""Serve the built site on this machine and open its pages in a real browser that can reach nothing else."""

import functools
import gzip
import http.server
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response

SITE = Path(__file__).parents[2] / "_build" / "html"


def built_pages() -> list[str]:
    """The addresses of all pages; of the front page alone before the first build, for ``site`` to fail on."""
    files = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return sorted(path.as_posix() for path in files if path.parts[0] != "_static") or ["index.html"]


@pytest.fixture(scope="session")
def names():
    """The addresses of all pages."""
    return built_pages()


@pytest.fixture(scope="session", params=built_pages())
def name(request):
    """The address of every page in turn."""
    return request.param


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail(f"there is no {SITE.name}/index.html: run make book first")
    return SITE


@pytest.fixture(scope="session")
def address(site):
    """The site's address on the loopback interface, a folder below the root: no page may count on the root."""
    handler = functools.partial(QuietHandler, directory=site.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name}/"
        server.shutdown()
        thread.join()


@dataclass
class Visit:
    """An open page and what happened while it loaded."""

    page: Page
    requests: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def watch(self) -> None:
        # Playwright marks the functions it is given, which it cannot do to a list's own append: hence lambda.
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.on("requestfailed", lambda request: self.trouble.append(f"failed: {request.url}"))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", self.note)

    def note(self, message) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"{message.type}: {message.text}")

    def weights(self) -> dict[str, int]:
        """How many bytes each answer has when a server compresses it."""
        return {response.url: len(gzip.compress(response.body())) for response in self.responses}


@pytest.fixture(scope="session")
def visit(browser, address):
    """A function that opens a page; pages of the same scheme and width share a context, and so its cache."""

    @functools.cache
    def context(scheme, width):
        size = {"width": width, "height": 900}
        return browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce")

    def open_page(name: str, scheme: str = "light", width: int = 1280) -> Visit:
        seen = Visit(context(scheme, width).new_page())
        seen.watch()
        seen.page.goto(address + name)
        seen.page.evaluate("async () => { await window.MathJax?.startup?.promise }")
        seen.page.evaluate("async () => { await document.fonts.ready }")
        return seen

    return open_page


@pytest.fixture(scope="session")
def opened(name, visit):
    """Every page as a reader with a light desktop sees it; tests of one page share one visit."""
    seen = visit(name)
    yield seen
    seen.page.close()


@pytest.fixture(scope="session", params=[1280, 390], ids=["desktop", "phone"])
def width(request):
    return request.param


@pytest.fixture(scope="session", params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(scope="session")
def look(name, scheme, width, visit):
    """Every page in light and in dark, on a desktop and on a phone."""
    seen = visit(name, scheme, width)
    yield seen.page
    seen.page.close()
