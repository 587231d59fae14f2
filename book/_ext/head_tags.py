"""What the head of a page says of it: a description for search engines and link previews, one viewport.

The description is the page's first real paragraph, unless the page gives its own in the front matter:
``myst: {html_meta: {description: ...}}``. Docutils adds a viewport tag to that of the theme; it goes.
"""

import re
from html import escape

from docutils import nodes

LONGEST = 160  # search engines show no more


def first_paragraph(doctree) -> str:
    """The start of the first paragraph that is long enough to say something, cut at a word."""
    paragraphs = (node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section))
    text = next((" ".join(node.astext().split()) for node in paragraphs if len(node.astext()) > 40), "")
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"


def write_tags(app, pagename, templatename, context, doctree):
    tags = re.sub(r'\s*<meta name="viewport"[^>]*>', "", context.get("metatags", ""))
    if 'name="description"' not in tags:
        book = app.config.html_title
        text = (doctree and first_paragraph(doctree)) or f"{context.get('title', pagename)} - {book}"
        tags += f'\n    <meta name="description" content="{escape(text)}" />'
    context["metatags"] = tags


def setup(app):
    app.connect("html-page-context", write_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
