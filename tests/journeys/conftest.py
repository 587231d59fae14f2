"""The real JupyterLab on a copy of the course, in a real browser that can reach nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from rnncourse.check.notebooks import answered

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds; a busy machine is no failure


@dataclass
class Lab:
    """A running JupyterLab."""

    course: Path
    address: str
    token: str

    def write(self, path: str, answers: dict[str, str]) -> None:
        """Put the released exercise with these answers at `path` in the course."""
        blank = nbformat.read(ROOT / "exercises/recurrence/recurrence.ipynb", as_version=4)
        (self.course / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(answered(blank, answers), self.course / path)


@dataclass
class Desk:
    """A browser page on JupyterLab, and the addresses that it asked for."""

    page: Page
    lab: Lab
    asked: list[str] = field(default_factory=list)

    def __post_init__(self):
        # Playwright marks the functions it is given, which it cannot do to a list's own append: hence lambda.
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))

    def strangers(self) -> list[str]:
        """What the page asked of other hosts."""
        hosts = {url: urlsplit(url) for url in self.asked}
        return [url for url, at in hosts.items() if at.scheme not in ("data", "blob") and at.hostname != "127.0.0.1"]

    def open(self, path: str = "/") -> None:
        """Open JupyterLab at `path`, without what was open before; "/" is where it starts by itself."""
        self.page.goto(f"{self.lab.address}{path}?reset&token={self.lab.token}")

    def open_notebook(self, path: str) -> None:
        self.open(f"/lab/tree/{path}")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        # The circle in the notebook's toolbar says "idle" too early, and a cell run then is not run at all.
        self.page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()

    def cell(self, text: str) -> Locator:
        """The code cell whose source contains `text`."""
        return self.page.locator(".jp-CodeCell").filter(has=self.page.locator(".cm-content", has_text=text))

    def answer(self, text: str, source: str) -> None:
        """Replace what stands in a cell, and run it."""
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)
        self.run(text)

    def run(self, text: str, shows: str = "") -> str:
        """Run a cell to its end; return its output, which has to contain `shows`."""
        cell = self.cell(text)
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=1000 * PATIENCE)
        expect(prompt).not_to_have_text(before, timeout=1000 * PATIENCE)
        if not shows:
            return ""
        output = cell.locator(".jp-OutputArea-output")
        expect(output).to_contain_text(shows, timeout=1000 * PATIENCE / 4)
        return output.inner_text()

    def open_formgrader(self) -> FrameLocator:
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        self.page.get_by_role("menuitem", name="Formgrader", exact=True).click()
        return self.page.frame_locator("iframe")

    def validate(self) -> str:
        """Press the button Validate and read the dialog that answers."""
        self.page.locator(".validate-button").click()
        return self.page.get_by_role("dialog").inner_text()


@contextmanager
def new_course():
    """A copy of the course as a person has it after `git clone`."""
    with tempfile.TemporaryDirectory(prefix="course-") as folder:
        for name in ("exercises", "solutions"):
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        for name in ("nbgrader_config.py", "lab_config.py"):
            shutil.copy(ROOT / name, folder)
        yield Path(folder)


@contextmanager
def started_lab(course: Path):
    """JupyterLab with the flags of `make lab`, as a person who has never used it; ended on the way out."""
    flags = re.search(r"^\t@jupyter lab (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    command = [sys.executable, "-m", "jupyterlab", *flags.split(), "--no-browser", "--ip=127.0.0.1", "--allow-root"]
    with tempfile.TemporaryDirectory(prefix="home-") as home, open(Path(home, "log"), "w+b") as log:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
        environment = kept | {"HOME": home, "JUPYTER_RUNTIME_DIR": home}
        with subprocess.Popen(command, cwd=course, env=environment, stdout=log, stderr=log) as server:
            try:
                yield Lab(course, *_address(server, Path(home)))
            finally:
                server.terminate()
                try:
                    server.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    server.kill()


def _address(server: subprocess.Popen, home: Path) -> tuple[str, str]:
    """Where the server listens, and its token: it writes both down once it is ready."""
    record = home / f"jpserver-{server.pid}.json"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        if record.exists() and (text := record.read_text()).endswith("}"):
            return f"http://127.0.0.1:{json.loads(text)['port']}", json.loads(text)["token"]
        time.sleep(0.05)
    raise AssertionError(f"JupyterLab did not start:\n{(home / 'log').read_text()}")


@pytest.fixture(scope="session")
def lab():
    with new_course() as course, started_lab(course) as running:
        yield running


@pytest.fixture
def desk(lab, browser):
    """A fresh browser on JupyterLab."""
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        context.set_default_timeout(1000 * PATIENCE)
        yield Desk(context.new_page(), lab)
