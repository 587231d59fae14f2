"""What every page of the built site owes its readers, seen in a real browser."""

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import Visit

BUDGET = {True: 700, False: 350}  # kilobytes of a page with and without formulas, compressed
WHOLE = 25  # megabytes of the site


# ---------------------------------------------------------------- network


def test_page_asks_no_other_host_for_anything(opened, address):
    assert [url for url in opened.requests if not url.startswith((address, "data:", "blob:"))] == []


def test_page_names_no_other_host_in_what_it_loads(opened, address):
    urls = opened.page.eval_on_selector_all("[src], link[href]", "all => all.map(e => e.src || e.href)")
    scripts = opened.page.eval_on_selector_all("script:not([src])", "all => all.map(e => e.text)")
    assert [url for url in urls if not url.startswith((address, "data:"))] == []
    assert [script for script in scripts if "://" in script] == []


def test_page_loads_without_trouble(opened):
    assert [f"{response.status} {response.url}" for response in opened.responses if not response.ok] == []
    assert opened.trouble == []


def test_page_is_light_enough(opened):
    formulas = opened.page.locator("article .math").count() > 0
    weights = opened.weights()
    assert sum(weights.values()) <= 1000 * BUDGET[formulas], weights


def test_site_is_light_enough(site):
    """With every download but the PDF, which only `make pdf` adds."""
    files = {path: path.stat().st_size for path in site.rglob("*") if path.is_file() and path.suffix != ".pdf"}
    assert sum(files.values()) <= 1e6 * WHOLE, sorted(files, key=files.get)[-10:]


def test_page_can_be_read_from_a_file(browser, site, name):
    """Nothing is missing, nothing fails and every formula is typeset where there is no server."""
    seen = Visit(browser.new_page())
    seen.watch()
    seen.page.goto((site / name).as_uri())
    seen.page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }")
    assert seen.trouble == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert seen.page.locator("mjx-merror, .math:not(:has(mjx-container))").count() == 0
    seen.page.close()


# ---------------------------------------------------------------- content


def test_every_formula_is_typeset(opened):
    page = opened.page
    bare = page.eval_on_selector_all(
        ".math", "all => all.filter(e => !e.querySelector('mjx-container')).map(e => e.textContent)"
    )
    assert bare == []
    assert page.locator("mjx-merror").all_text_contents() == []


def test_no_formula_is_left_as_source(site, name):
    soup = BeautifulSoup((site / name).read_text(), "html.parser")
    for tag in soup.select("pre, code, script, .math"):
        tag.decompose()
    words = " ".join(article.get_text(" ") for article in soup.select("article"))
    assert re.findall(r".{0,30}(?:\$|\\[(\[a-z]).{0,30}", words) == []


def test_only_a_page_with_formulas_loads_mathjax(opened):
    loads = any("mathjax" in url for url in opened.requests)
    assert loads == (opened.page.locator(".math").count() > 0)


def test_every_image_is_loaded(opened):
    broken = "all => all.filter(e => !(e.complete && e.naturalWidth)).map(e => e.src)"
    assert opened.page.eval_on_selector_all("img", broken) == []


def test_every_picture_says_what_it_shows(opened):
    says = "all => all.map(e => e.getAttribute('aria-label') ?? e.getAttribute('alt') ?? '')"
    texts = opened.page.eval_on_selector_all("article :is(img, figure svg, [role=img])", says)
    assert [text for text in texts if not text.strip()] == []
    assert [text for text in texts if re.search(r"\.(svg|png|jpe?g|gif|webp)$", text)] == []
    assert sorted(texts) == sorted(set(texts))


def test_icons_come_from_the_web_font(opened):
    icons = opened.page.locator("i.fa-solid, span.fa-solid")
    if icons.count():
        assert "Font Awesome" in icons.first.evaluate("e => getComputedStyle(e).fontFamily")
        loaded = "() => [...document.fonts].some(f => f.family.includes('Awesome') && f.status == 'loaded')"
        assert opened.page.evaluate(loaded)
    empty = "all => all.filter(e => getComputedStyle(e, '::before').content == 'none').map(e => e.className)"
    assert opened.page.eval_on_selector_all("i[class*='fa-'], span[class*='fa-']", empty) == []


def test_page_has_one_viewport_tag_and_one_description(opened):
    assert opened.page.locator("meta[name=viewport]").count() == 1
    descriptions = opened.page.locator("meta[name=description]")
    assert descriptions.count() == 1
    assert 20 <= len(descriptions.get_attribute("content")) <= 165


def test_ids_are_unique(opened):
    ids = opened.page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert sorted(ids) == sorted(set(ids))


# ---------------------------------------------------------------- reading


def test_page_does_not_scroll_sideways_on_a_phone(name, visit):
    page = visit(name, width=360).page
    wide = """() => ['html', 'body', 'main', '.bd-article-container', 'article'].filter(
        s => [...document.querySelectorAll(s)].some(e => e.scrollWidth > e.clientWidth))"""
    assert page.evaluate(wide) == []
    page.close()


def test_nothing_moves_where_the_reader_wants_no_motion(opened):
    """The tests' pages ask for reduced motion."""
    moving = """all => all.filter(e => ["", "::before", "::after"].some(part => {
        const style = getComputedStyle(e, part);
        return style.scrollBehavior != 'auto' || style.animationName != 'none'
            || style.transitionDuration.split(', ').some(t => parseFloat(t) > 0.01);
    })).map(e => e.tagName + '.' + e.className)"""
    assert opened.page.eval_on_selector_all("*", moving) == []


def test_on_paper_there_is_the_text_alone_and_all_of_it(name, visit):
    """As wide as A4 within its margins: no bars, no buttons, and nothing that would have to be scrolled."""
    page = visit(name, width=658).page
    page.emulate_media(media="print")
    bars = "header, footer, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-area, .copybtn, .headerlink, button"
    shown = "all => all.filter(e => e.checkVisibility() && e.getClientRects().length).map(e => e.outerHTML)"
    assert page.eval_on_selector_all(bars, shown) == []
    cut = """all => all.filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1 && e.checkVisibility()
        && getComputedStyle(e).overflowX != 'visible' && !e.matches('span.math')
        && !e.parentElement.closest('mjx-container'))
        .map(e => e.outerHTML.slice(0, 300) + e.textContent.slice(0, 80))"""
    assert page.eval_on_selector_all("article, article *", cut) == []
    page.close()


def test_search_finds_the_front_page(visit):
    page = visit("index.html").page
    page.keyboard.press("Control+k")
    page.keyboard.type("recurrent")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results .search-summary:not(:empty)")
    results = page.eval_on_selector_all("#search-results li a", "all => all.map(e => e.getAttribute('href'))")
    assert any(url.startswith("index.html") for url in results)
    page.close()


# ---------------------------------------------------------------- links


@pytest.fixture(scope="session")
def anchors(site, names):
    """Of every page, the fragments that a link may point to."""
    soups = {name: BeautifulSoup((site / name).read_text(), "html.parser") for name in names}
    return {name: {tag["id"] for tag in soup.select("[id]")} for name, soup in soups.items()}


def test_internal_links_lead_somewhere(name, site, anchors):
    soup = BeautifulSoup((site / name).read_text(), "html.parser")
    dead = []
    for tag in soup.select("a[href], link[href]"):
        link = urlsplit(urljoin(name, tag["href"]))
        if link.scheme or link.netloc:
            continue
        target, fragment = unquote(link.path) or name, unquote(link.fragment)
        if not (site / target).is_file() or (fragment and fragment not in anchors.get(target, {fragment})):
            dead.append(tag["href"])
    assert dead == []


def test_site_has_a_page_for_every_source(site, names):
    book = site.parents[1] / "book"
    sources = (path.relative_to(book) for path in book.rglob("*.md"))
    assert {path.with_suffix(".html").as_posix() for path in sources} <= set(names)
