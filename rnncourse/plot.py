"""Pictures: Matplotlib figures as inline SVG whose ink is the page's own, and a small kit for diagrams.

One rule makes a figure fit a light page, a dark page and JupyterLab alike: *black is ink*. Whatever is drawn
in pure black takes the colour of the text around it; the five ``COLORS`` are visible on both grounds;
nothing paints a background.

    fig, ax = plot.subplots(height=2.6)
    ax.plot(losses, label="GRU")
    plot.show(fig, "The loss falls from 3.9 to 1.7 within 400 updates and then stays level.")
"""

import dataclasses
import hashlib
import html
import io
import re
from pathlib import Path as File
from typing import Literal, NamedTuple
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path


class Colors(NamedTuple):
    """Five colours with a contrast of at least 3 to 1 against a white and against a dark page."""

    blue: str = "#3a7fd0"
    orange: str = "#d8702a"
    green: str = "#2c9a63"
    purple: str = "#9768cf"
    red: str = "#d6485a"


COLORS = Colors()
INK = "#000000"
CHINESE = "Course Sans SC"  # see fonts/make.py

STYLE = {
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "axes.grid": True,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": plt.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans", CHINESE],  # what the first lacks is taken from the second
    "font.size": 10,
    "grid.alpha": 0.13,
    "grid.color": INK,
    "grid.linewidth": 0.8,
    "image.cmap": "viridis",
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "mathtext.fontset": "dejavuserif",  # as large as the text around it, which Computer Modern is not
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


# ---------------------------------------------------------------- figures


def _add_chinese() -> None:
    """Tell Matplotlib of the course's own font, whose one weight serves for bold titles too."""
    fonts = font_manager.fontManager
    fonts.addfont(File(__file__).with_name("fonts") / "CourseSansSC.otf")
    fonts.ttflist.append(dataclasses.replace(fonts.ttflist[-1], weight=700))


_add_chinese()


def style() -> None:
    """Turn the house style on for good: Matplotlib reads parts of it only when a legend or tick is made."""
    plt.rcParams.update(STYLE)


def subplots(nrows: int = 1, ncols: int = 1, *, width: float = 6.4, height: float = 3.2, **kwargs):
    """``plt.subplots`` in the house style; width and height are those of the whole figure, in inches."""
    style()
    return plt.subplots(nrows, ncols, figsize=(width, height), layout="constrained", **kwargs)


def show(fig: Figure, alt: str, caption: str | None = None) -> None:
    """Display the figure as inline SVG and close it.

    ``alt`` says what the figure shows to a reader who cannot see it; ``caption`` stands below it for all and
    may hold formulas between dollar signs.
    """
    display({"text/html": figure_html(fig, alt, caption), "text/plain": alt}, raw=True)
    plt.close(fig)


def figure_html(fig: Figure, alt: str, caption: str | None = None) -> str:
    """The HTML that ``show`` displays: the same bytes for the same figure, and ids no other figure has."""
    _check_alt(alt)
    picture = _inline_svg(fig, alt)
    below = f"<figcaption>{_caption_html(caption)}</figcaption>" if caption else ""
    # The style is inline, since JupyterLab has none of the site's sheets.
    return f'<figure class="plot" style="margin:1em 0;text-align:center">{picture}{below}</figure>'


def _check_alt(alt: str) -> None:
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows")
    if re.search(r"\.(svg|png|jpe?g|gif|webp|pdf)$", alt.strip(), re.IGNORECASE):
        raise ValueError(f"alt is a file name ({alt.strip()}): say in a sentence what the figure shows")


def _caption_html(text: str) -> str:
    """Escaped text, with $...$ in the element that MathJax is told to look into."""
    formula = r'<span class="math notranslate nohighlight">\\(\1\\)</span>'
    return re.sub(r"\$([^$]+)\$", formula, html.escape(text, quote=False))


def _inline_svg(fig: Figure, alt: str) -> str:
    """The figure as an <svg> element: black become ink, unique ids, nothing that changes between runs."""
    buffer = io.StringIO()
    # Text as paths looks the same on every machine; the salt makes Matplotlib's ids repeatable.
    with plt.rc_context({"svg.fonttype": "path", "svg.hashsalt": "rnncourse"}):
        fig.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    source = buffer.getvalue()
    root = ElementTree.fromstring(source)
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    root.remove(root.find("metadata"))
    _prefix_ids(root, "f" + hashlib.sha256((alt + source).encode()).hexdigest()[:8] + "-")
    # Matplotlib leaves a black fill unsaid, so the root says what unsaid means.
    root.attrib |= {"role": "img", "aria-label": alt, "fill": "currentColor"}
    root.set("style", "max-width:100%;height:auto")
    root.attrib.pop("version", None)
    for element in root.iter("path"):  # finer than a screen shows is only more to load, above all in long curves
        places = 1 if len(element.get("d", "")) > 1000 else 2
        element.set("d", re.sub(rf"(\.\d{{{places}}})\d+", r"\1", element.get("d", "")))
    return ElementTree.tostring(root, encoding="unicode").replace(INK, "currentColor")


def _prefix_ids(root: ElementTree.Element, prefix: str) -> None:
    """Prefix the ids that something refers to, and drop the others."""
    link = "{http://www.w3.org/1999/xlink}href"
    refers = re.compile(r"url\(#([^)]+)\)")
    used = set()
    for element in root.iter():
        if link in element.attrib:
            target = element.attrib.pop(link)
            used.add(target.removeprefix("#"))
            element.set("href", target.replace("#", "#" + prefix) if target.startswith("#") else target)
        for name, value in element.attrib.items():
            used.update(refers.findall(value))
            element.set(name, refers.sub(rf"url(#{prefix}\1)", value))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", prefix + name)


# ---------------------------------------------------------------- diagrams

STEP = 0.8  # inches from one place of a diagram to the next
TEXT = 12  # points


class Node(NamedTuple):
    """A drawn node, for arrows to start from and to end at."""

    x: float
    y: float
    patch: Patch


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty drawing of width by height places; the centre of the lower left one is (0, 0)."""
    style()
    fig = plt.figure(figsize=(width * STEP, height * STEP))
    ax = fig.add_axes((0, 0, 1, 1), aspect="equal")
    ax.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))
    ax.axis("off")
    return fig, ax


def node(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    color: str | None = None,
    shape: Literal["circle", "box"] = "circle",
    size: float | tuple[float, float] = 0.58,
) -> Node:
    """Draw a circle, or a box, of that size in places, with text in it; a box may have (width, height)."""
    width, height = size if isinstance(size, tuple) else (size, size)
    look = {"edgecolor": color or INK, "facecolor": (color, 0.16) if color else "none", "linewidth": 1.3}
    if shape == "circle":
        patch = Circle((x, y), width / 2, **look)
    else:
        corner, round_ = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.08"
        patch = FancyBboxPatch(corner, width, height, boxstyle=round_, **look)
    ax.add_patch(patch)
    ax.text(x, y, text, ha="center", va="center_baseline", fontsize=TEXT)
    return Node(x, y, patch)


def arrow(
    ax: Axes,
    start: Node | tuple[float, float],
    end: Node | tuple[float, float],
    text: str = "",
    color: str | None = None,
    bend: float = 0.0,
) -> None:
    """Draw an arrow from edge to edge, or between points; a positive bend bulges to the left of its way."""
    a, b = np.array(start[:2], float), np.array(end[:2], float)
    patches = [place.patch if isinstance(place, Node) else None for place in (start, end)]
    ax.add_patch(
        FancyArrowPatch(
            a,
            b,
            patchA=patches[0],
            patchB=patches[1],
            shrinkA=1,
            shrinkB=1,
            connectionstyle=f"arc3,rad={-bend}",
            **_arrow_look(color),
        )
    )
    left = np.array([a[1] - b[1], b[0] - a[0]])
    side = left * (-1 if bend < 0 else 1)
    _label(ax, (a + b) / 2 + left * bend / 2, side / np.linalg.norm(side), text, color)


def loop(ax: Axes, node: Node, text: str = "", color: str | None = None) -> None:
    """Draw an arrow from a node's top right over it and back into its top left."""
    half = node.patch.get_extents().transformed(ax.transData.inverted()).height / 2
    dx, rise = 0.55 * half, 0.42
    foot = node.y + (0.85 * half if isinstance(node.patch, Circle) else half)
    points = [
        (node.x + dx, foot),
        (node.x + 2.2 * dx, foot + rise),
        (node.x - 2.2 * dx, foot + rise),
        (node.x - dx, foot + 0.02),
    ]
    path = Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    ax.add_patch(FancyArrowPatch(path=path, **_arrow_look(color)))
    _label(ax, np.array([node.x, foot + 0.75 * rise]), np.array([0.0, 1.0]), text, color)


def _arrow_look(color: str | None) -> dict:
    return {
        "arrowstyle": "-|>",
        "mutation_scale": 11,
        "linewidth": 1.3,
        "color": color or INK,
        "joinstyle": "miter",
        "capstyle": "butt",
    }


def _label(ax: Axes, at: np.ndarray, side: np.ndarray, text: str, color: str | None) -> None:
    """Write text beside a point, grown away from it towards ``side`` so that it never lies on the line."""
    across = ["right", "center", "left"][1 + round(side[0])]
    along = ["top", "center", "bottom"][1 + round(side[1])]
    ax.annotate(
        text,
        at,
        xytext=4 * side,
        textcoords="offset points",
        ha=across,
        va=along,
        fontsize=TEXT - 1,
        color=color or INK,
    )
