"""Every page has references of its own, and their entries are list items.

sphinxcontrib-bibtex wants a prefix where a work is cited on two pages, in each citation and in the list of references:
the name of the page is put there when a page is read. And docutils gives the entries a role that browsers have dropped.
"""

import re

from docutils import nodes
from sphinx.writers.html5 import HTML5Translator

CITE = re.compile(r"(\{cite(?::\w+)?\}`)([^`]+)(`)")
LIST = re.compile(r"^```\{bibliography\}$", re.M)


def prefix_keys(app, docname, source):
    """{cite}`a,b` -> {cite}`page-a,page-b`, and the same prefix for the page's list."""

    def prefixed(match):
        keys = ",".join(f"{docname}-{key.strip()}" for key in match[2].split(","))
        return match[1] + keys + match[3]

    source[0] = LIST.sub(f"```{{bibliography}}\n:keyprefix: {docname}-", CITE.sub(prefixed, source[0]))


def visit_citation(self, node):
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    app.connect("source-read", prefix_keys)
    app.add_node(nodes.citation, override=True, html=(visit_citation, HTML5Translator.depart_citation))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
