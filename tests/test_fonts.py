"""The course's own Chinese font: it is found on every machine, in titles too, and has what the catalogues write."""

import logging
import re
import tomllib
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager

from rnncourse import plot
from rnncourse.data import interface
from rnncourse.fonts import make

FONT = Path(make.__file__).with_name("CourseSansSC.otf")


def shapes(text):
    """The outlines of a title's glyphs."""
    fig, ax = plot.subplots()
    ax.axis("off")
    ax.set_title(text)
    outlines = re.findall('<path d="([^"]+)"', plot.figure_html(fig, "a title"))
    return set(outlines[1:])  # without the figure's own


def test_matplotlib_takes_chinese_from_the_file_of_the_course(caplog):
    with caplog.at_level(logging.WARNING):
        for weight in (400, 700):
            found = font_manager.findfont(font_manager.FontProperties(family=plot.CHINESE, weight=weight))
            assert Path(found) == FONT
    assert caplog.text == ""


def test_a_bold_title_shows_characters_and_not_boxes(caplog):
    with caplog.at_level(logging.WARNING):
        assert len(shapes("打开文件")) == 4
        assert len(shapes("打") & shapes("Open 打")) == 1
    assert caplog.text == ""


def test_a_character_that_is_missing_is_a_warning():
    with pytest.warns(UserWarning, match="missing from font"):
        shapes("龘")


def test_the_file_holds_what_make_says_and_every_character_of_the_catalogues():
    held = set(TTFont(FONT).getBestCmap())
    assert set(map(ord, make.characters())) <= held
    used = {c for pair in interface.pairs() for c in pair.chinese if "\u3400" <= c <= "\u9fff"}
    assert used <= set(map(chr, held))


def test_the_licence_goes_with_the_file_and_the_package():
    font = TTFont(FONT)
    names = {record.nameID: str(record) for record in font["name"].names}
    assert "SIL Open Font License" in names[13]
    licence = FONT.with_name("OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert licence.startswith("Copyright " + re.search(r"\d{4}-\d{4} Adobe", names[0])[0])
    project = tomllib.loads((FONT.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert {"fonts/*.otf", "fonts/OFL.txt"} <= set(project["tool"]["setuptools"]["package-data"]["rnncourse"])


def test_a_subset_does_not_have_the_name_of_its_source():
    font = TTFont(FONT)
    shown = [str(record) for record in font["name"].names if record.nameID in (1, 3, 4, 6)]
    outlines = font["CFF "].cff
    shown += [*outlines.fontNames, outlines[0].FullName, outlines[0].FamilyName]
    assert {name.replace(" ", "") for name in shown} == {plot.CHINESE.replace(" ", "")}
    assert not re.search("Noto|Source", plot.CHINESE)  # trademark and reserved font name of the originals
