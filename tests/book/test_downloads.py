"""What readers take away: notebooks that plain Jupyter shows and runs, and exercises without their answers.

Running a chapter's notebook takes as long as its page took: here the shortest two are run. ``EVERY_NOTEBOOK=1 pytest
tests/book/test_downloads.py`` runs all of them, in several minutes.
"""

import ast
import base64
import itertools
import os
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import SITE
from nbclient import NotebookClient
from nbconvert import HTMLExporter

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (SITE / "notebooks").glob("*.ipynb"))
SHORT = {"notation", "scoreboard"}
SOLUTION = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", re.S)


@pytest.fixture(scope="module", params=NAMES)
def chapter(request):
    return request.param


@pytest.fixture(scope="module", params=["notebooks", "notebooks/executed"], ids=["clean", "executed"])
def version(request):
    return request.param


def read(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_of(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


# ---------------------------------------------------------------- notebooks


def test_every_page_with_code_has_notebooks_but_those_that_read_solutions():
    pages = {path.stem for path in (ROOT / "book").glob("*.md") if "```{code-cell}" in path.read_text("utf-8")}
    assert pages & {path.stem for path in SITE.glob("*.html")} - {"matrix", "instructors"} == set(NAMES)
    assert {path.stem for path in (SITE / "notebooks/executed").glob("*.ipynb")} == set(NAMES)


def test_a_chapters_page_offers_its_notebooks_by_name(chapter):
    soup = BeautifulSoup((SITE / f"{chapter}.html").read_text("utf-8"), "html.parser")
    links = {tag["href"]: tag["aria-label"] for tag in soup.select("p.take-away a")}
    assert {f"notebooks/{chapter}.ipynb", f"notebooks/executed/{chapter}.ipynb"} <= set(links)
    assert (f"exercises/{chapter}.ipynb" in links) == (ROOT / "exercises" / chapter).exists()
    title = soup.h1.get_text().rstrip("#")
    assert all(title in label for label in links.values())
    assert len(set(links.values())) == len(links)
    assert all((SITE / address).is_file() for address in links)


def test_only_the_executed_notebook_has_outputs(chapter):
    clean, executed = (read(SITE / folder / f"{chapter}.ipynb") for folder in ("notebooks", "notebooks/executed"))
    assert [cell.source for cell in clean.cells] == [cell.source for cell in executed.cells]
    assert [cell for cell in clean.cells if cell.get("outputs") or cell.get("execution_count")] == []
    shown = "".join(str(cell.get("outputs", "")) for cell in executed.cells)
    page = (SITE / f"{chapter}.html").read_text("utf-8")
    assert shown.count("data:image/svg+xml") == page.count('<figure class="plot"')
    assert "<svg" not in shown  # which JupyterLab shows in a trusted notebook only


def test_what_a_cell_prints_is_in_one_piece(chapter):
    """A kernel sends it in as many as it happens to, and two builds would differ."""
    for cell in read(SITE / f"notebooks/executed/{chapter}.ipynb").cells:
        streams = [output.get("name") for output in cell.get("outputs", [])]
        assert not any(name and name == following for name, following in itertools.pairwise(streams))


def test_nothing_of_the_books_own_markup_shows(chapter, version):
    notebook = read(SITE / version / f"{chapter}.ipynb")
    page = BeautifulSoup(HTMLExporter().from_notebook_node(notebook)[0], "html.parser")
    for tag in page.select("script, style, .jp-CodeCell"):
        tag.decompose()
    for tag in page.select("pre, code"):
        tag.string = re.sub(r"[$*_`<>\\]", "", tag.get_text())  # code may hold any of them
    text = page.get_text()
    assert len(text) > 500
    assert re.findall(r".{0,40}(?::::|```|\{[a-z:]+\}`|\{\{|</?[a-z]+>|\]\(|#equation-).{0,40}", text) == []
    prose = re.sub(r"\$\$.*?\$\$|\$.*?\$|\\\$", "", text, flags=re.S)
    assert re.findall(r".{0,40}(?:\*\*|\$|\\[a-z]|\\[_*]).{0,40}", prose) == []


def test_a_pages_own_pictures_are_in_its_notebooks(chapter, version):
    words = (ROOT / f"book/{chapter}.md").read_text("utf-8")
    pictures = re.findall(r"^!\[(.*)\]\((.*)\)$", words, re.M)
    text = "\n".join(cell.source for cell in read(SITE / version / f"{chapter}.ipynb").cells)
    found = re.findall(r"!\[(.*?)\]\(data:image/png;base64,(.*?)\)", text)
    assert [(alt, base64.b64decode(data)) for alt, data in found] == [
        (alt, (ROOT / "book" / path).read_bytes()) for alt, path in pictures
    ]


def test_formulas_keep_their_numbers(chapter):
    words = "\n".join(cell.source for cell in read(SITE / f"notebooks/{chapter}.ipynb").cells)
    page = BeautifulSoup((SITE / f"{chapter}.html").read_text("utf-8"), "html.parser")
    numbers = [tag.get_text().strip("()#\uf0c1 ") for tag in page.select("div.math .eqno")]
    assert re.findall(r"\\tag\{(.*?)\}", words) == numbers


def test_links_lead_to_neighbours(chapter, version):
    words = "\n".join(cell.source for cell in read(SITE / version / f"{chapter}.ipynb").cells)
    links = re.findall(r"\]\((?!https?:|data:)([^)\s]+)\)", words)
    assert [link for link in links if not (SITE / version / link).is_file()] == []


def test_the_package_brings_all_that_the_notebooks_import(chapter):
    tree = ast.parse("\n".join(code_of(read(SITE / f"notebooks/{chapter}.ipynb"))))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    brought = {re.match(r"[\w-]+", wanted)[0] for wanted in project["dependencies"]} | {"rnncourse"}
    assert {name.split(".")[0].lower() for name in imported} - set(sys.stdlib_module_names) <= brought


def test_a_notebook_brings_every_file_of_results_that_its_code_names(chapter):
    cells = read(SITE / f"notebooks/{chapter}.ipynb").cells
    brought = "".join(cell.source for cell in cells if cell.get("id") == "files")
    code = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code" and cell.get("id") != "files"))
    strings = {node.value for node in ast.walk(code) if isinstance(node, ast.Constant)}
    named = {text.rpartition("/")[2] for text in strings if isinstance(text, str) and text.endswith(".json")}
    assert sorted(name for name in named - {".json"} if f"/{name}'" not in brought) == []  # that: of an f-string


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_notebook_runs_from_top_to_bottom_anywhere(name, tmp_path):
    if name not in SHORT and not os.environ.get("EVERY_NOTEBOOK"):
        pytest.skip("long; EVERY_NOTEBOOK=1 runs it")
    notebook = read(SITE / f"notebooks/{name}.ipynb")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.iterdir()) == []  # what it writes it writes elsewhere


# ---------------------------------------------------------------- exercises


def test_the_archive_holds_the_released_exercises_and_no_answer():
    with zipfile.ZipFile(SITE / "exercises.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    released = (ROOT / "exercises").glob("*/*.ipynb")
    assert held == {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in released}
    texts = [re.sub(r"\s+", " ", "\n".join(code_of(nbformat.reads(b.decode(), 4)))) for b in held.values()]
    answers = [answer for path in (ROOT / "solutions").glob("*/*.ipynb") for answer in hidden(path)]
    assert len(answers) > 10 * len(held)
    assert [answer for answer in answers for text in texts if answer in text] == []


def hidden(path: Path) -> list[str]:
    """What nbgrader cuts out of a solution: answers and hidden tests, on one line each."""
    parts = (part for source in code_of(read(path)) for part in SOLUTION.findall(source))
    return [re.sub(r"\s+", " ", part).strip() for part in parts]


def test_each_exercise_is_the_released_one():
    for path in (ROOT / "exercises").glob("*/*.ipynb"):
        assert (SITE / "exercises" / path.name).read_bytes() == path.read_bytes()


def test_the_archive_of_notebooks_holds_all_clean_ones():
    with zipfile.ZipFile(SITE / "notebooks.zip") as archive:
        assert sorted(archive.namelist()) == [f"notebooks/{name}.ipynb" for name in NAMES]
        assert all(archive.read(f"notebooks/{n}.ipynb") == (SITE / f"notebooks/{n}.ipynb").read_bytes() for n in NAMES)
