"""The tasks of the exercise `gradients`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/gradients ----------------------------


def growth(W):
    """W (H, H) -> its spectral radius and its largest singular value, two numbers."""
    eigenvalues = np.linalg.eigvals(W)
    singular_values = np.linalg.svd(W, compute_uv=False)
    return np.abs(eigenvalues).max(), singular_values.max()


def jacobian_product(states, W):
    """States h_1 to h_T (T, H) of a tanh network and W (H, H) -> dh_T / dh_0 (H, H)."""
    product = np.eye(len(W), dtype=W.dtype)
    for h in states:
        product = np.diag(1 - h**2) @ W.T @ product  # (state-jacobian)
    return product


def clip_by_global_norm(gradients, limit):
    """A list of arrays -> the list, scaled together to a common norm of at most limit, and the norm it had."""
    norm = np.sqrt(sum(np.sum(g * g) for g in gradients))
    factor = min(1.0, limit / norm) if norm > 0 else 1.0  # (clip-norm)
    return [g * factor for g in gradients], norm


def clipped_update(weights, gradients, rate, limit):
    """One step of clipped gradient descent: the new weights, or the old ones if the norm is not finite."""
    clipped, norm = clip_by_global_norm(gradients, limit)
    if not np.isfinite(norm):
        return weights
    return [w - rate * g for w, g in zip(weights, clipped, strict=True)]


def orthogonal_init(size, seed):
    """A random orthogonal matrix (size, size)."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(size, size))
    Q, R = np.linalg.qr(A)
    return Q * np.sign(np.diag(R))


def identity_init(D, H, seed):
    """The start of an IRNN: U (D, H), W (H, H), b (H,)."""
    rng = np.random.default_rng(seed)
    U = 0.001 * rng.normal(size=(D, H))
    return U, np.eye(H), np.zeros(H)


def irnn_step(x, h, U, W, b):
    """One step: x (B, D), h (B, H), U (D, H), W (H, H), b (H,) -> the new state (B, H), its Jacobian (B, H, H)."""
    new = np.maximum(x @ U + h @ W + b, 0)
    moves = new > 0
    return new, moves[:, :, None] * W.T


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _growth_cases():
    rng = np.random.default_rng(0)
    turn = np.array([[np.cos(2.0), np.sin(2.0)], [-np.sin(2.0), np.cos(2.0)]])
    return [
        {"W": 0.8 * turn},
        {"W": np.array([[0.9, 2.0], [0.0, 0.9]])},
        {"W": rng.normal(size=(4, 4))},
        {"W": rng.normal(size=(3, 3)).astype(np.float32)},
    ]


def _jacobian_case(seed, T, H, dtype=np.float64):
    rng = np.random.default_rng(seed)
    states = np.tanh(rng.normal(size=(T, H)))
    return {"states": states.astype(dtype), "W": rng.normal(size=(H, H)).astype(dtype)}


def _jacobian_cases():
    return [_jacobian_case(1, T=1, H=2), _jacobian_case(2, T=4, H=3), _jacobian_case(3, T=3, H=3, dtype=np.float32)]


def _arrays(seed, size, dtype=np.float64, D=2, H=3):
    """Something for U, W and b, with a common norm of `size`."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in ((D, H), (H, H), (H,))]
    norm = np.sqrt(sum(np.sum(a * a) for a in arrays))
    return [(size / norm * a).astype(dtype) for a in arrays]


def _clip_cases():
    return [
        {"gradients": _arrays(4, size=20.0), "limit": 2.0},
        {"gradients": _arrays(5, size=0.5, D=3, H=2), "limit": 2.0},
        {"gradients": _arrays(6, size=1.1, H=1), "limit": 1.0},  # no array is that long by itself
        {"gradients": _arrays(7, size=5.0, dtype=np.float32), "limit": 0.5},
    ]


def _update_case(seed, size, rate, limit, dtype=np.float64):
    return {
        "weights": _arrays(seed, 3.0, dtype),
        "gradients": _arrays(seed + 1, size, dtype),
        "rate": rate,
        "limit": limit,
    }


def _update_cases():
    infinite = _update_case(14, size=1.0, rate=0.5, limit=1.0)
    infinite["gradients"][1][2, 0] = np.inf
    return [
        _update_case(8, size=20.0, rate=0.3, limit=2.0),
        _update_case(10, size=0.4, rate=0.3, limit=2.0),
        _update_case(12, size=5.0, rate=0.1, limit=0.5, dtype=np.float32),
        infinite,
    ]


def _orthogonal_cases():
    return [{"size": 3, "seed": 0}, {"size": 1, "seed": 3}, {"size": 5, "seed": 1}]


def _identity_cases():
    return [{"D": 2, "H": 3, "seed": 0}, {"D": 3, "H": 3, "seed": 1}, {"D": 4, "H": 1, "seed": 2}]


def _irnn_case(seed, B, D, H, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = {"x": (B, D), "h": (B, H), "U": (D, H), "W": (H, H), "b": (H,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _irnn_cases():
    return [
        _irnn_case(15, B=2, D=3, H=4),
        _irnn_case(16, B=1, D=2, H=2),
        _irnn_case(17, B=3, D=2, H=3),
        _irnn_case(18, B=3, D=3, H=3, dtype=np.float32),
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_RADIUS, _STRETCH = "np.abs(eigenvalues).max()", "singular_values.max()"
_BOTH = f"{_RADIUS}, {_STRETCH}"

GROWTH_MISTAKES = (
    Mistake("real parts", "only the real parts of the eigenvalues are looked at. An eigenvalue with real part 0 can "
            "be large all the same: what counts is its absolute value.", ((_RADIUS, "eigenvalues.real.max()"),)),
    Mistake("absolute real parts", "the absolute value is taken of the real parts. Take it of the complex "
            "eigenvalue: it also counts how far it lies from the real axis.",
            ((_RADIUS, "np.abs(eigenvalues.real).max()"),)),
    Mistake("smallest eigenvalue", "the eigenvalue nearest to 0 is taken; in the long run the farthest decides.",
            ((_RADIUS, "np.abs(eigenvalues).min()"),)),
    Mistake("mean eigenvalue", "the mean of the absolute eigenvalues is taken instead of the largest.",
            ((_RADIUS, "np.abs(eigenvalues).mean()"),)),
    Mistake("sum of eigenvalues", "the eigenvalues are added up: that is the trace, not the radius.",
            ((_RADIUS, "np.abs(eigenvalues.sum())"),)),
    Mistake("squared radius", "the radius comes out squared: `abs(z)**2` is not the absolute value of z.",
            ((_RADIUS, "(np.abs(eigenvalues) ** 2).max()"),)),
    Mistake("symmetric solver", "`eigvalsh` is used. It believes that W is symmetric and reads one half of it only.",
            (("np.linalg.eigvals(W)", "np.linalg.eigvalsh(W)"),)),
    Mistake("smallest singular value", "the smallest singular value is taken instead of the largest.",
            ((_STRETCH, "singular_values.min()"),)),
    Mistake("no root", "the singular value is still squared: the eigenvalues of W.T @ W are squares.",
            ((_STRETCH, "(singular_values ** 2).max()"),)),
    Mistake("Frobenius norm", "the second number is the root of the sum of all squared entries (what "
            "`np.linalg.norm` gives by default). That is larger than the most that any row is stretched.",
            ((_STRETCH, "np.linalg.norm(W)"),)),
    Mistake("largest column sum", "the second number is the largest sum of a column, which `norm(W, 1)` gives, and "
            "not a singular value.", ((_STRETCH, "np.linalg.norm(W, 1)"),)),
    Mistake("largest row sum", "the second number is the largest sum of a row, which `norm(W, np.inf)` gives, and "
            "not a singular value.", ((_STRETCH, "np.linalg.norm(W, np.inf)"),)),
    Mistake("nuclear norm", "the singular values are added up instead of taking the largest.",
            ((_STRETCH, "singular_values.sum()"),)),
    Mistake("swapped", "the two numbers are in the wrong order: first the spectral radius.",
            ((_BOTH, f"{_STRETCH}, {_RADIUS}"),)),
    Mistake("radius twice", "the spectral radius is given for both. Only for special matrices, such as symmetric "
            "ones, are they equal.", ((_BOTH, f"{_RADIUS}, {_RADIUS}"),)),
    Mistake("singular value twice", "the largest singular value is given for both. Only for special matrices, such "
            "as symmetric ones, are they equal.", ((_BOTH, f"{_STRETCH}, {_STRETCH}"),)),
    Mistake("radius only", "only the spectral radius is returned.", ((_BOTH, _RADIUS),)),
    Mistake("all values", "all eigenvalues and singular values are returned instead of the largest of each.",
            ((_BOTH, "np.abs(eigenvalues), singular_values"),)),
)  # fmt: skip

_FACTOR = "product = np.diag(1 - h**2) @ W.T @ product"


def _jacobian(name, sentence, new):
    return Mistake(name, sentence, ((_FACTOR, new),))


JACOBIAN_MISTAKES = (
    _jacobian("W not transposed", "W stands where its transpose should: in W a row is an old unit, in the Jacobian a "
              "row is a new one.", "product = np.diag(1 - h**2) @ W @ product"),
    _jacobian("order reversed", "later steps are multiplied from the right. The last step has to stand leftmost.",
              "product = product @ np.diag(1 - h**2) @ W.T"),
    _jacobian("slopes on the wrong side", "the slopes multiply the columns of the transposed W, so that they scale "
              "the old units. The slope belongs to the new unit.", "product = W.T @ np.diag(1 - h**2) @ product"),
    Mistake("result transposed", "the result is transposed: row j should be the unit of h_T, column i that of h_0.",
            (("return product", "return product.T"),)),
    _jacobian("slope of the state", "tanh is taken once more. The states are outputs of tanh already, and its slope "
              "can be written in terms of them.", "product = np.diag(1 - np.tanh(h) ** 2) @ W.T @ product"),
    _jacobian("slope not squared", "the slope is taken as 1 - h; the derivative of tanh holds a square.",
              "product = np.diag(1 - h) @ W.T @ product"),
    _jacobian("slope of the sigmoid", "the slope h (1 - h) of the sigmoid stands where that of tanh should.",
              "product = np.diag(h * (1 - h)) @ W.T @ product"),
    _jacobian("slope forgotten", "the slopes of tanh are left out: this is the Jacobian of a linear network.",
              "product = W.T @ product"),
    _jacobian("slope is the state", "the states themselves stand on the diagonal instead of the slopes there.",
              "product = np.diag(h) @ W.T @ product"),
    _jacobian("W forgotten", "only the slopes are multiplied; each step also has the matrix of the recurrent weights.",
              "product = np.diag(1 - h**2) @ product"),
    _jacobian("added up", "the Jacobians of the steps are added. The chain rule multiplies them.",
              "product = product + np.diag(1 - h**2) @ W.T"),
    _jacobian("entry by entry", "the matrices are multiplied entry by entry (`*`); the chain rule needs a matrix "
              "product.", "product = product * (np.diag(1 - h**2) @ W.T)"),
    _jacobian("last step only", "only the Jacobian of the last step comes out: the product of the earlier ones is "
              "overwritten.", "product = np.diag(1 - h**2) @ W.T"),
    Mistake("starts from zeros", "the product starts from zeros and stays there. A product of no matrices is the "
            "unit matrix.", (("np.eye(len(W), dtype=W.dtype)", "np.zeros_like(W)"),)),
    Mistake("one W too many", "the product starts from the recurrent weights, so there is one factor more than there "
            "are steps.", (("np.eye(len(W), dtype=W.dtype)", "W.T"),)),
    Mistake("last step missing", "the last step is left out: T states mean T factors.",
            (("for h in states:", "for h in states[:-1]:"),)),
    Mistake("first step missing", "the first step is left out. It leads from h_0 to h_1 and has a factor of its own.",
            (("for h in states:", "for h in states[1:]:"),)),
    Mistake("float64 only", "the result is always float64: `np.eye` and `np.zeros` need a dtype.",
            ((", dtype=W.dtype)", ")"),)),
    _jacobian("states overwritten", "the slopes are written into the array of the states (`h *= …` or `h[:] = …`).",
              "h[:] = 1 - h**2\n        product = np.diag(h) @ W.T @ product"),
)  # fmt: skip

_NORM = "np.sqrt(sum(np.sum(g * g) for g in gradients))"
_SCALE = "min(1.0, limit / norm) if norm > 0 else 1.0"
_CLIPPED = "return [g * factor for g in gradients], norm"

CLIP_MISTAKES = (
    Mistake("no root", "the root is missing: the sum of squares is taken for the norm.",
            ((_NORM, "sum(np.sum(g * g) for g in gradients)"),)),
    Mistake("norms added", "the norms of the arrays are added. Lengths at right angles add as squares.",
            ((_NORM, "sum(np.linalg.norm(g) for g in gradients)"),)),
    Mistake("largest norm", "the norm of the longest array is taken. The global norm is that of all arrays together.",
            ((_NORM, "max(np.linalg.norm(g) for g in gradients)"),)),
    Mistake("first array only", "only the first array enters the norm.",
            ((_NORM, "np.sqrt(np.sum(gradients[0] * gradients[0]))"),)),
    Mistake("absolute values", "the absolute values are added up. The norm is the root of the sum of squares.",
            ((_NORM, "sum(np.abs(g).sum() for g in gradients)"),)),
    Mistake("largest entry", "the largest entry is taken for the norm.",
            ((_NORM, "max(np.abs(g).max() for g in gradients)"),)),
    Mistake("root mean square", "squares are averaged. The norm is the root of their sum, not of their mean.",
            ((_NORM, "np.sqrt(sum(np.sum(g * g) for g in gradients) / sum(g.size for g in gradients))"),)),
    Mistake("array by array", "each array is clipped by its own norm. Then they change by different factors, and the "
            "direction of the whole gradient is lost.",
            ((_CLIPPED, "return [g * min(1.0, limit / np.sqrt(np.sum(g * g))) for g in gradients], norm"),)),
    Mistake("by value", "every entry is cut by itself. That is clipping by value and turns the gradient.",
            ((_CLIPPED, "return [np.clip(g, -limit, limit) for g in gradients], norm"),)),
    Mistake("short ones stretched", "the factor is also above 1: a gradient shorter than the limit is made longer. "
            "It should stay as it is.", ((_SCALE, "limit / norm if norm > 0 else 1.0"),)),
    Mistake("max for min", "the factor is at least 1 instead of at most 1: long gradients are left alone.",
            ((_SCALE, "max(1.0, limit / norm) if norm > 0 else 1.0"),)),
    Mistake("factor upside down", "the factor is upside down: the longer the gradient, the smaller it has to be.",
            ((_SCALE, "min(1.0, norm / limit) if norm > 0 else 1.0"),)),
    Mistake("clipped to 1", "a long gradient gets the norm 1, whatever the limit is.",
            ((_SCALE, "1.0 / norm if norm > limit else 1.0"),)),
    Mistake("divided by the limit", "a long gradient is divided by the limit, whatever its norm is.",
            ((_SCALE, "1.0 / limit if norm > limit else 1.0"),)),
    Mistake("set to zero", "a long gradient is thrown away (set to zeros) instead of being shortened.",
            ((_SCALE, "0.0 if norm > limit else 1.0"),)),
    Mistake("never clipped", "nothing is clipped: the arrays come back as they were.", ((_SCALE, "1.0"),)),
    Mistake("norm afterwards", "the norm after clipping is returned. Give the one before: it tells what happened.",
            ((_CLIPPED, "return [g * factor for g in gradients], norm * factor"),)),
    Mistake("factor returned", "the factor is returned in place of the norm.",
            ((_CLIPPED, "return [g * factor for g in gradients], factor"),)),
    Mistake("norm missing", "only the arrays are returned; return the norm as well.",
            ((_CLIPPED, "return [g * factor for g in gradients]"),)),
    Mistake("in place", "the arrays are changed in place (`g *= …`). The caller still needs them.",
            ((_CLIPPED, "for g in gradients:\n        g *= factor\n    return gradients, norm"),)),
    Mistake("float64 only", "float32 gradients come back as float64. A NumPy float64 number makes an array float64, "
            "a Python number does not.", ((_CLIPPED, "return [g * np.float64(factor) for g in gradients], norm"),)),
)  # fmt: skip

_CALL = "clipped, norm = clip_by_global_norm(gradients, limit)"
_GUARD = "if not np.isfinite(norm):\n        return weights"
_STEP = "return [w - rate * g for w, g in zip(weights, clipped, strict=True)]"

UPDATE_MISTAKES = (
    Mistake("uphill", "the step goes up the gradient. The loss should fall.",
            ((_STEP, _STEP.replace("w - rate", "w + rate")),)),
    Mistake("not clipped", "the gradients are used as they were, not the clipped ones.",
            ((_STEP, _STEP.replace("clipped", "gradients")),)),
    Mistake("rate forgotten", "the learning rate is left out.", ((_STEP, _STEP.replace("rate * g", "g")),)),
    Mistake("rate divides", "the gradients are divided by the learning rate; it is a factor.",
            ((_STEP, _STEP.replace("rate * g", "g / rate")),)),
    Mistake("infinity not noticed", "an infinite gradient is not noticed, and NaN or infinity gets into the weights. "
            "(`np.isnan` is false for infinity, and 0 times infinity is NaN.)", ((_GUARD, "pass"),)),
    Mistake("long gradients skipped", "the update is skipped whenever the norm is above the limit. Long gradients "
            "are to be shortened; only those that are not finite are useless.",
            ((_GUARD, "if not norm <= limit:\n        return weights"),)),
    Mistake("zeros when skipped", "zeros take the place of the weights in a skipped update, which erases what was "
            "learned. The weights stay as they are.",
            ((_GUARD, "if not np.isfinite(norm):\n        return [np.zeros_like(w) for w in weights]"),)),
    Mistake("nothing when skipped", "a skipped update returns None. Return the old weights.",
            ((_GUARD, "if not np.isfinite(norm):\n        return None"),)),
    Mistake("error when skipped", "an error is raised for an infinite gradient. Here the update is skipped, and "
            "training goes on.", ((_GUARD, "if not np.isfinite(norm):\n        raise FloatingPointError(norm)"),)),
    Mistake("rest used", "what is not finite is replaced by 0, and the rest is used. The rest comes from the same "
            "broken pass back and cannot be trusted: skip the whole update.",
            ((_CALL, f"gradients = [np.where(np.isfinite(g), g, 0) for g in gradients]\n    {_CALL}"),)),
    Mistake("step instead of weights", "the steps are returned instead of the weights after the step.",
            ((_STEP, _STEP.replace("w - rate * g", "-rate * g")),)),
    Mistake("limit on the step", "the limit is applied to rate times gradient. It limits the gradient; the rate "
            "comes after.",
            ((_CALL, "clipped, norm = clip_by_global_norm([rate * g for g in gradients], limit)"),
             (_STEP, _STEP.replace("rate * g", "g")))),
    Mistake("rate twice", "the learning rate is applied twice, to the gradients and to the limit or the step.",
            ((_CALL, "clipped, norm = clip_by_global_norm([rate * g for g in gradients], rate * limit)"),)),
    Mistake("array by array", "each array is clipped by itself. Hand all of them over together: they share one norm.",
            ((_CALL, f"{_CALL}\n    clipped = [clip_by_global_norm([g], limit)[0][0] for g in gradients]"),)),
    Mistake("weights clipped", "the new weights are clipped instead of the gradients.",
            ((_CALL, "clipped, norm = clip_by_global_norm(gradients, np.inf)"),
             (_STEP, f"new = {_STEP.removeprefix('return ')}\n    return clip_by_global_norm(new, limit)[0]"))),
    Mistake("norm returned too", "the norm is returned as well. Only the new weights are asked for.",
            ((_STEP, _STEP + ", norm"),)),
    Mistake("in place", "the weights are changed in place (`w -= …`).",
            ((_STEP, "for w, g in zip(weights, clipped):\n        w -= rate * g\n    return weights"),)),
)  # fmt: skip

_DRAW, _QR, _SIGNED = "rng.normal(size=(size, size))", "Q, R = np.linalg.qr(A)", "Q * np.sign(np.diag(R))"


def _orthogonal(name, sentence, new):
    return Mistake(name, sentence, ((_SIGNED, new),))


ORTHOGONAL_MISTAKES = (
    _orthogonal("signs not corrected", "the signs are left as the QR decomposition gives them. Then some orthogonal "
                "matrices come out more often than others; make the diagonal of R positive.", "Q"),
    _orthogonal("signs on the rows", "the signs multiply the rows of Q. For Q R to stay the same each sign of R's "
                "diagonal belongs to a column.", "Q * np.sign(np.diag(R))[:, None]"),
    _orthogonal("signs of Q", "the signs are taken from the diagonal of Q; they are those of R.",
                "Q * np.sign(np.diag(Q))"),
    _orthogonal("sign missing", "the columns of Q are multiplied by the diagonal of R itself. Take its signs alone, "
                "or the columns are not of length 1 any more.", "Q * np.diag(R)"),
    _orthogonal("signs reversed", "the diagonal of R is made negative instead of positive.",
                "-Q * np.sign(np.diag(R))"),
    _orthogonal("absolute values", "the entries of Q are made positive instead of the diagonal of R. Then the "
                "columns are not at right angles any more.", "np.abs(Q)"),
    _orthogonal("R returned", "R is returned, the triangular factor. The orthogonal one is Q.", "R"),
    _orthogonal("Gaussian returned", "the Gaussian matrix itself is returned. Its columns are neither of length 1 "
                "nor at right angles.", "A"),
    _orthogonal("transposed", "the transpose of the matrix is returned. It is orthogonal too, but not the one asked "
                "for.", "(Q * np.sign(np.diag(R))).T"),
    _orthogonal("columns of length 1", "the columns are brought to length 1, and that is all. They also have to "
                "stand at right angles.", "A / np.linalg.norm(A, axis=0)"),
    _orthogonal("scaled Gaussian", "a Gaussian matrix is divided by the root of its size. That keeps lengths on "
                "average; an orthogonal one keeps every length.", "A / np.sqrt(size)"),
    _orthogonal("divided by the radius", "a Gaussian matrix is divided by its spectral radius. That makes the radius "
                "1, but not the singular values.", "A / np.abs(np.linalg.eigvals(A)).max()"),
    _orthogonal("from the SVD", "the factor U of a singular value decomposition is taken. It is orthogonal, but the "
                "task asks for the factor of the QR decomposition.", "np.linalg.svd(A)[0]"),
    Mistake("uniform numbers", "the matrix is drawn from a uniform distribution; it has to be Gaussian.",
            ((_DRAW, "rng.uniform(-1, 1, size=(size, size))"),)),
    Mistake("seed ignored", "the generator is made with another seed, so every call gives the same matrix.",
            (("default_rng(seed)", "default_rng(0)"),)),
    Mistake("old generator", "the numbers come from the old `np.random.seed` or `RandomState`, which draws others. "
            "Use `np.random.default_rng(seed)`.", (("np.random.default_rng(seed)", "np.random.RandomState(seed)"),)),
)  # fmt: skip

_U, _START = "0.001 * rng.normal(size=(D, H))", "return U, np.eye(H), np.zeros(H)"

IDENTITY_MISTAKES = (
    Mistake("large input weights", "the input weights are not scaled: their standard deviation is 1.",
            ((_U, "rng.normal(size=(D, H))"),)),
    Mistake("variance for deviation", "0.001 is taken for the variance. It is the standard deviation.",
            ((_U, "0.001**0.5 * rng.normal(size=(D, H))"),)),
    Mistake("deviation squared", "0.001 is squared; it is the standard deviation.",
            ((_U, "0.001**2 * rng.normal(size=(D, H))"),)),
    Mistake("uniform input weights", "the input weights are uniform; they have to be Gaussian.",
            ((_U, "0.001 * rng.uniform(-1, 1, size=(D, H))"),)),
    Mistake("U transposed", "U has the shape (H, D); it has to lead from D inputs to H units.",
            ((_U, "0.001 * rng.normal(size=(H, D))"),)),
    Mistake("U drawn transposed", "U is drawn as (H, D) and then transposed, so that its numbers stand elsewhere. "
            "Draw it as (D, H).", ((_U, "0.001 * rng.normal(size=(H, D)).T"),)),
    Mistake("identity for the input", "the input weights are the identity too. Only the recurrent weights are.",
            ((_U, "np.eye(D, H)"),)),
    Mistake("seed ignored", "the generator is made with another seed, so every call gives the same weights.",
            (("default_rng(seed)", "default_rng(7)"),)),
    Mistake("old generator", "the numbers come from the old `np.random.seed` or `RandomState`, which draws others. "
            "Use `np.random.default_rng(seed)`.", (("np.random.default_rng(seed)", "np.random.RandomState(seed)"),)),
    Mistake("W of ones", "W is full of ones: then each unit adds up all others. The identity has ones on its "
            "diagonal alone.", ((_START, "return U, np.ones((H, H)), np.zeros(H)"),)),
    Mistake("W scaled", "the recurrent weights are scaled by 0.001 too, and the state is forgotten at once.",
            ((_START, "return U, 0.001 * np.eye(H), np.zeros(H)"),)),
    Mistake("Gaussian W", "the recurrent weights are drawn at random. They have to be the identity.",
            ((_START, "return U, 0.001 * rng.normal(size=(H, H)), np.zeros(H)"),)),
    Mistake("W perturbed", "random numbers are added to the identity.",
            ((_START, "return U, np.eye(H) + 0.001 * rng.normal(size=(H, H)), np.zeros(H)"),)),
    Mistake("whole numbers", "the identity is made of whole numbers. Weights are floats, or training cannot change "
            "them.", ((_START, "return U, np.eye(H, dtype=int), np.zeros(H)"),)),
    Mistake("bias of ones", "the bias is 1; it starts at 0.", ((_START, "return U, np.eye(H), np.ones(H)"),)),
    Mistake("random bias", "the bias is drawn at random; it starts at 0.",
            ((_START, "return U, np.eye(H), 0.001 * rng.normal(size=H)"),)),
    Mistake("bias for each input", "the bias has one entry an input; there is one for each hidden unit.",
            ((_START, "return U, np.eye(H), np.zeros(D)"),)),
    Mistake("bias missing", "the bias is not returned.", ((_START, "return U, np.eye(H)"),)),
    Mistake("order", "W stands before U. Return U, W, b in this order.",
            ((_START, "return np.eye(H), U, np.zeros(H)"),)),
)  # fmt: skip

_NEW, _MOVES = "np.maximum(x @ U + h @ W + b, 0)", "new > 0"
_PAIR = "return new, moves[:, :, None] * W.T"


def _state(name, sentence, new):
    return Mistake(name, sentence, ((_NEW, new),))


def _jacobian_of_step(name, sentence, new):
    return Mistake(name, sentence, ((_PAIR, f"return new, {new}"),))


IRNN_MISTAKES = (
    _state("no bias", "the bias b is left out of the sum.", "np.maximum(x @ U + h @ W, 0)"),
    _state("bias outside", "the bias is added after ReLU; it belongs inside.", "np.maximum(x @ U + h @ W, 0) + b"),
    _state("no memory", "the old state does not enter the sum.", "np.maximum(x @ U + b, 0)"),
    _state("state without W", "the old state is added as if W were the identity for good. It starts there, and "
           "training changes it.", "np.maximum(x @ U + h + b, 0)"),
    _state("W transposed", "h is multiplied by W.T. Rows: the weights stand on the right as they are.",
           "np.maximum(x @ U + h @ W.T + b, 0)"),
    _state("tanh", "tanh stands where ReLU should.", "np.tanh(x @ U + h @ W + b)"),
    _state("absolute value", "the sum's absolute value is taken. ReLU sets negative sums to 0.",
           "np.abs(x @ U + h @ W + b)"),
    _state("no activation", "the sum is returned as it is, without ReLU.", "x @ U + h @ W + b"),
    _state("ReLU of each term", "ReLU is taken of each term; take it once, of the whole sum.",
           "np.maximum(x @ U, 0) + np.maximum(h @ W + b, 0)"),
    _state("leaky ReLU", "negative sums are kept, a hundredth of them. Plain ReLU sets them to 0.",
           "np.where(x @ U + h @ W + b > 0, 1, 0.01).astype(x.dtype) * (x @ U + h @ W + b)"),
    Mistake("always moving", "the slope is taken as 1 for every unit. ReLU has the slope 0 where it cuts off, and a "
            "state of 0 is not a reason for 1.", ((_MOVES, "new >= 0"),)),
    Mistake("slope of the old state", "the slopes are read off the old state. They belong to the units of the new "
            "one.", ((_MOVES, "h > 0"),)),
    Mistake("slope of tanh", "the slope of tanh stands where that of ReLU should.", ((_MOVES, "1 - new**2"),)),
    Mistake("state for slope", "the new state itself is taken for the slope. The slope of ReLU is 1 or 0.",
            ((_MOVES, "new"),)),
    Mistake("slope inverted", "the slopes are the wrong way round: 1 where the unit is cut off.",
            ((_MOVES, "new == 0"),)),
    _jacobian_of_step("Jacobian transposed", "the Jacobian is transposed: row j should be the new unit, column i the "
                      "old one.", "moves[:, None, :] * W"),
    _jacobian_of_step("W in place of its transpose", "W stands in the Jacobian where its transpose should: in W a "
                      "row is an old unit.", "moves[:, :, None] * W"),
    _jacobian_of_step("slopes on the columns", "the slopes multiply the columns of the Jacobian, the old units. Row "
                      "j is the new unit j, and so is its slope.", "moves[:, None, :] * W.T"),
    _jacobian_of_step("one Jacobian", "the Jacobians of the batch are added up. Each example has its own.",
                      "(moves[:, :, None] * W.T).sum(axis=0)"),
    _jacobian_of_step("slopes alone", "only the slopes stand on the diagonal; W is missing.",
                      "moves[:, :, None] * np.eye(len(W), dtype=W.dtype)"),
    Mistake("order", "the two results are in the wrong order: first the state.",
            ((_PAIR, "return moves[:, :, None] * W.T, new"),)),
    Mistake("state only", "only the state is returned; return the Jacobian as well.", ((_PAIR, "return new"),)),
    Mistake("float64 only", "float32 comes back as float64. Look for `np.zeros`, `np.eye` or `astype` without the "
            "dtype of x.", ((_PAIR, "return new.astype(float), moves[:, :, None] * W.T"),)),
    Mistake("state overwritten", "the new state is written into the array h itself (`h[:] = …`).",
            (("return new,", "h[:] = new\n    return h,"),)),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

GROWTH_VARIANTS = (
    Variant("square roots", """\
def growth(W):
    squares = np.linalg.eigvalsh(W.T @ W)
    return abs(np.linalg.eigvals(W)).max(), np.sqrt(squares.max())"""),
    Variant("norm of order 2", """\
def growth(W):
    return max(abs(z) for z in np.linalg.eigvals(W)), np.linalg.norm(W, 2)"""),
    Variant("Python numbers", """\
def growth(W):
    values, vectors = np.linalg.eig(W)
    radius = np.sqrt(values.real**2 + values.imag**2).max()
    return float(radius), float(np.linalg.svd(W)[1][0])"""),
    Variant("the transpose", """\
def growth(W):
    return np.sort(np.abs(np.linalg.eigvals(W.T)))[-1], np.linalg.svd(W.T, compute_uv=False)[0]"""),
    Variant("a list", """\
def growth(W):
    values = np.linalg.eigvals(W)
    return [np.abs(values[np.argmax(np.abs(values))]), np.linalg.svd(W)[1].max()]"""),
    Variant("PyTorch inside", """\
import torch
def growth(W):
    A = torch.from_numpy(W)
    return torch.linalg.eigvals(A).abs().max().item(), torch.linalg.matrix_norm(A, 2).item()"""),
)  # fmt: skip

JACOBIAN_VARIANTS = (
    Variant("slopes as a column", """\
def jacobian_product(states, W):
    J = np.eye(len(W)).astype(W.dtype)
    for h in states:
        J = (1 - h * h)[:, None] * (W.T @ J)
    return J"""),
    Variant("from the end", """\
def jacobian_product(states, W):
    rows = np.eye(len(W), dtype=W.dtype)
    for h in reversed(states):
        rows = (rows * (1 - h**2)) @ W.T
    return rows"""),
    Variant("transposed throughout", """\
def jacobian_product(states, W):
    P = np.identity(len(W), W.dtype)
    for h in states:
        P = P @ (W * (1 - h**2))
    return P.T"""),
    Variant("all Jacobians at once", """\
import functools
def jacobian_product(states, W):
    steps = (1 - states**2)[:, :, None] * W.T
    return functools.reduce(lambda product, step: step @ product, steps)"""),
    Variant("einsum", """\
def jacobian_product(states, W):
    J = np.eye(len(W), dtype=W.dtype)
    for slope in 1 - np.square(states):
        J = np.einsum("j,kj,ki->ji", slope, W, J)
    return J"""),
    Variant("row by row", """\
def jacobian_product(states, W):
    J = np.zeros_like(W)
    for j in range(len(W)):
        g = np.zeros_like(W[0])
        g[j] = 1
        for t in range(len(states) - 1, -1, -1):
            g = W @ (g * (1 - states[t] ** 2))
        J[j] = g
    return J"""),
    Variant("PyTorch inside", """\
import torch
def jacobian_product(states, W):
    J, W = torch.eye(len(W), dtype=torch.from_numpy(W).dtype), torch.from_numpy(W)
    for h in torch.from_numpy(states):
        J = torch.diag(1 - h**2) @ W.T @ J
    return J.numpy()"""),
)  # fmt: skip

CLIP_VARIANTS = (
    Variant("one long vector", """\
def clip_by_global_norm(gradients, limit):
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
    if norm <= limit:
        return list(gradients), norm
    return [g / norm * limit for g in gradients], norm"""),
    Variant("norm of the norms", """\
def clip_by_global_norm(gradients, limit):
    norm = float(np.linalg.norm([np.linalg.norm(g) for g in gradients]))
    scale = limit / max(norm, limit)
    return [scale * g for g in gradients], norm"""),
    Variant("in float64 inside", """\
def clip_by_global_norm(gradients, limit):
    total = sum(float(np.sum(g.astype(np.float64) ** 2)) for g in gradients)
    norm = total**0.5
    return [(g * (limit / norm if norm > limit else 1)).astype(g.dtype) for g in gradients], norm"""),
    Variant("loops", """\
import math
def clip_by_global_norm(gradients, limit):
    squares = 0.0
    for g in gradients:
        for value in g.flat:
            squares += float(value) ** 2
    norm, clipped = math.sqrt(squares), []
    for g in gradients:
        clipped.append(g.copy())
        if norm > limit:
            clipped[-1] *= limit / norm
    return clipped, norm"""),
    Variant("a tuple of arrays, dot products", """\
def clip_by_global_norm(gradients, limit):
    norm = np.sqrt(sum(np.vdot(g, g) for g in gradients))
    with np.errstate(divide="ignore"):
        factor = np.minimum(1, limit / norm)
    return tuple(g * factor.astype(g.dtype) for g in gradients), norm"""),
    Variant("PyTorch inside", """\
import torch
def clip_by_global_norm(gradients, limit):
    tensors = [torch.from_numpy(g) for g in gradients]
    norm = torch.stack([(t * t).sum() for t in tensors]).sum().sqrt()
    factor = torch.clamp(limit / norm, max=1.0)
    return [(t * factor).numpy() for t in tensors], norm.item()"""),
)  # fmt: skip

UPDATE_VARIANTS = (
    Variant("copies when skipped", """\
def clipped_update(weights, gradients, rate, limit):
    gradients, norm = clip_by_global_norm(gradients, limit)
    if np.isnan(norm) or np.isinf(norm):
        return [w.copy() for w in weights]
    new = []
    for w, g in zip(weights, gradients):
        new.append(w - rate * g)
    return new"""),
    Variant("every entry asked first", """\
def clipped_update(weights, gradients, rate, limit):
    if not all(np.isfinite(g).all() for g in gradients):
        return list(weights)
    return [w - rate * g for w, g in zip(weights, clip_by_global_norm(gradients, limit)[0])]"""),
    Variant("step as a factor of the rate", """\
def clipped_update(weights, gradients, rate, limit):
    norm = clip_by_global_norm(gradients, limit)[1]
    if not norm < np.inf:
        return weights
    pace = rate * min(1.0, limit / max(norm, 1e-300))
    return [w - pace * g for w, g in zip(weights, gradients)]"""),
    Variant("without the earlier task", """\
def clipped_update(weights, gradients, rate, limit):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    if np.isfinite(norm):
        scale = 1.0 if norm <= limit else limit / norm
        weights = [np.subtract(w, rate * scale * g) for w, g in zip(weights, gradients)]
    return weights"""),
    Variant("clipping the step by the scaled limit", """\
def clipped_update(weights, gradients, rate, limit):
    steps, norm = clip_by_global_norm([rate * g for g in gradients], rate * limit)
    return [w - s for w, s in zip(weights, steps)] if np.isfinite(norm) else weights"""),
    Variant("a tuple", """\
def clipped_update(weights, gradients, rate, limit):
    clipped, norm = clip_by_global_norm(gradients, limit)
    fine = bool(np.isfinite(norm))
    return tuple(w + (-rate) * g if fine else w for w, g in zip(weights, clipped))"""),
)  # fmt: skip

ORTHOGONAL_VARIANTS = (
    Variant("Gram and Schmidt", """\
def orthogonal_init(size, seed):
    A = np.random.default_rng(seed).normal(size=(size, size))
    Q = np.zeros((size, size))
    for k in range(size):
        q = A[:, k].copy()
        for _ in range(2):
            for j in range(k):
                q -= (q @ Q[:, j]) * Q[:, j]
        Q[:, k] = q / np.linalg.norm(q)
    return Q"""),
    Variant("a diagonal matrix", """\
def orthogonal_init(size, seed):
    Q, R = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return Q @ np.diag(np.sign(np.diag(R)))"""),
    Variant("column by column", """\
def orthogonal_init(size, seed):
    rng = np.random.default_rng(seed)
    Q, R = np.linalg.qr(rng.normal(size=(size, size)))
    for k in range(size):
        if R[k, k] < 0:
            Q[:, k] *= -1
    return Q"""),
    Variant("divided by the absolute value", """\
def orthogonal_init(size, seed):
    Q, R = np.linalg.qr(np.random.default_rng(seed).normal(0, 1, (size, size)))
    d = np.diagonal(R)
    return Q * (d / np.abs(d))"""),
    Variant("where", """\
def orthogonal_init(size, seed):
    A = np.random.default_rng(seed).normal(size=size * size).reshape(size, size)
    Q, R = np.linalg.qr(A)
    return np.where(np.diag(R) < 0, -Q, Q)"""),
    Variant("PyTorch inside", """\
import torch
def orthogonal_init(size, seed):
    A = torch.from_numpy(np.random.default_rng(seed).normal(size=(size, size)))
    Q, R = torch.linalg.qr(A)
    return (Q * torch.sign(torch.diagonal(R))).numpy()"""),
)  # fmt: skip

IDENTITY_VARIANTS = (
    Variant("standard deviation as an argument", """\
def identity_init(D, H, seed):
    U = np.random.default_rng(seed).normal(0.0, 0.001, size=(D, H))
    return U, np.identity(H), np.zeros((H,))"""),
    Variant("divided by a thousand", """\
def identity_init(D, H, seed):
    return np.random.default_rng(seed).standard_normal((D, H)) / 1000, np.diag(np.ones(H)), np.zeros(H)"""),
    Variant("a list, filled by hand", """\
def identity_init(D, H, seed):
    rng = np.random.default_rng(seed)
    U, W = np.zeros((D, H)), np.zeros((H, H))
    for i in range(D):
        for j in range(H):
            U[i, j] = rng.normal(scale=1e-3)
    for j in range(H):
        W[j, j] = 1
    return [U, W, np.array([0.0] * H)]"""),
    Variant("drawn flat", """\
def identity_init(D, H, seed):
    numbers = np.random.default_rng(seed).normal(size=D * H)
    return 1e-3 * numbers.reshape(D, H), np.eye(H, H), np.full(H, 0.0)"""),
    Variant("compared indices", """\
def identity_init(D, H, seed):
    U = np.multiply(0.001, np.random.default_rng(seed).normal(size=(D, H)))
    k = np.arange(H)
    return U, (k[:, None] == k).astype(float), 0.0 * k"""),
)  # fmt: skip

IRNN_VARIANTS = (
    Variant("diagonal matrices", """\
def irnn_step(x, h, U, W, b):
    z = x @ U + h @ W + b
    slopes = (z > 0).astype(x.dtype)
    return z * slopes, np.stack([np.diag(s) @ W.T for s in slopes])"""),
    Variant("einsum", """\
def irnn_step(x, h, U, W, b):
    new = np.einsum("bd,dh->bh", x, U) + np.einsum("bi,ij->bj", h, W) + b
    new[new < 0] = 0
    return new, np.einsum("bj,ij->bji", np.sign(new), W)"""),
    Variant("loops", """\
def irnn_step(x, h, U, W, b):
    B, H = h.shape
    new, J = np.zeros_like(h), np.zeros((B, H, H), h.dtype)
    for n in range(B):
        for j in range(H):
            z = x[n] @ U[:, j] + h[n] @ W[:, j] + b[j]
            if z > 0:
                new[n, j] = z
                J[n, j] = W[:, j]
    return new, J"""),
    Variant("rows set to zero", """\
def irnn_step(x, h, U, W, b):
    new = np.clip(np.hstack([x, h]) @ np.vstack([U, W]) + b, 0, None)
    J = np.repeat(W.T[None], len(x), axis=0)
    J[new == 0] = 0
    return new, J"""),
    Variant("where", """\
def irnn_step(x, h, U, W, b):
    z = b + x @ U + h @ W
    return [np.where(z > 0, z, 0), np.where(z[..., None] > 0, W.T[None], 0)]"""),
    Variant("PyTorch inside", """\
import torch
def irnn_step(x, h, U, W, b):
    x, h, U, W, b = map(torch.from_numpy, (x, h, U, W, b))
    z = x @ U + h @ W + b
    return torch.relu(z).numpy(), ((z > 0).to(z.dtype)[:, :, None] * W.T).numpy()"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource


def _three(name):
    """The outputs of a list of three arrays, shaped as U, W and b are."""
    axes = (("row", "column"), ("row", "column"), ("unit",))
    return tuple((f"{name}[{i}]", names) for i, names in enumerate(axes))


GROWTH = Task("growth", _source(growth), (("the spectral radius", ()), ("the largest singular value", ())),
              _growth_cases, GROWTH_MISTAKES, GROWTH_VARIANTS)  # fmt: skip
JACOBIAN = Task("jacobian_product", _source(jacobian_product), (("dh_T / dh_0", ("new unit", "old unit")),),
                _jacobian_cases, JACOBIAN_MISTAKES, JACOBIAN_VARIANTS)  # fmt: skip
CLIP = Task("clip_by_global_norm", _source(clip_by_global_norm), (*_three("clipped gradients"), ("the norm", ())),
            _clip_cases, CLIP_MISTAKES, CLIP_VARIANTS)  # fmt: skip
UPDATE = Task("clipped_update", _source(clipped_update), _three("new weights"), _update_cases,
              UPDATE_MISTAKES, UPDATE_VARIANTS, uses=(CLIP,))  # fmt: skip
ORTHOGONAL = Task("orthogonal_init", _source(orthogonal_init), (("the matrix", ("row", "column")),),
                  _orthogonal_cases, ORTHOGONAL_MISTAKES, ORTHOGONAL_VARIANTS)  # fmt: skip
IDENTITY = Task("identity_init", _source(identity_init),
                (("U", ("input", "unit")), ("W", ("old unit", "new unit")), ("b", ("unit",))),
                _identity_cases, IDENTITY_MISTAKES, IDENTITY_VARIANTS)  # fmt: skip
IRNN = Task("irnn_step", _source(irnn_step),
            (("the new state", ("example", "unit")), ("the Jacobian", ("example", "new unit", "old unit"))),
            _irnn_cases, IRNN_MISTAKES, IRNN_VARIANTS)  # fmt: skip

TASKS = (GROWTH, JACOBIAN, CLIP, UPDATE, ORTHOGONAL, IDENTITY, IRNN)
check = diagnose.checker(*TASKS)
