"""Interface strings: what the pairs hold, how they are split, and what is said where a catalogue is missing."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from rnncourse.data import interface
from rnncourse.data.interface import Pair, Source, is_placeholder, join_chinese, join_english, tokens

PARTS = interface.split()
REQUIREMENTS = (Path(__file__).parents[2] / "requirements.txt").read_text(encoding="utf-8")


def test_there_are_pairs_of_every_source():
    packages = [pair.source for pair in interface.pairs()]
    least = {"jupyterlab-language-pack-zh-CN": 2700, "Sphinx": 600, "Django": 650, "Trac": 850}
    assert set(packages) == set(least) == {source.package for source in interface.SOURCES}
    assert all(packages.count(package) >= count for package, count in least.items())


def test_the_parts_are_as_large_as_the_page_says():
    assert (len(PARTS.train), len(PARTS.valid), len(PARTS.test)) == pytest.approx((3940, 245, 540), abs=10)


def test_a_pair_is_clean():
    for english, chinese, _ in interface.pairs():
        assert english == english.strip()
        assert "\n" not in english + chinese
        assert re.search("[A-Za-z]", english)
        assert re.search(r"[\u3400-\u9fff]", chinese)
        assert not re.search(r"http|</?\w+", english + chinese)
        assert 1 <= len(tokens(english)) <= interface.LONGEST
        assert 1 <= len(tokens(chinese)) <= interface.LONGEST


def test_an_english_text_stands_once():
    english = [pair.english.lower() for pair in interface.pairs()]
    assert len(set(english)) == len(english)


@pytest.mark.parametrize("side", ["english", "chinese"])
@pytest.mark.parametrize(("part", "others"), [(0, (1, 2)), (1, (2,))])
def test_nothing_learned_from_is_nearly_something_held_out(side, part, others):
    held_out = [getattr(pair, side).lower() for other in others for pair in PARTS[other]]
    for pair in PARTS[part][::7]:  # another computation than the module's, and slower
        text = getattr(pair, side).lower()
        for other in held_out:
            assert Levenshtein.distance(text, other) > 0.2 * max(len(text), len(other)) - 1e-9


def test_near_is_measured_on_both_sides():
    held_out = [Pair("Open the file", "打开文件", "")]
    near_english, near_chinese = Pair("open the files", "开启档案", ""), Pair("Launch it", "打开文件", "")
    far = Pair("Close the file", "关闭文件", "")
    assert interface.without_near([near_english, far, near_chinese], held_out) == [far]


def test_the_split_does_not_depend_on_the_order(monkeypatch):
    interface.split.cache_clear()
    turned = tuple(reversed(interface.pairs()))
    monkeypatch.setattr(interface, "pairs", lambda: turned)
    assert [set(part) for part in interface.split()] == [set(part) for part in PARTS]
    interface.split.cache_clear()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Can't open %s", ["Can't", "open", "%s"]),
        ("%(name)s: {0} of ${count}", ["%(name)s", ":", "{0}", "of", "${count}"]),
        ("Delete %1 file(s)?", ["Delete", "%1", "file", "(", "s", ")", "?"]),
        ("100% sure", ["100", "%", "sure"]),
        ("在 conf.py 中", ["在", "conf.py", "中"]),
        ("built-in, 12 items", ["built-in", ",", "12", "items"]),
        ("重命名%s", ["重", "命", "名", "%s"]),
        ("", []),
    ],
)
def test_tokens(text, wanted):
    assert tokens(text) == wanted


@pytest.mark.parametrize("token", ["%s", "%(name)s", "%d", "%1", "%2$s", "{name}", "{0}", "{}", "${count}"])
def test_a_placeholder_is_one_token(token):
    assert is_placeholder(token)
    assert tokens(f"文{token}件") == ["文", token, "件"]


@pytest.mark.parametrize("token", ["%", "name", "{", "100", "s", "%%"])
def test_what_is_no_placeholder(token):
    assert not is_placeholder(token)


@pytest.mark.parametrize(
    ("join", "text"),
    [
        (join_english, 'The file "%s" (of %(owner)s) isn\'t there.'),
        (join_english, "Close and shut down…"),
        (join_english, "Add a 'tag': 1/2"),
        (join_chinese, "在 JupyterLab 中打开"),
        (join_chinese, "文件 %s 不存在。"),
        (join_chinese, "打开 Git Diff"),
        (join_chinese, "删除？"),
    ],
)
def test_texts_come_back_from_their_tokens(join, text):
    assert join(tokens(text)) == text


@pytest.mark.parametrize("join", [join_english, join_chinese])
def test_nothing_joins_to_nothing(join):
    assert join([]) == ""


# --- what is missing --------------------------------------------------------------------------------------------


def test_the_versions_are_those_that_are_installed():
    for source in interface.SOURCES:
        assert f"\n{source.package}=={source.version}\n".lower() in REQUIREMENTS.lower()
        assert metadata.version(source.package) == source.version


def test_a_missing_package_is_named_with_what_to_install():
    source = Source("no-such-catalogue", "1.2", "", "*.mo")
    with pytest.raises(ModuleNotFoundError, match=r"package no-such-catalogue: pip install no-such-catalogue==1\.2"):
        next(interface.messages(source))


def test_another_version_is_named():
    source = interface.SOURCES[1]._replace(version="1.0")
    with pytest.raises(ImportError, match=r"Sphinx 1\.0, found 7.*: pip install Sphinx==1\.0"):
        next(interface.messages(source))


def test_a_package_without_catalogues_is_named():
    source = interface.SOURCES[1]._replace(files="sphinx/no/*.mo")
    with pytest.raises(FileNotFoundError, match=r"no catalogue sphinx/no/\*\.mo in Sphinx: pip install Sphinx=="):
        next(interface.messages(source))
