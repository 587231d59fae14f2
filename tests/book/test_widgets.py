"""The page widgets, touched in a real browser: they hold what `rnncourse` computed when the site was built."""

import gzip
import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import SITE

from rnncourse.data import interface

LARGEST = 12_000  # bytes of a script; of all that a page loads for its widgets, compressed
PAGES = {path.name: BeautifulSoup(path.read_text(), "html.parser") for path in sorted(SITE.glob("*.html"))}
WIDGETS = [(page, box["data-widget"]) for page, soup in PAGES.items() for box in soup.select("div.widget")]
each = pytest.mark.parametrize(
    ("page", "widget"), WIDGETS or [("index.html", "none")], ids=[w for _, w in WIDGETS] or None
)
SOME = dict(reversed([(widget, page) for page, widget in WIDGETS]))  # a page for each


class Touched:
    """A widget on an open page, and what a reader does with it."""

    def __init__(self, page, name):
        self.page = page
        self.box = page.locator(f".widget[data-widget={name}]").first
        self.data = json.loads(self.box.locator("script").text_content())

    def control(self, name, value=None):
        return self.box.locator(f"[data-name={name}]" + (f"[value='{value}']" if isinstance(value, str) else ""))

    def put(self, name, value):
        """Set a control as a reader does: check, choose or fill it."""
        control = self.control(name, value)
        if isinstance(value, bool):
            control.set_checked(value)
        elif isinstance(value, str):
            control.check()
        else:
            control.fill(f"{value:g}")

    def put_all(self, settings):
        """Switch on first and off last: some controls show only while a switch is on."""
        for name, value in sorted(settings.items(), key=lambda item: item[1] is False or -(item[1] is True)):
            if self.box.evaluate("(box, name) => box.settings[name]", name) != value:
                self.put(name, value)

    def press(self, label):
        self.box.get_by_role("button", name=label, exact=True).click()

    def values(self):
        return self.box.evaluate("box => box.values")

    def says(self):
        return self.box.locator("[role=status]").text_content(), self.box.locator("details table").text_content()


@pytest.fixture
def touch(visit):
    """A function that opens the page of a widget; at the end nothing may have gone wrong on any of them."""
    opened = []

    def open_widget(page, name, **look):
        opened.append(visit(page, **look))
        opened[-1].page.set_default_timeout(5000)
        return Touched(opened[-1].page, name)

    yield open_widget
    for seen in opened:
        assert seen.trouble == []
        seen.page.close()


def near(got, want):
    """Equal to 1e-6, relative to the largest entry of a list, number by number in anything else."""
    if isinstance(want, dict):
        return got.keys() >= want.keys() and all(near(got[key], value) for key, value in want.items())
    if isinstance(want, list):
        return len(got) == len(want) and all(near(*both) for both in zip(got, want, strict=True))
    if isinstance(want, str | bool) or want is None:
        return got == want
    return got == pytest.approx(want, rel=1e-6, abs=1e-30 if abs(want) > 1e-24 else 1e-12)


def test_the_course_has_its_widgets():
    assert set(SOME) == {"unrolled-rnn", "gradient-lab", "lstm-cell", "attention", "beam-search"}


# ---------------------------------------------------------------- numbers


@each
def test_a_widget_computes_what_the_package_computes(touch, page, widget):
    touched = touch(page, widget)
    for case in touched.data["cases"]:
        if "steps" in case:
            touched.press("Start again")
        touched.put_all(case["settings"])
        for _ in range(case.get("steps", 0)):
            touched.press("Step")
        assert near(touched.values(), case["values"]), (case, touched.values())


@each
def test_every_control_is_changed_in_some_case(touch, page, widget):
    touched = touch(page, widget)
    names = set(touched.box.locator("[data-name]").evaluate_all("all => all.map(e => e.dataset.name)"))
    cases = [case["settings"] for case in touched.data["cases"]]
    assert names == {name for name in touched.data["settings"] if len({case[name] for case in cases}) > 1}


@each
def test_every_control_changes_what_the_text_says(touch, page, widget):
    """The sentence or the table: whoever cannot see the picture misses nothing."""
    touched = touch(page, widget)
    for case in touched.data["cases"][::2]:
        before, values = touched.says(), touched.values()
        touched.put_all(case["settings"])
        if not near(touched.values(), values) or not near(values, touched.values()):
            assert touched.says() != before, case["settings"]


def test_the_table_shows_the_numbers_that_the_widget_holds(touch):
    touched = touch(SOME["lstm-cell"], "lstm-cell")
    touched.put_all({"zi": 0.4, "zf": 1.2, "zo": -0.3})
    shown = touched.box.locator("details tbody td").all_text_contents()[1:]
    held = [touched.values()[name] for name in ("g", "i", "f", "o", "before", "c", "h")]
    assert [float(text.replace("−", "-")) for text in shown] == pytest.approx(held, rel=1e-3)


@pytest.mark.parametrize("widget", ["attention", "beam-search"])
def test_the_translator_has_never_seen_the_sentences(widget):
    """The data lie in the page; what is held out is known to the package."""
    box = next(box for box in PAGES[SOME[widget]].select("div.widget") if box["data-widget"] == widget)
    held_out = {text for pair in interface.split().test for text in (pair.english, pair.chinese)}
    texts = [sentence["text"] for sentence in json.loads(box.script.text)["sentences"]]
    assert len(texts) >= 3
    assert [text for text in texts if text not in held_out] == []


def test_a_word_is_looked_at_when_the_mouse_is_over_it(touch):
    touched = touch(SOME["attention"], "attention")
    tokens = touched.box.locator(".tokens").last.locator("label")
    tokens.nth(0).hover()
    before = touched.values(), touched.says()
    tokens.nth(2).hover()
    assert touched.values() != before[0]
    assert touched.says() != before[1]
    assert touched.box.evaluate("box => box.settings.word") == "a2"


# ---------------------------------------------------------------- everyone


@each
def test_a_widget_can_be_worked_with_the_keyboard_alone(touch, page, widget):
    """Tab reaches every control, which then shows its focus; arrows, space and letters change it."""
    touched = touch(page, widget)
    inside = "(box, name) => box.contains(document.activeElement)"
    touched.box.evaluate("box => { box.tabIndex = -1; box.focus() }")
    reached, buttons, changed = set(), set(), set()
    for _ in range(80):
        touched.page.keyboard.press("Tab")
        if not touched.box.evaluate(inside):
            break
        focus = touched.page.evaluate(
            "() => { const e = document.activeElement; return { name: e.dataset.name, type: e.type, tag: e.tagName,"
            " text: e.textContent, outline: getComputedStyle(e).outlineStyle } }"
        )
        assert focus["outline"] != "none", focus
        if focus["tag"] == "BUTTON":
            buttons.add(focus["text"])
        if name := focus.get("name"):
            reached.add(name)
            settings = touched.box.evaluate("box => ({ ...box.settings })")
            for key in {"checkbox": [" "], "number": ["Control+a", "3"], "radio": ["ArrowRight"]}.get(
                focus["type"], ["ArrowLeft", "ArrowRight", "ArrowRight"]
            ):
                touched.page.keyboard.press(key)
                if touched.box.evaluate("box => ({ ...box.settings })")[name] != settings[name]:
                    changed.add(name)
    names = set(touched.box.locator("[data-name]:visible").evaluate_all("all => all.map(e => e.dataset.name)"))
    assert names - reached == set()
    assert names - changed == set()
    assert len(buttons) == touched.box.locator("button").count() - touched.box.locator("button[title]").count() + len(
        buttons & {"⇄"}
    )


@each
def test_what_plays_can_be_paused_and_stops_by_itself(touch, page, widget):
    touched = touch(page, widget)
    play = touched.box.get_by_role("button", name="Play", exact=True)
    if not play.count():
        return
    before = touched.values(), touched.says()
    touched.page.wait_for_timeout(1200)
    assert (touched.values(), touched.says()) == before  # nothing plays by itself
    play.click()
    pause = touched.box.get_by_role("button", name="Pause", exact=True)
    pause.click()
    assert touched.says() != before[1]
    stopped = touched.says()
    touched.page.wait_for_timeout(1200)
    assert touched.says() == stopped


@each
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_widget_in_use(visit, page, widget, scheme, width):
    touched = Touched(visit(page, scheme, width).page, widget)
    touched.box.locator("details").evaluate("e => { e.open = true }")
    touched.put_all(touched.data["cases"][-1]["settings"])
    touched.page.evaluate("scrollTo(0, 0)")  # or the bar at the top of the window lies over a button
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
    found = Axe().run(touched.page, context=".widget", options=options).response["violations"]
    assert [(rule["id"], *(node["target"] for node in rule["nodes"])) for rule in found] == []
    touched.page.close()


@each
def test_a_widget_in_use_stays_within_a_narrow_page(touch, page, widget):
    touched = touch(page, widget, width=360)
    touched.box.locator("details").evaluate("e => { e.open = true }")
    wide = """box => [...box.querySelectorAll('*')].filter(e => !e.closest('svg svg') && e.getClientRects().length
        && e.getBoundingClientRect().right > innerWidth - 8).map(e => e.tagName)"""
    for case in touched.data["cases"][-3:]:
        touched.put_all(case["settings"])
        assert touched.box.evaluate(wide) == []
        assert touched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@each
def test_controls_are_large_enough_to_touch(touch, page, widget):
    touched = touch(page, widget, width=390)
    size = """all => all.map(e => [e.textContent, (e.closest('label') ?? e).getBoundingClientRect().height])
        .filter(([, height]) => height < 24)"""
    assert touched.box.locator("button:visible, [data-name]:visible, summary").evaluate_all(size) == []


@each
def test_motion_is_reduced_where_the_reader_wants_it(touch, page, widget):
    """The tests' pages ask for reduced motion."""
    touched = touch(page, widget)
    moving = """box => [...box.querySelectorAll('*')].map(e => getComputedStyle(e)).filter(style =>
        style.transitionDuration.split(', ').some(t => parseFloat(t) > 0.01) || style.animationName != 'none').length"""
    assert touched.box.evaluate(moving) == 0


# ---------------------------------------------------------------- pages


def test_scripts_are_small(site):
    files = {path.name: path.stat().st_size for path in (site / "_static" / "widgets").glob("*.js")}
    assert set(files) == {"kit.js", *(f"{widget}.js" for widget in SOME)}
    assert {name: size for name, size in files.items() if size > LARGEST} == {}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_only_the_scripts_of_its_own_widgets(site, page):
    soup = PAGES[page]
    widgets = {box["data-widget"] for box in soup.select("div.widget")}
    scripts = [tag for tag in soup.select("script[src]") if "/widgets/" in tag["src"]]
    assert [tag["src"] for tag in scripts if not tag.has_attr("defer") or tag.get("type") == "module"] == []
    loaded = [tag["src"].split("/")[-1].split("?")[0] for tag in scripts]
    assert sorted(loaded) == sorted([f"{name}.js" for name in widgets] + ["kit.js"] * bool(widgets))
    assert bool(soup.select("link[href*='widgets.css']")) == bool(widgets)
    files = [site / "_static" / "widgets" / name for name in [*loaded, "widgets.css"]]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files if widgets) <= LARGEST


@each
def test_without_scripts_and_on_paper_a_table_stands_there(touch, page, widget):
    printed = next(box for box in PAGES[page].select("div.widget") if box["data-widget"] == widget)
    assert len(printed.select("tbody tr")) >= 3
    assert len(printed.select_one("p").text) > 30
    touched = touch(page, widget)
    assert not touched.box.locator(".widget-printed").is_visible()
    touched.page.emulate_media(media="print")
    assert touched.box.locator(".widget-printed table").is_visible()
    assert not touched.box.locator(".widget-live").is_visible()


@each
def test_a_widget_works_from_a_file(browser, site, page, widget):
    tab = browser.new_page()
    trouble = []
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.goto((site / page).as_uri())
    touched = Touched(tab, widget)
    assert near(
        touched.values(), next(c for c in touched.data["cases"] if c["settings"] == touched.data["settings"])["values"]
    )
    assert trouble == []
    tab.close()
