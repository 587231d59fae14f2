import numpy as np
import pytest

from rnncourse.data import copying


@pytest.mark.parametrize(("length", "wait", "symbols"), [(3, 5, 8), (1, 1, 1), (10, 20, 2), (4, 1, 30)])
def test_symbols_come_wait_and_are_due_again_in_order(length, wait, symbols):
    batch = copying.draw(30, length, wait, np.random.default_rng(0), symbols)
    steps = 2 * length + wait
    assert batch.x.shape == (30, steps, symbols + 2)
    assert batch.labels.shape == batch.due.shape == (30, steps)
    for x, labels, due in zip(*batch, strict=True):
        tokens = [int(np.flatnonzero(row)[0]) for row in x]
        assert all(row.sum() == 1 for row in x)
        read, waiting, answering = tokens[:length], tokens[length:-length], tokens[-length:]
        assert all(1 <= token <= symbols for token in read)
        assert waiting == [0] * (wait - 1) + [symbols + 1]  # the mark stands right before the first answer
        assert answering == [0] * length
        assert labels.tolist() == [0] * (length + wait) + read
        assert due.tolist() == [False] * (length + wait) + [True] * length


def test_all_symbols_are_equally_frequent_and_independent():
    labels = copying.draw(20_000, 2, 1, np.random.default_rng(1), symbols=4).labels[:, -2:]
    pairs = np.zeros((4, 4))
    np.add.at(pairs, tuple(labels.T - 1), 1)
    np.testing.assert_allclose(pairs / len(labels), 1 / 16, atol=0.01)


def test_knowing_when_but_not_what_costs_what_the_docstring_says():
    length, wait, symbols = 3, 4, 8
    batch = copying.draw(5, length, wait, np.random.default_rng(2), symbols)
    chances = np.zeros((*batch.labels.shape, symbols + 1))
    chances[:, :, 0] = ~batch.due
    chances[:, :, 1:] = batch.due[:, :, None] / symbols
    right = np.take_along_axis(chances, batch.labels[:, :, None], axis=2)
    assert np.isclose(-np.log(right).mean(), length * np.log(symbols) / (2 * length + wait))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_input_has_the_dtype_that_was_asked_for(dtype):
    batch = copying.draw(2, 3, 4, np.random.default_rng(0), dtype=dtype)
    assert batch.x.dtype == dtype
    assert np.issubdtype(batch.labels.dtype, np.integer)
    assert batch.due.dtype == bool


def test_the_same_generator_gives_the_same_batch_and_then_another():
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    for one, other in zip(copying.draw(4, 6, 5, a), copying.draw(4, 6, 5, b), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(copying.draw(4, 6, 5, a).labels, copying.draw(4, 6, 5, np.random.default_rng(3)).labels)


def test_an_empty_batch_is_allowed():
    assert copying.draw(0, 3, 4, np.random.default_rng(0)).x.shape == (0, 10, 10)


@pytest.mark.parametrize(("length", "wait", "symbols"), [(0, 5, 8), (3, 0, 8), (3, 5, 0), (-1, 5, 8)])
def test_sizes_below_one_are_refused_with_all_three_named(length, wait, symbols):
    with pytest.raises(ValueError, match=f"must be at least 1, got {length}, {wait} and {symbols}"):
        copying.draw(2, length, wait, np.random.default_rng(0), symbols)
