import numpy as np
import pytest

from rnncourse.data import pieces, python_lines


@pytest.mark.parametrize("part", ["train", "test"])
def test_pieces_stand_in_lines_of_their_part(part):
    lines = "\n".join(getattr(python_lines.split(), part).text)
    drawn = pieces.draw(200, (2, 20), part, np.random.default_rng(0))
    assert all(piece in lines for piece in drawn)
    assert {len(piece) for piece in drawn} == set(range(2, 21))


def test_draws_repeat():
    one, two, other = (pieces.draw(20, (5, 9), "test", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(("lengths", "part", "message"), [
    ((0, 4), "test", r"got \(0, 4\)"), ((5, 4), "test", r"got \(5, 4\)"), ((2, 21), "test", r"got \(2, 21\)"),
    ((2, 4), "validation", "'validation'"),
])  # fmt: skip
def test_errors_name_what_is_wrong(lengths, part, message):
    with pytest.raises(ValueError, match=message):
        pieces.draw(1, lengths, part, np.random.default_rng(0))
