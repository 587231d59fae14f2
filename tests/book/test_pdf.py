"""The book as a PDF: here its front page and its shortest chapter, printed from the built site."""

import importlib.util
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
NAMES = ["index", "notation"]


@pytest.fixture(scope="module")
def pdf():
    spec = importlib.util.spec_from_file_location("pdf", ROOT / "book/pdf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def book(pdf, browser, address):
    page = browser.new_page(color_scheme="light")
    made = pdf.joined({name: pdf.printed(page, f"{address}{name}.html") for name in NAMES}, address)
    for sheet, foot in zip(made.pages, pdf.numbers(page, len(made.pages)).pages, strict=True):
        sheet.merge_page(foot)
    page.close()
    return made


@pytest.fixture(scope="module")
def texts(book):
    return [" ".join(page.extract_text().split()) for page in book.pages]


def test_every_page_has_its_number_at_the_foot(texts):
    assert len(texts) > 3
    for number, text in enumerate(texts, 1):
        assert re.search(rf"(?<!\d){number}$", text)


def test_what_is_folded_away_is_printed(texts):
    assert "return 1 / (1 + np.exp(-a))" in " ".join(texts)


def test_links_lead_within_the_book_and_to_where_they_should(book, texts, site):
    pages = list(book.pages)
    links = [link.get_object() for page in pages for link in page.get("/Annots", ())]
    assert [link["/A"]["/URI"] for link in links if "127.0.0.1" in (link.get("/A") or {}).get("/URI", "")] == []
    front = BeautifulSoup((site / "index.html").read_text("utf-8"), "html.parser").article
    wanted = len(front.select('p a[href^="notation.html"]'))
    first = next(number for number, text in enumerate(texts) if "Within a chapter one letter means" in text)
    led = [link["/Dest"][0].get_object() for page in pages[:first] for link in page["/Annots"]]
    assert wanted > 0
    assert [pages.index(target) for target in led].count(first) >= wanted


def test_the_outline_holds_the_headings(book, site):
    for name in NAMES:
        article = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser").article
        headings = [tag.get_text().rstrip("#") for tag in article.select("h1, h2, h3")]
        held = [str(entry.title) for entry in flat(book.outline)]
        assert [heading for heading in headings if heading not in held] == []


def flat(entries):
    return [e for entry in entries for e in (flat(entry) if isinstance(entry, list) else [entry])]


def test_pages_stand_in_the_order_of_the_contents(pdf):
    toc = {
        "root": "a",
        "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}]}, {"chapters": [{"file": "d"}]}],
    }
    assert pdf.chapters(toc) == ["a", "b", "c", "d"]


def test_the_front_page_links_to_the_pdf_only_where_there_is_one(site):
    text = (site / "index.html").read_text("utf-8")
    shown = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    assert ('href="book.pdf"' in shown) == (site / "book.pdf").exists()
    assert 'href="book.pdf"' in text
