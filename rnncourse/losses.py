"""Losses with their gradients, as small as they can be. Each averages over the real steps only."""

import numpy as np

from rnncourse.shapes import check_array, check_mask


def squared_error(output: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of (output - target)² over all entries, and its gradient with respect to the output.

    Both arrays have one shape. Raises ValueError if not, or if they are empty.
    """
    if output.shape != target.shape or output.size == 0:
        raise ValueError(f"output and target must have one shape, not empty, got {output.shape} and {target.shape}")
    error = output - target
    return float(np.mean(error**2)), 2 * error / error.size


def cross_entropy(logits: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Mean of -log softmax(logits)[label] over the real steps, in nats, and its gradient (B, T, K).

    `logits` (B, T, K), `labels` (B, T) of integers in [0, K), `mask` (B, T) True at real steps; what stands at
    padding is never read. Equations (loss-sum) and (output-error) of the chapter `bptt`, divided by the steps.
    Raises ValueError for shapes that do not fit, labels out of range and a mask without a real step, TypeError for
    labels that are no integers.
    """
    B, T, K = check_array("logits", logits, ("B", "T", "K"), {}).values()
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer):
        got = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
        raise TypeError(f"labels must be a NumPy array of integers, got {got}")
    if labels.shape != (B, T):
        raise ValueError(f"labels must have shape (B, T) = ({B}, {T}), got {labels.shape}")
    mask = np.ones((B, T), dtype=bool) if mask is None else mask
    check_mask(mask, B, T)
    real = labels[mask]  # (N,)
    if real.size == 0:
        raise ValueError("there is no real step to average over")
    if real.min() < 0 or real.max() >= K:
        raise ValueError(f"labels must lie in [0, {K}), got {real.min()} to {real.max()}")
    z = logits[mask]  # (N, K)
    z = z - z.max(axis=1, keepdims=True)  # softmax does not change, and exp cannot overflow
    log_total = np.log(np.exp(z).sum(axis=1, keepdims=True))
    d_real = np.exp(z - log_total)  # the probabilities
    places = np.arange(len(real))
    loss = float(np.mean(log_total[:, 0] - z[places, real]))
    d_real[places, real] -= 1
    d_logits = np.zeros_like(logits)
    d_logits[mask] = d_real / len(real)
    return loss, d_logits
