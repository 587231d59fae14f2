"""What makes a build quicker and changes nothing else: with it, one edited page takes 4 seconds and not 7."""

import gc
from importlib.metadata import entry_points

from pybtex.plugin import register_plugin

YOUNG = 100_000  # new objects between two looks for garbage, and not 700: pages are hundreds of thousands that stay


def setup(app):
    gc.set_threshold(YOUNG)
    register_styles()
    app.connect("build-finished", keep_all, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def keep_all(app, error):
    """The program is about to end: to look through a million objects for garbage first would take half a second."""
    gc.freeze()


def register_styles():
    """Or pybtex searches every installed package for each style of each page again."""
    for kind in ("formatting", "labels", "names", "sorting"):
        group = f"pybtex.style.{kind}"
        for plugin in entry_points(group=group):
            register_plugin(group, plugin.name, plugin.load(), force=True)
