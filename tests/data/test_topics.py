import subprocess
import sys
from collections import Counter
from pydoc_data.topics import topics as source

import numpy as np
import pytest

from rnncourse.data import topics


@pytest.fixture(scope="module")
def split():
    return topics.split()


def paragraphs(text):
    return text.split("\n\n")


def readable(text):
    """With `OTHER` in place of what is not in the alphabet."""
    return topics.decode(topics.encode(text))


def test_there_is_as_much_text_as_promised(split):
    assert len(split.train) >= 280_000
    assert len(split.validation) >= 15_000
    assert len(split.test) >= 15_000


def test_no_paragraph_stands_twice(split):
    counts = Counter(p for text in split for p in paragraphs(text))
    assert max(counts.values()) == 1


def test_no_paragraph_quotes_an_earlier_part(split):
    earlier = set()
    for text in (split.test, split.validation, split.train):
        for p in paragraphs(text):
            runs = topics.word_runs(p)
            assert 2 * len(runs & earlier) <= len(runs), p
        earlier |= {run for p in paragraphs(text) for run in topics.word_runs(p)}


def test_the_text_stands_in_the_source_as_it_is(split):
    whole = readable("\n\n\n".join(source.values()))
    for text in split:
        assert all(p in whole for p in paragraphs(text))
        assert "\n\n\n" not in text
        assert not text.startswith("\n")
        assert not text.endswith("\n")


def test_whole_topics_are_held_out(split):
    # what a topic says and no other does stands on one side only
    texts = {name: set(readable(text).strip("\n").split("\n\n")) for name, text in source.items()}
    sides = [set(paragraphs(text)) for text in split]
    found = Counter()
    for name, text in texts.items():
        own = text.difference(*(other for key, other in texts.items() if key != name))
        used = [bool(own & side) for side in sides]
        assert sum(used) <= 1, name
        found[tuple(used)] += 1
    assert found[True, False, False] > 30
    assert min(found[False, True, False], found[False, False, True]) > 5


def test_nearly_all_characters_are_in_the_alphabet(split):
    for text in split:
        assert set(text) <= set(topics.ALPHABET)
        assert text.count(topics.OTHER) < 1e-4 * len(text)
    assert len(set(topics.ALPHABET)) == len(topics.ALPHABET) == 104


def test_encoding_and_back():
    text = "Ein “Wort”\n  und …"
    places = topics.encode(text)
    assert places.dtype == np.int64
    assert places.shape == (len(text),)
    assert topics.decode(places) == text
    assert topics.decode(topics.encode("a\tß中b")) == "a" + 3 * topics.OTHER + "b"
    assert topics.encode("").shape == (0,)
    with pytest.raises(IndexError):
        topics.decode(np.array([104]))


def test_runs_of_words_know_no_case_and_no_punctuation():
    assert topics.word_runs("One two, THREE four.\nFive six") == {
        ("one", "two", "three", "four", "five"),
        ("two", "three", "four", "five", "six"),
    }
    assert topics.word_runs("one two three four") == set()


def test_the_split_does_not_depend_on_the_process(split):
    code = "from rnncourse.data import topics; import zlib; print([zlib.crc32(t.encode()) for t in topics.split()])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10
