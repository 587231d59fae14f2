"""Write a font of the few icons that the pages show: 4 kB instead of the 156 kB of the theme's whole set.

``course.css`` declares it under the name of the theme's icon font. The names of all other icons go from the theme's
style, where they take 20 kB of every page, compressed.
"""

import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from fontTools.ttLib import TTFont

FONT = "theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts/fa-solid-900.ttf"
ICONS = [
    *(0xF0C9, 0xF03A, 0xF002, 0xF065),  # bars, list, magnifier, expand
    *(0xF185, 0xF186, 0xF042),  # sun, moon, half circle
    *(0xF104, 0xF105, 0xF107, 0xF062, 0xF077, 0xF078),  # angles, arrow up, chevrons
    *(0xF00D, 0xF019, 0xF15B, 0xF1C1, 0xF1C9, 0xF35D, 0xF010),  # cross, download, files, link out, zoom out
    *(0xF05A, 0xF06A, 0xF071, 0xF057, 0xF058, 0xF0EB, 0xF064, 0xF0F3, 0xF303),  # titles of admonitions
]
NAMED = re.compile(r'(?:\.fa-[\w-]+:before,?)+\{content:"([^"]*)"\}')


def write_icons(app):
    if app.builder.format != "html":
        return
    font = TTFont(Path(pydata_sphinx_theme.__file__).parent / FONT, recalcTimestamp=False)
    subsetter = subset.Subsetter()
    subsetter.populate(unicodes=ICONS)
    subsetter.subset(font)
    font.flavor = "woff"
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    font.save(static / "icons.woff")


def forget_other_icons(app, exception):
    if app.builder.format != "html":
        return
    style = Path(app.outdir, "_static/styles/pydata-sphinx-theme.css")
    text = NAMED.sub(lambda rule: rule[0] if is_ours(rule[1]) else "", style.read_text("utf-8"))
    style.write_text(text, "utf-8")


def is_ours(content: str) -> bool:
    return content.startswith("\\f") and int(content[1:], 16) in ICONS


def setup(app):
    app.connect("builder-inited", write_icons)
    app.connect("build-finished", forget_other_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
