"""The tasks of the exercise `char-rnn`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/char-rnn ------------------------------

BITS_BY_HAND = "bits_by_hand = [7, 1.75, 1024]"


def perplexity(logits, labels, mask):
    """Logits (B, T, K), right characters (B, T), mask (B, T) -> bits a character and perplexity, two numbers."""
    z, right = logits[mask], labels[mask]  # (N, K), (N,)
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    nats = -log_p[np.arange(len(right)), right].mean()
    return nats / np.log(2), np.exp(nats)  # (bits-per-character), (perplexity)


def batches(text, rows, steps):
    """Text (N,) -> inputs x, next characters y and mask, each (P, B, T): P pieces, B = rows, T = steps."""
    pairs = len(text) - 1
    length = -(-pairs // rows)  # of a row, rounded up
    pieces = -(-length // steps)
    t = np.arange(pieces * steps)
    place = np.arange(rows)[:, None] * length + t  # (B, P·T)
    mask = (t < length) & (place < pairs)
    place = np.where(mask, place, 0)
    x, y = (np.where(mask, text[place + k], 0) for k in (0, 1))
    return tuple(a.reshape(rows, pieces, steps).swapaxes(0, 1) for a in (x, y, mask))


def piece_gradients(x, y, h, weights):
    """One piece: x, y (B, T), state before it h (B, H) -> mean loss in nats, gradients, state after it (B, H)."""
    U, W, b, V, c = weights  # (K, H), (H, H), (H,), (H, K), (K,)
    states = [h]
    for t in range(x.shape[1]):
        states.append(np.tanh(U[x[:, t]] + states[-1] @ W + b))
    dU, dW, db, dV, dc = gradients = [np.zeros_like(w) for w in weights]
    loss, dh = 0, np.zeros_like(h)  # no gradient comes from the pieces after this one
    for t in reversed(range(x.shape[1])):
        z = states[t + 1] @ V + c
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        right = np.arange(len(p)), y[:, t]
        loss = loss - np.log(p[right]).sum() / x.size
        p[right] -= 1
        error = p / np.asarray(x.size, p.dtype)
        dV += states[t + 1].T @ error
        dc += error.sum(axis=0)
        dz = (error @ V.T + dh) * (1 - states[t + 1] ** 2)
        np.add.at(dU, x[:, t], dz)
        dW += states[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ W.T
    return loss, gradients, states[-1]


def learn(x, y, h, weights, rate):
    """Pieces x, y (P, B, T), first state h (B, H) -> losses (P,), the new weights, the last state (B, H)."""
    losses = []
    for x_piece, y_piece in zip(x, y, strict=True):
        loss, gradients, h = piece_gradients(x_piece, y_piece, h, weights)  # (carried-state)
        weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        losses.append(loss)
    return np.array(losses), weights, h


def distribution(logits, temperature, top_k):
    """Logits (B, K) -> probabilities (B, K) at this temperature; only the top_k most likely are above 0."""
    limit = np.sort(logits, axis=1)[:, -top_k, None]
    z = np.where(logits >= limit, logits, -np.inf) / temperature
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)  # (temperature)


def sample(logits, u, temperature, top_k):
    """Logits (B, K), uniform numbers u (B,) in [0, 1) -> one character for each row (B,)."""
    p = distribution(logits, temperature, top_k)
    total = np.cumsum(p, axis=1)
    return (total <= u[:, None] * total[:, -1:]).sum(axis=1)  # (inverse-cdf)


def bigram(text, size, discount):
    """Text (N,) with characters below K = size -> p (K, K): row a holds what follows a, after Kneser and Ney."""

    def smooth(counts, lower):
        total = counts.sum(axis=-1, keepdims=True)
        kinds = (counts > 0).sum(axis=-1, keepdims=True)
        p = (np.maximum(counts - discount, 0) + discount * kinds * lower) / np.maximum(total, 1)
        return np.where(total > 0, p, lower)  # (kneser-ney)

    counts = np.zeros((size, size))
    np.add.at(counts, (text[:-1], text[1:]), 1)
    lower = smooth((counts > 0).sum(axis=0), 1 / size)
    return smooth(counts, lower)


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _perplexity_case(seed, B, T, K, lengths, scale=1.5):
    rng = np.random.default_rng(seed)
    mask = np.arange(T) < np.array(lengths)[:, None]
    labels = np.where(mask, rng.integers(0, K, (B, T)), -1)
    return {"logits": scale * rng.normal(size=(B, T, K)), "labels": labels, "mask": mask}


def _perplexity_cases():
    large = _perplexity_case(3, B=1, T=3, K=4, lengths=[3])
    large["logits"] += 2000.0
    return [
        _perplexity_case(1, B=2, T=4, K=3, lengths=[4, 4]),
        _perplexity_case(2, B=3, T=3, K=5, lengths=[3, 1, 2]),
        large,
    ]


def _text(seed, N, K):
    return np.random.default_rng(seed).integers(0, K, N)


def _batches_cases():
    return [
        {"text": _text(4, 25, 9), "rows": 2, "steps": 4},
        {"text": _text(5, 13, 9), "rows": 3, "steps": 2},
        {"text": _text(6, 24, 9), "rows": 3, "steps": 3},
        {"text": _text(7, 8, 9), "rows": 1, "steps": 5},
    ]


def _learn_case(seed, P, B, T, K, H, rate, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, K, (2, P, B, T))
    shapes = [(K, H), (H, H), (H,), (H, K), (K,)]
    return {
        "x": x,
        "y": y,
        "h": 0.5 * rng.normal(size=(B, H)).astype(dtype),
        "weights": [0.7 * rng.normal(size=shape).astype(dtype) for shape in shapes],
        "rate": rate,
    }


def _learn_cases():
    return [
        _learn_case(8, P=1, B=2, T=3, K=4, H=2, rate=0.5),
        _learn_case(9, P=3, B=2, T=2, K=3, H=4, rate=0.3),
        _learn_case(10, P=2, B=2, T=2, K=2, H=2, rate=0.2),
        _learn_case(11, P=3, B=1, T=3, K=5, H=3, rate=0.4, dtype=np.float32),
    ]


def _logits(seed, B, K, dtype=np.float64):
    return 2 * np.random.default_rng(seed).normal(size=(B, K)).astype(dtype)


def _distribution_cases():
    return [
        {"logits": _logits(12, 2, 4), "temperature": 0.5, "top_k": 4},
        {"logits": _logits(13, 3, 5), "temperature": 2.0, "top_k": 3},
        {"logits": _logits(14, 4, 4) + 1500, "temperature": 0.7, "top_k": 2},
        {"logits": _logits(15, 2, 6, np.float32), "temperature": 1.5, "top_k": 4},
    ]


def _sample_cases():
    first = np.array([[-3.0, 1.0, 0.5, 0.8], [0.2, -2.0, 0.4, -1.0]])
    return [
        {"logits": _logits(16, 5, 4), "u": np.array([0.05, 0.3, 0.55, 0.8, 0.97]), "temperature": 1.5, "top_k": 4},
        {"logits": _logits(17, 4, 6), "u": np.array([0.1, 0.45, 0.7, 0.9]), "temperature": 2.5, "top_k": 3},
        {"logits": first, "u": np.array([0.0, 0.999]), "temperature": 0.8, "top_k": 2},
    ]


def _bigram_cases():
    return [
        {"text": np.array([0, 1, 0, 2, 0, 1, 0, 1, 2, 2]), "size": 3, "discount": 0.5},
        {"text": 1 + _text(18, 40, 5), "size": 7, "discount": 0.75},
        {"text": np.array([3, 1, 3, 1, 3, 0, 2]), "size": 5, "discount": 0.3},
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_RIGHT = "[7, 1.75, 1024]"


def _numbers(name, sentence, new):
    return Mistake(name, sentence, ((_RIGHT, new),))


HAND_MISTAKES = (
    _numbers("natural logarithm", "the first two are in nats, from the natural logarithm. A bit is a factor of 2.",
             "[7 * np.log(2), 1.75 * np.log(2), 1024]"),
    _numbers("probability of the text", "the first number is the probability of the text. It should be in bits: how "
             "often is 1 halved to get there?", "[1 / 128, 1.75, 1024]"),
    _numbers("inverse probability", "the first number is 1 over the probability of the text. In bits it is the "
             "exponent of that power of 2.", "[128, 1.75, 1024]"),
    _numbers("probabilities added", "the probabilities are added up or averaged. What adds up is their logarithms.",
             "[1.375, 0.34375, 1024]"),
    _numbers("logarithm of the mean", "the logarithm is taken of the mean probability. Take the mean of the "
             "logarithms.", "[-4 * np.log2(1.375 / 4), -np.log2(1.375 / 4), 1024]"),
    _numbers("total instead of mean", "the second number is that of the whole text again; divide it by the number of "
             "characters.", "[7, 7, 1024]"),
    _numbers("divided by 3", "the second number is divided by 3. All four characters had a probability, the first too.",
             "[7, 7 / 3, 1024]"),
    _numbers("bits of a word", "the last number is the bits of a word. Perplexity is 2 to the power of them.",
             "[7, 1.75, 10]"),
    _numbers("perplexity of a character", "the last number is the perplexity of a character. A word has five of them.",
             "[7, 1.75, 4]"),
    _numbers("perplexity times five", "the perplexity of a character is multiplied by five. Bits add up over the "
             "characters of a word, so perplexities multiply.", "[7, 1.75, 20]"),
    _numbers("squares", "the last number is 5 squared. The base is 2, and bits stand in the exponent.",
             "[7, 1.75, 25]"),
    _numbers("exponential", "the last number is e to the power of the bits. Bits go with base 2.",
             "[7, 1.75, np.exp(10)]"),
    _numbers("without the space", "the word is counted with four characters. The space after it has to be predicted, "
             "too.", "[7, 1.75, 256]"),
    _numbers("sign", "the first two are negative: the logarithm of a probability is, and its sign is turned.",
             "[-7, -1.75, 1024]"),
)  # fmt: skip

_PICK = "z, right = logits[mask], labels[mask]  # (N, K), (N,)"
_STABLE = "z = z - z.max(axis=1, keepdims=True)\n    log_p"
_NATS = "nats = -log_p[np.arange(len(right)), right].mean()"
_TWO = "return nats / np.log(2), np.exp(nats)"

PERPLEXITY_MISTAKES = (
    Mistake("overflow", "large logits overflow in exp. Take the largest logit off all of them first: the softmax "
            "stays the same.", ((_STABLE, "log_p"),)),
    Mistake("nats", "the first number is in nats. A bit is smaller: ln 2 of them.",
            ((_TWO, "return nats, np.exp(nats)"),)),
    Mistake("two to the nats", "the perplexity is 2 to the power of nats. Base 2 goes with bits, base e with nats.",
            ((_TWO, "return nats / np.log(2), 2**nats"),)),
    Mistake("e to the bits", "the perplexity is e to the power of bits. Base 2 goes with bits, base e with nats.",
            ((_TWO, "return nats / np.log(2), np.exp(nats / np.log(2))"),)),
    Mistake("times log 2", "the nats are multiplied by ln 2 instead of divided by it.",
            ((_TWO, "return nats * np.log(2), np.exp(nats)"),)),
    Mistake("base 10", "the logarithm has base 10. Bits need base 2.",
            ((_TWO, "return nats / np.log(10), np.exp(nats)"),)),
    Mistake("sum", "the surprises are added up over all steps and not averaged.",
            ((_NATS, _NATS.replace(".mean()", ".sum()")),)),
    Mistake("mask ignored", "the mask is ignored: padding counts as if it were text.",
            ((_PICK, "z, right = logits.reshape(-1, logits.shape[2]), labels.ravel()"),)),
    Mistake("divided by all steps", "padding adds nothing to the sum, but is counted when the mean is taken.",
            ((_NATS, _NATS.replace(".mean()", ".sum() / mask.size")),)),
    Mistake("mean of means", "each sequence is averaged first and then the sequences: characters of a short one count "
            "more. Every character should count the same.",
            ((_NATS, "surprise = np.zeros(mask.shape)\n    surprise[mask] = -log_p[np.arange(len(right)), right]\n"
              "    nats = (surprise.sum(axis=1) / mask.sum(axis=1)).mean()"),)),
    Mistake("logarithm of the mean", "the probabilities are averaged before the logarithm. Average the logarithms.",
            ((_NATS, "nats = -np.log(np.exp(log_p[np.arange(len(right)), right]).mean())"),)),
    Mistake("mean of perplexities", "the perplexity is the mean of 1 / p over the characters. Its logarithm is a mean.",
            ((_TWO, "return nats / np.log(2), np.exp(-log_p[np.arange(len(right)), right]).mean()"),)),
    Mistake("most likely character", "the probability of the most likely character is taken, whatever came. Take that "
            "of the right one.", ((_NATS, "nats = -log_p.max(axis=1).mean()"),)),
    Mistake("all characters", "the logarithms of all K probabilities are averaged. Only the right character's counts.",
            ((_NATS, "nats = -log_p.mean()"),)),
    Mistake("entropy", "the entropy of the model's own probabilities comes out: it does not look at the right "
            "characters at all.", ((_NATS, "nats = -(np.exp(log_p) * log_p).sum(axis=1).mean()"),)),
    Mistake("softmax over the steps", "the softmax is taken over the steps instead of the characters.",
            (("np.log(np.exp(z).sum(axis=1, keepdims=True))", "np.log(np.exp(z).sum(axis=0, keepdims=True))"),)),
    Mistake("logits for logarithms", "the logits are taken for logarithms of probabilities; the sum in the softmax is "
            "missing.", (("log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))", "log_p = z"),)),
    Mistake("a small number added", "a small number is added to the probabilities to keep the logarithm finite. It "
            "changes the result; work with the logarithm of the softmax instead.",
            ((_NATS, "nats = -np.log(np.exp(log_p[np.arange(len(right)), right]) + 1e-6).mean()"),)),
    Mistake("shifted once more", "logits are compared with the characters one step further on. The labels are shifted "
            "already: labels[:, t] is what comes after step t.",
            ((_PICK, "z, right = logits[:, :-1][mask[:, 1:]], labels[:, 1:][mask[:, 1:]]"),)),
    Mistake("sign", "the sign is missing: the logarithm of a probability is negative, the surprise is positive.",
            ((_NATS, _NATS.replace("-log_p", "log_p")),)),
    Mistake("order", "the two numbers are in the wrong order: first the bits.",
            ((_TWO, "return np.exp(nats), nats / np.log(2)"),)),
    Mistake("bits only", "only one number is returned.", ((_TWO, "return nats / np.log(2)"),)),
    Mistake("logits overwritten", "the largest logit is taken off in place (`logits -= …`).",
            ((_PICK, f"logits -= logits.max(axis=2, keepdims=True)\n    {_PICK}"),)),
)  # fmt: skip

_LENGTH = "length = -(-pairs // rows)  # of a row, rounded up"
_PIECES = "pieces = -(-length // steps)"
_PLACE = "place = np.arange(rows)[:, None] * length + t  # (B, P·T)"
_MASK = "mask = (t < length) & (place < pairs)"
_ZERO = "place = np.where(mask, place, 0)"
_XY = "x, y = (np.where(mask, text[place + k], 0) for k in (0, 1))"
_CUT = "return tuple(a.reshape(rows, pieces, steps).swapaxes(0, 1) for a in (x, y, mask))"

BATCHES_MISTAKES = (
    Mistake("no shift", "y is the same as x: the network would be asked for the character that it has just read.",
            ((_XY, _XY.replace("(0, 1)", "(0, 0)")),)),
    Mistake("shifted the wrong way", "x is the character after y. The network reads x and has to predict y.",
            ((_XY, _XY.replace("(0, 1)", "(1, 0)")),)),
    Mistake("rows interleaved", "neighbouring characters stand in different rows. A row is one stretch of the text, "
            "read from left to right.", ((_PLACE, "place = t * rows + np.arange(rows)[:, None]"),)),
    Mistake("rows do not go on", "the rows of one piece follow each other in the text. Row b of a piece has to go on "
            "where row b of the piece before it ended, or the carried state belongs to another place.",
            ((_CUT, "return tuple(a.reshape(pieces, rows, steps) for a in (x, y, mask))"),)),
    Mistake("remainder dropped", "the length of a row is rounded down, and what is left over at the end of the text is "
            "lost.", ((_LENGTH, "length = pairs // rows"),)),
    Mistake("last piece dropped", "the last piece is left out where the steps do not divide the row. Pad it.",
            ((_CUT, "whole = max(1, length // steps)\n    "
              + _CUT.replace(".swapaxes(0, 1)", ".swapaxes(0, 1)[:whole]")),)),
    Mistake("rows overlap", "a row goes on into the next one where the last piece should be padded: these characters "
            "come twice.", ((_MASK, "mask = place < pairs"),)),
    Mistake("mask all true", "the mask is true at padding, too.",
            ((_XY, _XY + "\n    mask = np.ones_like(mask)"),)),
    Mistake("mask inverted", "the mask is the wrong way round: it is true at real characters.",
            ((_XY, _XY + "\n    mask = ~mask"),)),
    Mistake("mask of zeros", "the mask is read off the characters (`x != 0` or `x > 0`) or y. A character may have the "
            "number 0 as well; ask the places.", ((_XY, _XY + "\n    mask = (x != 0) & (y != 0)"),)),
    Mistake("wrapped around", "the last character of the text is followed by the first (`np.roll` does that). It has "
            "no next character and is no input.",
            (("pairs = len(text) - 1", "pairs = len(text)"), ("text[place + k]", "np.roll(text, -k)[place]"))),
    Mistake("a character lost between pieces", "the pieces are cut T + 1 characters long, so that the step from the "
            "last character of a piece to the first of the next is never learned.",
            ((_PLACE, "place = np.arange(rows)[:, None] * length + t + t // steps\n"
              "    t = t + t // steps"),)),
    Mistake("time first", "the axes are (P, T, B): the rows should come before the steps.",
            ((_CUT, _CUT.replace(".swapaxes(0, 1)", ".transpose(1, 2, 0)")),)),
    Mistake("rows first", "the axes are (B, P, T): the pieces should come first.",
            ((_CUT, _CUT.replace(".swapaxes(0, 1)", "")),)),
    Mistake("mask missing", "only x and y are returned; return the mask as well.",
            ((_CUT, _CUT.replace("(x, y, mask)", "(x, y)")),)),
    Mistake("mask of numbers", "the mask holds numbers. It should be Boolean.",
            ((_CUT, _CUT.replace("(x, y, mask)", "(x, y, mask.astype(int))")),)),
    Mistake("text at padding", "other text stands at padding. Put 0 there, so that nobody can learn from it.",
            ((_XY, "x, y = (text[place + k] for k in (0, 1))"), (_ZERO, "place = np.minimum(place, pairs - 1)"))),
    Mistake("floats", "x and y hold floats: `np.zeros` makes floats unless it is told a dtype.",
            ((_XY, _XY + "\n    x, y = x.astype(float), y.astype(float)"),)),
    Mistake("one pair too few", "the last pair of the text is missing: N characters have N - 1 pairs.",
            (("pairs = len(text) - 1", "pairs = len(text) - 2"),)),
)  # fmt: skip

_CALL = "loss, gradients, h = piece_gradients(x_piece, y_piece, h, weights)"
_STEP = "weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]"
_LOOP = "for x_piece, y_piece in zip(x, y, strict=True):"
_KEEP = "losses.append(loss)"
_END = "return np.array(losses), weights, h"

LEARN_MISTAKES = (
    Mistake("state reset", "every piece starts from the first state. The state after a piece is where the next one "
            "begins.", ((_CALL, "loss, gradients, last = piece_gradients(x_piece, y_piece, h, weights)"),
                        (_END, "return np.array(losses), weights, last"))),
    Mistake("state set to zero", "every piece starts from zeros.",
            ((_CALL, "loss, gradients, h = piece_gradients(x_piece, y_piece, 0 * h, weights)"),)),
    Mistake("zero between pieces", "the first piece starts from h, as it should, but then the state is set to zero.",
            ((_CALL, "loss, gradients, last = piece_gradients(x_piece, y_piece, h, weights)"),
             (_KEEP, f"{_KEEP}\n        h = np.zeros_like(h)"), (_END, "return np.array(losses), weights, last"))),
    Mistake("state of another row", "the states change rows between pieces. Row b goes on from row b.",
            ((_CALL, f"{_CALL}\n        h = h[::-1]"), (_END, "return np.array(losses), weights, h[::-1]"))),
    Mistake("first state returned", "the state before the first piece is returned instead of that after the last.",
            ((_LOOP, f"first = h\n    {_LOOP}"), (_END, "return np.array(losses), weights, first"))),
    Mistake("uphill", "the step goes up the gradient.", ((_STEP, _STEP.replace("w - rate", "w + rate")),)),
    Mistake("rate forgotten", "the learning rate is left out.", ((_STEP, _STEP.replace("rate * g", "g")),)),
    Mistake("rate divides", "the gradient is divided by the rate.", ((_STEP, _STEP.replace("rate * g", "g / rate")),)),
    Mistake("steps instead of weights", "the weights are replaced by the step. It is taken off them.",
            ((_STEP, _STEP.replace("w - rate * g", "-rate * g")),)),
    Mistake("no update", "the weights stay as they were.", ((_STEP, "pass"),)),
    Mistake("from the first weights", "every update starts from the first weights, so only the last one is left.",
            ((_LOOP, f"first = weights\n    {_LOOP}"), (_STEP, _STEP.replace("zip(weights", "zip(first")))),
    Mistake("one update at the end", "the gradients of all pieces are taken at the first weights, as if there was one "
            "update at the end. Every piece should use the weights that the piece before it left.",
            ((_LOOP, f"total = [np.zeros_like(w) for w in weights]\n    {_LOOP}"),
             (_STEP, "total = [a + g for a, g in zip(total, gradients, strict=True)]"),
             (_END, "weights = [w - rate * g for w, g in zip(weights, total, strict=True)]\n    " + _END))),
    Mistake("gradients never reset", "the gradients of earlier pieces are added to those of this one (the forgotten "
            "`zero_grad`).",
            ((_LOOP, f"total = [np.zeros_like(w) for w in weights]\n    {_LOOP}"),
             (_STEP, "total = [a + g for a, g in zip(total, gradients, strict=True)]\n        "
              + _STEP.replace("gradients", "total")))),
    Mistake("divided by the pieces", "the step is divided by the number of pieces.",
            ((_STEP, _STEP.replace("rate * g", "rate * g / len(x)")),)),
    Mistake("loss after the update", "the loss is measured after the update. It should be the one that the gradients "
            "belong to.", ((_CALL, f"start = h\n        {_CALL}"),
                           (_KEEP, "losses.append(piece_gradients(x_piece, y_piece, start, weights)[0])"))),
    Mistake("mean loss", "the losses are averaged to one number; return one for every piece.",
            ((_END, "return np.array(np.mean(losses)), weights, h"),)),
    Mistake("last loss", "only the loss of the last piece is returned.",
            ((_END, "return np.array(loss), weights, h"),)),
    Mistake("perplexities", "perplexities are returned in place of the losses.",
            ((_END, "return np.exp(losses), weights, h"),)),
    Mistake("x and y swapped", "x and y are swapped: the network reads x and has to predict y.",
            ((_LOOP, _LOOP.replace("zip(x, y", "zip(y, x")),)),
    Mistake("from the end", "the pieces are read from the last to the first.",
            ((_LOOP, _LOOP.replace("zip(x, y", "zip(x[::-1], y[::-1]")),)),
    Mistake("last piece left out", "the last piece is left out.",
            ((_LOOP, _LOOP.replace("zip(x, y", "zip(x[: max(1, len(x) - 1)], y[: max(1, len(y) - 1)]")),)),
    Mistake("in place", "the caller's weights are changed (`w -= …` works in place).",
            ((_STEP, "for w, g in zip(weights, gradients, strict=True):\n            w -= rate * g"),)),
)  # fmt: skip

_LIMIT = "limit = np.sort(logits, axis=1)[:, -top_k, None]"
_KEPT = "z = np.where(logits >= limit, logits, -np.inf) / temperature"
_SHIFT = "z = z - z.max(axis=1, keepdims=True)\n    e"
_NORMAL = "return e / e.sum(axis=1, keepdims=True)"

DISTRIBUTION_MISTAKES = (
    Mistake("times the temperature", "the logits are multiplied by the temperature. A high one should make them more "
            "alike.", ((_KEPT, _KEPT.replace("/ temperature", "* temperature")),)),
    Mistake("temperature ignored", "the temperature has no effect.", ((_KEPT, _KEPT.replace(" / temperature", "")),)),
    Mistake("temperature after the softmax", "the probabilities are divided by the temperature, so they do not sum to "
            "1. It belongs to the logits.",
            ((_KEPT, _KEPT.replace(" / temperature", "")), (_NORMAL, _NORMAL + " / temperature"))),
    Mistake("temperature squared", "the temperature acts twice, before and after the largest logit is taken off.",
            ((_SHIFT, "z = (z - z.max(axis=1, keepdims=True)) / temperature\n    e"),)),
    Mistake("top_k ignored", "all characters keep a probability; only top_k of them should.",
            ((_LIMIT, "limit = logits.min(axis=1, keepdims=True)"),)),
    Mistake("least likely", "the least likely characters are kept instead of the most likely.",
            ((_LIMIT, "limit = np.sort(logits, axis=1)[:, top_k - 1, None]"), ("logits >= limit", "logits <= limit"))),
    Mistake("one too many", "one character too many is kept: sort, and count from the end.",
            ((_LIMIT, "limit = np.sort(logits, axis=1)[:, max(-top_k - 1, -logits.shape[1]), None]"),)),
    Mistake("one too few", "one character too few is kept: the limit itself belongs to the top.",
            (("logits >= limit", "logits > limit"),)),
    Mistake("logits set to zero", "the logits that are left out are set to 0. exp(0) is 1, not 0.",
            ((_KEPT, _KEPT.replace("-np.inf", "0.0")),)),
    Mistake("not normalised again", "the softmax is taken over all characters and then cut: what is left does not sum "
            "to 1.", ((_KEPT, "z = logits / temperature"), (_NORMAL, "return np.where(logits >= limit, "
                                                         "e / e.sum(axis=1, keepdims=True), 0)"))),
    Mistake("one limit for all rows", "the limit is taken over all rows together. Each row has its own top_k.",
            ((_LIMIT, "limit = np.sort(logits, axis=None)[-top_k * len(logits)]"),)),
    Mistake("over the rows", "the softmax is taken over the rows (axis 0) instead of the characters.",
            ((_NORMAL, "return e / e.sum(axis=0, keepdims=True)"),)),
    Mistake("sum of everything", "the sum goes over the whole array; each row should sum to 1.",
            ((_NORMAL, "return e / e.sum()"),)),
    Mistake("overflow", "large logits overflow in exp. Take the largest off first.", ((_SHIFT, "e"),)),
    Mistake("logarithms", "logarithms of probabilities are returned.",
            ((_NORMAL, "return z - np.log(e.sum(axis=1, keepdims=True))"),)),
    Mistake("not normalised", "the exponentials are not divided by their sum.", ((_NORMAL, "return e"),)),
    Mistake("sorted", "the probabilities are returned sorted. Each has to stay at the place of its character.",
            ((_NORMAL, "return np.sort(e / e.sum(axis=1, keepdims=True), axis=1)"),)),
    Mistake("only the top", "only top_k numbers a row are returned. The others are 0, at their places.",
            ((_NORMAL, "return np.sort(e / e.sum(axis=1, keepdims=True), axis=1)[:, -top_k:]"),)),
    Mistake("float64 only", "float32 logits give float64 probabilities.", ((_NORMAL, _NORMAL + " * np.float64(1)"),)),
    Mistake("logits overwritten", "-inf is written into the logits themselves.",
            ((_KEPT, "logits[logits < limit] = -np.inf\n    z = logits / temperature"),)),
)  # fmt: skip

_P = "p = distribution(logits, temperature, top_k)"
_TOTAL = "total = np.cumsum(p, axis=1)"
_COUNT = "return (total <= u[:, None] * total[:, -1:]).sum(axis=1)"

SAMPLE_MISTAKES = (
    Mistake("greedy", "the most likely character is taken, whatever u is.", ((_COUNT, "return p.argmax(axis=1)"),)),
    Mistake("strictly below", "at u = 0 a character with probability 0 comes out. Take the first at which the running "
            "sum is *above* u.", ((_COUNT, _COUNT.replace("total <= ", "total < ")),)),
    Mistake("one too far", "the result is one place too far.", ((_COUNT, _COUNT + " + 1"),)),
    Mistake("one too early", "the result is one place too early.", ((_COUNT, _COUNT + " - 1"),)),
    Mistake("one number for all", "the first uniform number decides in all rows. Each row has its own.",
            ((_COUNT, _COUNT.replace("u[:, None]", "u[0]")),)),
    Mistake("from the other end", "u is counted from the other end, as 1 - u.",
            ((_COUNT, _COUNT.replace("u[:, None]", "(1 - u[:, None])")),)),
    Mistake("summed over the rows", "the running sum goes over the rows; it should go over the characters.",
            ((_TOTAL, "total = np.cumsum(p, axis=0)"),)),
    Mistake("no running sum", "u is compared with the probabilities themselves. Compare it with their running sum.",
            ((_TOTAL, "total = p"), (_COUNT, "return (total <= u[:, None]).sum(axis=1)"))),
    Mistake("rank", "the rank among the sorted probabilities is returned, not the place in the alphabet.",
            ((_TOTAL, "total = np.cumsum(-np.sort(-p, axis=1), axis=1)"),)),
    Mistake("largest first", "the characters are lined up by probability. Line them up in the order of the alphabet, "
            "so that everyone draws the same from the same u.",
            ((_TOTAL, "order = np.argsort(-p, axis=1)\n    "
              "total = np.cumsum(np.take_along_axis(p, order, axis=1), axis=1)"),
             (_COUNT, "rank = (total <= u[:, None] * total[:, -1:]).sum(axis=1)\n    "
              "return order[np.arange(len(u)), rank]"))),
    Mistake("temperature forgotten", "the temperature is not passed on.",
            ((_P, "p = distribution(logits, 1.0, top_k)"),)),
    Mistake("top_k forgotten", "top_k is not passed on.",
            ((_P, "p = distribution(logits, temperature, logits.shape[1])"),)),
    Mistake("floats", "the result holds floats; characters are integers.", ((_COUNT, _COUNT + ".astype(float)"),)),
    Mistake("probability", "the probability of the character is returned instead of its place.",
            ((_COUNT, "place = (total <= u[:, None] * total[:, -1:]).sum(axis=1)\n    "
              "return p[np.arange(len(p)), place]"),)),
    Mistake("one-hot", "one-hot vectors are returned; return the places.",
            ((_COUNT, "place = (total <= u[:, None] * total[:, -1:]).sum(axis=1)\n"
              "    return (np.arange(p.shape[1]) == place[:, None]).astype(int)"),)),
    Mistake("a column", "the result is a column (B, 1); it should be (B,).",
            ((_COUNT, _COUNT.replace("sum(axis=1)", "sum(axis=1, keepdims=True)")),)),
)  # fmt: skip

_KINDS = "kinds = (counts > 0).sum(axis=-1, keepdims=True)"
_FORMULA = "p = (np.maximum(counts - discount, 0) + discount * kinds * lower) / np.maximum(total, 1)"
_UNSEEN = "return np.where(total > 0, p, lower)"
_ADD = "np.add.at(counts, (text[:-1], text[1:]), 1)"
_LOWER = "lower = smooth((counts > 0).sum(axis=0), 1 / size)"
_BIGRAM = "return smooth(counts, lower)"

BIGRAM_MISTAKES = (
    Mistake("frequencies below", "the lower order counts how often a character occurs. Kneser and Ney count how many "
            "different characters it follows.", ((_LOWER, _LOWER.replace("(counts > 0)", "counts")),)),
    Mistake("kinds after", "the lower order counts how many different characters come *after* a character. Count those "
            "before it.", ((_LOWER, _LOWER.replace("axis=0", "axis=1")),)),
    Mistake("lower order not smoothed", "the lower order is not smoothed itself, so a character that was never seen "
            "gets probability 0.", ((_LOWER, "kinds = (counts > 0).sum(axis=0)\n    lower = kinds / kinds.sum()"),)),
    Mistake("uniform below", "the lower order is 1 / K for every character: the step between is missing.",
            ((_LOWER, "lower = 1 / size"),)),
    Mistake("no smoothing", "the counts are divided by their sum and nothing is smoothed.",
            ((_FORMULA, "p = counts / np.maximum(total, 1)"),)),
    Mistake("add one", "1 is added to every count. Here a discount is taken off and handed to the lower order.",
            ((_BIGRAM, "return (counts + 1) / (counts + 1).sum(axis=1, keepdims=True)"),)),
    Mistake("discount kept", "the discount is taken off, but nobody gets it: the rows do not sum to 1.",
            ((_FORMULA, "p = np.maximum(counts - discount, 0) / np.maximum(total, 1)"),)),
    Mistake("discount not taken", "the lower order is added, but the discount is not taken off the counts: the rows "
            "sum to more than 1.", ((_FORMULA, _FORMULA.replace("np.maximum(counts - discount, 0)", "counts")),)),
    Mistake("below zero", "the discount is taken off counts of 0 as well; they become negative.",
            ((_FORMULA, _FORMULA.replace("np.maximum(counts - discount, 0)", "counts - discount")),)),
    Mistake("kinds forgotten", "the lower order gets one discount. It should get one for every different character "
            "that followed.", ((_FORMULA, _FORMULA.replace("discount * kinds * lower", "discount * lower")),)),
    Mistake("total for kinds", "the lower order gets one discount for every occurrence. It should get one for every "
            "*different* character that followed.", ((_KINDS, "kinds = total"),)),
    Mistake("kinds is K", "the number of different characters is taken as K, whether they followed or not.",
            ((_KINDS, "kinds = size"),)),
    Mistake("divided by the kinds", "the sum is divided by the number of different characters; divide it by the number "
            "of occurrences.", ((_FORMULA, _FORMULA.replace("np.maximum(total, 1)", "np.maximum(kinds, 1)")),)),
    Mistake("zeros after the unseen", "a character that nothing ever followed gets a row of zeros. Nothing is known "
            "about what follows it, so take the lower order.", ((_UNSEEN, "return np.where(total > 0, p, 0)"),)),
    Mistake("uniform after the unseen", "a character that nothing ever followed gets a uniform row. The lower order "
            "knows more.", ((_UNSEEN, "return np.where(total > 0, p, 1 / size)"),)),
    Mistake("NaN after the unseen", "0 is divided by 0 where a character was never followed by anything.",
            ((_FORMULA, _FORMULA.replace("np.maximum(total, 1)", "total")), (_UNSEEN, "return p"))),
    Mistake("each pair once", "each pair is counted once: `counts[a, b] += 1` with arrays of places adds only one, "
            "however often a place stands in them.", ((_ADD, "counts[text[:-1], text[1:]] += 1"),)),
    Mistake("transposed", "rows and columns are swapped: row a should hold what follows a.",
            ((_ADD, "np.add.at(counts, (text[1:], text[:-1]), 1)"),)),
    Mistake("wrapped around", "the last character is counted as if the first followed it.",
            ((_ADD, "np.add.at(counts, (text, np.roll(text, -1)), 1)"),)),
    Mistake("last pair missing", "the last pair is not counted.",
            ((_ADD, "np.add.at(counts, (text[:-2], text[1:-1]), 1)"),)),
    Mistake("counts", "the counts are returned instead of probabilities.", ((_BIGRAM, "return counts"),)),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

HAND_VARIANTS = (
    Variant("floats", "bits_by_hand = [7.0, 1.75, 1024.0]"),
    Variant("tuple", "bits_by_hand = (7, 7 / 4, 2**10)"),
    Variant("array", "bits_by_hand = np.array([7, 1.75, 1024])"),
    Variant(
        "computed",
        """\
surprises = [-np.log2(p) for p in (1 / 2, 1 / 4, 1 / 2, 1 / 8)]
bits_by_hand = [sum(surprises), np.mean(surprises), 2.0 ** (5 * 2)]""",
    ),
    Variant("products", "bits_by_hand = [np.log2(2 * 4 * 2 * 8), np.log2(128) / 4, 4**5]"),
)

PERPLEXITY_VARIANTS = (
    Variant("loops", """\
def perplexity(logits, labels, mask):
    surprise = []
    for b in range(logits.shape[0]):
        for t in range(logits.shape[1]):
            if mask[b, t]:
                z = logits[b, t] - logits[b, t].max()
                surprise.append(np.log(np.exp(z).sum()) - z[labels[b, t]])
    return np.mean(surprise) / np.log(2), np.exp(np.mean(surprise))"""),
    Variant("base 2 throughout", """\
def perplexity(logits, labels, mask):
    top = logits.max(axis=2)
    log_sum = top + np.log(np.exp(logits - top[:, :, None]).sum(axis=2))
    right = np.take_along_axis(logits, np.where(mask, labels, 0)[:, :, None], axis=2)[:, :, 0]
    bits = ((log_sum - right) / np.log(2))[mask].mean()
    return bits, 2**bits"""),
    Variant("logaddexp", """\
def perplexity(logits, labels, mask):
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    b, t = np.nonzero(mask)
    total = -sum(log_p[b, t, labels[b, t]])
    nats = total / len(b)
    return [nats * np.log2(np.e), np.exp(nats)]"""),
    Variant("where", """\
def perplexity(logits, labels, mask):
    z = logits - np.max(logits, axis=2, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=2, keepdims=True))
    one_hot = np.arange(logits.shape[2]) == labels[:, :, None]
    surprise = -np.where(one_hot & mask[:, :, None], log_p, 0).sum()
    nats = surprise / mask.sum()
    return float(nats / np.log(2)), float(np.exp(nats))"""),
    Variant("PyTorch inside", """\
import torch
def perplexity(logits, labels, mask):
    z, right = torch.from_numpy(logits[mask]), torch.from_numpy(labels[mask])
    nats = torch.nn.functional.cross_entropy(z, right)
    return (nats / np.log(2)).item(), torch.exp(nats).item()"""),
)  # fmt: skip

BATCHES_VARIANTS = (
    Variant("loops", """\
def batches(text, rows, steps):
    length = int(np.ceil((len(text) - 1) / rows))
    pieces = int(np.ceil(length / steps))
    x, y = np.zeros((2, pieces, rows, steps), dtype=text.dtype)
    mask = np.zeros((pieces, rows, steps), dtype=bool)
    for i in range(len(text) - 1):
        row, t = divmod(i, length)
        where = t // steps, row, t % steps
        x[where], y[where], mask[where] = text[i], text[i + 1], True
    return x, y, mask"""),
    Variant("filled row by row", """\
def batches(text, rows, steps):
    inputs, following = text[:-1], text[1:]
    length = (len(inputs) + rows - 1) // rows
    pieces = (length + steps - 1) // steps
    out = np.zeros((3, rows, pieces * steps), dtype=text.dtype)
    for row in range(rows):
        cut = slice(row * length, (row + 1) * length)
        n = len(inputs[cut])
        out[0, row, :n], out[1, row, :n], out[2, row, :n] = inputs[cut], following[cut], 1
    x, y, mask = out.reshape(3, rows, pieces, steps).transpose(0, 2, 1, 3)
    return x, y, mask == 1"""),
    Variant("padded twice", """\
def batches(text, rows, steps):
    N = len(text) - 1
    L = -(-N // rows)
    def arrange(a):
        a = np.pad(a, (0, rows * L - N)).reshape(rows, L)
        a = np.pad(a, ((0, 0), (0, -L % steps)))
        return np.stack(np.split(a, a.shape[1] // steps, axis=1))
    return arrange(text[:-1]), arrange(text[1:]), arrange(np.ones(N, bool))"""),
    Variant("a list of pieces", """\
def batches(text, rows, steps):
    N = len(text) - 1
    L = (N - 1) // rows + 1
    found = []
    for start in range(0, L, steps):
        t = start + np.arange(steps)
        place = t[None, :] + L * np.arange(rows)[:, None]
        real = (t[None, :] < L) & (place < N)
        safe = place * real
        found.append((text[safe] * real, text[safe + 1] * real, real))
    return [np.array(part) for part in zip(*found)]"""),
    Variant("fancy indices", """\
def batches(text, rows, steps):
    N = text.size - 1
    L = np.ceil(N / rows).astype(int)
    P = np.ceil(L / steps).astype(int)
    p, b, s = np.indices((P, rows, steps))
    i = p * steps + s + b * L
    mask = np.logical_and(p * steps + s < L, i < N)
    longer = np.concatenate([text, np.zeros(P * rows * steps + rows * L + 1, text.dtype)])
    return np.where(mask, longer[i], 0), np.where(mask, longer[i + 1], 0), mask"""),
)  # fmt: skip

LEARN_VARIANTS = (
    Variant("by index", """\
def learn(x, y, h, weights, rate):
    P = x.shape[0]
    losses = []
    for p in range(P):
        loss, gradients, h = piece_gradients(x[p], y[p], h, weights)
        losses = losses + [loss]
        weights = [weights[k] - rate * gradients[k] for k in range(len(weights))]
    return np.stack(losses), weights, h"""),
    Variant("copies in place", """\
def learn(x, y, h, weights, rate):
    weights, losses = [w.copy() for w in weights], []
    for x_p, y_p in zip(x, y):
        loss, gradients, h = piece_gradients(x_p, y_p, h, weights)
        for w, g in zip(weights, gradients):
            w -= rate * g
        losses.append(loss)
    return np.array(losses), weights, h"""),
    Variant("recursive", """\
def learn(x, y, h, weights, rate):
    if len(x) == 0:
        return np.zeros(0, h.dtype), weights, h
    loss, gradients, h = piece_gradients(x[0], y[0], h, weights)
    weights = [w - rate * g for w, g in zip(weights, gradients)]
    rest, weights, h = learn(x[1:], y[1:], h, weights, rate)
    return np.append(np.array([loss], h.dtype), rest), weights, h"""),
    Variant("a state of its own name", """\
def learn(x, y, h, weights, rate):
    state, current = h.copy(), list(weights)
    losses = np.zeros(len(x), dtype=h.dtype)
    for p, (inputs, following) in enumerate(zip(x, y)):
        losses[p], gradients, state = piece_gradients(inputs, following, state, current)
        for k, g in enumerate(gradients):
            current[k] = current[k] - rate * g
    return losses, tuple(current), state"""),
    Variant("a loop inside", """\
def learn(x, y, h, weights, rate):
    def one(pair, carried):
        state, weights = carried
        loss, gradients, state = piece_gradients(*pair, state, weights)
        return loss, (state, [np.subtract(w, rate * g) for w, g in zip(weights, gradients)])
    losses, carried = [], (h, weights)
    for pair in zip(x, y):
        loss, carried = one(pair, carried)
        losses.append(loss)
    return [np.array(losses), list(carried[1]), carried[0]]"""),
)  # fmt: skip

DISTRIBUTION_VARIANTS = (
    Variant("row by row", """\
def distribution(logits, temperature, top_k):
    p = np.zeros_like(logits)
    for row, z in zip(p, logits):
        best = np.argsort(z)[-top_k:]
        e = np.exp((z[best] - z[best].max()) / temperature)
        row[best] = e / e.sum()
    return p"""),
    Variant("argpartition", """\
def distribution(logits, temperature, top_k):
    best = np.argpartition(-logits, top_k - 1, axis=1)[:, :top_k]
    z = np.take_along_axis(logits, best, axis=1)
    e = np.exp((z - z.max(axis=1, keepdims=True)) / temperature)
    p = np.zeros_like(logits)
    np.put_along_axis(p, best, e / e.sum(axis=1, keepdims=True), axis=1)
    return p"""),
    Variant("cut after the softmax and normalised again", """\
def distribution(logits, temperature, top_k):
    e = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    p = e / e.sum(axis=1, keepdims=True)
    rank = (-logits).argsort(axis=1).argsort(axis=1)
    p = np.where(rank < top_k, p, 0)
    return p / p.sum(axis=1, keepdims=True)"""),
    Variant("scaled first", """\
def distribution(logits, temperature, top_k):
    z = logits / temperature
    z = z - z.max(axis=1)[:, None]
    out = np.exp(z)
    out[z < np.sort(z, axis=1)[:, [-top_k]]] = 0
    return out / out.sum(axis=1)[:, None]"""),
    Variant("counting the larger ones", """\
def distribution(logits, temperature, top_k):
    larger = (logits[:, None, :] > logits[:, :, None]).sum(axis=2)
    e = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature) * (larger < top_k)
    return (e / e.sum(axis=1, keepdims=True)).astype(logits.dtype)"""),
    Variant("PyTorch inside", """\
import torch
def distribution(logits, temperature, top_k):
    z = torch.from_numpy(logits)
    values, places = torch.topk(z, top_k, dim=1)
    return torch.zeros_like(z).scatter(1, places, torch.softmax(values / temperature, dim=1)).numpy()"""),
)  # fmt: skip

SAMPLE_VARIANTS = (
    Variant("searchsorted", """\
def sample(logits, u, temperature, top_k):
    totals = np.cumsum(distribution(logits, temperature, top_k), axis=1)
    return np.array([np.searchsorted(t, v * t[-1], side="right") for t, v in zip(totals, u)])"""),
    Variant("first above", """\
def sample(logits, u, temperature, top_k):
    total = distribution(logits, temperature, top_k).cumsum(axis=1)
    return np.argmax(total > u[:, None] * total[:, [-1]], axis=1)"""),
    Variant("a loop that subtracts", """\
def sample(logits, u, temperature, top_k):
    chosen = []
    for row, rest in zip(distribution(logits, temperature, top_k), u):
        k, above = 0, row[0]
        while above <= rest:
            k += 1
            above += row[k]
        chosen.append(k)
    return np.array(chosen)"""),
    Variant("differences", """\
def sample(logits, u, temperature, top_k):
    total = np.cumsum(distribution(logits, temperature, top_k), axis=-1)
    return np.count_nonzero(total / total[:, -1:] <= u.reshape(-1, 1), axis=1)"""),
    Variant("without the earlier task", """\
def sample(logits, u, temperature, top_k):
    kept = logits >= np.sort(logits)[:, -top_k][:, None]
    e = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature) * kept
    total = np.cumsum(e, axis=1)
    return (total > u[:, None] * total[:, -1:]).argmax(axis=1)"""),
    Variant("PyTorch inside", """\
import torch
def sample(logits, u, temperature, top_k):
    total = torch.from_numpy(distribution(logits, temperature, top_k)).cumsum(dim=1).double()
    target = torch.from_numpy(u)[:, None] * total[:, -1:]
    return torch.searchsorted(total, target, right=True)[:, 0].numpy()"""),
)  # fmt: skip

BIGRAM_VARIANTS = (
    Variant("loops", """\
def bigram(text, size, discount):
    counts = [[0] * size for _ in range(size)]
    for a, b in zip(text[:-1], text[1:]):
        counts[a][b] += 1
    before = [sum(counts[a][b] > 0 for a in range(size)) for b in range(size)]
    all_kinds, seen = sum(before), sum(n > 0 for n in before)
    lower = [(max(n - discount, 0) + discount * seen / size) / all_kinds for n in before]
    p = np.zeros((size, size))
    for a in range(size):
        total, kinds = sum(counts[a]), sum(n > 0 for n in counts[a])
        for b in range(size):
            if total:
                p[a, b] = (max(counts[a][b] - discount, 0) + discount * kinds * lower[b]) / total
            else:
                p[a, b] = lower[b]
    return p"""),
    Variant("bincount", """\
def bigram(text, size, discount):
    pairs = text[:-1] * size + text[1:]
    counts = np.bincount(pairs, minlength=size * size).reshape(size, size)
    kinds, before = np.count_nonzero(counts, axis=1), np.count_nonzero(counts, axis=0)
    lower = np.clip(before - discount, 0, None) / before.sum()
    lower = lower + discount * np.count_nonzero(before) / before.sum() / size
    total = counts.sum(axis=1)
    p = np.tile(lower, (size, 1))
    seen = total > 0
    rows, n = counts[seen], total[seen, None]
    p[seen] = np.clip(rows - discount, 0, None) / n + discount * kinds[seen, None] / n * lower
    return p"""),
    Variant("one-hot products", """\
def bigram(text, size, discount):
    hot = np.eye(size)[text]
    counts = hot[:-1].T @ hot[1:]
    def smooth(c, below):
        n = c.sum(-1, keepdims=True)
        spared = np.minimum(c, discount).sum(-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = (np.where(c > 0, c - discount, 0) + spared * below) / n
        return np.where(n > 0, p, below)
    return smooth(counts, smooth((counts > 0).sum(0).astype(float), np.full(size, 1 / size)))"""),
    Variant("distinct pairs", """\
from collections import Counter
def bigram(text, size, discount):
    pairs = Counter(zip(text[:-1].tolist(), text[1:].tolist()))
    before = Counter(b for _, b in pairs)
    below = np.array([max(before[b] - discount, 0) + discount * len(before) / size for b in range(size)]) / len(pairs)
    p = np.zeros((size, size))
    for a in range(size):
        row = {b: n for (first, b), n in pairs.items() if first == a}
        total = sum(row.values())
        p[a] = below * (discount * len(row) / total if row else 1)
        for b, n in row.items():
            p[a, b] += (n - discount) / total
    return p"""),
    Variant("row by row", """\
def bigram(text, size, discount):
    counts = np.array([np.bincount(text[1:][text[:-1] == a], minlength=size) for a in range(size)])
    seen = counts > 0
    before = seen.sum(axis=0)
    below = (np.maximum(before - discount, 0) + discount * (before > 0).sum() / size) / seen.sum()
    rows = []
    for row in counts:
        if row.any():
            rows.append((np.maximum(row - discount, 0) + discount * (row > 0).sum() * below) / row.sum())
        else:
            rows.append(below)
    return np.stack(rows)"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_PIECE = ("piece", "row", "step")
_WEIGHTS = (("U", ("character", "unit")), ("W", ("old unit", "new unit")), ("b", ("unit",)),
            ("V", ("unit", "character")), ("c", ("character",)))  # fmt: skip

HAND = Task("bits_by_hand", BITS_BY_HAND, (("bits_by_hand", ("question",)),), None, HAND_MISTAKES, HAND_VARIANTS)
PERPLEXITY = Task("perplexity", _source(perplexity), (("the bits a character", ()), ("the perplexity", ())),
                  _perplexity_cases, PERPLEXITY_MISTAKES, PERPLEXITY_VARIANTS)  # fmt: skip
BATCHES = Task("batches", _source(batches), (("x", _PIECE), ("y", _PIECE), ("mask", _PIECE)), _batches_cases,
               BATCHES_MISTAKES, BATCHES_VARIANTS)  # fmt: skip
GIVEN = Task("piece_gradients", _source(piece_gradients), (), None, (), ())  # in the notebook, no task of its own
LEARN = Task("learn", _source(learn),
             (("the array of losses", ("piece",)), *_WEIGHTS, ("the last state", ("row", "unit"))), _learn_cases,
             LEARN_MISTAKES, LEARN_VARIANTS, uses=(GIVEN,))  # fmt: skip
DISTRIBUTION = Task("distribution", _source(distribution), (("p", ("row", "character")),), _distribution_cases,
                    DISTRIBUTION_MISTAKES, DISTRIBUTION_VARIANTS)  # fmt: skip
SAMPLE = Task("sample", _source(sample), (("the array of characters", ("row",)),), _sample_cases,
              SAMPLE_MISTAKES, SAMPLE_VARIANTS, uses=(DISTRIBUTION,))  # fmt: skip
BIGRAM = Task("bigram", _source(bigram), (("p", ("character", "next character")),), _bigram_cases,
              BIGRAM_MISTAKES, BIGRAM_VARIANTS)  # fmt: skip

TASKS = (HAND, PERPLEXITY, BATCHES, LEARN, DISTRIBUTION, SAMPLE, BIGRAM)
check = diagnose.checker(*TASKS)
