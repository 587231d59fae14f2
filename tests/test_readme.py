"""The front door is true: its code runs, its commands and files exist."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_it_says():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert {"course", "test", "lab", "release", "grade", "help"} <= named
    assert named <= targets


def test_every_picture_and_linked_file_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_folder_in_the_table_exists():
    table = README.split("## Where things are")[1].split("##")[0]
    places = [p for p in re.findall(r"`([a-z/_.]+)`", table) if "/" in p]
    assert len(places) >= 6
    for place in places:
        assert any((base / place).exists() for base in (ROOT, ROOT / "book", ROOT / "tests")), place
