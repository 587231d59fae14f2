"""The cache of executed chapters is never stale, never larger than it must be, and filled side by side.

A small book, built for real.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).parents[2] / "book/_ext"
HEADER = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
KEPT = 'from pathlib import Path\nKEPT = Path(__file__).with_name("kept")\n'
FILES = {
    "requirements.txt": "",
    "numbers.txt": "the answer is 10",
    "long/run.txt": "1 hour",
    "rnncourse/__init__.py": "",
    "rnncourse/value.py": "from rnncourse.deep import DEEP\nVALUE = f'value {DEEP}'\n",
    "rnncourse/deep.py": "DEEP = 1\n" + KEPT,
    "rnncourse/kept/weights.txt": "",
    "rnncourse/other.py": "",
    "book/conf.py": """\
import sys
sys.path.insert(0, "book/_ext")
extensions = ["myst_nb", "fresh_cache", "parallel_kernels"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
""",
    "book/index.md": "# Front\n\n```{toctree}\na\nb\n```\n\n```{glue} seen\n:doc: a.md\n```\n",
    "book/a.md": HEADER
    + """# A

```{code-cell} python
from rnncourse.value import VALUE
from myst_nb import glue
open("../../ran.log", "a").write("a")
glue("seen", VALUE)
```
""",
    "book/b.md": HEADER
    + """# B

```{code-cell} python
from pathlib import Path
open("../../ran.log", "a").write("b")
print(Path("../numbers.txt").read_text())
name = "run"
print((Path("..") / "long" / f"{name}.txt").read_text())
```
""",
}


@pytest.fixture
def course(tmp_path):
    folder = tmp_path / "course"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "book/_ext").mkdir()
    for name in ("fresh_cache", "parallel_kernels"):
        shutil.copy(EXTENSIONS / f"{name}.py", folder / "book/_ext")
    return folder


def build(course: Path) -> str:
    """Build the book; the chapters that were executed, in alphabetical order."""
    log = course.parent / "ran.log"
    log.write_text("")
    result = sphinx(course)
    assert result.returncode == 0, result.stderr
    return "".join(sorted(log.read_text()))


def sphinx(course: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "sphinx", "-q", "book", "_build/html"]
    return subprocess.run(
        command, cwd=course, env=os.environ | {"PYTHONPATH": str(course)}, capture_output=True, text=True, check=False
    )


def page(course: Path, name: str) -> str:
    return (course / f"_build/html/{name}.html").read_text()


def test_a_chapter_is_executed_again_exactly_when_what_it_runs_has_changed(course):
    assert build(course) == "ab"
    assert build(course) == ""
    (course / "rnncourse/other.py").write_text("UNUSED = 1\n")
    assert build(course) == ""

    (course / "rnncourse/deep.py").write_text("DEEP = 2\n" + KEPT)  # imported by what A imports
    assert build(course) == "a"
    assert "value 2" in page(course, "a")
    assert "value 2" in page(course, "index")  # which shows an output of A

    (course / "rnncourse/kept/weights.txt").write_text("1 2 3")  # beside what A imports, and named there
    assert build(course) == "a"

    (course / "numbers.txt").write_text("the answer is 20")  # read by B
    assert build(course) == "b"
    assert "the answer is 20" in page(course, "b")

    (course / "long/run.txt").write_text("2 hours")
    assert build(course) == "b"
    assert "2 hours" in page(course, "b")

    (course / "requirements.txt").write_text("numpy==9")
    assert build(course) == "ab"
    assert build(course) == ""


MEETING = """
```{code-cell} python
import time
from pathlib import Path
Path("../ME.here").touch()
deadline = time.monotonic() + 30
while not Path("../OTHER.here").exists() and time.monotonic() < deadline:
    time.sleep(0.05)
print("met" if Path("../OTHER.here").exists() else "alone")
```
"""


@pytest.mark.skipif(os.cpu_count() < 2, reason="kernels run one a core, and there is one core")
def test_chapters_are_executed_side_by_side(course):
    for me, other in ("ab", "ba"):
        with (course / f"book/{me}.md").open("a") as file:
            file.write(MEETING.replace("ME", me).replace("OTHER", other))
    build(course)
    assert "met" in page(course, "a")
    assert "met" in page(course, "b")


def test_a_chapter_that_fails_stops_the_build_with_its_own_error(course):
    with (course / "book/b.md").open("a") as file:
        file.write("\n```{code-cell} python\n1 / 0\n```\n")
    result = sphinx(course)
    assert result.returncode != 0
    assert "ZeroDivisionError" in result.stderr
    assert "b.md" in result.stderr


WIDGET = {
    "book/_ext/widget_values.py": """\
from typing import NamedTuple
from rnncourse.value import VALUE

class Widget(NamedTuple):
    title: str
    data: dict
    header: list
    rows: list

def lstm_cell():
    open("../ran.log", "a").write("w")
    return Widget("a cell", {"shown": VALUE}, ["name", "number"], [["printed", VALUE]])
""",
    "book/c.md": "# C\n\n```{widget} lstm-cell\nWords.\n```\n",
}


def test_the_numbers_of_a_widget_are_worked_out_again_exactly_when_what_they_come_from_has_changed(course):
    for name, text in WIDGET.items():
        (course / name).write_text(text)
    shutil.copy(EXTENSIONS / "widgets.py", course / "book/_ext")
    for name, old, new in (("conf.py", '"fresh_cache"', '"fresh_cache", "widgets"'), ("index.md", "b\n", "b\nc\n")):
        path = course / "book" / name
        path.write_text(path.read_text().replace(old, new))
    assert build(course) == "abw"
    assert '{"shown":"value 1"}' in page(course, "c")
    assert build(course) == ""

    (course / "book/c.md").write_text(WIDGET["book/c.md"].replace("Words", "Other words"))  # no number changes
    assert build(course) == ""
    assert all(part in page(course, "c") for part in ("Other words", '{"shown":"value 1"}'))

    (course / "rnncourse/deep.py").write_text("DEEP = 2\n" + KEPT)
    assert build(course) == "aw"
    assert '{"shown":"value 2"}' in page(course, "c")

    (course / "rnncourse/kept/weights.txt").write_text("1 2 3")
    assert build(course) == "aw"

    (course / "requirements.txt").write_text("numpy==9")
    assert build(course) == "abw"

    half = course / "_build/.widgets/lstm-cell.new"  # a build was stopped while it wrote
    half.write_text('{"stamp": ')
    (course / "rnncourse/deep.py").write_text("DEEP = 3\n" + KEPT)
    assert build(course) == "aw"
    assert '{"shown":"value 3"}' in page(course, "c")

    script = course / "book/_ext/widgets.py"  # which writes the numbers down
    script.write_text(script.read_text().replace('separators=(",", ":")', 'separators=(", ", ": ")'))
    assert build(course) == "w"
    assert '{"shown": "value 3"}' in page(course, "c")
