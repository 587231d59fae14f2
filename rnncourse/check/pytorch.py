"""The tasks of the exercise `pytorch`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np
import torch

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# The first optimiser imports half of PyTorch: two seconds, but half a minute while an answer is being watched.
torch.optim.SGD([torch.zeros(1)])

# --- Right answers: exactly what stands in the answer cells of solutions/pytorch -------------------------------


def to_batch(sequences):
    """A list of B arrays (T_n, D) -> the batch (B, T, D), 0 at padding, and the mask (B, T)."""
    tensors = [torch.tensor(sequence) for sequence in sequences]
    lengths = torch.tensor([len(tensor) for tensor in tensors])
    batch = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
    mask = torch.arange(batch.shape[1]) < lengths[:, None]
    return batch.numpy(), mask.numpy()


def masked_loss(logits, labels, mask):
    """Logits (B, T, K), labels (B, T), mask (B, T) -> the loss, a number, and its gradient (B, T, K)."""
    z = torch.tensor(logits, requires_grad=True)
    target = torch.tensor(labels).masked_fill(~torch.tensor(mask), -100)
    loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), target.flatten(), ignore_index=-100)
    loss.backward()  # (masked-mean)
    return loss.detach().numpy(), z.grad.numpy()


def last_states(states, lengths):
    """States (B, T, H), lengths (B,) -> the state after the last real step of each sequence (B, H)."""
    states, last = torch.tensor(states), torch.tensor(lengths) - 1
    index = last[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1).numpy()


def train(x, y, W, b, updates, rate, limit):
    """x (B, D), y (B, O), first weights W (D, O) and b (O,) -> the losses (updates,), the last W and b."""
    x, y = torch.tensor(x), torch.tensor(y)
    W, b = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)
    optimiser = torch.optim.SGD([W, b], lr=rate, momentum=0.9)
    losses = []
    for _ in range(updates):
        loss = torch.nn.functional.mse_loss(x @ W + b, y)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([W, b], limit)
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses).numpy(), W.detach().numpy(), b.detach().numpy()


def lstm_weights(U, W, b):
    """U (4, D, H), W (4, H, H), b (4, H), gates f, i, o, g -> weight_ih, weight_hh, bias_ih, bias_hh."""
    order = [1, 0, 3, 2]  # i, f, g, o
    weight_ih = np.concatenate([U[k].T for k in order])
    weight_hh = np.concatenate([W[k].T for k in order])
    bias_ih = np.concatenate([b[k] for k in order])
    return weight_ih, weight_hh, bias_ih, np.zeros_like(bias_ih)


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _sequences(seed, lengths, D, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(T, D)).astype(dtype) for T in lengths]


def _batch_cases():
    cases = [_sequences(0, (2, 4, 1), D=2), _sequences(1, (3, 1, 3), D=3), _sequences(2, (2, 3), 2, np.float32)]
    cases[0][1][1:3] = 0  # a real step may be all zeros
    cases[0][0][0, 0] = 0
    return [{"sequences": sequences} for sequences in cases]


def _loss_case(seed, lengths, K, dtype=np.float64):
    rng = np.random.default_rng(seed)
    B, T = len(lengths), max(lengths)
    mask = np.arange(T) < np.array(lengths)[:, None]
    labels = rng.integers(0, K, size=(B, T)) * mask
    labels[0, 0] = 0  # a label like any other
    return {"logits": 2 * rng.normal(size=(B, T, K)).astype(dtype), "labels": labels, "mask": mask}


def _loss_cases():
    return [
        _loss_case(3, (4, 2), K=3),
        _loss_case(4, (1, 3, 2), K=3),
        _loss_case(5, (2, 4, 3), K=5, dtype=np.float32),
    ]


def _states_case(seed, T, lengths, H, dtype=np.float64):
    states = np.random.default_rng(seed).normal(size=(len(lengths), T, H))
    return {"states": states.astype(dtype), "lengths": np.array(lengths)}


def _states_cases():
    return [
        _states_case(6, T=5, lengths=(2, 4, 1), H=2),
        _states_case(7, T=3, lengths=(2,), H=4),
        _states_case(8, T=3, lengths=(3, 1, 2), H=3),
        _states_case(9, T=4, lengths=(4, 3), H=1, dtype=np.float32),
    ]


def _train_case(seed, B, D, O, updates, rate, limit, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = {"x": (B, D), "y": (B, O), "W": (D, O), "b": (O,)}
    arrays = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    return arrays | {"updates": updates, "rate": rate, "limit": limit}


def _train_cases():
    return [
        _train_case(10, B=5, D=3, O=2, updates=4, rate=0.1, limit=0.5),
        _train_case(11, B=4, D=2, O=2, updates=3, rate=0.05, limit=100.0),
        _train_case(12, B=3, D=2, O=3, updates=3, rate=0.1, limit=0.7, dtype=np.float32),
    ]


def _lstm_case(seed, D, H, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = {"U": (4, D, H), "W": (4, H, H), "b": (4, H)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _lstm_cases():
    return [_lstm_case(13, D=2, H=3), _lstm_case(14, D=2, H=2), _lstm_case(15, D=3, H=1, dtype=np.float32)]


# --- Mistakes -------------------------------------------------------------------------------------------------

_MASK = "torch.arange(batch.shape[1]) < lengths[:, None]"
_PADDED = "torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)"
_RETURNED = "return batch.numpy(), mask.numpy()"


def _mask(name, sentence, new):
    return Mistake(name, sentence, ((_MASK, new),))


BATCH_MISTAKES = (
    Mistake("time first", "time stands first: `pad_sequence` gives (T, B, D) unless it is told that the batch comes "
            "first.", ((_PADDED, "torch.nn.utils.rnn.pad_sequence(tensors)"),
                       (_MASK, "torch.arange(batch.shape[0]) < lengths[:, None]"))),
    Mistake("time first in both", "time stands first in the batch and in the mask: the sequences should be the rows.",
            ((_RETURNED, "return batch.transpose(0, 1).numpy(), mask.T.numpy()"),)),
    Mistake("padded in front", "the padding stands in front. The first real step of each sequence is step 0.",
            ((_PADDED, "torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_side='left')"),)),
    Mistake("another padding value", "the padding is filled with another number than 0.",
            ((_PADDED, "torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=-1)"),)),
    Mistake("NaN at padding", "the padding is left as NaN. A NaN spreads even through a product with 0.",
            ((_PADDED, "torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=np.nan)"),)),
    Mistake("cut to the shortest", "every sequence is cut to the length of the shortest, so real steps are lost.",
            ((_PADDED, "torch.stack([tensor[: int(lengths.min())] for tensor in tensors])"),)),
    Mistake("float32 only", "the numbers come out as float32. `torch.Tensor(…)` always makes float32, and so does "
            "`torch.zeros(…)`; `torch.tensor(…)` keeps the dtype of an array.",
            (("torch.tensor(sequence)", "torch.Tensor(sequence)"),)),
    Mistake("sorted", "the sequences are sorted by length. The caller's labels would belong to others then: keep "
            "the order.", (("in sequences]", "in sorted(sequences, key=len, reverse=True)]"),)),
    _mask("mask turned round", "the mask is True at padding. Here True means that a step is real.",
          "torch.arange(batch.shape[1]) >= lengths[:, None]"),
    _mask("one step too many", "the mask holds one step too many: with steps counted from 0, step `length` is padding.",
          "torch.arange(batch.shape[1]) <= lengths[:, None]"),
    _mask("one step too few", "the mask holds one step too few: the last real step is missing.",
          "torch.arange(batch.shape[1]) < lengths[:, None] - 1"),
    _mask("mask from the values", "the mask is read off the values: a step of zeros is taken for padding. A real step "
          "may well be all zeros, so the lengths have to tell.", "(batch != 0).any(dim=2)"),
    _mask("zeros in a step", "the mask is read off the values, and a single 0 is enough to call a step padding. The "
          "lengths have to tell.", "(batch != 0).all(dim=2)"),
    _mask("one mask a number", "the mask has an entry for each number, (B, T, D). One for each step is asked for.",
          "(torch.arange(batch.shape[1]) < lengths[:, None])[:, :, None].expand(batch.shape)"),
    _mask("an axis too many", "the mask has an axis of size 1 at its end; it should be (B, T).",
          "(torch.arange(batch.shape[1]) < lengths[:, None])[:, :, None]"),
    _mask("mask of numbers", "the mask is made of the numbers 1 and 0. A Boolean mask can be inverted by `~` and "
          "select entries; numbers do neither.", "(torch.arange(batch.shape[1]) < lengths[:, None]).float()"),
    _mask("all real", "the mask is True everywhere.", "torch.ones(batch.shape[:2], dtype=torch.bool)"),
    Mistake("lengths for the mask", "the lengths are returned. They say the same, but a mask (B, T) is asked for.",
            ((_RETURNED, "return batch.numpy(), lengths.numpy()"),)),
    Mistake("batch only", "only the batch is returned; the mask is missing.", ((_RETURNED, "return batch.numpy()"),)),
    Mistake("tensors returned", "tensors are returned. `.numpy()` makes arrays of them.",
            ((_RETURNED, "return batch, mask"),)),
)  # fmt: skip

_TARGET = "target = torch.tensor(labels).masked_fill(~torch.tensor(mask), -100)"
_LOSS = "torch.nn.functional.cross_entropy(z.flatten(0, 1), target.flatten(), ignore_index=-100)"
_OUT = "return loss.detach().numpy(), z.grad.numpy()"
_EACH = "torch.nn.functional.cross_entropy(z.transpose(1, 2), target, reduction='none')"


def _loss(name, sentence, new):
    return Mistake(name, sentence, ((_LOSS, new),))


LOSS_MISTAKES = (
    Mistake("mask ignored", "the padding counts as well: its logits are compared with the label 0 that happens to "
            "stand there.", ((_TARGET, "target = torch.tensor(labels)"),)),
    Mistake("mask turned round", "the loss is that of the padding: the mask is used the wrong way round.",
            ((_TARGET, "target = torch.tensor(labels).masked_fill(torch.tensor(mask), -100)"),)),
    Mistake("label 0 for padding", "label 0 is taken for padding (`ignore_index=0`). Here 0 is a label like any other: "
            "mark the padding by a number that is none.",
            ((_TARGET, "target = torch.tensor(labels)"), ("ignore_index=-100", "ignore_index=0"))),
    _loss("mean over all steps", "the sum over the real steps is divided by B·T, padding included. Then the loss "
          "depends on how far the batch was padded.", f"{_EACH}.sum() / target.numel()"),
    _loss("sum", "the losses are added up. The mean over the real steps is asked for.",
          "torch.nn.functional.cross_entropy(z.flatten(0, 1), target.flatten(), reduction='sum')"),
    _loss("mean of means", "each sequence is averaged first, then the sequences. A step of a short sequence counts "
          "more then; all real steps should count the same.",
          f"({_EACH}.sum(dim=1) / torch.tensor(mask).sum(dim=1)).mean()"),
    _loss("sum a sequence", "the losses are added up within a sequence and averaged over the sequences only.",
          f"{_EACH}.sum(dim=1).mean()"),
    _loss("softmax first", "`softmax` is applied before `cross_entropy`, which does it itself: it wants the logits.",
          "torch.nn.functional.cross_entropy(z.softmax(dim=2).flatten(0, 1), target.flatten())"),
    _loss("no softmax", "`nll_loss` is given the logits. It wants logarithms of probabilities; `cross_entropy` takes "
          "logits.", "torch.nn.functional.nll_loss(z.flatten(0, 1), target.flatten())"),
    _loss("softmax over time", "the softmax runs over the steps instead of the K classes: look at the `dim`.",
          "torch.nn.functional.nll_loss(z.log_softmax(dim=1).flatten(0, 1), target.flatten())"),
    _loss("softmax over the batch", "the softmax runs over the sequences instead of the K classes: look at the `dim`.",
          "torch.nn.functional.nll_loss(z.log_softmax(dim=0).flatten(0, 1), target.flatten())"),
    _loss("reshaped", "(B, T, K) was reshaped to (B, K, T). `reshape` and `view` keep the numbers in their order in "
          "memory and so mix steps and classes; to swap two axes takes a transposition.",
          "torch.nn.functional.cross_entropy(z.reshape(len(z), z.shape[2], -1), target)"),
    _loss("logits cut", "the logits at padding are set to 0 and then averaged like the others. Uniform guesses cost as "
          "well.", "torch.nn.functional.cross_entropy((z * torch.tensor(mask)[:, :, None]).flatten(0, 1), "
          "torch.tensor(labels).flatten())"),
    _loss("bits", "the loss comes out in bits: it is divided by ln 2.",
          "torch.nn.functional.cross_entropy(z.flatten(0, 1), target.flatten()) / np.log(2)"),
    _loss("squared error", "the squared error between probabilities and one-hot labels is taken instead of the "
          "cross-entropy.", "((z.softmax(2) - torch.nn.functional.one_hot(torch.tensor(labels), z.shape[2])) ** 2)"
          ".sum(2)[torch.tensor(mask)].mean()"),
    Mistake("backward twice", "the gradient comes out doubled: `backward` ran twice, and gradients add up in `.grad`.",
            (("loss.backward()", "loss.backward(retain_graph=True); loss.backward()"),)),
    Mistake("gradient of the sum", "the gradient is that of the sum; the loss is the mean, and so its gradient is "
            "divided by the number of real steps.",
            (("loss.backward()", "(loss * float(mask.sum())).backward()"),)),
    Mistake("wrong sign", "the gradient has the wrong sign. It points to where the loss grows; to step against it is "
            "the optimiser's task.", ((_OUT, "return loss.detach().numpy(), -z.grad.numpy()"),)),
    Mistake("gradient flattened", "the gradient has the shape (B·T, K). It belongs to the logits as they came in, "
            "before they were flattened.", ((_OUT, "return loss.detach().numpy(), z.grad.flatten(0, 1).numpy()"),)),
    Mistake("loss only", "only the loss is returned.", ((_OUT, "return loss.detach().numpy()"),)),
    Mistake("graph returned", "the loss is returned as a tensor that still holds its graph. `.item()` makes a number "
            "of it.", ((_OUT, "return loss, z.grad.numpy()"),)),
    Mistake("swapped", "the two results are in the wrong order: first the loss.",
            ((_OUT, "return z.grad.numpy(), loss.detach().numpy()"),)),
)  # fmt: skip

_GATHERED = "states.gather(1, index).squeeze(1).numpy()"


def _last(name, sentence, new):
    return Mistake(name, sentence, ((_GATHERED, new),))


LAST_MISTAKES = (
    _last("last column", "step T is taken of every sequence. For a short one that is padding.",
          "states[:, -1].numpy()"),
    _last("first step", "the first step is taken instead of the last real one.", "states[:, 0].numpy()"),
    _last("length of the longest", "the last step of the longest sequence is taken of all of them.",
          "states[:, int(last.max())].numpy()"),
    _last("length of the shortest", "the last step of the shortest sequence is taken of all of them.",
          "states[:, int(last.min())].numpy()"),
    _last("one step early", "the step before the last real one is taken: 1 is subtracted twice.",
          "states.gather(1, (index - 1) % states.shape[1]).squeeze(1).numpy()"),
    _last("one step late", "the step after the last real one is taken. Steps are counted from 0, so a sequence of "
          "length n ends at step n - 1.",
          "states.gather(1, (index + 1).clamp(max=states.shape[1] - 1)).squeeze(1).numpy()"),
    _last("counted from the end", "the lengths are counted from the end of the axis.",
          "states[torch.arange(len(states)), -last - 1].numpy()"),
    _last("every pair", "all pairs of a sequence and a step are taken, (B, B, H): `:` takes every row for each index. "
          "Two index arrays of one length go in parallel.", "states[:, last].numpy()"),
    _last("one unit", "only one unit of each state is taken: `gather` returns as many numbers as its index has, so the "
          "index needs the axis H in full.", "states.gather(1, last[:, None, None]).squeeze(2).numpy()"),
    _last("wrong axis", "`gather` picks along the batch. The axis to pick along is time.",
          "states.gather(0, (index % len(states))).squeeze(1).numpy()"),
    _last("axis left", "the axis of time is still there, with size 1: (B, 1, H).", "states.gather(1, index).numpy()"),
    _last("squeezed", "`squeeze()` without an axis drops every axis of size 1: for a batch of one sequence, or for one "
          "unit, that is one too many.", "states.gather(1, index).squeeze().numpy()"),
    _last("mean", "the mean over all steps is taken, padding included.", "states.mean(dim=1).numpy()"),
    _last("sum of the real steps", "the real steps are added up instead of taking the last one.",
          "(states * (torch.arange(states.shape[1]) <= last[:, None])[:, :, None]).sum(dim=1).numpy()"),
    _last("maximum", "the maximum over all steps is taken.", "states.amax(dim=1).numpy()"),
    _last("transposed", "the result is transposed: a sequence should be a row.",
          "states.gather(1, index).squeeze(1).T.numpy()"),
    _last("tensor returned", "a tensor is returned. `.numpy()` makes an array of it.",
          "states.gather(1, index).squeeze(1)"),
    Mistake("float32 only", "the states come out as float32. `torch.Tensor(…)` and `.float()` always make float32.",
            (("torch.tensor(states)", "torch.Tensor(states)"),)),
)  # fmt: skip

_FIRST = "W, b = torch.tensor(W, requires_grad=True), torch.tensor(b, requires_grad=True)"
_SGD = "torch.optim.SGD([W, b], lr=rate, momentum=0.9)"
_MSE = "torch.nn.functional.mse_loss(x @ W + b, y)"
_ZERO, _BACK = "        optimiser.zero_grad()\n", "        loss.backward()\n"
_CLIP, _STEP = "        torch.nn.utils.clip_grad_norm_([W, b], limit)\n", "        optimiser.step()\n"
_NOTE = "losses.append(loss.detach())"
_ALL = "return torch.stack(losses).numpy(), W.detach().numpy(), b.detach().numpy()"

TRAIN_MISTAKES = (
    Mistake("gradients not cleared", "the gradients are never set back to zero. `backward` adds to `.grad`, so every "
            "update also goes along all earlier gradients.", ((_ZERO, ""),)),
    Mistake("cleared too late", "`zero_grad` comes after `backward`: the gradients are gone before the step, and "
            "nothing is learned.", ((_ZERO, ""), (_BACK, _BACK + _ZERO))),
    Mistake("step before backward", "`step` comes before `backward`, so each update uses the gradient of the one "
            "before, and the first none at all.",
            ((_ZERO + _BACK + _CLIP + _STEP, _STEP + _ZERO + _BACK + _CLIP),)),
    Mistake("no clipping", "nothing is clipped. Perhaps clipping comes before `backward`, where there is no gradient "
            "yet, or after `step`, where it is too late.", ((_CLIP, ""),)),
    Mistake("clipped by value", "every entry of the gradient is cut by itself (`clip_grad_value_`). The norm of all of "
            "them together is limited here.", (("clip_grad_norm_", "clip_grad_value_"),)),
    Mistake("clipped one by one", "W and b are clipped one by one. They share one norm: hand both over together.",
            (("clip_grad_norm_([W, b], limit)",
              "clip_grad_norm_([W], limit)\n        torch.nn.utils.clip_grad_norm_([b], limit)"),)),
    Mistake("only W clipped", "only the gradient of W is clipped; b has one too.",
            (("clip_grad_norm_([W, b], limit)", "clip_grad_norm_([W], limit)"),)),
    Mistake("largest entry limited", "the gradient is scaled by its largest entry. The norm is the root of the sum of "
            "squares.", (("limit)\n        optimiser.step", "limit, norm_type=np.inf)\n        optimiser.step"),)),
    Mistake("always scaled", "gradients that are shorter than the limit are made longer. Clipping only shortens.",
            ((_CLIP, "        norm = torch.sqrt((W.grad**2).sum() + (b.grad**2).sum())\n"
              "        W.grad *= limit / norm\n        b.grad *= limit / norm\n"),)),
    Mistake("no momentum", "there is no momentum. Either it was not set to 0.9, or a new optimiser is made for each "
            "update and forgets it.", ((_SGD, "torch.optim.SGD([W, b], lr=rate)"),)),
    Mistake("Nesterov", "Nesterov's momentum is used instead of the plain one.",
            ((_SGD, "torch.optim.SGD([W, b], lr=rate, momentum=0.9, nesterov=True)"),)),
    Mistake("damped", "the momentum is damped: the gradient should enter it in full.",
            ((_SGD, "torch.optim.SGD([W, b], lr=rate, momentum=0.9, dampening=0.9)"),)),
    Mistake("Adam", "Adam is used; plain gradient descent with momentum is asked for.",
            ((_SGD, "torch.optim.Adam([W, b], lr=rate)"),)),
    Mistake("ascent", "the loss grows: the step goes along the gradient instead of against it.",
            ((_SGD, "torch.optim.SGD([W, b], lr=rate, momentum=0.9, maximize=True)"),)),
    Mistake("b not trained", "b stays as it was: the optimiser was handed W alone.",
            ((_SGD, "torch.optim.SGD([W], lr=rate, momentum=0.9)"),)),
    Mistake("b forgotten", "b does not enter the outputs, so it gets no gradient and stays as it was.",
            ((_MSE, "torch.nn.functional.mse_loss(x @ W, y)"), ("clip_grad_norm_([W, b]", "clip_grad_norm_([W]"))),
    Mistake("sum of squares", "the squared errors are added up; their mean is the loss.",
            ((_MSE, "torch.nn.functional.mse_loss(x @ W + b, y, reduction='sum')"),)),
    Mistake("mean over the batch only", "the squared errors are averaged over the examples and added up over the "
            "outputs. The mean over all entries is asked for.", ((_MSE, "((x @ W + b - y) ** 2).sum(dim=1).mean()"),)),
    Mistake("half the square", "the loss is half the mean squared error.",
            ((_MSE, "((x @ W + b - y) ** 2).mean() / 2"),)),
    Mistake("absolute error", "absolute errors are averaged instead of squared ones.",
            ((_MSE, "torch.nn.functional.l1_loss(x @ W + b, y)"),)),
    Mistake("loss after the update", "the loss is worked out again after the update. The one that the update learned "
            "from is to be noted.", ((_NOTE, f"losses.append({_MSE}.detach())"),)),
    Mistake("one update too few", "one update is missing.", (("range(updates)", "range(updates - 1)"),)),
    Mistake("one update too many", "there is one update too many.", (("range(updates)", "range(updates + 1)"),)),
    Mistake("last loss only", "only the last loss is returned; there is one for each update.",
            (("torch.stack(losses).numpy()", "losses[-1].numpy()"),)),
    Mistake("arguments trained", "the arrays of the caller are trained. `torch.from_numpy` shares its memory with the "
            "array, and the optimiser works in place; `torch.tensor` copies.",
            ((_FIRST, "W, b = torch.from_numpy(W).requires_grad_(), torch.from_numpy(b).requires_grad_()"),)),
    Mistake("W transposed", "W comes back transposed. `nn.Linear` keeps it as (O, D); here W leads from D to O.",
            (("W.detach().numpy(), b", "W.detach().T.numpy(), b"),)),
    Mistake("gradients returned", "the gradients are returned instead of the weights.",
            ((_ALL, "return torch.stack(losses).numpy(), W.grad.numpy(), b.grad.numpy()"),)),
    Mistake("first weights", "the weights of before the training are returned.",
            ((_FIRST, f"first = W.copy(), b.copy()\n    {_FIRST}"),
             (_ALL, "return torch.stack(losses).numpy(), *first"))),
    Mistake("losses only", "only the losses are returned; the weights are missing.",
            ((_ALL, "return torch.stack(losses).numpy()"),)),
)  # fmt: skip

_ORDER, _IH, _HH = "[1, 0, 3, 2]", "np.concatenate([U[k].T for k in order])", "np.concatenate([W[k].T for k in order])"
_BIAS = "np.concatenate([b[k] for k in order])"
_WEIGHTS = "return weight_ih, weight_hh, bias_ih, np.zeros_like(bias_ih)"


def _order(name, sentence, new):
    return Mistake(name, sentence, ((_ORDER, new),))


LSTM_MISTAKES = (
    _order("order kept", "the gates are left in the order f, i, o, g. PyTorch wants i, f, g, o.", "[0, 1, 2, 3]"),
    _order("g and o not swapped", "candidate and output gate are not swapped: PyTorch has g before o.", "[1, 0, 2, 3]"),
    _order("f and i not swapped", "forget and input gate are not swapped: PyTorch has i before f.", "[0, 1, 3, 2]"),
    _order("reversed", "the order is turned round as a whole.", "[3, 2, 1, 0]"),
    _order("candidate last", "the order is i, g, f, o, as in some libraries. PyTorch has i, f, g, o.", "[1, 3, 0, 2]"),
    Mistake("not transposed", "the matrices are not transposed: PyTorch multiplies by the transpose of what it stores.",
            ((_IH, "np.concatenate([U[k] for k in order], axis=1)"),
             (_HH, "np.concatenate([W[k] for k in order], axis=1)"))),
    Mistake("W not transposed", "the recurrent matrices are not transposed. Since they are square, their shape does "
            "not give it away.", ((_HH, "np.concatenate([W[k] for k in order])"),)),
    Mistake("reshaped", "(4, D, H) was reshaped to (4·H, D). `reshape` does not move a number, so rows and columns are "
            "mixed: each matrix has to be transposed first.",
            ((_IH, "U[order].reshape(-1, U.shape[1])"), (_HH, "W[order].reshape(-1, W.shape[2])"))),
    Mistake("gates interleaved", "the gates alternate from row to row. PyTorch has all rows of one gate, then all of "
            "the next.", ((_IH, "U[order].transpose(2, 0, 1).reshape(-1, U.shape[1])"),
                      (_HH, "W[order].transpose(2, 0, 1).reshape(-1, W.shape[2])"),
                      (_BIAS, "b[order].T.reshape(-1)"))),
    Mistake("bias in its old order", "the biases are still in the order f, i, o, g: they move along with the matrices.",
            ((_BIAS, "b.reshape(-1)"),)),
    Mistake("bias twice", "b is given twice. PyTorch adds both biases, so it would count double.",
            ((_WEIGHTS, "return weight_ih, weight_hh, bias_ih, bias_ih"),)),
    Mistake("bias shared out", "b is divided between the two biases. That is the same function; but here b goes into "
            "bias_ih, and zeros into bias_hh.", ((_WEIGHTS, "return weight_ih, weight_hh, bias_ih / 2, bias_ih / 2"),)),
    Mistake("bias on the other side", "b stands in bias_hh and the zeros in bias_ih; it should be the other way round.",
            ((_WEIGHTS, "return weight_ih, weight_hh, np.zeros_like(bias_ih), bias_ih"),)),
    Mistake("bias as a matrix", "the bias has the shape (4, H); PyTorch has one row of 4·H numbers.",
            ((_BIAS, "b[order]"),)),
    Mistake("one bias", "there is one bias only. PyTorch's LSTM has two.",
            ((_WEIGHTS, "return weight_ih, weight_hh, bias_ih"),)),
    Mistake("U and W swapped", "the two matrices are swapped: first the one from the input.",
            ((_WEIGHTS, "return weight_hh, weight_ih, bias_ih, np.zeros_like(bias_ih)"),)),
    Mistake("forget bias added", "1 is added to the forget gate's bias. That is a start for training; here weights are "
            "only copied.", ((_BIAS, "np.concatenate([b[k] + (k == 0) for k in order])"),)),
    Mistake("float64 zeros", "bias_hh is float64 beside float32 weights: `np.zeros(…)` needs a dtype.",
            ((_WEIGHTS, "return weight_ih, weight_hh, bias_ih, np.zeros(len(bias_ih))"),)),
    Mistake("tensors returned", "tensors are returned. Here arrays are asked for; `.numpy()` makes them.",
            ((_WEIGHTS, "return tuple(map(torch.tensor, (weight_ih, weight_hh, bias_ih, np.zeros_like(bias_ih))))"),)),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

BATCH_VARIANTS = (
    Variant("NumPy throughout", """\
def to_batch(sequences):
    lengths = np.array([len(s) for s in sequences])
    batch = np.zeros((len(sequences), lengths.max(), sequences[0].shape[1]), sequences[0].dtype)
    for row, s in zip(batch, sequences):
        row[: len(s)] = s
    return batch, np.arange(lengths.max()) < lengths[:, None]"""),
    Variant("filled one by one", """\
def to_batch(sequences):
    T = max(map(len, sequences))
    batch = torch.zeros(len(sequences), T, sequences[0].shape[1], dtype=torch.from_numpy(sequences[0]).dtype)
    mask = torch.zeros(len(sequences), T, dtype=torch.bool)
    for n, s in enumerate(sequences):
        batch[n, : len(s)] = torch.from_numpy(s)
        mask[n, : len(s)] = True
    return batch.numpy(), mask.numpy()"""),
    Variant("ones, padded as well", """\
def to_batch(sequences):
    pad = torch.nn.utils.rnn.pad_sequence
    batch = pad([torch.from_numpy(s) for s in sequences], batch_first=True)
    mask = pad([torch.ones(len(s), dtype=torch.bool) for s in sequences], batch_first=True)
    return [batch.numpy(), mask.numpy()]"""),
    Variant("stack of padded arrays", """\
def to_batch(sequences):
    T = max(s.shape[0] for s in sequences)
    rows = [np.pad(s, ((0, T - len(s)), (0, 0))) for s in sequences]
    mask = [[t < len(s) for t in range(T)] for s in sequences]
    return np.stack(rows), np.array(mask)"""),
    Variant("through packing", """\
def to_batch(sequences):
    rnn = torch.nn.utils.rnn
    packed = rnn.pack_sequence([torch.from_numpy(s) for s in sequences], enforce_sorted=False)
    batch, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
    return batch.numpy(), (torch.arange(batch.size(1))[None] < lengths.unsqueeze(1)).numpy()"""),
    Variant("functional.pad", """\
def to_batch(sequences):
    T = max(len(s) for s in sequences)
    tensors = [torch.as_tensor(s) for s in sequences]
    batch = torch.stack([torch.nn.functional.pad(t, (0, 0, 0, T - len(t))) for t in tensors])
    mask = torch.stack([torch.arange(T) < len(t) for t in tensors])
    return batch.numpy(), mask.numpy()"""),
)  # fmt: skip

LOSS_VARIANTS = (
    Variant("select, then average", """\
def masked_loss(logits, labels, mask):
    z = torch.tensor(logits).requires_grad_()
    real = torch.from_numpy(mask)
    loss = torch.nn.functional.cross_entropy(z[real], torch.from_numpy(labels)[real])
    loss.backward()
    return loss.item(), z.grad.numpy()"""),
    Variant("transposed, weighted by the mask", """\
def masked_loss(logits, labels, mask):
    z = torch.tensor(logits, requires_grad=True)
    m = torch.tensor(mask)
    target = torch.where(m, torch.tensor(labels), 0)
    each = torch.nn.functional.cross_entropy(z.transpose(1, 2), target, reduction="none")
    loss = (each * m).sum() / m.sum()
    (grad,) = torch.autograd.grad(loss, z)
    return float(loss.detach()), grad.numpy()"""),
    Variant("log-sum-exp by hand", """\
def masked_loss(logits, labels, mask):
    z = torch.tensor(logits, requires_grad=True)
    m = torch.tensor(mask)
    target = torch.tensor(np.where(mask, labels, 0))
    right = z.gather(2, target[..., None])[..., 0]
    loss = (torch.logsumexp(z, dim=2) - right)[m].mean()
    loss.backward()
    return loss.detach().numpy(), z.grad.numpy()"""),
    Variant("NumPy throughout", """\
def masked_loss(logits, labels, mask):
    z = logits[mask] - logits[mask].max(axis=1, keepdims=True)
    total = np.log(np.exp(z).sum(axis=1))
    n = np.arange(len(z))
    loss = np.mean(total - z[n, labels[mask]])
    p = np.exp(z - total[:, None])
    p[n, labels[mask]] -= 1
    grad = np.zeros_like(logits)
    grad[mask] = p / len(z)
    return loss, grad"""),
    Variant("sum divided by the count", """\
def masked_loss(logits, labels, mask):
    z = torch.from_numpy(logits.copy()).requires_grad_(True)
    target = torch.as_tensor(np.where(mask, labels, -1))
    loss = torch.nn.functional.cross_entropy(z.view(-1, z.shape[-1]), target.view(-1), ignore_index=-1, reduction="sum")
    loss = loss / int(mask.sum())
    loss.backward()
    return [loss.item(), z.grad.numpy()]"""),
    Variant("the module", """\
def masked_loss(logits, labels, mask):
    z = torch.nn.Parameter(torch.tensor(logits))
    target = torch.tensor(labels)
    target[~torch.tensor(mask)] = -100
    loss = torch.nn.CrossEntropyLoss()(z.permute(0, 2, 1), target)
    loss.backward()
    return loss.item(), z.grad.numpy()"""),
)  # fmt: skip

LAST_VARIANTS = (
    Variant("two index arrays", """\
def last_states(states, lengths):
    return states[np.arange(len(states)), lengths - 1]"""),
    Variant("two index tensors", """\
def last_states(states, lengths):
    states = torch.from_numpy(states)
    return states[torch.arange(states.size(0)), torch.from_numpy(lengths) - 1].numpy()"""),
    Variant("a loop", """\
def last_states(states, lengths):
    return np.stack([row[n - 1] for row, n in zip(states, lengths)])"""),
    Variant("a product with a one-hot mask", """\
def last_states(states, lengths):
    states = torch.tensor(states)
    at = torch.nn.functional.one_hot(torch.tensor(lengths) - 1, states.shape[1]).to(states.dtype)
    return torch.einsum("bt,bth->bh", at, states).numpy()"""),
    Variant("take along an axis", """\
def last_states(states, lengths):
    return np.take_along_axis(states, (lengths - 1)[:, None, None], axis=1)[:, 0]"""),
    Variant("a Boolean mask", """\
def last_states(states, lengths):
    return states[np.arange(states.shape[1]) == lengths[:, None] - 1]"""),
    Variant("take_along_dim", """\
def last_states(states, lengths):
    index = (torch.as_tensor(lengths) - 1).view(-1, 1, 1)
    return torch.take_along_dim(torch.as_tensor(states), index, dim=1)[:, 0, :].numpy()"""),
)  # fmt: skip

TRAIN_VARIANTS = (
    Variant("nn.Linear", """\
def train(x, y, W, b, updates, rate, limit):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    model = torch.nn.Linear(*W.shape, dtype=x.dtype)
    model.load_state_dict({"weight": torch.tensor(W.T), "bias": torch.tensor(b)})
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(updates):
        optimiser.zero_grad(set_to_none=False)
        loss = torch.nn.MSELoss()(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimiser.step()
        losses.append(loss.item())
    return np.array(losses, W.dtype), model.weight.detach().numpy().T, model.bias.detach().numpy()"""),
    Variant("cleared at the end", """\
def train(x, y, W, b, updates, rate, limit):
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    W, b = (torch.nn.Parameter(torch.tensor(a)) for a in (W, b))
    optimiser = torch.optim.SGD((W, b), rate, 0.9)
    losses = np.zeros(updates, x.numpy().dtype)
    for n in range(updates):
        loss = ((x @ W + b - y) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_((W, b), limit)
        optimiser.step()
        optimiser.zero_grad()
        losses[n] = loss.item()
    return losses, W.data.numpy(), b.data.numpy()"""),
    Variant("momentum by hand", """\
def train(x, y, W, b, updates, rate, limit):
    x, y = torch.tensor(x), torch.tensor(y)
    weights = [torch.tensor(a).requires_grad_() for a in (W, b)]
    speed, losses = [torch.zeros_like(w) for w in weights], []
    for _ in range(updates):
        loss = torch.nn.functional.mse_loss(torch.addmm(weights[1], x, weights[0]), y)
        gradients = torch.autograd.grad(loss, weights)
        norm = sum((g * g).sum() for g in gradients) ** 0.5
        factor = min(1.0, limit / (norm.item() + 1e-6))
        with torch.no_grad():
            for v, w, g in zip(speed, weights, gradients):
                v.mul_(0.9).add_(factor * g)
                w.sub_(rate * v)
        losses.append(loss.item())
    return [np.array(losses).astype(W.dtype), *(w.detach().numpy() for w in weights)]"""),
    Variant("NumPy throughout", """\
def train(x, y, W, b, updates, rate, limit):
    W, b, losses = W.copy(), b.copy(), []
    v_W, v_b = np.zeros_like(W), np.zeros_like(b)
    for _ in range(updates):
        error = x @ W + b - y
        losses.append(np.mean(error**2))
        d_o = 2 * error / error.size
        d_W, d_b = x.T @ d_o, d_o.sum(axis=0)
        factor = min(1.0, limit / (np.sqrt((d_W**2).sum() + (d_b**2).sum()) + 1e-6))
        v_W, v_b = 0.9 * v_W + W.dtype.type(factor) * d_W, 0.9 * v_b + W.dtype.type(factor) * d_b
        W, b = W - W.dtype.type(rate) * v_W, b - W.dtype.type(rate) * v_b
    return np.array(losses), W, b"""),
    Variant("a module of one's own", """\
class Affine(torch.nn.Module):
    def __init__(self, W, b):
        super().__init__()
        self.W, self.b = torch.nn.Parameter(torch.tensor(W)), torch.nn.Parameter(torch.tensor(b))
    def forward(self, x):
        return x @ self.W + self.b

def train(x, y, W, b, updates, rate, limit):
    model, losses = Affine(W, b), []
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(updates):
        model.zero_grad()
        loss = torch.nn.functional.mse_loss(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=limit)
        optimiser.step()
        losses.append(loss.detach().numpy())
    return np.stack(losses), *(p.detach().numpy() for p in model.parameters())"""),
)  # fmt: skip

LSTM_VARIANTS = (
    Variant("index, transpose, reshape", """\
def lstm_weights(U, W, b):
    order = [1, 0, 3, 2]
    H = W.shape[-1]
    ih = U[order].transpose(0, 2, 1).reshape(4 * H, -1)
    hh = W[order].transpose(0, 2, 1).reshape(4 * H, H)
    return ih, hh, b[order].reshape(-1), np.zeros(4 * H, b.dtype)"""),
    Variant("by name", """\
def lstm_weights(U, W, b):
    (U_f, U_i, U_o, U_g), (W_f, W_i, W_o, W_g), (b_f, b_i, b_o, b_g) = U, W, b
    bias = np.hstack([b_i, b_f, b_g, b_o])
    return np.hstack([U_i, U_f, U_g, U_o]).T, np.hstack([W_i, W_f, W_g, W_o]).T, bias, 0 * bias"""),
    Variant("torch inside", """\
def lstm_weights(U, W, b):
    order = torch.tensor([1, 0, 3, 2])
    U, W, b = (torch.tensor(a)[order] for a in (U, W, b))
    weights = U.mT.flatten(0, 1), W.mT.flatten(0, 1), b.flatten(), torch.zeros(b.numel(), dtype=b.dtype)
    return [a.numpy() for a in weights]"""),
    Variant("einsum and filling", """\
def lstm_weights(U, W, b):
    D, H = U.shape[1:]
    ih, hh, bias = np.empty((4 * H, D), U.dtype), np.empty((4 * H, H), U.dtype), np.empty(4 * H, U.dtype)
    for place, k in enumerate((1, 0, 3, 2)):
        rows = slice(place * H, (place + 1) * H)
        ih[rows], hh[rows], bias[rows] = np.einsum("dh->hd", U[k]), W[k].T, b[k]
    return ih, hh, bias, np.zeros_like(bias)"""),
    Variant("stacked with the bias", """\
def lstm_weights(U, W, b):
    everything = np.concatenate([U, W, b[:, None]], axis=1)  # (4, D + H + 1, H)
    rows = np.concatenate([everything[k].T for k in (1, 0, 3, 2)])  # (4H, D + H + 1)
    D = U.shape[1]
    return rows[:, :D], rows[:, D:-1], rows[:, -1], np.zeros(len(rows), dtype=b.dtype)"""),
)  # fmt: skip

# --- The tasks ------------------------------------------------------------------------------------------------

TO_BATCH = Task(
    name="to_batch",
    source=inspect.getsource(to_batch),
    outputs=(("the batch", ("sequence", "step", "number")), ("the mask", ("sequence", "step"))),
    cases=_batch_cases,
    mistakes=BATCH_MISTAKES,
    variants=BATCH_VARIANTS,
)

MASKED_LOSS = Task(
    name="masked_loss",
    source=inspect.getsource(masked_loss),
    outputs=(("the loss", ()), ("the gradient", ("sequence", "step", "class"))),
    cases=_loss_cases,
    mistakes=LOSS_MISTAKES,
    variants=LOSS_VARIANTS,
)

LAST_STATES = Task(
    name="last_states",
    source=inspect.getsource(last_states),
    outputs=(("the matrix of last states", ("sequence", "unit")),),
    cases=_states_cases,
    mistakes=LAST_MISTAKES,
    variants=LAST_VARIANTS,
)

TRAIN = Task(
    name="train",
    source=inspect.getsource(train),
    outputs=(("the row of losses", ("update",)), ("W", ("input", "output")), ("b", ("output",))),
    cases=_train_cases,
    mistakes=TRAIN_MISTAKES,
    variants=TRAIN_VARIANTS,
)

LSTM_WEIGHTS = Task(
    name="lstm_weights",
    source=inspect.getsource(lstm_weights),
    outputs=(
        ("weight_ih", ("gate row", "input")),
        ("weight_hh", ("gate row", "unit")),
        ("bias_ih", ("gate row",)),
        ("bias_hh", ("gate row",)),
    ),
    cases=_lstm_cases,
    mistakes=LSTM_MISTAKES,
    variants=LSTM_VARIANTS,
)

TASKS = (TO_BATCH, MASKED_LOSS, LAST_STATES, TRAIN, LSTM_WEIGHTS)
check = diagnose.checker(*TASKS)
