"""What figures owe the page they stand on, and readers who cannot see them."""

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnncourse import plot

ALT = "A straight line that rises."


def line_figure(**kwargs):
    fig, ax = plot.subplots(**kwargs)
    ax.plot([0, 1], [0, 1], label="$h_t$")
    ax.legend()
    return fig


def svg_of(fig, alt=ALT, caption=None):
    html = plot.figure_html(fig, alt, caption)
    return ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + len("</svg>")])


@pytest.fixture(autouse=True)
def fresh_matplotlib():
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def displayed(monkeypatch):
    shown = []
    monkeypatch.setattr(plot, "display", lambda data, raw: shown.append(data))
    return shown


# ---------------------------------------------------------------- show


def test_show_displays_the_figure_once_and_closes_it(displayed):
    fig = line_figure()
    assert plot.show(fig, ALT) is None
    (data,) = displayed
    assert data["text/html"].count("<svg") == 1
    assert data["text/plain"] == ALT
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("alt", ["", "  ", "\n", "loss.png", "figures/loss curve.SVG", "loss.pdf "])
def test_show_refuses_an_alt_that_says_nothing_and_leaves_the_figure_open(alt, displayed):
    fig = line_figure()
    with pytest.raises(ValueError, match="say in a sentence what the figure shows"):
        plot.show(fig, alt)
    assert displayed == []
    assert plt.fignum_exists(fig.number)


def test_alt_is_escaped_and_read_back_whole():
    alt = 'At |J| < 1 & "rho" > 0.9 the line falls.'
    svg = svg_of(line_figure(), alt)
    assert (svg.get("role"), svg.get("aria-label")) == ("img", alt)


def test_caption_is_escaped_and_its_formulas_are_left_to_mathjax():
    html = plot.figure_html(line_figure(), ALT, "For $|a| < 1$ & <b>only</b> then.")
    caption = html[html.index("<figcaption>") :]
    assert r'<span class="math notranslate nohighlight">\(|a| &lt; 1\)</span>' in caption
    assert "&amp; &lt;b&gt;only&lt;/b&gt; then." in caption


def test_a_figure_without_caption_has_no_empty_one():
    assert "figcaption" not in plot.figure_html(line_figure(), ALT)


# ---------------------------------------------------------------- the picture itself


def test_the_same_figure_gives_the_same_bytes():
    assert plot.figure_html(line_figure(), ALT) == plot.figure_html(line_figure(), ALT)


def test_two_figures_of_a_page_share_no_id():
    first, second = svg_of(line_figure(), "One."), svg_of(line_figure(), "Another.")
    ids = [{element.get("id") for element in svg.iter()} - {None} for svg in (first, second)]
    assert all(ids)
    assert ids[0].isdisjoint(ids[1])


def test_every_reference_inside_the_picture_resolves():
    fig, axes = plot.subplots(1, 2)
    axes[0].imshow(np.eye(3))
    axes[1].fill_between([0, 1], [1, 2], hatch="/")
    html = plot.figure_html(fig, ALT)
    ids = set(re.findall(r'\bid="([^"]+)"', html))
    references = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html))
    assert references
    assert {a or b for a, b in references} == ids


def test_ink_is_the_text_colour_of_the_page_and_nothing_paints_a_ground():
    fig = line_figure()
    fig.axes[0].text(0.5, 0.5, "black text", color="black")
    fig.axes[0].axhline(0.5, color="k")
    source = plot.figure_html(fig, ALT)
    assert 'fill="currentColor"' in source
    assert "stroke: currentColor" in source
    assert [colour for colour in ("#000000", "#ffffff") if colour in source] == []


def test_nothing_in_the_picture_tells_when_or_by_what_it_was_made():
    source = plot.figure_html(line_figure(), ALT)
    assert [word for word in ("metadata", "Matplotlib", "<?xml", "<!--") if word in source] == []


def test_picture_shrinks_with_the_page_without_any_stylesheet():
    assert svg_of(line_figure()).get("style") == "max-width:100%;height:auto"


def test_size_is_what_was_asked_for():
    svg = svg_of(line_figure(width=5, height=2))
    assert (svg.get("width"), svg.get("height")) == ("360pt", "144pt")


def test_text_is_drawn_as_shapes_so_that_it_needs_no_font():
    assert not [element for element in svg_of(line_figure()).iter() if element.tag.endswith("text")]


# ---------------------------------------------------------------- colours


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#14181e", "#1c222b"])
@pytest.mark.parametrize("colour", plot.COLORS)
def test_colours_stand_out_on_light_and_dark(colour, ground):
    assert contrast(colour, ground) >= 3


def test_contrast_is_that_of_the_accessibility_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_lines_take_the_colours_in_turn():
    _, ax = plot.subplots()
    lines = [ax.plot([0, 1])[0].get_color() for _ in plot.COLORS]
    assert lines == list(plot.COLORS)


# ---------------------------------------------------------------- diagrams


def test_places_of_a_canvas_are_square_and_start_at_zero():
    fig, ax = plot.canvas(5, 3)
    assert tuple(fig.get_size_inches()) == (5 * plot.STEP, 3 * plot.STEP)
    corners = ax.transData.transform([(-0.5, -0.5), (4.5, 2.5)])
    assert corners == pytest.approx(np.array([[0, 0], fig.bbox.size]))


@pytest.mark.parametrize("shape", ["circle", "box"])
def test_arrow_joins_the_edges_of_its_nodes(shape):
    fig, ax = plot.canvas(4, 1)
    start = plot.node(ax, 0, 0, "$a$", shape=shape, size=0.6)
    end = plot.node(ax, 3, 0, "$b$", shape=shape, size=0.6)
    plot.arrow(ax, start, end)
    tip = arrow_extents(fig, ax)
    assert (tip.x0, tip.x1) == pytest.approx((0.3, 2.7), abs=0.08)


def test_a_bent_arrow_bulges_to_the_left_of_its_way():
    for bend, above in [(0.4, True), (-0.4, False)]:
        fig, ax = plot.canvas(4, 3)
        plot.arrow(ax, plot.node(ax, 0, 1, ""), plot.node(ax, 3, 1, ""), bend=bend)
        curve = arrow_extents(fig, ax)
        assert (curve.y1 > 1.3, curve.y0 < 0.7) == (above, not above)


def test_an_arrow_may_start_at_a_bare_point():
    fig, ax = plot.canvas(4, 1)
    plot.arrow(ax, (0, 0), plot.node(ax, 3, 0, "$b$", size=0.6), "in")
    assert (arrow_extents(fig, ax).x0, ax.texts[-1].get_text()) == (pytest.approx(0, abs=0.05), "in")


def test_a_loop_stands_on_its_node():
    fig, ax = plot.canvas(2, 2)
    plot.loop(ax, plot.node(ax, 0, 0, "$h$", size=0.6), "$W_h$")
    curve = arrow_extents(fig, ax)
    assert 0.2 < curve.y0 < 0.3 < curve.y1 < 0.7


def test_all_text_of_a_diagram_is_legible():
    _, ax = plot.canvas(3, 2)
    nodes = [plot.node(ax, x, 0, "$h$") for x in (0, 2)]
    plot.arrow(ax, *nodes, "$W$")
    plot.loop(ax, nodes[0], "$U$")
    assert min(text.get_fontsize() for text in ax.texts) >= 9


def arrow_extents(fig, ax):
    """The extents of the last patch, in places of the diagram."""
    fig.canvas.draw()
    return ax.patches[-1].get_window_extent().transformed(ax.transData.inverted())
