import io
import os
import re
import subprocess
import sys
import sysconfig
import tokenize
from pathlib import Path

import numpy as np
import pytest

from rnncourse.data import python_lines

# A comment, or a string with its prefix: all there is to know where no string crosses a line's ends.
TOKEN = re.compile(r"""(\#.*)|(?:(?<!\w)(?:[rbuf]|br|rb|fr|rf))?('''|\"\"\"|'|")(?:\\.|(?!\2).)*\2""", re.IGNORECASE)
MODULE = {  # line of a module: its strings and comments, or None if the line has to be left out
    "name = 'a # b' + rest  # c 'd'": {"'a # b'": 1, "# c 'd'": 2},
    "while before_the_indented_line:": None,
    "    if long_name_here == r'\\\\':": {"r'\\\\'": 1},
    "        short = ''  # x": None,
    "this_line_is_much_too_long = 'for a sequence of 48'": None,
    "tabs\tare_not_in_the_alphabet = 'x'": None,
    "café = 'outside of the alphabet'": None,
    "'starts as a string, not as code'": None,
    "# starts as a comment, not as code": None,
    "nothing_to_label = in_this(line)": None,
    "\x0c": None,
    "after_a_form_feed = ['same', line]": {"'same'": 1},
    'opened = "left", """right is open': None,
    "in_the_middle = 'of a text'  # text": None,
    'closed""" + after_it  # a comment': None,
    "broken = 'left', 'right \\": None,
    "goes on' + after_it  # a comment": None,
    "last_line = end_of(module)  # end": {"# end": 2},
}


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


def test_what_is_kept_of_a_module_made_for_this(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("\n".join(MODULE) + "\n", encoding="utf-8")
    got = python_lines.labelled(path)
    assert list(got) == [line.strip() for line, parts in MODULE.items() if parts]
    for line, parts in MODULE.items():
        if parts:
            want = line.strip()
            for part, label in parts.items():
                want = want.replace(part, str(label) * len(part))
            assert "".join(map(str, got[line.strip()])) == re.sub("[^12]", "0", want)


def test_labels_agree_with_a_regular_expression(split):
    for side in split:
        for line, labels in zip(side.text, side.labels, strict=True):
            want = np.zeros(len(line), dtype=int)
            for token in TOKEN.finditer(line):
                want[slice(*token.span())] = 2 if token[1] else 1
            np.testing.assert_array_equal(labels[: len(line)], want, err_msg=line)


def test_whole_modules_are_held_out(split):
    test, shares = set(split.test.text), []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::12]:
        lines = python_lines.labelled(path)
        if len(lines) >= 20:
            shares.append(sum(line in test for line in lines) / len(lines))
    assert len(shares) >= 5
    assert all(share == 1 or share < 0.5 for share in shares)  # below 0.5: lines that other modules hold, too


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


def test_the_split_does_not_depend_on_the_process():
    code = """
import hashlib
from rnncourse.data import python_lines
python_lines.MODULES = ("a*.py", "c*.py")
for side in python_lines.split():
    print(len(side.text), hashlib.sha256("".join(side.text).encode() + side.labels.tobytes()).hexdigest())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert all(int(line.split()[0]) > 0 for line in outputs[0].splitlines())
