"""One notation at a time: the pages say what the table says, and the switch works for everyone.

That the table's formulas compute what the cells compute is tested in tests/test_conventions.py.
"""

import re
import sys
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import SITE
from test_equations import formulas

from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.conventions import FORMS, equations

BOOK = Path(__file__).parents[2] / "book"
sys.path.insert(0, str(BOOK / "_ext"))
import notations  # noqa: E402  an extension of the book

LARGEST = 2500  # bytes of the script
CHAPTERS = {"recurrence": RNNCell, "lstm": LSTMCell, "gru": GRUCell}
SOUPS = {path.name: BeautifulSoup(path.read_text(), "html.parser") for path in sorted(SITE.glob("*.html"))}
SWITCHED = [name for name, soup in SOUPS.items() if soup.select(".in-notation")]
OTHERS = ["papers", "pytorch", "keras"]
each_page = pytest.mark.parametrize("page", SWITCHED or ["index.html"])


def source(page):
    return (BOOK / f"{page}.md").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the pages say what the table says


@pytest.mark.parametrize("label", notations.renderings())
def test_the_chapters_formula_is_the_tables(label):
    assert dict(formulas())[label].split() == notations.renderings()[label]["course"].split()


@pytest.mark.parametrize(("cell", "module"), [(RNNCell, "RNN"), (LSTMCell, "LSTM"), (GRUCell, "GRU")])
def test_pytorchs_formulas_stand_in_its_manual(cell, module):
    def plain(text):
        return re.sub(r"\s|\\[Bb]ig[lr]|&", "", text).replace("h_{(t-1)}", "h_{t-1}")

    manual = plain(getattr(torch.nn, module).__doc__)
    for lines in equations(cell, FORMS["pytorch"][cell]).values():
        for line in lines:
            assert (
                plain(notations.tex_of([line])).replace(r"\top", "T").replace("f(", r"\tanh(", cell is RNNCell)
                in manual
            )


@pytest.mark.parametrize("label", notations.renderings())
def test_every_built_equation_has_the_tables_renderings(label):
    [formula] = [found for soup in SOUPS.values() if (found := soup.find(id=f"equation-{label}"))]
    shown = {}
    for part in formula.find_parent(class_="in-notation").find_all(attrs={"data-notation": True}):  # in templates too
        tex = part.find(class_="math").find(string=re.compile(r"\\\[")).strip()
        shown[part["data-notation"]] = re.sub(r"^\\\[(\\begin\{split\})?|(\\end\{split\})?\\\]$", "", tex)
    assert shown == notations.renderings()[label]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapters_table_of_symbols_has_every_part_in_its_shape(page):
    own = re.search(r"^:::\{in-notation\} (\w+)\n(.*?)^:::$", source(page), re.M | re.S)
    assert own[1] == CHAPTERS[page].__name__
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in own[2].splitlines()]
    for rows in notations.rows_of(CHAPTERS[page], FORMS["course"][CHAPTERS[page]]).values():
        for symbols, shape, _ in rows:
            [row] = [row for row in cells if notations.symbols_in(row[0]) & notations.symbols_in(symbols)]
            assert row[1] == shape


def test_the_page_of_letters_agrees_with_the_table():
    lines = [line.strip("| ").split(" | ") for line in source("notation").splitlines() if line.startswith("|")]
    for start, key in (("this course", "course"), ("papers", "papers"), ("PyTorch", "pytorch"), ("Keras", "keras")):
        [(_, formula, *weights)] = [line for line in lines if line[0].startswith(start) and len(line) == 5]
        assert formula == f"${notations.renderings()['elman-state'][key]}$"
        if key != "papers":  # it gives their letters
            names = FORMS[key][RNNCell].names
            assert [re.search("`(.*?)`", text)[1] for text in weights] == [*names[:2], " + ".join(names[2:])]


@pytest.mark.parametrize("page", ["notation", "gru"])
def test_the_two_update_gates_of_the_comparisons_are_the_tables(page):
    ours = FORMS["course"][ResetBeforeGRUCell]
    for form in (ours, ours._replace(z_keeps=False)):
        [(_, formula)] = equations(ResetBeforeGRUCell, form)["gru-state"]
        assert f"| ${notations.tex(formula)}$ |" in source(page)


# ---------------------------------------------------------------- the switch


@pytest.fixture
def switched(browser, address):
    """A function that opens a page for a new reader, and one that chooses; nothing may go wrong on any."""
    contexts = []

    def open_page(page, scheme="light", width=1280, context=None, base=address):
        if not context:
            size = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce")
            contexts.append(context)
        tab = context.new_page()
        tab.trouble = []
        tab.on("pageerror", lambda error: tab.trouble.append(str(error)))
        tab.on("request", lambda request: tab.trouble.extend([request.url] * (not request.url.startswith(base))))
        tab.goto(base + page)
        settle(tab)
        return tab

    yield open_page
    for context in contexts:
        assert [tab.trouble for tab in context.pages if tab.trouble] == []
        context.close()


def settle(tab):
    tab.evaluate("async () => { await MathJax.startup.promise; await MathJax.typesetPromise([]); }")


def choose(tab, choice):
    tab.locator(f".notation-switch [value={choice}]").check()
    settle(tab)


SHOWN = """() => [...document.querySelectorAll('.in-notation')].map(place => [...place.children]
    .filter(e => e.tagName == 'DIV' && e.checkVisibility({ visibilityProperty: true }))
    .map(e => e.dataset.notation))"""

CHOSEN = "choice => document.querySelector('.notation-switch :checked').value == choice"


def test_the_cells_pages_have_the_switch_and_no_other_page_loads_it(site):
    assert {f"{page}.html" for page in [*CHAPTERS, "notation"]} <= set(SWITCHED)
    for name, soup in SOUPS.items():
        scripts = [tag for tag in soup.select("script[src]") if "notation.js" in tag["src"]]
        assert len(soup.select(".notation-switch")) == len(scripts) == (name in SWITCHED)
    assert (site / "_static" / "notation.js").stat().st_size <= LARGEST


@each_page
def test_a_choice_shows_that_notation_and_typesets_it(switched, page):
    tab = switched(page)
    assert {shown for [shown] in tab.evaluate(SHOWN)} == {"course"}
    places = SOUPS[page].select(".in-notation")
    for choice in OTHERS:
        choose(tab, choice)
        theirs = [place for place in places if place.find(attrs={"data-notation": choice})]
        assert theirs
        assert tab.evaluate(SHOWN) == [[choice if place in theirs else "course"] for place in places]
        assert tab.locator("mjx-merror").all_text_contents() == []
        bare = "all => all.filter(e => !e.querySelector('mjx-container')).map(e => e.textContent)"
        assert tab.eval_on_selector_all(".in-notation > div .math", bare) == []
        numbers = tab.locator(f".in-notation > [data-notation={choice}] .eqno").all_text_contents()
        assert numbers == [number.text for place in theirs for number in place.select(".eqno")]
    ids = tab.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert sorted(ids) == sorted(set(ids))
    choose(tab, "course")
    assert {shown for [shown] in tab.evaluate(SHOWN)} == {"course"}


def test_a_formula_is_as_large_in_every_notation(switched):
    """Typeset out of sight it would have the wrong size."""
    size = "all => all.map(e => parseFloat(e.style.fontSize))"
    tab = switched("gru.html")
    choose(tab, "keras")
    tab.reload()
    settle(tab)
    choose(tab, "course")
    sizes = tab.eval_on_selector_all(".in-notation > div > .math mjx-container", size)
    assert max(sizes) < 1.06 * min(sizes)


def test_a_choice_is_remembered_on_the_next_page_and_after_loading_again(switched):
    tab = switched("gru.html")
    choose(tab, "keras")
    for other in (switched(page, context=tab.context) for page in ("lstm.html", "gru.html")):
        assert other.locator(".notation-switch [value=keras]").is_checked()
        assert ["keras"] in other.evaluate(SHOWN)
        assert other.locator("mjx-merror").count() == 0
    choose(other, "course")
    assert ["course"] in switched("notation.html", context=tab.context).evaluate(SHOWN)


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_page_that_is_open_follows_the_choice_made_in_another_tab(switched, address, site, scheme):
    base = address if scheme == "http" else site.as_uri() + "/"
    first = switched("gru.html", base=base)
    second = switched("lstm.html", context=first.context, base=base)
    for choice in ("keras", "course"):
        choose(first, choice)
        second.wait_for_function(CHOSEN, arg=choice)
        settle(second)
        assert [choice] in second.evaluate(SHOWN)
    assert second.locator("mjx-merror").count() == 0


def test_the_keyboard_alone_changes_the_notation(switched):
    tab = switched("notation.html")
    tab.locator(".notation-switch").evaluate("e => { e.tabIndex = -1; e.focus() }")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.value") == "pytorch"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert tab.evaluate(SHOWN) == [["pytorch"]] * 3


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_axe_finds_nothing_in_any_notation(switched, scheme, width):
    """On the page that has all the cells."""
    tab = switched("notation.html", scheme, width)
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    places = {"include": [[".notation-switch"], [".in-notation"]]}
    for choice in OTHERS:
        choose(tab, choice)
        found = Axe().run(tab, context=places, options={"runOnly": rules, "preload": False}).response["violations"]
        assert [(rule["id"], *(node["target"] for node in rule["nodes"])) for rule in found] == []


@each_page
def test_a_narrow_page_does_not_scroll_sideways_in_any_notation(switched, page):
    tab = switched(page, width=360)
    for choice in OTHERS:
        choose(tab, choice)
        wide = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.tagName)"
        assert tab.eval_on_selector_all("html, body, main, article, .in-notation > div:not(.away)", wide) == []
        heights = "all => all.map(e => e.getBoundingClientRect().height)"
        assert min(tab.eval_on_selector_all(".notation-switch label", heights)) >= 24


def test_on_paper_stands_the_courses_own(switched):
    tab = switched("gru.html")
    choose(tab, "papers")
    tab.emulate_media(media="print")
    assert {shown for [shown] in tab.evaluate(SHOWN)} == {"course"}
    heights = "all => all.map(e => e.getBoundingClientRect().height)"
    assert min(tab.eval_on_selector_all(".in-notation > [data-notation=course]", heights)) > 20
    assert not tab.locator(".notation-switch").is_visible()


def test_a_link_to_an_equation_leads_to_what_is_shown(switched):
    tab = switched("gru.html")
    choose(tab, "pytorch")
    tab = switched("gru.html#equation-gru-state", context=tab.context)
    tab.wait_for_timeout(200)
    shown = tab.locator(".in-notation:has(#equation-gru-state) > [data-notation=pytorch] .math")
    assert 0 <= shown.bounding_box()["y"] <= 400


def test_without_scripts_the_courses_own_stands_there_and_no_switch(browser, address):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + "gru.html")
    assert not tab.locator(".notation-switch").is_visible()
    assert tab.locator(".in-notation > div").count() == tab.locator(".in-notation").count()
    context.close()


def test_the_switch_works_and_remembers_from_files(switched, site):
    tab = switched("gru.html", base=site.as_uri() + "/")
    choose(tab, "keras")
    other = switched("lstm.html", context=tab.context, base=site.as_uri() + "/")
    other.wait_for_function(CHOSEN, arg="keras")  # it may come as news: another process has written it
    settle(other)
    assert ["keras"] in other.evaluate(SHOWN)
    assert other.locator("mjx-merror").count() == 0
