"""While an answer is under test, ready-made recurrent networks are refused, however they are called."""

import sys

import numpy as np
import pytest
import torch

from rnncourse import unroll as package_unroll
from rnncourse.cells import LSTMCell, RNNCell
from rnncourse.check import CheckFailed, recurrence, unaided
from rnncourse.check.recurrence import rnn_step as reference
from rnncourse.check.unaided import NotYourOwn
from rnncourse.unroll import init_parameters, unroll

LSTM, GRU, RNN = (kind(2, 3) for kind in (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN))
CELLS = [kind(2, 3) for kind in (torch.nn.LSTMCell, torch.nn.GRUCell, torch.nn.RNNCell)]
X = torch.zeros(1, 1, 2)
STEP = [np.ones((1, 1))] * 5
captured_lstm, captured_tanh = torch._VF.lstm, torch.rnn_tanh  # taken before any answer runs
STATE = (torch.zeros(1, 1, 3), torch.zeros(1, 1, 3))
PARAMETERS = init_parameters(RNNCell(), 2, 3, np.random.default_rng(0))
SUMS = np.zeros((4, 1, 3))


def swallowing():
    try:
        return reference(*STEP)
    except Exception:
        return np.zeros((1, 1))


READY_MADE = {
    "torch.nn.LSTM": lambda: LSTM(X),
    "torch.nn.GRU": lambda: GRU(X),
    "torch.nn.RNN": lambda: RNN(X),
    "torch.nn.LSTMCell": lambda: CELLS[0](X[0]),
    "torch.nn.GRUCell": lambda: CELLS[1](X[0]),
    "torch.nn.RNNCell": lambda: CELLS[2](X[0]),
    "torch.lstm": lambda: captured_lstm(X, STATE, list(LSTM.parameters()), True, 1, 0.0, False, False, True),
    "torch.rnn_tanh": lambda: captured_tanh(X, STATE[0], list(RNN.parameters()), True, 1, 0.0, False, False, True),
    "LSTMCell.step": lambda: LSTMCell.step(LSTMCell(), SUMS, (SUMS[0], SUMS[0])),
    "unroll": lambda: unroll(RNNCell(), PARAMETERS, np.zeros((1, 1, 2))),
    "unroll under another name": lambda: package_unroll.unroll(RNNCell(), PARAMETERS, np.zeros((1, 1, 2))),
    "rnn_step": lambda: reference(*STEP),
    "rnn_step, its refusal caught": swallowing,
}


@pytest.mark.parametrize("name", READY_MADE)
def test_what_is_ready_made_is_refused_while_the_answer_runs_and_only_then(name):
    answer = unaided(READY_MADE[name])
    with pytest.raises(NotYourOwn, match=r"is ready-made\. Here you write it yourself"):
        answer()
    READY_MADE[name]()


def test_the_refusal_names_what_was_called():
    for call, name in (
        (READY_MADE["torch.nn.LSTM"], "torch.nn.LSTM"),
        (READY_MADE["rnn_step"], "rnncourse's rnn_step"),
    ):
        with pytest.raises(NotYourOwn, match=f"This answer calls {name}, which is ready-made"):
            unaided(call)()


def test_an_honest_answer_runs_as_it_is():
    def lstm(x, *, scale):
        """A name that looks ready-made is not."""
        return torch.tanh(torch.from_numpy(x)).numpy() * scale + np.einsum("i->i", x)

    x = np.arange(3.0)
    np.testing.assert_array_equal(unaided(lstm)(x, scale=2), lstm(x, scale=2))
    assert unaided(lstm).__doc__ == lstm.__doc__


def test_errors_pass_and_a_profiler_that_ran_before_runs_again():
    events = []

    def profiler(frame, event, argument):
        events.append(event)

    sys.setprofile(profiler)
    try:
        with pytest.raises(ZeroDivisionError):
            unaided(lambda: 1 // 0)()
        with pytest.raises(NotYourOwn):
            unaided(READY_MADE["rnn_step"])()
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


def test_the_visible_check_refuses_it_too():
    with pytest.raises(CheckFailed, match="rnn_step is not right yet") as caught:
        recurrence.check("rnn_step", reference)
    assert "This answer calls rnncourse's rnn_step, which is ready-made." in " ".join(str(caught.value).split())
