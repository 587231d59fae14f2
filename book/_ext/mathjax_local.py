"""Serve MathJax from this site: the default is a content delivery network, and the course works offline.

The files come with the wheel sphinx-mathjax-offline. Its own extension copies all 24 MB of them; a page
needs one bundle, the fonts, and the extensions that the bundle loads when a formula asks for them.
"""

import importlib.util
import shutil
from pathlib import Path

PARTS = ["tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions", "a11y"]
PARTS += [f"sre/mathmaps/{name}.json" for name in ("base", "en", "nemeth")]


def copy_mathjax(app):
    """Copy before any page is written, so that Sphinx can append a checksum to the script's address."""
    if app.builder.format != "html":
        return
    source = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir, "_static", "mathjax")
    for part in PARTS:
        copy = shutil.copytree if (source / part).is_dir() else shutil.copy2
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if not (target / part).exists():
            copy(source / part, target / part)


def only_where_formulas_are(app, pagename, templatename, context, doctree):
    """Sphinx also gives MathJax to a page whose table of contents leads to one with formulas: the front page.

    Jupyter Book gives every file of _static to every page, ``formulas.js`` as well, which tells MathJax how to start.
    """
    has = app.env.get_domain("math").data["has_equations"].get(pagename)
    dropped = ["formulas.js"] if has else ["formulas.js", app.config.mathjax_path]
    files = context["script_files"]
    files[:] = [file for file in files if not any(name in str(file.filename) for name in dropped)]
    if has:
        app.add_js_file("formulas.js", loading_method="defer", priority=400)  # before MathJax, which it sets up


def setup(app):
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", only_where_formulas_are, priority=900)  # after Sphinx has added the script
    return {"parallel_read_safe": True, "parallel_write_safe": True}
