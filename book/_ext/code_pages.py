"""From an equation to the code that computes it, and back.

Comments and docstrings name the equations that they compute, as in ``# (elman-state)``. Below such an equation stands
"In code: RNNCell.step", which leads to the code cell of the page or to a page with the source of the module; there,
and in the cells, the name of the equation leads back. "(a) to (b)" names all equations of a page between the two.
"""

import ast
import hashlib
import html
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

import rnncourse

PACKAGE = Path(rnncourse.__file__).parent
CLOSED = ("check", "grading")  # what checks and grades the answers is not for those who write them
NAMED = re.compile(r"\(([A-Za-z][\w-]*)\)(?:\s+to\s+\(([A-Za-z][\w-]*)\))?")
REMARK = re.compile(r'<span class="(?:c1|sd)">.*?</span>', re.S)


class Place(NamedTuple):
    """Where an equation is computed."""

    module: str  # "cells/rnn.py"
    name: str  # "RNNCell.step"
    digest: str  # of the module: a change of it is a change of the page


def setup(app):
    app.connect("env-get-outdated", find_places)
    app.connect("doctree-resolved", name_the_code, priority=900)  # after the notebooks: there are no such pages there
    app.connect("html-page-context", link_back)
    app.connect("html-collect-pages", code_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# ---------------------------------------------------------------- what code says of itself


def mentions(source: str) -> list[tuple[str, str, str]]:
    """(function, first equation, last equation) of all that comments and docstrings name."""
    tree = ast.parse(source)
    spans = list(definitions(tree))
    found = []
    for name, node in spans:
        found += [(name, *ends) for ends in named(ast.get_docstring(node, clean=False) or "")]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            within = [name for name, node in spans if node.lineno <= line <= node.end_lineno]
            found += [(within[-1] if within else "", *ends) for ends in named(token.string)]
    return list(dict.fromkeys(found))


def definitions(node: ast.AST, before: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The functions and classes of a module with their full names, the outer before the inner."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield before + child.name, child
            yield from definitions(child, f"{before}{child.name}.")


def named(text: str) -> list[tuple[str, str]]:
    return [(first, last or first) for first, last in NAMED.findall(text)]


def innermost(names: list[str]) -> list[str]:
    """Without the class whose method is named as well."""
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def readable_modules() -> list[str]:
    files = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [file.as_posix() for file in files if file.parts[0] not in CLOSED and "__pycache__" not in file.parts]


def between(env, first: str, last: str) -> list[str]:
    """The equations from one to another of the same page; none if one of them is no equation."""
    known = env.get_domain("math").equations  # label -> (page, number)
    if not {first, last} <= known.keys():
        return []
    (page, start), (_, end) = known[first], known[last]
    return [label for label, (other, number) in known.items() if other == page and start <= number <= end]


def computed_by(env, pairs: list[tuple[str, str, str]]) -> dict[str, list[str]]:
    """equation -> the functions that name it."""
    found = {}
    for name, first, last in pairs:
        for label in between(env, first, last):
            found.setdefault(label, []).append(name)
    return {label: innermost(list(dict.fromkeys(names))) for label, names in found.items()}


def modules(env) -> dict[str, dict[str, list[str]]]:
    """module -> equation -> functions, of the modules that name an equation."""
    found = {module: computed_by(env, env.code_mentions[module][1]) for module in env.code_mentions}
    return {module: computed for module, computed in found.items() if computed}


# ---------------------------------------------------------------- events


def find_places(app, env, added, changed, removed) -> set[str]:
    """Read the modules; the pages with an equation that a changed module names are to be written again."""
    before, env.code_mentions = getattr(env, "code_mentions", {}), {}
    for module in readable_modules():
        source = (PACKAGE / module).read_text(encoding="utf-8")
        if found := mentions(source):
            env.code_mentions[module] = (hashlib.sha256(source.encode()).hexdigest(), found)
    differing = {module for module in before | env.code_mentions if before.get(module) != env.code_mentions.get(module)}
    pairs = [
        pair
        for state in (before, env.code_mentions)
        for module in differing & state.keys()
        for pair in state[module][1]
    ]
    labels = computed_by(env, pairs)
    return {page for label, (page, _) in env.get_domain("math").equations.items() if label in labels}


def name_the_code(app, doctree, page):
    """Below each equation the functions that compute it: first those of the page, then those of the package."""
    if app.builder.format != "html":
        return
    here = cells(app.env, doctree)
    there = modules(app.env)
    for formula in list(doctree.findall(nodes.math_block)):
        label = formula.get("label")
        links = [link(f"#{place}", name or "a cell of this page") for place, name in here.get(label, ())]
        for module, computed in there.items():
            address = app.builder.get_relative_uri(page, docname(module))
            links += [
                link(f"{address}#{name}" if name else address, name or module) for name in computed.get(label, ())
            ]
        if links:
            line = nodes.raw("", f'<p class="in-code">In code: {", ".join(links)}</p>', format="html")
            formula.parent.insert(formula.parent.index(formula) + 1, line)


def cells(env, doctree) -> dict[str, list[tuple[str, str]]]:
    """equation -> (id, function) of the code cells of the page that compute it; these cells get an id."""
    found = {}
    for cell in doctree.findall(nodes.container):
        if "cell_index" not in cell:
            continue
        inputs = [box for box in cell.findall(nodes.container) if "cell_input" in box["classes"]]
        pairs = [
            pair for box in inputs for block in box.findall(nodes.literal_block) for pair in mentions(block.astext())
        ]
        for label, names in computed_by(env, pairs).items():
            place = f"cell-{cell['cell_index']}"
            cell["ids"] = [place]
            found.setdefault(label, []).extend((place, name) for name in names)
    return found


def anchor_of(label: str) -> str:
    """The id that an equation has on its page."""
    return nodes.make_id(f"equation-{label}")


def link(address: str, name: str) -> str:
    return f'<a href="{html.escape(address)}"><code>{html.escape(name)}</code></a>'


def link_back(app, page, template, context, doctree):
    """In the comments and docstrings that a page shows, the names of equations lead to the equations."""
    if doctree is not None and "body" in context:
        context["body"] = linked(app, page, context["body"])


def linked(app, page: str, text: str) -> str:
    """Highlighted code whose remarks lead to the equations that they name."""
    known = app.env.get_domain("math").equations

    def anchor(match):
        if match[1] not in known:
            return match[0]
        target = known[match[1]][0]
        address = "" if target == page else app.builder.get_relative_uri(page, target)
        return f'(<a href="{address}#{anchor_of(match[1])}">{match[1]}</a>)'

    return REMARK.sub(lambda remark: re.sub(r"\(([A-Za-z][\w-]*)\)", anchor, remark[0]), text)


# ---------------------------------------------------------------- pages of code


def docname(module: str) -> str:
    return "code/" + module.removesuffix(".py").removesuffix("/__init__")


def code_pages(app) -> Iterator[tuple[str, dict, str]]:
    """A page for every module that names an equation.

    The search does not know these pages (Sphinx keeps to those with a source); it finds functions at their equations.
    """
    for module, computed in modules(app.env).items():
        page, title = docname(module), f"rnncourse/{module}"
        source = (PACKAGE / module).read_text(encoding="utf-8")
        names = {name: node.lineno for name, node in definitions(ast.parse(source))}
        text = body(app, page, title, source, names, computed)
        yield page, {"title": title, "body": text, "toc": contents(names)}, "page.html"


def body(app, page: str, title: str, source: str, names: dict[str, int], computed) -> str:
    code = linked(app, page, highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)))
    lines = code.split("\n")
    for name, line in names.items():
        lines[line - 1] = f'<span id="{name}">{lines[line - 1]}</span>'
    known = app.env.get_domain("math").equations
    chapters = dict.fromkeys(known[label][0] for label in computed)
    links = [
        f'<a href="{app.builder.get_relative_uri(page, chapter)}">{html.escape(app.env.titles[chapter].astext())}</a>'
        for chapter in chapters
    ]
    return (
        f"<section><h1>{title.replace('/', '/<wbr>')}</h1>\n"  # a phone breaks the line there
        f"<p>Code behind {', '.join(links)}. "
        "The names in brackets lead to the equations that are computed there.</p>\n"
        '<div class="highlight-python notranslate"><div class="highlight"><pre>'
        + "\n".join(lines)
        + "</pre></div></div></section>"
    )


def contents(names: dict[str, int]) -> str:
    """The functions and classes of a module, for the column beside the page."""
    items = "".join(
        f'<li><a class="reference internal" href="#{name}">{name}</a></li>' for name in names if "." not in name
    )
    return f'<ul><li><a class="reference internal" href="#">Code</a><ul>{items}</ul></li></ul>'
