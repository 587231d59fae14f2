"""What the themes put into ``_static``: nothing that no page ever asks for, and the same in every build.

A page names a style together with its checksum, if the file is there when the page is written. MyST-NB writes its own
after the pages, so that the first build of a site would differ from the second.
"""

import shutil
from pathlib import Path

from myst_nb.sphinx_ext import add_global_html_resources

UNUSED = [
    "**/*.map",  # for debuggers
    "scripts/fontawesome.js*",  # the pages show icons of a font: `icon_font`
    "vendor/fontawesome/webfonts/*.ttf",  # for browsers without WOFF2
    "locales",
]


def write_early(app):
    if app.builder.format == "html":
        Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
        add_global_html_resources(app, None)


def remove_unused(app, exception):
    if app.builder.format == "html":
        for path in {path for pattern in UNUSED for path in Path(app.outdir, "_static").glob(pattern)}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app):
    app.connect("builder-inited", write_early)
    app.connect("build-finished", remove_unused)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
