"""The directive ``{widget} NAME``: something to touch, and what stands in its place where nothing can be touched.

The page gets a box with three things in it: the body of the directive and a table of numbers, for print and for readers
without JavaScript; the numbers that the script starts from, as JSON, since a page that is opened from a file can load
none; and cases worked out by `rnncourse`, against which the tests hold what the script computes (`widget_values`).
``_static/widgets/NAME.js`` puts controls into the box. A page loads the scripts of its own widgets and no others.
"""

import importlib
import json
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from fresh_cache import REQUIREMENTS, fingerprint, modules, with_imports
from sphinx.util.docutils import SphinxDirective

# Where the numbers of each come from; a module is imported when they have to be worked out.
WIDGETS = {
    "unrolled-rnn": "widget_values",
    "gradient-lab": "widget_values",
    "lstm-cell": "widget_values",
    "attention": "translator_values",
    "beam-search": "translator_values",
}


class widget(nodes.General, nodes.Element):
    """The box; its children are what is printed."""


class WidgetDirective(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self):
        name = self.arguments[0]
        if name not in WIDGETS:
            raise self.error(f"there is no widget {name!r}; there are {', '.join(WIDGETS)}")
        files = depends_on(name)
        made = kept(Path(self.env.app.outdir).parent / ".widgets" / f"{name}.json", fingerprint(files), name)
        for file in sorted(map(str, files)):
            self.env.note_dependency(file)
        node = widget("", name=name, title=made["title"], data=made["data"])
        printed = StringList([*self.content, "", *made["table"]], self.get_source_info()[0])
        self.state.nested_parse(printed, self.content_offset, node)
        return [node]


def depends_on(name: str) -> set[Path]:
    """The files that the numbers of a widget come from, data, pinned packages and this file among them."""
    ours = {Path(__file__).with_name(f"{module}.py") for module in ("widgets", "widget_values", WIDGETS[name])}
    package = {file for one in ours for file in modules(one.read_text(encoding="utf-8"))}
    return ours | with_imports(package) | {REQUIREMENTS}


def kept(place: Path, stamp: str, name: str) -> dict:
    """What `made` returns: that of an earlier build where it has the same stamp, since torch takes long to import."""
    found = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    if found.get("stamp") != stamp:
        found = made(name) | {"stamp": stamp}
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".new").write_text(json.dumps(found), encoding="utf-8")
        place.with_suffix(".new").replace(place)  # whole or not at all, whenever a build is stopped
    return found


def made(name: str) -> dict:
    """The title of a widget, its data as the page holds them, and the lines of the table that is printed."""
    one = getattr(importlib.import_module(WIDGETS[name]), name.replace("-", "_"))()
    return {"title": one.title, "data": as_json(one.data), "table": markdown_table(one.header, one.rows)}


def as_json(data) -> str:
    """Compact; 12 digits, which every machine agrees on; nothing that could end a script element."""

    def rounded(value):
        if isinstance(value, dict):
            return {str(key): rounded(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [rounded(item) for item in value]
        return float(f"{value:.12g}") if isinstance(value, float) else value

    text = json.dumps(rounded(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/")


def markdown_table(header: list[str], rows: list[list]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in cells]


def visit_html(self, node):
    self.body.append(self.starttag(node, "div", CLASS="widget", role="group", **{"aria-label": node["title"]}))
    self.body[-1] = self.body[-1].replace("<div ", f'<div data-widget="{node["name"]}" ')
    self.body.append('<div class="widget-printed">\n')


def depart_html(self, node):
    self.body.append(f'</div>\n<script type="application/json">{node["data"]}</script>\n</div>\n')


def passed(self, node):
    """Elsewhere the children say it all."""


def only_where_widgets_are(app, pagename, templatename, context, doctree):
    """Jupyter Book gives every file of _static to every page: a page keeps the scripts of its own widgets."""
    for files in (context["script_files"], context["css_files"]):
        files[:] = [file for file in files if "/widgets/" not in str(file.filename)]
    names = sorted({node["name"] for node in doctree.findall(widget)}) if doctree else []
    if names:
        app.add_css_file("widgets/widgets.css")
    for name in (["kit"] if names else []) + names:
        app.add_js_file(f"widgets/{name}.js", loading_method="defer")


def setup(app):
    app.add_node(widget, html=(visit_html, depart_html), text=(passed, passed), latex=(passed, passed))
    app.add_directive("widget", WidgetDirective)
    app.connect("html-page-context", only_where_widgets_are)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
