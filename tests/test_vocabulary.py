import pytest
import torch

from rnncourse.vocabulary import PAD, START, STOP, UNKNOWN, Vocabulary, pad


def test_special_tokens_come_first_and_tokens_keep_their_order():
    vocabulary = Vocabulary(["b", "a"])
    assert vocabulary.tokens == ["<pad>", "<start>", "<stop>", "<unknown>", "b", "a"]
    assert (PAD, START, STOP, UNKNOWN) == (0, 1, 2, 3)
    assert len(vocabulary) == 6
    assert "a" in vocabulary
    assert "c" not in vocabulary


def test_what_is_encoded_comes_back():
    vocabulary = Vocabulary.of([["上海", "to", "北京"], ["to", "be"]])
    ids = vocabulary.encode(["be", "to", "北京"])
    assert vocabulary.decode(ids) == ["be", "to", "北京"]
    assert all(isinstance(index, int) and index > UNKNOWN for index in ids)


def test_frequent_tokens_come_first_and_rare_ones_are_left_out():
    vocabulary = Vocabulary.of(["abca", "ca"], at_least=2)
    assert vocabulary.tokens[4:] == ["a", "c"]  # a three times, c twice, b once
    assert vocabulary.encode("cab") == [5, 4, UNKNOWN]
    assert Vocabulary.of(["zyx"]).tokens[4:] == ["z", "y", "x"]


def test_decoding_ends_at_stop_and_drops_start_and_padding():
    vocabulary = Vocabulary("ab")
    assert vocabulary.decode(torch.tensor([START, 4, PAD, UNKNOWN, 5, STOP, 4])) == ["a", "<unknown>", "b"]
    assert vocabulary.decode([]) == []


def test_padding():
    ids, mask = pad([[4, 5], [6], [7, 8, 9]])
    assert ids.tolist() == [[4, 5, PAD], [6, PAD, PAD], [7, 8, 9]]
    assert mask.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert (ids.dtype, mask.dtype) == (torch.int64, torch.bool)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Vocabulary("aa"), ValueError, "'a' comes again"),
        (lambda: Vocabulary(["<stop>"]), ValueError, "'<stop>' comes again"),
        (lambda: Vocabulary([3]), TypeError, "a token must be a string, got 3"),
        (lambda: Vocabulary("a").encode([]), ValueError, "the sentence is empty"),
        (lambda: Vocabulary("a").encode(""), ValueError, "the sentence is empty"),
        (lambda: Vocabulary("a").encode(["a", None]), TypeError, "a token must be a string, got None"),
        (lambda: Vocabulary("a").decode([5]), ValueError, r"an index must lie in \[0, 5\), got 5"),
        (lambda: Vocabulary("a").decode([-1]), ValueError, "got -1"),
        (lambda: pad([]), ValueError, "at least one sequence"),
        (lambda: pad([[1], []]), ValueError, "sequence 1 is empty"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
