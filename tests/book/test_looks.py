"""Every page in light and dark, on a desktop and on a phone; a file of its own, so that two workers share the site."""

from axe_playwright_python.sync_playwright import Axe


def test_axe_finds_nothing(look):
    found = Axe().run(look).response["violations"]
    assert [(rule["id"], *(node["target"] for node in rule["nodes"])) for rule in found] == []


def test_page_follows_the_scheme_and_so_do_its_figures(look, scheme):
    assert look.evaluate("document.documentElement.dataset.theme") == scheme
    carded = """all => all.filter(figure => {
        for (let e = figure; e.tagName != 'ARTICLE'; e = e.parentElement)
            if (getComputedStyle(e).backgroundColor != 'rgba(0, 0, 0, 0)') return true;
        return getComputedStyle(figure.querySelector('svg')).color != getComputedStyle(document.body).color;
    }).length"""
    assert look.eval_on_selector_all("article figure.plot", carded) == 0
