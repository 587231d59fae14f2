"""What is looked for is found: by the search, in the glossary, from equations to code and back, from page to page."""

import functools
import html
import importlib
import inspect
import json
import re
import sys
import tokenize
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import SITE

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
CODE_CELL = "```{code-cell}"
TOC = yaml.safe_load((BOOK / "_toc.yml").read_text("utf-8"))
CHAPTERS = [
    entry["file"]
    for part in TOC["parts"]
    if re.match(r"[IVX]+\. ", part["caption"])
    for entry in part["chapters"]
    if CODE_CELL in (BOOK / f"{entry['file']}.md").read_text("utf-8")
]
PAGES = [TOC["root"], *(entry["file"] for part in TOC["parts"] for entry in part["chapters"])]
CODE_PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.glob("code/**/*.html"))
DOC = re.compile(r"\{doc\}`([^`]+)`")


def extension(name: str):
    """A module of book/_ext."""
    sys.path.insert(0, str(BOOK / "_ext"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BOOK / "_ext"))


def source(page: str) -> str:
    return (BOOK / f"{page}.md").read_text("utf-8")


@functools.cache
def soup(address: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / address).read_text("utf-8"), "html.parser")


def labels() -> dict[str, str]:
    """label -> page of every labelled equation of the book."""
    found = {}
    for page in PAGES:
        text = source(page)
        blocks = re.findall(r"^[`:]{3,}\{math\}\n:label: *(\S+)", text, re.M)
        found |= dict.fromkeys([*blocks, *re.findall(r"\$\$ *\(([^)\s]+)\)", text)], page)
    return found


# ---------------------------------------------------------------- search


@pytest.fixture(scope="module")
def searched(visit):
    """A function that types a query into the search field and returns the first addresses that are found."""
    page = visit("index.html").page

    def search(query: str, first: int = 3) -> list[str]:
        page.goto(page.url.rsplit("/", 1)[0] + "/index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type(query)
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results .search-summary:not(:empty)")
        links = page.eval_on_selector_all("#search-results li > a", "all => all.map(e => e.getAttribute('href'))")
        return [re.sub(r"\?highlight=[^#]*", "", link) for link in links[:first]]

    yield search
    page.close()


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ("forget gate", "glossary.html#term-forget-gate"),
        ("teacher forcing", "glossary.html#term-teacher-forcing"),
        ("h_t", "glossary.html#term-h_t"),
        ("delta_t", "glossary.html#term-delta_t"),
        ("elman state", "recurrence.html#equation-elman-state"),
        ("gates of the GRU", "gru.html#equation-gru-gates"),
        ("jordan step", "recurrence.html#exercise"),
        ("RNNCell.step", "recurrence.html#equation-elman-state"),
        ("GRUCell", "gru.html#equation-gru-gates"),
        ("padding", "glossary.html#term-padding"),
    ],
)
def test_search_finds_terms_symbols_equations_exercises_and_functions(searched, query, hit):
    assert hit in searched(query)


@pytest.fixture(scope="module")
def objects():
    """(name, kind, page, anchor) of what the search knows by name, as its script puts them together."""
    text = (SITE / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    found = []
    for prefix, entries in index["objects"].items():
        for page, kind, _, anchor, name in entries:
            full = f"{prefix}.{name}" if prefix else name
            kind = index["objnames"][str(kind)][1]
            anchor = {"": full, "-": f"{kind}-{full}"}.get(anchor, anchor)
            found.append((html.unescape(full), kind, index["docnames"][page], html.unescape(anchor)))
    return found


def test_everything_that_has_a_name_stands_where_the_search_leads(objects):
    kinds = {kind for _, kind, _, _ in objects}
    assert kinds >= {"equation", "term", "exercise", "function"}
    ids = {page: {tag["id"] for tag in soup(f"{page}.html").select("[id]")} for _, _, page, _ in objects}
    assert [item for item in objects if item[3] not in ids[item[2]]] == []


def test_no_two_equations_have_the_same_name():
    findable = extension("findable")
    names = [findable.readable(label).casefold() for label in labels()]
    assert sorted(names) == sorted(set(names))


def test_only_equations_of_the_book_have_names():
    assert set(extension("findable").NAMES) - set(labels()) == set()


def test_an_equation_without_a_name_is_called_by_its_label():
    assert extension("findable").readable("bits-per-character") == "Bits per character"


# ---------------------------------------------------------------- glossary

ENTRY = re.compile(r"^(\S[^\n]*)\n((?:\S[^\n]*\n)*)((?:  [^\n]+\n)+)", re.M)


def glossary() -> list[tuple[str, str]]:
    """(first term, definition) in the order of the page."""
    body = source("glossary").split(":::{glossary}\n")[1].split(":::")[0]
    entries = [(first, " ".join(definition.split())) for first, _, definition in ENTRY.findall(body)]
    assert len(entries) == len(re.findall(r"\n\n", body.strip())) + 1
    return entries


def test_terms_stand_in_order_and_once():
    terms = [term.casefold() for term, _ in glossary()]
    assert len(terms) > 40
    assert terms == sorted(set(terms))
    lines = re.findall(r"^\S.*", source("glossary").split(":::{glossary}\n")[1].split(":::")[0], re.M)
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(("term", "definition"), [pytest.param(*entry, id=entry[0]) for entry in glossary()])
def test_a_term_is_one_sentence_and_the_page_that_introduces_it(term, definition):
    sentence, page = re.fullmatch(r"([A-Z][^.]*)\. See \{doc\}`([\w-]+)`\.", definition).groups()
    assert len(sentence) > 20
    assert page in PAGES
    words = re.sub(r"[^a-z]+", " ", source(page).lower())
    assert all(
        word in words for word in re.findall("[a-z]{2,}", re.sub(r"\bstacked network\b", "stacked", term.lower()))
    )


# ---------------------------------------------------------------- from equations to code and back


def test_what_code_says_of_itself():
    code_pages = extension("code_pages")
    text = '''
def outer(x):
    """The sum of (first-one)
    to (last-one), not f(x)."""
    def inner(y):
        return y  # (deep) and (also-this)
    return inner("(quoted)")

a = 1  # (loose)
'''
    assert set(code_pages.mentions(text)) >= {
        ("outer", "first-one", "last-one"),
        ("outer.inner", "deep", "deep"),
        ("outer.inner", "also-this", "also-this"),
        ("", "loose", "loose"),
    }
    assert "quoted" not in {first for _, first, _ in code_pages.mentions(text)}
    assert code_pages.innermost(["Cell", "Cell.step", "other"]) == ["Cell.step", "other"]


def anchor(label: str) -> str:
    return f"equation-{label}".lower()


def remarks(path: Path) -> str:
    """The comments and strings of a module."""
    kinds = (tokenize.COMMENT, tokenize.STRING)
    with path.open("rb") as file:
        return "\n".join(token.string for token in tokenize.tokenize(file.readline) if token.type in kinds)


def in_code(label: str, page: str) -> list[str]:
    """The addresses below an equation."""
    place = soup(f"{page}.html").find(id=anchor(label))
    line, formula = place.find_next_sibling("p", class_="in-code"), place.find_next_sibling()
    return [a["href"] for a in line.select("a")] if line and formula.get("class") == ["in-code"] else []


def open_modules() -> list[Path]:
    paths = sorted((ROOT / "rnncourse").rglob("*.py"))
    return [path for path in paths if path.relative_to(ROOT / "rnncourse").parts[0] not in ("check", "grading")]


NAMED = [
    (label, path.relative_to(ROOT / "rnncourse").with_suffix("").as_posix(), page)
    for label, page in labels().items()
    for path in open_modules()
    if f"({label})" in remarks(path)
]


@pytest.mark.parametrize(("label", "module", "page"), NAMED)
def test_an_equation_leads_to_the_code_that_names_it_and_the_code_leads_back(label, module, page):
    assert any(address.startswith(f"code/{module}.html") for address in in_code(label, page))
    up = "../" * (module.count("/") + 1)
    back = soup(f"code/{module}.html").select(f'pre a[href="{up}{page}.html#{anchor(label)}"]')
    assert [a.text for a in back] == [label] * remarks(ROOT / f"rnncourse/{module}.py").count(f"({label})")


def test_what_stands_below_an_equation_is_code_that_names_it():
    checked = 0
    for label, page in labels().items():
        for address in in_code(label, page):
            if not address.startswith("code/"):
                continue
            path, _, name = address.removeprefix("code/").partition("#")
            found = importlib.import_module("rnncourse." + path.removesuffix(".html").replace("/", "."))
            for part in name.split("."):
                found = getattr(found, part)
            text = inspect.getsource(found)
            assert f"({label})" in text or re.search(r"\) to\s+\(", text)  # between the first and the last of a range
            checked += 1
    assert checked >= len({label for label, _, _ in NAMED})


def test_an_equation_that_a_cell_of_the_page_computes_leads_to_this_cell():
    page = soup("recurrence.html")
    [link] = page.find(id="equation-substitution").find_next_sibling("p", class_="in-code").select("a")
    cell = page.find(id=link["href"].removeprefix("#"))
    back = cell.select('.highlight a[href="#equation-substitution"]')
    assert [a.text for a in back] == ["substitution"]


def test_only_code_that_students_may_read_has_a_page():
    for address in CODE_PAGES:
        module = address.removeprefix("code/").removesuffix(".html")
        assert module.split("/")[0] not in ("check", "grading")
        path = ROOT / f"rnncourse/{module}.py"
        assert soup(address).select_one("article pre").text.strip() == path.read_text("utf-8").strip()
    assert {f"code/{module}.html" for _, module, _ in NAMED} <= set(CODE_PAGES)


def test_the_keyboard_leads_from_an_equation_to_its_code_and_back(visit):
    page = visit("recurrence.html").page
    page.get_by_role("link", name="RNNCell.step").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/code/cells/rnn.html#RNNCell.step")
    line = page.locator(":target")
    assert "def step" in line.text_content()
    assert line.evaluate("e => e.getBoundingClientRect().top") < 900
    page.get_by_role("link", name="elman-state").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/recurrence.html#equation-elman-state")
    page.close()


# ---------------------------------------------------------------- from page to page


def test_next_leads_from_the_first_page_to_the_last():
    page, seen = PAGES[0], []
    while page:
        seen.append(page)
        assert len(seen) <= len(PAGES)
        link = soup(f"{page}.html").select_one("a.right-next")
        page = link and link["href"].removesuffix(".html")
    assert seen == PAGES


def first_paragraph(page: str) -> str:
    body = source(page).split("---\n", 2)[2].split("\n# ", 1)[1]
    return " ".join(body.split("\n\n")[1].split())


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_says_first_what_it_is_for_how_long_it_takes_and_what_it_needs(page):
    text = first_paragraph(page)
    assert re.match(r"After this (chapter|page) you can ", text)
    assert re.search(r"It takes (?:about )?(an|half an|one|two|three|four) hours?\b", text)
    assert re.search(r"You need .{4,}\.$", text)


def time_of(page: str) -> str:
    return re.search(r"It takes (about [a-z ]*hours?(?: and a half)?)", first_paragraph(page))[1]


def ways() -> list[list[tuple[str, str]]]:
    """The lists of chapters of the page `paths`, each chapter with its time."""
    sections = source("paths").split("\n## ")[1:]
    found = [re.findall(r"^\d+\. \{doc\}`([\w-]+)`, (about [a-z ]*hours?(?: and a half)?)", s, re.M) for s in sections]
    return [way for way in found if way]


def test_the_ways_through_the_course_say_how_long_a_chapter_takes():
    assert len(ways()) == 2
    for way in ways():
        assert way == [(page, time_of(page)) for page, _ in way]


def test_on_the_ways_through_the_course_nothing_is_missing():
    for way in ways():
        pages = [page for page, _ in way]
        for number, page in enumerate(pages):
            needs = DOC.findall(first_paragraph(page).rsplit("You need", 1)[1].split(";")[0])
            either = "or" in first_paragraph(page).rsplit("You need", 1)[1].split()
            assert (any if either else all)(need in pages[:number] for need in needs) or not needs
    assert [page for page, _ in ways()[1] if page in CHAPTERS] == CHAPTERS
