"""Values go from one process to the other and back as what they were, and nothing they hold is run."""

import collections
import math
import socket
import threading

import numpy as np
import pytest
import torch

from rnncourse.grading import errors, peers, wire

Point = collections.namedtuple("Point", "x y")
VALUES = [
    None,
    True,
    -(10**40),
    1.5,
    2 - 3j,
    "文\udc80",
    b"\x00",
    (1, (2, [3])),
    {"a": (1,), 2: {3}},
    frozenset({4}),
    slice(1, None, 2),
    range(3),
    ...,
    np.float32,
    int,
    np.dtype("int8"),
]
ARRAYS = [np.arange(6.0).reshape(2, 3).T, np.zeros((0, 2), np.float32), np.array(["a", "bc"]), np.array(1 + 2j)]


class Liar(float):
    """Says that it is equal to everything."""

    __eq__ = lambda self, other: True  # noqa: E731
    __hash__ = None


@pytest.fixture
def ask():
    """Ask a student's process, which here is a thread, for the value of a name, or to call it."""
    ours, theirs = socket.socketpair()
    namespace, tests = {}, peers.tests_end(ours)
    student = peers.students_end(theirs, namespace, {})

    def serve():
        try:
            while True:
                student.serve_next()
        except EOFError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()

    def fetch(value):
        namespace["name"] = value
        return tests.ask(peers.NAMES, ["name"])["name"]

    yield fetch
    ours.close()
    thread.join()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_comes_as_it_is(ask, value):
    got = ask(value)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize("array", ARRAYS, ids=repr)
def test_arrays_come_as_they_are(ask, array):
    got = ask(array)
    assert got.dtype == array.dtype
    np.testing.assert_array_equal(got, array)


def test_nan_tensors_named_tuples_and_generators(ask):
    assert math.isnan(ask(float("nan")))
    assert torch.equal(ask(torch.arange(3)), torch.arange(3))
    assert ask(torch.ones(2, requires_grad=True)).requires_grad  # a plain number is made of it with a warning only
    assert ask(Point(1, 2))._asdict() == {"x": 1, "y": 2}
    assert ask(np.random.default_rng(5)).random() == np.random.default_rng(5).random()


def test_a_subclass_leaves_its_behaviour_behind(ask):
    got = ask(Liar(1))
    assert type(got) is float
    assert got != 2


def test_objects_stay_where_they_are_and_decide_nothing_here(ask):
    class Equal:
        answer = 42

        def __eq__(self, other):
            return True

        def __getitem__(self, key):
            return 2 * key

    got = ask(Equal())
    assert got != 3
    assert (got.answer, got[4]) == (42, 8)


def test_functions_see_copies_whose_changes_come_back(ask):
    def double(x, factor=2):
        x *= factor
        return x[1:]

    array = np.arange(3.0)
    part = ask(double)(array, factor=3)
    np.testing.assert_array_equal(array, [0, 3, 6])
    np.testing.assert_array_equal(part, [3, 6])
    assert np.shares_memory(part, array)


def test_a_function_that_a_test_passes_is_called_here(ask):
    seen = []
    assert ask(lambda f: f(1) + f(2))(lambda x: seen.append(x) or 10 * x) == 30
    assert seen == [1, 2]


def test_an_error_comes_with_its_type_and_words(ask):
    def fail():
        raise KeyError("which")

    class OddError(ValueError):
        pass

    def fail_oddly():
        raise OddError("odd")

    with pytest.raises(KeyError, match="which"):
        ask(fail)()
    with pytest.raises(ValueError, match="odd") as caught:
        ask(fail_oddly)()
    assert caught.type.__name__.endswith("OddError")


def test_a_dead_process_is_an_error(ask):
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(errors.DeadKernelError):
        peers.tests_end(ours).ask(peers.NAMES, ["name"])


@pytest.mark.parametrize("junk", [b"\xc1", b"\x05", b"\x81\xa7changed\x91\x92\x00\xc1", b"\x81\xa7changed\x05"])
def test_a_forged_answer_is_an_error(junk):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(theirs, junk)
        with pytest.raises(errors.Unreadable):
            peers.tests_end(ours).ask(peers.NAMES, ["name"])


def test_a_message_that_is_too_long_is_refused():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.LENGTH.pack(wire.LARGEST + 1))
        with pytest.raises(wire.WireError, match="is announced"):
            wire.receive(ours)


NAMED_AS_OURS = ["self", "operation", "function", "module", "name"]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("parameter", NAMED_AS_OURS)
def test_an_argument_may_have_any_name(ask, parameter, wrapped):
    function = ask(eval(f"lambda {parameter}: 2 * {parameter}"))
    function = function.wrapped_there("functools", "cache") if wrapped else function
    assert function(**{parameter: 3}) == 6


@pytest.mark.parametrize("parameter", NAMED_AS_OURS)
def test_so_may_one_of_a_function_that_a_test_passes(ask, parameter):
    assert ask(lambda twice: twice(**{parameter: 3}))(eval(f"lambda {parameter}: 2 * {parameter}")) == 6
