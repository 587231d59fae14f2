import io
import tokenize

import numpy as np
import pytest

from rnncourse.data import python_lines


@pytest.fixture(scope="module")
def split():
    return python_lines.split()


def test_there_are_as_many_lines_as_promised(split):
    assert len(split.train.text) >= 4000
    assert len(split.test.text) >= 400


def test_no_line_stands_on_both_sides_or_twice(split):
    assert not set(split.train.text) & set(split.test.text)
    for side in split:
        assert len(set(side.text)) == len(side.text)


def test_arrays_hold_the_text_and_nothing_at_padding(split):
    for side in split:
        for n in range(0, len(side.text), 50):
            line = side.text[n]
            assert python_lines.SHORTEST <= len(line) <= python_lines.LONGEST
            assert "".join(python_lines.ALPHABET[i] for i in side.characters[n, : len(line)]) == line
            np.testing.assert_array_equal(side.mask[n], np.arange(python_lines.LONGEST) < len(line))
            assert not side.characters[n, len(line) :].any()
            assert not side.labels[n, len(line) :].any()


def test_labels_agree_with_tokenizing_the_line_alone(split):
    compared = 0
    for line, labels in zip(split.test.text, split.test.labels, strict=True):
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(line).readline))
        except (tokenize.TokenError, SyntaxError):
            continue  # a bracket that is closed on another line
        want = np.zeros(len(line), dtype=int)
        for token in tokens:
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                want[token.start[1] : token.end[1]] = 1 if token.type == tokenize.STRING else 2
        np.testing.assert_array_equal(labels[: len(line)], want, err_msg=line)
        compared += 1
    assert compared > len(split.test.text) / 4


def test_every_line_starts_as_code_and_has_a_string_or_a_comment(split):
    for side in split:
        assert not side.labels[:, 0].any()
        assert side.labels.any(axis=1).all()
        assert set(np.unique(side.labels)) == {0, 1, 2}


def test_a_second_reading_gives_the_same(split):
    python_lines.split.cache_clear()
    again = python_lines.split()
    assert again.test.text == split.test.text
    np.testing.assert_array_equal(again.train.labels, split.train.labels)
