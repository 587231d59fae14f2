"""A page as a notebook for plain Jupyter, where no directive, role, label or citation of the book is known.

The page is written from its resolved doctree, so that formulas have their numbers, references their texts, and included
code stands where it is included. What Jupyter renders by itself stays: Markdown, a little HTML, TeX between dollars.
Whatever is not known here raises an error: better no notebook than one with raw or missing parts.
"""

import base64
import html
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import nbformat
from docutils import nodes

PYTHON = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
GLUE = "from myst_nb import glue\n"
NO_GLUE = '''


def glue(name, value, display=True):
    """In the book this keeps a value for another page; a notebook by itself has none."""
    if display:
        print(value)
'''
DRAWING = re.compile(r"<svg\b.*?</svg>", re.S)
KEPT = "application/papermill.record"  # what `glue` keeps for another page without showing it
HIDDEN = {"hide-input", "remove-input"}  # folded in the book: folded in JupyterLab as well
MARKDOWN = {"emphasis": ("*", "*"), "strong": ("**", "**"), "br": "\\\n"}
HTML = {"emphasis": ("<em>", "</em>"), "strong": ("<strong>", "</strong>")}
BOX = (nodes.Admonition, nodes.admonition)


def notebook(
    doctree: nodes.document,
    code: dict[int, nbformat.NotebookNode],
    link: Callable[[str], str | None],
    folder: Path,
    note: str,
) -> nbformat.NotebookNode:
    """The page as a notebook, with a note below its first part.

    ``code``: place on the page -> executed cell; ``link``: page -> address of its notebook, if it has one;
    ``folder``: where the book's sources are, and from there its pictures.
    """
    cells, waiting = [], dict(code)
    for part in Page(link, folder).parts(doctree):
        if isinstance(part, str):
            cells.append(nbformat.v4.new_markdown_cell(part))
        else:  # a place; a cell that the page leaves out altogether stands before the next that it shows
            cells += [waiting.pop(place) for place in sorted(waiting) if place <= part]
    cells += [waiting[place] for place in sorted(waiting)]
    cells.insert(1, nbformat.v4.new_markdown_cell(note))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(PYTHON))


def code_cell(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of a cell of the book that needs nothing of the book, and is folded where the book folds it."""
    tags = set(cell.metadata.get("tags", ()))
    metadata = {"jupyter": {"source_hidden": True}} if tags & HIDDEN else {}
    source = cell.source
    if GLUE in source:
        source = source.replace(GLUE, "").rstrip() + NO_GLUE.rstrip()
    kept = (output for output in cell.outputs if not any(KEPT in kind for kind in output.get("data", ())))
    outputs = [shown(output) for output in in_one_piece(kept)]
    count = cell.execution_count
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs, execution_count=count)


def in_one_piece(outputs: Iterable[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Printed text joined: into how many pieces a kernel cuts it is chance, and a build must not depend on that."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1] = nbformat.from_dict(joined[-1] | {"text": joined[-1].text + output.text})
        else:
            joined.append(output)
    return joined


def shown(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An output with its drawings as images: Jupyter drops inline SVG from a notebook that came from elsewhere.

    An image does not inherit the colour of the page's ink, so it brings a ground of its own.
    """
    if "text/html" not in output.get("data", {}):
        return output
    data = output.data | {"text/html": DRAWING.sub(as_image, output.data["text/html"])}
    return nbformat.from_dict(output | {"data": data})


def as_image(drawing: re.Match) -> str:
    svg = drawing[0]
    alt = re.search(r'aria-label="([^"]*)"', svg)
    svg = re.sub(r'\bstyle="', 'style="background:#fff;color:#1f2530;', svg, count=1)
    if "xmlns=" not in svg[: svg.index(">")]:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{alt[1] if alt else ""}" src="data:image/svg+xml;base64,{data}">'


def without_outputs(page: nbformat.NotebookNode) -> nbformat.NotebookNode:
    clean = nbformat.from_dict(page)
    for cell in clean.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return clean


def files_cell(files: dict[str, str]) -> nbformat.NotebookNode:
    """A cell that lays files out as they lie around the book's folder, and works there: ``{"../a/b.json": text}``."""
    lines = [
        "# Results of long experiments that this chapter reads, as they stand in the course's repository.",
        "# They are written into a temporary folder, and the notebook works there from now on.",
        "import os",
        "import tempfile",
        "from pathlib import Path",
        "",
        "FILES = {",
        *(f'    {name!r}: r"""{text}""",' for name, text in sorted(files.items())),
        "}",
        'os.chdir(tempfile.mkdtemp(prefix="rnncourse-"))',
        'Path("book").mkdir()',
        'os.chdir("book")',
        "for name, text in FILES.items():",
        "    Path(name).parent.mkdir(parents=True, exist_ok=True)",
        '    Path(name).write_text(text, encoding="utf-8")',
    ]
    return nbformat.v4.new_code_cell("\n".join(lines), metadata={"jupyter": {"source_hidden": True}}, id="files")


class Page:
    """Writes the nodes of one page as Markdown. A method a kind of node, named as docutils names it."""

    def __init__(self, link, folder):
        self.link, self.folder = link, folder

    # ------------------------------------------------------------ the page

    def parts(self, doctree: nodes.Node) -> Iterator[str | int]:
        """Markdown of text between code cells, a piece a section, and the places of the code cells."""
        texts = []
        for depth, node in self.blocks(doctree, 0):
            place = node.get("cell_index") if isinstance(node, nodes.container) else None
            if place is not None or isinstance(node, nodes.title):
                if texts:
                    yield "\n\n".join(texts)
                texts = []
            if place is not None:
                yield place
            elif isinstance(node, nodes.title):
                texts.append("#" * depth + " " + self.inline(node))
            elif text := self.block(node):
                texts.append(text)
        if texts:
            yield "\n\n".join(texts)

    def blocks(self, node: nodes.Node, depth: int):
        for child in node.children:
            if isinstance(child, nodes.section):
                yield from self.blocks(child, depth + 1)
            else:
                yield depth, child

    # ------------------------------------------------------------ blocks

    def block(self, node: nodes.Node) -> str:
        if isinstance(node, BOX):
            return self.box(node)
        return getattr(self, type(node).__name__, self.unknown)(node)

    def unknown(self, node):
        raise NotImplementedError(f"no way is known to show <{type(node).__name__}> in a notebook: {node!r:.200}")

    def within(self, node) -> str:
        return "\n\n".join(filter(None, map(self.block, node.children)))

    def nothing(self, node) -> str:
        return ""

    target = comment = substitution_definition = meta = toctree = index = pending = title = only_on_site = nothing

    def paragraph(self, node) -> str:
        text = re.sub(r"^([#>+-])(?=\s)", r"\\\1", self.inline(node), flags=re.M)
        return re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text, flags=re.M)

    rubric = lambda self, node: f"**{self.inline(node)}**"  # noqa: E731
    caption = lambda self, node: f"*{self.inline(node)}*"  # noqa: E731
    compound = block_quote_body = legend = widget = in_notation = within
    transition = lambda self, node: "---"  # noqa: E731

    def container(self, node) -> str:
        if node.get("design_component") == "card-title":
            return f"**{self.inline(node)}**"
        return self.within(node)

    def rendering(self, node) -> str:
        return self.within(node) if node["convention"] == "course" else ""

    def block_quote(self, node) -> str:
        return quoted(self.within(node))

    def box(self, node) -> str:
        title = node.children[0] if isinstance(node.children[0], nodes.title) else None
        name = self.inline(title) if title else type(node).__name__.capitalize()
        return quoted(f"**{name}**\n\n{self.within(node)}")

    def dropdown_main(self, node) -> str:
        title, *rest = node.children
        inside = "\n\n".join(self.block(child) for child in rest)
        return f"<details>\n<summary>{self.inline(title, HTML)}</summary>\n\n{inside}\n\n</details>"

    def literal_block(self, node) -> str:
        language = {"ipython3": "python", "default": "", "none": ""}.get(node.get("language"), node.get("language"))
        return f"```{language or ''}\n{node.astext().rstrip()}\n```"

    def math_block(self, node) -> str:
        tex = node.astext().strip()
        if node.get("nowrap"):
            return tex
        if "\\\\" in tex and not tex.startswith(r"\begin{"):
            tex = f"\\begin{{split}}\n{tex}\n\\end{{split}}"
        number = f"\n\\tag{{{node['number']}}}" if node.get("number") else ""
        return f"$$\n{tex}{number}\n$$"

    def bullet_list(self, node) -> str:
        return "\n".join(indented("- ", self.within(item)) for item in node.children)

    def enumerated_list(self, node) -> str:
        start = node.get("start", 1)
        return "\n".join(indented(f"{n}. ", self.within(item)) for n, item in enumerate(node.children, start))

    def definition_list(self, node) -> str:
        return "\n".join(self.definition(item) for item in node.children)

    glossary = widget = within  # of a widget: what is printed

    def definition(self, item) -> str:
        terms = ", ".join(f"**{self.inline(term)}**" for term in item.children if isinstance(term, nodes.term))
        return indented("- ", f"{terms}: " + self.within(item.children[-1]))

    def citation(self, node) -> str:
        return indented("- ", "\n\n".join(self.block(child) for child in node.children[1:]))

    def table(self, node) -> str:
        rows = [[self.entry(entry) for entry in row.children] for row in node.findall(nodes.row)]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * len(rows[0]))
        title = next(iter(node.findall(nodes.title)), None)
        return (f"*{self.inline(title)}*\n\n" if title else "") + "\n".join(lines)

    def entry(self, node) -> str:
        texts = (self.inline(child, MARKDOWN, table=True) for child in node.children)
        return "<br>".join(" ".join(text.split()) for text in texts)

    def figure(self, node) -> str:
        return self.within(node)

    def image(self, node) -> str:
        kind, _ = mimetypes.guess_type(node["uri"])
        data = base64.b64encode((self.folder / node["uri"]).read_bytes()).decode()
        return f"![{node['alt']}](data:{kind};base64,{data})"

    def raw(self, node) -> str:
        return node.astext().strip() if node.get("format") == "html" else ""

    # ------------------------------------------------------------ words

    def inline(self, node, style=MARKDOWN, table=False) -> str:
        return "".join(self.word(child, style, table) for child in node.children)

    def word(self, node, style, table) -> str:
        if isinstance(node, nodes.Text):
            return html.escape(node.astext(), quote=False) if style is HTML else escaped(node.astext(), table)
        if isinstance(node, nodes.math):
            tex = " ".join(node.astext().split())
            tex = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ") if table else tex
            return f"${html.escape(tex, quote=False)}$" if style is HTML else f"${tex}$"
        if isinstance(node, nodes.image):
            return self.image(node)
        if isinstance(node, nodes.literal):
            return self.code(node.astext(), style, table)
        if isinstance(node, nodes.raw | nodes.target | nodes.comment):
            return ""
        inside = self.inline(node, style, table)
        if isinstance(node, nodes.emphasis | nodes.strong):
            before, after = style[type(node).__name__]
            return f"{before}{inside}{after}" if inside.strip() else inside
        if isinstance(node, nodes.reference) and style is MARKDOWN and (address := self.address(node)):
            return f"[{inside}]({address})"
        return inside

    def code(self, text, style, table) -> str:
        if style is HTML:
            return f"<code>{html.escape(text, quote=False)}</code>"
        fence = "``" if "`" in text else "`"
        space = " " if "`" in text else ""
        return fence + space + (text.replace("|", r"\|") if table else text) + space + fence

    def address(self, node) -> str | None:
        uri = node.get("refuri", "")
        if "://" in uri or uri.startswith("mailto:"):
            return uri
        page = PurePosixPath(uri.partition("#")[0])
        return self.link(page.stem) if page.suffix == ".html" else None


def escaped(text: str, table: bool) -> str:
    """Text that Markdown takes as it stands."""
    text = re.sub(r"([\\`*_$<])", r"\\\1", text)
    text = re.sub(r"\](?=[(\[])", r"\\]", text)
    return text.replace("|", r"\|") if table else text


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def indented(mark: str, text: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([mark + first, *(" " * len(mark) + line if line else "" for line in rest)])
