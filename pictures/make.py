"""Take the pictures of the README and of the pages `students` and `instructors` anew: python pictures/make.py.

The site's own picture is taken only if `make book` has built it.
"""

import functools
import http.server
import io
import os
import runpy
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from rnncourse.check import recurrence
from rnncourse.check.simulated import hand_in, many, students
from rnncourse.check.task import edited

HERE = Path(__file__).parent
ROOT = HERE.parent
SMALL = {"width": 1000, "colours": 16}  # four of them stand on one page
journeys = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/journeys/conftest.py")))
started_browser = runpy.run_path(str(ROOT / "tests/conftest.py"))["started_browser"]


def main() -> None:
    with started_browser() as browser:
        with journeys.new_course() as course, journeys.started_lab(course) as lab:
            diagnosis(browser, lab)
            formgrader(browser, lab)
        with journeys.new_course() as course, journeys.started_lab(course) as lab:
            class_of_many(browser, lab)
        if (ROOT / "_build/html/index.html").exists():
            site(browser)


def diagnosis(browser, lab) -> None:
    """What the check says of a forgotten bias, in JupyterLab."""
    step = recurrence.STEP
    with desk(browser, lab, width=1040, height=1200) as seat:
        seat.open("/doc/tree/exercises/recurrence/recurrence.ipynb")
        seat.wait_for_kernel()
        seat.run("from rnncourse.check import recurrence")
        seat.answer("def rnn_step", edited(step.source, step.mistakes[0]).rstrip())
        seat.run('recurrence.check("rnn_step", rnn_step)', shows="Likely cause")
        seat.page.get_by_role("heading", name="Exercise: a network with memory").click()
        top = seat.page.locator(".jp-MarkdownCell", has_text="1. One step").bounding_box()
        end = seat.cell('recurrence.check("rnn_step", rnn_step)').bounding_box()
        height = end["y"] + end["height"] - top["y"] + 4
        save("jupyterlab-diagnosis", seat.page.screenshot(clip={**top, "height": height}))


def formgrader(browser, lab) -> None:
    """A graded class in nbgrader's formgrader."""
    hand_in(lab.course / "exercises", lab.course / "submitted", students())
    for command in (["nbgrader", "generate_assignment", "recurrence", "--force"], ["rnncourse.grading", "recurrence"]):
        subprocess.run([sys.executable, "-m", *command], cwd=lab.course, check=True, capture_output=True)
    with desk(browser, lab, width=1280, height=680) as seat:
        seat.open()
        form = seat.open_formgrader()
        seat.page.locator("[data-id=filebrowser]").click()  # puts it away
        form.locator(".num-submissions a").click()
        form.locator(".score", has_text="/ 25").nth(4).wait_for()
        save("formgrader", seat.page.screenshot())


def class_of_many(browser, lab) -> None:
    """What a teacher of 200 sees: the grader in a terminal, the report, a feedback page, an answer to be marked."""
    hand_in(lab.course / "exercises", lab.course / "submitted", many(200))
    words = ["nbgrader", "generate_assignment", "recurrence", "--force"]
    subprocess.run([sys.executable, "-m", *words], cwd=lab.course, check=True, capture_output=True)
    command = ["rnncourse", "grade", "recurrence", "--timeout=5", "--feedback"]
    colours = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "110"}
    graded = subprocess.run(
        [sys.executable, "-m", *command], cwd=lab.course, env=colours, capture_output=True, text=True
    )
    assert graded.returncode == 0, graded.stdout + graded.stderr
    with browser.new_page(viewport={"width": 960, "height": 640}, device_scale_factor=2) as page:
        page.set_content(as_terminal(f"$ {' '.join(command)}\n{graded.stdout}"))
        save("grading", page.screenshot(full_page=True), **SMALL)
    subprocess.run([sys.executable, "-m", "rnncourse", "report", "recurrence"], cwd=lab.course, check=True)
    with browser.new_page(viewport={"width": 960, "height": 900}, device_scale_factor=2) as page:
        page.goto((lab.course / "reports/recurrence.html").as_uri())
        save("report", page.screenshot(), **SMALL)
    with browser.new_page(viewport={"width": 960, "height": 700}, device_scale_factor=2) as page:
        pages = sorted((lab.course / "feedback").glob("*/recurrence/recurrence.html"))
        page.goto(next(path for path in pages if "Likely cause" in path.read_text(encoding="utf-8")).as_uri())
        page.get_by_text("Likely cause").first.evaluate("e => scrollTo(0, e.getBoundingClientRect().top - 420)")
        save("feedback", page.screenshot(), **SMALL)
    with desk(browser, lab, width=1280, height=760) as seat:
        seat.open()
        form = seat.open_formgrader()
        seat.page.locator("[data-id=filebrowser]").click()  # puts it away
        form.get_by_role("link", name="Manual Grading").click()
        form.locator("#main-table").get_by_role("link", name="recurrence").click()
        form.get_by_role("heading", name="Manual Grading").wait_for()
        form.locator("#main-table").get_by_role("link", name="recurrence").click()
        form.get_by_role("link", name="Submission #1", exact=True).click()
        form.locator("mjx-container").first.wait_for()
        form.locator("#order-answer").scroll_into_view_if_needed()
        save("by-hand", seat.page.screenshot(), **SMALL)


def as_terminal(text: str) -> str:
    """The beginning and the end of what a terminal shows, with its colours, as a page."""
    lines = [line for line in text.splitlines() if " 0 failed" not in line and not line.startswith("Working")]
    start, end = lines[:14], lines[next(i for i, line in enumerate(lines) if "Most met" in line) :]
    shown = Text.from_ansi("\n".join([*start, "…", *end]))
    console = Console(record=True, width=110, file=io.StringIO())
    console.print(shown)
    return console.export_html(theme=MONOKAI, inline_styles=True)


def site(browser) -> None:
    """The front page of the built site."""
    handler = functools.partial(QuietHandler, directory=ROOT / "_build/html")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light", device_scale_factor=2)
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }")
        save("site", page.screenshot())
        page.close()
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def desk(browser, lab, width: int, height: int):
    size = {"width": width, "height": height}
    with browser.new_page(viewport=size, color_scheme="light", device_scale_factor=2) as page:
        yield journeys.Desk(page, lab)


def save(name: str, png: bytes, width: int | None = None, colours: int = 128) -> None:
    """Write a picture with as few pixels and colours as it can do with."""
    path, image = HERE / f"{name}.png", Image.open(io.BytesIO(png)).convert("RGB")
    if width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
