"""Take the README's pictures anew: python pictures/make.py (the site's only if `make book` has built it)."""

import functools
import http.server
import io
import runpy
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from PIL import Image

from rnncourse.check import recurrence
from rnncourse.check.simulated import hand_in, students
from rnncourse.check.task import edited

HERE = Path(__file__).parent
ROOT = HERE.parent
journeys = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/journeys/conftest.py")))
started_browser = runpy.run_path(str(ROOT / "tests/conftest.py"))["started_browser"]


def main() -> None:
    with started_browser() as browser:
        with journeys.new_course() as course, journeys.started_lab(course) as lab:
            diagnosis(browser, lab)
            formgrader(browser, lab)
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


def site(browser) -> None:
    """The front page of the built site."""
    handler = functools.partial(QuietHandler, directory=ROOT / "_build/html")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", device_scale_factor=2)
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


def save(name: str, png: bytes) -> None:
    """Write a picture with as few colours as it can do with."""
    path = HERE / f"{name}.png"
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
