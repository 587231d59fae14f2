"""Feedback that students may see: no hidden test in it, formulas in it, and nothing that it asks of another host."""

from jinja2 import DictLoader
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor

NO_MATHJAX = DictLoader({"mathjax.html.j2": "{% macro mathjax() %}{% endmacro %}"})  # nbconvert's loads it from a CDN


class HideTests(NbGraderPreprocessor):
    """Leave out hidden tests. nbgrader puts them back for grading, and its feedback shows them."""

    def preprocess(self, notebook, resources):
        clear = ClearHiddenTests(parent=self)
        for index, cell in enumerate(notebook.cells):
            if utils.is_grade(cell) and clear.begin_test_delimeter in cell.source:
                clear.preprocess_cell(cell, resources, index)
                cell.source = f"{cell.source}\n# (and hidden tests)".strip()
        return notebook, resources


class FeedbackExporter(HTMLExporter):
    """nbgrader's feedback page, whose formulas are MathML, which browsers show by themselves."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, extra_loaders=[NO_MATHJAX], **named)

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", with_mathml


def with_mathml(source: str) -> str:
    """Markdown as HTML."""
    return MarkdownWithMath(renderer=_Renderer(escape=False)).render(source)


class _Renderer(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return self._formula(body, "inline")

    def block_math(self, body: str) -> str:
        return self._formula(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return self._formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")

    def _formula(self, body: str, display: str) -> str:
        try:
            return convert(body, display=display)
        except Exception:  # the text may be a student's, and no formula
            return f"<code>{self.escape_html(body)}</code>"
