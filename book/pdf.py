"""The whole book as one PDF, printed by Chromium from the built site: ``python book/pdf.py _build/html``.

Chromium prints one page of the site at a time. Their pages are joined and numbered, links between them become links
within the document, and the headings its outline. The front page of the site then links to ``book.pdf``.
"""

import functools
import http.server
import io
import re
import runpy
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, Destination, Fit, NameObject

BOOK = Path(__file__).parent
NAME = "book.pdf"
MARGINS = {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}
started_browser = runpy.run_path(str(BOOK.parent / "tests/conftest.py"))["started_browser"]

# What is folded away is unfolded, and every place that another page links to gets a link, so that Chromium marks it.
PREPARE = """places => {
    for (const e of document.querySelectorAll('article details.sd-dropdown')) e.open = true;
    for (const e of document.querySelectorAll('article [id]')) places.push(e.id);
    for (const e of document.querySelectorAll('h1')) e.style.whiteSpace = 'nowrap';  // the outline would lose the space
    const links = document.createElement('div');
    for (const id of places) { const a = document.createElement('a'); a.href = '#' + id; links.append(a); }
    document.querySelector('article').append(links);
}"""


def chapters(toc: dict) -> list[str]:
    """The pages in the order of the table of contents."""
    found = [toc["root"]] if "root" in toc else [toc["file"]]
    for part in (*toc.get("parts", ()), toc):
        for chapter in part.get("chapters", ()) or part.get("sections", ()):
            found += chapters(chapter)
    return found


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(site: Path):
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def printed(page, address: str) -> PdfReader:
    """One page of the site."""
    page.goto(address)
    page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready }")
    page.evaluate(PREPARE, [])
    return PdfReader(
        io.BytesIO(page.pdf(format="A4", margin=MARGINS, print_background=True, tagged=True, outline=True))
    )


def numbers(page, count: int) -> PdfReader:
    """As many empty pages with their numbers at the foot."""
    sheets = "".join(f"<section>{n}</section>" for n in range(1, count + 1))
    page.set_content(f"""<style>
        @page {{ size: A4; margin: 0 }} body {{ margin: 0; font: 9pt system-ui, sans-serif; color: #566072 }}
        section {{ height: 297mm; box-sizing: border-box; padding-top: 284mm; text-align: center; break-after: page }}
        section:last-child {{ break-after: auto }}</style>{sheets}""")
    return PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))


def joined(parts: dict[str, PdfReader], address: str) -> PdfWriter:
    """All parts one after another, with one outline; their links lead within the document where they can."""
    book, first, places = PdfWriter(), {}, {}
    for name, part in parts.items():
        first[name] = len(book.pages)
        for target, place in part.named_destinations.items():
            places[name, target.removeprefix("/")] = (first[name] + part.get_destination_page_number(place), place.top)
        for page in part.pages:
            book.add_page(page)
        add_outline(book, part, part.outline, first[name])
    starts = sorted((start, name) for name, start in first.items())
    for number, page in enumerate(book.pages):
        here = next(name for start, name in reversed(starts) if start <= number)
        links = page.get("/Annots", ArrayObject())
        kept = [link for link in links if relink(book, link.get_object(), here, address, first, places)]
        page[NameObject("/Annots")] = ArrayObject(kept)
    return book


def add_outline(book: PdfWriter, part: PdfReader, entries: list, start: int, parent=None) -> None:
    last = parent
    for entry in entries:
        if isinstance(entry, Destination):
            place = start + part.get_destination_page_number(entry)
            last = book.add_outline_item(
                title=str(entry.title), page_number=place, parent=parent, fit=Fit.xyz(top=entry.top)
            )
        else:
            add_outline(book, part, entry, start, last)


def relink(book: PdfWriter, link, here: str, address: str, first: dict, places: dict) -> bool:
    """Turn a link to a place of the site into one to its page and height in the document; False if it has none."""
    uri = (link.get("/A") or {}).get("/URI", "")
    if "/Dest" in link:
        page, fragment = here, str(link["/Dest"]).removeprefix("/")
    elif uri.startswith(address):
        parts = urlsplit(uri.removeprefix(address))
        page, fragment = parts.path.removesuffix(".html") or "index", unquote(parts.fragment)
    else:
        return True  # to the outside
    if page not in first:  # a file to download
        return False
    number, top = places.get((page, fragment), (first[page], None))
    link.pop("/A", None)
    target = book.pages[number].indirect_reference
    link[NameObject("/Dest")] = Destination("", target, Fit.xyz(top=top)).dest_array
    return True


def main(site: Path) -> None:
    names = chapters(yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8")))
    with started_browser() as browser, served(site) as address:
        page = browser.new_page(color_scheme="light")
        parts = {name: printed(page, f"{address}{name}.html") for name in names}
        book = joined(parts, address)
        for sheet, foot in zip(book.pages, numbers(page, len(book.pages)).pages, strict=True):
            sheet.merge_page(foot)
    book.compress_identical_objects()
    book.add_metadata({"/Title": re.search("title: (.*)", (BOOK.parent / "_config.yml").read_text("utf-8"))[1]})
    book.write(site / NAME)
    front = site / "index.html"
    text = front.read_text(encoding="utf-8")
    front.write_text(re.sub(r"<!-- pdf: (.*?) -->", r"\1", text), encoding="utf-8")
    print(f"{site / NAME}: {len(book.pages)} pages, {(site / NAME).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
