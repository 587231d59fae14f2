"""One notation at a time: the cells' equations and tables of symbols, as other conventions write them.

Everything comes from `rnncourse.conventions`. Every labelled equation that is in this table gets its other renderings
by itself. The directive ``{in-notation} CELL`` does it for a table of symbols, which is its body; without a body it
writes the course's equations and table as well. A page shows the course's own, on paper too; ``_static/notation.js``
works the switch that stands above the first of them, and takes the others out of the templates in which they wait.
"""

import functools
import re

from citation_roles import prefixed
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.conventions import COLUMNS, FORMS, ROWS, TRANSPOSED, Form, Formula, equations

NAMES = {"course": "This course", "papers": "Papers", "pytorch": "PyTorch", "keras": "Keras"}
CELLS = {cell.__name__: cell for cell in (RNNCell, LSTMCell, GRUCell)}
SWITCH = "".join(
    f'<label><input type="radio" name="notation" value="{name}"{" checked" * (name == "course")}> {title}</label>\n'
    for name, title in NAMES.items()
)
SAYS = (
    "It changes the equations of the cells and their tables of symbols, in all chapters. "
    "Text, code and what is derived keep the letters of this course."
)
PAPERS = {
    RNNCell: "{cite:t}`graves2013` write it so.",
    LSTMCell: "{cite:t}`graves2013` write it so, with peepholes besides, and give the candidate no name.",
    ResetBeforeGRUCell: "{cite:t}`chung2014` write it so, without biases.",
}
HEADER = ["| symbol | shape | what it is |", "|---|---|---|"]
Row = tuple[str, str, str]  # of a table of symbols, in Markdown

# ---------------------------------------------------------------- in writing


def form_of(convention: str, cell: type) -> tuple[type, Form] | None:
    """The cell that stands there for this one, and its form; papers have one GRU, with reset before the product."""
    if convention == "papers" and cell is GRUCell:
        cell = ResetBeforeGRUCell
    return (cell, FORMS[convention][cell]) if cell in FORMS[convention] else None


@functools.cache
def renderings() -> dict[str, dict[str, str]]:
    """Label of an equation in the chapters -> convention -> TeX."""
    found = {}
    for cell, ours in FORMS["course"].items():
        for place, label in enumerate(equations(cell, ours)):
            pairs = {name: form_of(name, cell) for name in NAMES}
            written = {name: list(equations(*pair).values())[place] for name, pair in pairs.items() if pair}
            found.setdefault(label, {name: tex_of(lines) for name, lines in written.items()})
    return found


def tex_of(lines: list[tuple[str, Formula]]) -> str:
    if len(lines) == 1:
        return f"{lines[0][0]} = {tex(lines[0][1])}"
    inside = " \\\\\n".join(f"{symbol} &= {tex(formula)}" for symbol, formula in lines)
    return f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"


def tex(formula: Formula) -> str:
    if isinstance(formula, str):
        return formula
    operation, *parts = formula
    if operation in (ROWS, COLUMNS, TRANSPOSED):
        vector, matrix = map(factor, parts)
        space = r"\, " if vector.endswith(")") else " "
        return {
            ROWS: f"{vector}{space}{matrix}",
            COLUMNS: f"{matrix} {vector}",
            TRANSPOSED: rf"{vector}{space}{matrix}^\top",
        }[operation]
    if operation in ("+", "1 -", "⊙"):
        sign = {"+": " + ", "1 -": "1 - ", "⊙": r" \odot "}[operation]
        return sign + factor(*parts) if operation == "1 -" else sign.join(map(tex if sign == " + " else factor, parts))
    inside = tex(*parts)
    left, right = (r"\bigl(", r"\bigr)") if "(" in inside else "()"
    return {"tanh": r"\tanh", "sigma": r"\sigma", "f": "f"}[operation] + left + inside + right


def factor(formula: Formula) -> str:
    return f"({tex(formula)})" if formula[0] in ("+", "1 -", "⊙") else tex(formula)


def rows_of(cell: type, form: Form) -> dict[str, list[Row]]:
    """What is in the table of symbols: a gate's letter in the course, "U", "W" or "b" -> its rows."""
    means = {
        "h": "hidden state after step $t$",
        "i": "input gate: how much of the candidate is written",
        "f": "forget gate: how much of the cell state is kept",
        "g": "candidate: the value that could be written",
        "o": "output gate: how much of the cell state is shown",
        "r": "reset gate: how much of the old state enters the candidate",
        "z": "update gate: how much of the " + ("old state is kept" if form.z_keeps else "candidate is taken"),
        "n": "candidate, from -1 to 1",
    }

    def weights(symbols: list[str], size: str, what: str, name: str) -> Row:
        axes = (size, "H") if form.product == ROWS else ("H", size)
        beside = "side by side" if form.product == ROWS else "under each other"
        order = f", {beside} in this order" if len(symbols) > 1 else ""
        shape = r" \times ".join(axis for axis in axes if axis)
        return f"${',$ $'.join(symbols)}$", f"${shape}$", f"{what}: `{name}`{order}"

    U, W, *biases = form.names
    whose = ["bias"] if len(biases) == 1 else ["bias of the input’s part", "bias of the state’s part"]
    found = {letter: [(f"${gate}$", "$H$", means[letter])] for letter, gate in zip(form.order, form.gates, strict=True)}
    found["U"] = [weights(form.U, "D", "weights from the input", U)]
    found["W"] = [weights(form.W, "H", "weights from the old state", W)]
    found["b"] = [weights(*bias) for bias in zip(form.biases, ["", ""], whose, biases, strict=False)]
    return found


def rewritten(own: list[str], ours: dict[str, list[Row]], theirs: dict[str, list[Row]]) -> list[str]:
    """The lines of the course's table, with other rows where something is different there."""
    lines = []
    for line in own:
        written = symbols_in(line.split("|")[1]) if line.startswith("|") else set()
        parts = [part for part, rows in ours.items() if any(written & symbols_in(row[0]) for row in rows)]
        same = all(theirs[part] == ours[part] for part in parts)
        lines += [line] if same else [as_line(row) for part in parts for row in theirs[part]]
    return lines


def symbols_in(text: str) -> set[str]:
    return set(re.findall(r"[^\s,$]+", text))


def as_line(row: Row) -> str:
    return "| " + " | ".join(row) + " |"


def note(convention: str, cell: type, form: Form) -> str:
    """Whose notation it is, and what is different besides the names."""
    said = [f"**{NAMES[convention]}.**"]
    if convention == "papers":
        said.append(PAPERS[cell])
    if form.product != ROWS:
        said.append("Vectors are columns." if form.product == COLUMNS else "The weights are stored transposed.")
    if form.order != FORMS["course"][cell].order:
        said.append(f"The gates lie in the order {', '.join(f'${gate}$' for gate in form.gates)}.")
    if not form.z_keeps:
        said.append("$z_t$ is the share of the candidate, not of the old state.")
    if form.reset_before:
        said.append("The reset gate stands before the product, which is another function for all but special weights.")
    return " ".join(said)


# ---------------------------------------------------------------- on the page


class in_notation(nodes.General, nodes.Element):
    """A place on a page; its children are the renderings, the course's own first."""


class rendering(nodes.General, nodes.Element):
    """One of them: ``convention`` says whose."""


class switch(nodes.General, nodes.Element):
    """The radio buttons; hidden where there is no script to work them."""


class InNotation(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self):
        if self.arguments[0] not in CELLS:
            raise self.error(f"there is no cell {self.arguments[0]!r}; there are {', '.join(CELLS)}")
        box = in_notation()
        for convention in NAMES:
            if lines := self.lines(convention, CELLS[self.arguments[0]]):
                part = rendering(convention=convention)
                self.state.nested_parse(StringList(lines, self.get_source_info()[0]), self.content_offset, part)
                box += part
        return [box]

    def lines(self, convention: str, cell: type) -> list[str]:
        """The Markdown of one rendering; none if the convention does not have the cell."""
        if not (pair := form_of(convention, cell)):
            return []
        head = [] if convention == "course" else [prefixed(note(convention, *pair), self.env.docname), ""]
        theirs = rows_of(*pair)
        if self.content:
            return head + rewritten(self.content, rows_of(cell, FORMS["course"][cell]), theirs)
        formulas = [line for part in equations(*pair).values() for line in ["$$", *tex_of(part).split("\n"), "$$", ""]]
        return [*head, *formulas, *HEADER, *(as_line(row) for rows in theirs.values() for row in rows)]


def add_renderings(app, doctree, name):
    """Put the others beside every labelled equation of a cell, and the switch before the first of all."""
    for formula in list(doctree.findall(nodes.math_block)):
        if others := renderings().get(formula.get("label")):
            box = in_notation()
            formula.replace_self(box)
            box += rendering("", formula, convention="course")
            box += [
                rendering("", *beside(title, others[key]), convention=key)
                for key, title in NAMES.items()
                if key in others and key != "course"
            ]
    if box := next(doctree.findall(in_notation), None):
        place = box.parent.index(box)
        while isinstance(box.parent[place - 1], nodes.target):
            place -= 1
        place -= isinstance(box.parent[place - 1], nodes.paragraph)  # the one that leads to the equation
        box.parent.insert(place, switch())


def forget_citations_in_templates(app, doctree, name):
    """From the list of references no way leads back into a template: what waits there has no place on the page."""
    waiting = {
        tag
        for part in doctree.findall(rendering)
        if part["convention"] != "course"
        for node in part.findall(nodes.Element)
        for tag in node["ids"]
    }
    for entry in doctree.findall(nodes.citation):
        entry["backrefs"] = [tag for tag in entry["backrefs"] if tag not in waiting]


def beside(title: str, formula: str) -> list[nodes.Node]:
    options = {"number": None, "label": None, "nowrap": False}
    return [nodes.paragraph("", "", nodes.strong("", title)), nodes.math_block(formula, formula, **options)]


def visit_box(self, node):
    self.body.append('<div class="in-notation">\n')


def visit_rendering(self, node):
    if node["convention"] != "course":
        self.body.append("<template>")
    self.body.append(f'<div data-notation="{node["convention"]}">\n')


def depart_rendering(self, node):
    self.body.append("</div>\n" if node["convention"] == "course" else "</div></template>\n")


def depart_box(self, node):
    self.body.append("</div>\n")


def visit_switch(self, node):
    self.body.append(
        f'<fieldset class="notation-switch" hidden><legend>Notation</legend>\n{SWITCH}<p>{SAYS}</p></fieldset>\n'
    )
    raise nodes.SkipNode


def only_where_cells_are(app, pagename, templatename, context, doctree):
    """Jupyter Book gives every file of _static to every page."""
    context["script_files"][:] = [file for file in context["script_files"] if "notation.js" not in str(file.filename)]
    if doctree and next(doctree.findall(in_notation), None):
        app.add_js_file("notation.js", loading_method="defer")


def setup(app):
    app.add_node(in_notation, html=(visit_box, depart_box))
    app.add_node(rendering, html=(visit_rendering, depart_rendering))
    app.add_node(switch, html=(visit_switch, None))
    app.add_directive("in-notation", InNotation)
    app.connect("doctree-resolved", add_renderings, priority=900)  # after the notebooks, which have the course's own
    app.connect("doctree-resolved", forget_citations_in_templates, priority=950)
    app.connect("html-page-context", only_where_cells_are)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
