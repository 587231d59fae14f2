"""What a reader can take away: every chapter as a notebook, with outputs and without, and the released exercises.

    notebooks/NAME.ipynb           to work in: no outputs, nothing of the book's own markup
    notebooks/executed/NAME.ipynb  the same with what the book's pages show
    notebooks.zip, exercises.zip   all of them

A chapter is a page with code, if all that its code reads may be given away: one that reads the solutions is none.
"""

import ast
import html
import zipfile
from pathlib import Path

import nbformat
import portable
from docutils import nodes
from fresh_cache import CODE, files_read
from jupyter_cache import get_cache
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

NOTE = (
    "This is a chapter of *{book}* as a notebook. It runs wherever the course's package is installed: "
    "`pip install` and the folder of the course's repository."
)
ANSWERS = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS")  # nbgrader takes both out of what it releases
EVERYTHING = (
    '<p class="take-away">Take it with you: <a href="notebooks.zip" download>all chapters as notebooks</a>, '
    '<a href="exercises.zip" download>all exercises</a><!-- pdf: , <a href="book.pdf">the book as a PDF</a> -->.</p>'
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever an archive is made


def setup(app):
    app.connect("doctree-resolved", write_notebooks, priority=850)  # when every reference has its text
    app.connect("doctree-resolved", offer_everything, priority=850)
    app.connect("build-finished", write_archives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# ---------------------------------------------------------------- notebooks


def write_notebooks(app, doctree, name):
    """Both notebooks of a chapter, and below its title the links to them."""
    if app.builder.format != "html" or not is_chapter(app.env, name):
        return
    number_formulas(app.env, doctree, name)
    code, reads = executed_cells(app, name)
    link = lambda other: f"{other}.ipynb" if is_chapter(app.env, other) else None  # noqa: E731
    page = portable.notebook(doctree, code, link, Path(app.srcdir), NOTE.format(book=app.config.html_title))
    CoalesceStreamsPreprocessor().preprocess(page, {})  # in how many pieces a kernel prints is chance
    if reads:
        page.cells.insert(2, portable.files_cell(reads))
    for folder, version in (("notebooks/executed", page), ("notebooks", portable.without_outputs(page))):
        path = Path(app.outdir, folder, f"{name}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.validate(version)
        path.write_text(nbformat.writes(version) + "\n", encoding="utf-8")
    title = next(doctree.findall(nodes.title))
    title.parent.insert(1, nodes.raw("", links(app, name, title.astext()), format="html"))


def number_formulas(env, doctree, name):
    """Give formulas the numbers that the pages show, which go on from page to page."""
    numbers = env.toc_fignumbers.get(name, {}).get("displaymath", {})
    for formula in doctree.findall(nodes.math_block):
        for place in formula["ids"]:
            formula["number"] = ".".join(map(str, numbers.get(place, ())))


def is_chapter(env, name: str) -> bool:
    if name not in env.found_docs:
        return False
    cells = CODE.findall(source(env, name))
    return bool(cells) and not any("solutions" in file.parts for cell in cells for file in files_read(cell))


def source(env, name: str) -> str:
    return Path(env.doc2path(name)).read_text(encoding="utf-8")


def executed_cells(app, name: str) -> tuple[dict, dict[str, str]]:
    """The chapter's code cells by their places, as they were executed for the page, and the files that they read."""
    cache = get_cache(Path(app.outdir).parent / ".jupyter_cache")
    path = app.env.doc2path(name)
    places = [n for n, cell in enumerate(cache.get_project_notebook(path).nb.cells) if cell.cell_type == "code"]
    cells = cache.get_cache_bundle(cache.get_cached_project_nb(path).pk).nb.cells
    cells = [cell for cell in cells if cell.cell_type == "code"]
    named = {str(text).rpartition("/")[2] for cell in cells for text in strings(cell.source)}
    files = {file for cell in cells for file in files_read(cell.source)}
    reads = {file for file in files if len(files) == 1 or {file.name, file.stem} & named}  # of a folder, what it names
    root = Path(app.srcdir).parent
    names = {f"../{file.resolve().relative_to(root.resolve()).as_posix()}": file for file in reads}
    code = {place: portable.code_cell(cell) for place, cell in zip(places, cells, strict=True)}
    return code, {name: file.read_text(encoding="utf-8") for name, file in names.items()}


def strings(code: str) -> set[str]:
    return {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant) and node.value}


def links(app, name: str, title: str) -> str:
    """A line of links, each with a name that says by itself what it gives."""
    offered = [
        (f"notebooks/{name}.ipynb", "notebook", f"{title}, as a notebook"),
        (f"notebooks/executed/{name}.ipynb", "with outputs", f"{title}, as a notebook with outputs"),
    ]
    if (exercises(app) / name / f"{name}.ipynb").exists():
        offered.append((f"exercises/{name}.ipynb", "exercise", f"The exercise of {title}"))
    anchors = [
        f'<a href="{address}" download aria-label="Download: {html.escape(full)}">{text}</a>'
        for address, text, full in offered
    ]
    return f'<p class="take-away">Download: {", ".join(anchors)}</p>'


# ---------------------------------------------------------------- exercises and archives


def offer_everything(app, doctree, name):
    """On the front page: the archives, and the book as a PDF, a comment until `make pdf` has made one."""
    if app.builder.format == "html" and name == app.config.root_doc:
        title = next(doctree.findall(nodes.title))
        title.parent.append(nodes.raw("", EVERYTHING, format="html"))


def exercises(app) -> Path:
    return Path(app.srcdir).parent / "exercises"


def write_archives(app, exception):
    """The exercises one by one, and two archives. Raises ValueError where an exercise was never released."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    released = {path.stem: path for path in sorted(exercises(app).glob("*/*.ipynb"))}
    for name, path in released.items():
        text = path.read_text(encoding="utf-8")
        if found := [mark for mark in ANSWERS if mark in text]:
            raise ValueError(f"exercises/{name} holds '{found[0]}': it was not made by nbgrader's release")
        (out / "exercises").mkdir(exist_ok=True)
        (out / "exercises" / f"{name}.ipynb").write_text(text, encoding="utf-8")
    archive(out / "exercises.zip", {f"exercises/{name}/{name}.ipynb": path for name, path in released.items()})
    chapters = sorted((out / "notebooks").glob("*.ipynb"))
    archive(out / "notebooks.zip", {f"notebooks/{path.name}": path for path in chapters})


def archive(target: Path, members: dict[str, Path]) -> None:
    with zipfile.ZipFile(target, "w") as file:
        for name, path in members.items():
            file.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
