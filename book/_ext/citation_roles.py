"""Every page has references of its own, and their entries are list items.

sphinxcontrib-bibtex wants a prefix where a work is cited on two pages, in each citation and in the list of references:
the name of the page is put there when a page is read. And docutils gives the entries a role that browsers have dropped.
"""

import re

from docutils import nodes
from sphinx.writers.html5 import HTML5Translator

CITE = re.compile(r"(\{cite(?::\w+)?\}`)([^`]+)(`)")
LIST = re.compile(r"^```\{bibliography\}$", re.M)


def prefixed(text: str, docname: str) -> str:
    """{cite}`a,b` -> {cite}`page-a,page-b`."""

    def prefix(match):
        keys = ",".join(f"{docname}-{key.strip()}" for key in match[2].split(","))
        return match[1] + keys + match[3]

    return CITE.sub(prefix, text)


def prefix_keys(app, docname, source):
    """The prefix in all citations of a page, and the same in the page's list."""
    source[0] = LIST.sub(f"```{{bibliography}}\n:keyprefix: {docname}-", prefixed(source[0], docname))


def visit_citation(self, node):
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    app.connect("source-read", prefix_keys)
    app.add_node(nodes.citation, override=True, html=(visit_citation, HTML5Translator.depart_citation))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
