"""What the search finds by name, beside words and headings: equations, terms, the tasks of exercises, functions.

Sphinx's search knows the "objects" of its domains. This domain holds no state of its own: it collects what the pages
hold anyway. An equation is called by its label, made readable, or by a better name in `NAMES`.
"""

import re
from pathlib import Path
from typing import ClassVar

import code_pages
import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.domains import Domain, ObjType

NAMES = {
    "elman-state": "State of a recurrent network (Elman)",
    "elman-output": "Output of a recurrent network (Elman)",
    "substitution": "The recurrence written out, unrolled",
    "doubling": "The worked example, doubling",
    "masked-state": "State with a mask, padding",
    "jordan-state": "State of a Jordan network",
    "loss-sum": "Loss of a sequence, cross-entropy",
    "output-error": "Gradient at the output",
    "bptt-V": "Gradient of V and c",
    "bptt-sensitivity": "Sensitivity of a state to a weight",
    "bptt-jacobian": "Jacobian of one step",
    "bptt-product": "Product of Jacobians",
    "bptt-paths": "Gradient of W over all paths",
    "bptt-delta": "Delta of back-propagation through time",
    "bptt-U": "Gradient of U, input weights",
    "bptt-W": "Gradient of W, recurrent weights",
    "bptt-b": "Gradient of b, bias",
    "bptt-first": "Gradient of the first state",
    "bptt-input": "Gradient of the input",
    "bptt-mask": "Gradient with a mask, padding",
    "scalar-power": "Power of a single weight",
    "state-jacobian": "Jacobian over many steps",
    "pull-back": "Gradient pulled back one step",
    "norm-bound": "Bound on the norm of the gradient",
    "power-bounds": "Bounds on the power of a matrix, spectral radius",
    "shear-power": "Power of a shear",
    "saturation": "Slopes of tanh and sigmoid, saturation",
    "log-spread": "Spread of a product of weights",
    "clip-norm": "Clipping by the global norm",
    "clip-value": "Clipping by value",
    "leaky-state": "State of leaky units",
    "skip-state": "State with skip connections",
    "clockwork-state": "State of clockwork units",
    "lstm-gates": "Gates of the LSTM",
    "lstm-cell": "Cell state of the LSTM",
    "lstm-hidden": "Hidden state of the LSTM",
    "sigmoid-tanh": "Sigmoid and tanh",
    "lstm-fused": "All gates of the LSTM in one product",
    "lstm-dh": "LSTM backwards: gradient of the hidden state",
    "lstm-dc": "LSTM backwards: gradient of the cell state",
    "lstm-sums": "LSTM backwards: gradients of the gates",
    "lstm-weights": "LSTM backwards: gradients of the weights",
    "lstm-first": "LSTM backwards: gradient of the first states",
    "lstm-belt": "Gradient along the cell state, conveyor belt",
    "half-life": "Half-life of a memory",
    "lstm-jacobian": "Jacobian of the LSTM",
    "chrono-bias": "Chrono initialisation, bias of the forget gate",
    "lstm-1997": "LSTM of 1997, without forget gate",
    "peephole-gates": "Gates with peepholes",
    "peephole-dc": "Peepholes backwards: gradient of the cell state",
    "peephole-weights": "Peepholes backwards: gradients of the weights",
    "coupled-cell": "Cell state with coupled gates",
    "coupled-sums": "Coupled gates backwards",
    "gru-gates": "Gates of the GRU",
    "gru-candidate": "Candidate of the GRU",
    "gru-state": "State of the GRU",
    "gru-average": "The GRU as a running average",
    "gru-swap": "Update gate, the other way round",
    "reset-before": "Candidate with the reset before the product",
    "gru-back-sums": "GRU backwards: gradients of the gates",
    "gru-back-state": "GRU backwards: gradient of the state",
    "gru-back-weights": "GRU backwards: gradients of the weights",
    "gru-back-input": "GRU backwards: gradient of the input",
    "gru-back-before": "GRU backwards: reset before the product",
    "gru-count": "Number of parameters",
    "bidirectional": "Bidirectional network",
    "fill-in": "Filling a gap from both sides",
    "masked-right": "State from the right with a mask, padding",
    "last-states": "Last states of both directions",
    "stacked-state": "State of a stack of layers",
    "between-layers": "Input of the next layer",
    "two-way-deltas": "Bidirectional backwards: deltas",
    "two-way-weights": "Bidirectional backwards: gradients of the weights",
    "two-way-input": "Bidirectional backwards: gradient of the input",
    "two-way-below": "Bidirectional backwards: gradient of the layer below",
    "survival": "Survival of a unit under dropout",
    "kneser-ney": "Kneser-Ney smoothing",
    "inverse-cdf": "Drawing a symbol: inverse distribution function",
    "discounts": "Discounts of Kneser-Ney smoothing",
    "chain-rule": "Chain rule of probabilities",
    "next-character": "Probability of the next character",
    "carried-state": "State carried over between pieces",
    "mixture": "Mixture of network and counting",
    "context-last": "Context: the last state",
    "context-mapped": "Context: the last state, mapped",
    "context-mean": "Context: the mean of all states",
    "decoder-state": "State of the decoder",
    "decoder-output": "Output of the decoder",
    "context": "Context of attention",
    "dot-score": "Dot score of attention",
    "general-score": "General score of attention",
    "additive-score": "Additive score of attention",
    "attentive-state": "State of the attentive decoder",
    "attentive-output": "Output of the attentive decoder",
    "two-paths": "Gradient on two paths, attention and recurrence",
    "permutation": "Self-attention does not see the order",
    "positions": "Positions as sines and cosines",
    "masked-mean": "Mean loss with a mask",
    "torch-gates": "Gates of torch.nn.LSTM",
    "sgd-momentum": "Stochastic gradient descent with momentum",
    "vector-jacobian": "Vector-Jacobian product",
}
TASK = re.compile(r"^## (\d+)\. (.*)", re.M)


def readable(label: str) -> str:
    """The name of an equation: elman-state is the "Elman state" unless `NAMES` knows better."""
    words = label.replace("-", " ")
    return NAMES.get(label, words.capitalize())


class Findable(Domain):
    name = "course"
    label = "Course"
    object_types: ClassVar = {kind: ObjType(kind) for kind in ("equation", "term", "exercise", "function")}

    def get_objects(self):
        """(name, shown name, kind, page, anchor, priority) of everything with a name."""
        for kind in self.object_types:
            for name, page, anchor in getattr(self, f"{kind}s")():
                # Sphinx shortens an anchor that is made of the name, and the search lengthens it by the shown name.
                yield f"{kind}:{page}:{name}", name, kind, page, anchor, 0

    def equations(self):
        for label, (page, _) in self.env.get_domain("math").equations.items():
            yield readable(label), page, code_pages.anchor_of(label)

    def terms(self):
        for name, _, kind, page, anchor, _ in self.env.get_domain("std").get_objects():
            if kind == "term":
                yield re.sub(r"[\\{}]", "", name), page, anchor

    def exercises(self):
        """The tasks of a chapter's exercise, at the section of the chapter that presents it."""
        released = Path(self.env.srcdir).parent / "exercises"
        for page in sorted(self.env.found_docs):
            path = released / page / f"{page}.ipynb"
            places = {entry.get("anchorname") for entry in self.env.tocs[page].findall(nodes.reference)}
            if path.exists() and "#exercise" in places:
                texts = (cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
                for number, title in TASK.findall("\n".join(texts)):
                    yield f"Exercise {number}: {title}", page, "exercise"

    def functions(self):
        """The functions that compute an equation, at the first equation of each page."""
        known = self.env.get_domain("math").equations
        first = {}
        for computed in code_pages.modules(self.env).values():
            for label, names in computed.items():
                for name in names:
                    if name and not any(part.startswith("_") for part in name.split(".")):
                        first.setdefault((name, known[label][0]), label)
        for (name, page), label in first.items():
            yield name, page, code_pages.anchor_of(label)


def forget_index_entries(app, doctree, page):
    """Sphinx makes index entries of glossary terms, which the search would show as second hits, without their names."""
    for node in doctree.findall(addnodes.index):
        node["entries"] = []


def setup(app):
    app.add_domain(Findable)
    app.connect("doctree-resolved", forget_index_entries)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
