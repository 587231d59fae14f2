"""How this course, papers, PyTorch and Keras write the same cells: one table, for `convert` and for the book's pages.

A `Form` says where the weights lie and what they are called; `equations` says, from the same entries, what is computed.
The book prints these equations, the tests evaluate them on converted weights: what a page shows is what the cell does.

The papers are Graves, Mohamed and Hinton (2013) for the plain cell and the LSTM, in whose letters coupled gates are
written too, and Chung et al. (2014) for the GRU, with biases added. K and R are the book's letters for Keras's kernels.
"""

from typing import NamedTuple

from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell

ROWS, COLUMNS, TRANSPOSED = "x U", "U x", "x U^T"  # how a vector meets its weights


class Form(NamedTuple):
    """One cell in one convention; in the lists of symbols the gates stand in the order of `order`."""

    product: str  # ROWS, or one of those that need the transposed matrices
    order: str  # the course's letters of the gates, in the order in which the arrays hold them
    gates: list[str]  # what the gates are called there; symbols are in TeX
    U: list[str]  # weights from the input
    W: list[str]  # weights from the state
    biases: list[list[str]]  # one, or one from the input and one from the state
    names: list[str]  # of the arrays in code: weights from the input, from the state, biases
    z_keeps: bool = True  # the update gate multiplies the old state, not the candidate
    reset_before: bool = False  # the reset gate stands before the product with the state's weights


def _form(product: str, order: str, gates: str, U: str, W: str, biases: str, names: str, **gru) -> Form:
    symbols = [part.split() for part in biases.split("|")]
    return Form(product, order, gates.split(), U.split(), W.split(), symbols, names.split(" | "), **gru)


_HERE = "U | W | b_x + b_h"
_PAPER = "PaperWeights.U | PaperWeights.W | PaperWeights.b"
_TORCH = "weight_ih_l0 | weight_hh_l0 | bias_ih_l0 | bias_hh_l0"
_KERAS = "kernel | recurrent_kernel | bias"

# fmt: off
FORMS: dict[str, dict[type, Form]] = {
    "course": {
        RNNCell: _form(ROWS, "h", "h_t", "U", "W", "b", _HERE),
        LSTMCell: _form(ROWS, "ifgo", "i_t f_t g_t o_t", "U_i U_f U_g U_o", "W_i W_f W_g W_o",
                        "b_i b_f b_g b_o", _HERE),
        CoupledLSTMCell: _form(ROWS, "fgo", "f_t g_t o_t", "U_f U_g U_o", "W_f W_g W_o", "b_f b_g b_o", _HERE),
        GRUCell: _form(ROWS, "rzn", "r_t z_t n_t", "U_r U_z U_n", "W_r W_z W_n",
                       "b_{xr} b_{xz} b_{xn} | b_{hr} b_{hz} b_{hn}", "U | W | b_x | b_h"),
        ResetBeforeGRUCell: _form(ROWS, "rzn", "r_t z_t n_t", "U_r U_z U_n", "W_r W_z W_n", "b_r b_z b_n",
                                  "U | W and inner | b_x + b_h", reset_before=True),
    },
    "papers": {
        RNNCell: _form(COLUMNS, "h", "h_t", "W_{xh}", "W_{hh}", "b_h", _PAPER),
        LSTMCell: _form(COLUMNS, "ifgo", r"i_t f_t \tilde{c}_t o_t", "W_{xi} W_{xf} W_{xc} W_{xo}",
                        "W_{hi} W_{hf} W_{hc} W_{ho}", "b_i b_f b_c b_o", _PAPER),
        CoupledLSTMCell: _form(COLUMNS, "fgo", r"f_t \tilde{c}_t o_t", "W_{xf} W_{xc} W_{xo}", "W_{hf} W_{hc} W_{ho}",
                               "b_f b_c b_o", _PAPER),
        ResetBeforeGRUCell: _form(COLUMNS, "rzn", r"r_t z_t \tilde{h}_t", "W_r W_z W", "U_r U_z U", "b_r b_z b", _PAPER,
                                  z_keeps=False, reset_before=True),
    },
    "pytorch": {
        RNNCell: _form(TRANSPOSED, "h", "h_t", "W_{ih}", "W_{hh}", "b_{ih} | b_{hh}", _TORCH),
        LSTMCell: _form(COLUMNS, "ifgo", "i_t f_t g_t o_t", "W_{ii} W_{if} W_{ig} W_{io}",
                        "W_{hi} W_{hf} W_{hg} W_{ho}",
                        "b_{ii} b_{if} b_{ig} b_{io} | b_{hi} b_{hf} b_{hg} b_{ho}", _TORCH),
        GRUCell: _form(COLUMNS, "rzn", "r_t z_t n_t", "W_{ir} W_{iz} W_{in}", "W_{hr} W_{hz} W_{hn}",
                       "b_{ir} b_{iz} b_{in} | b_{hr} b_{hz} b_{hn}", _TORCH),
    },
    "keras": {
        RNNCell: _form(ROWS, "h", "h_t", "K", "R", "b", _KERAS),
        LSTMCell: _form(ROWS, "ifgo", r"i_t f_t \tilde{c}_t o_t", "K_i K_f K_c K_o", "R_i R_f R_c R_o",
                        "b_i b_f b_c b_o", _KERAS),
        GRUCell: _form(ROWS, "zrn", r"z_t r_t \tilde{h}_t", "K_z K_r K_h", "R_z R_r R_h",
                       "b_{0z} b_{0r} b_{0h} | b_{1z} b_{1r} b_{1h}", "kernel | recurrent_kernel | bias[0] | bias[1]"),
        ResetBeforeGRUCell: _form(ROWS, "zrn", r"z_t r_t \tilde{h}_t", "K_z K_r K_h", "R_z R_r R_h", "b_z b_r b_h",
                                  _KERAS, reset_before=True),  # reset_after=False
    },
}
# fmt: on

Formula = str | tuple  # a symbol, or an operation and what it is applied to


def equations(cell: type, form: Form) -> dict[str, list[tuple[str, Formula]]]:
    """What the cell computes: label of the chapter's equation -> its lines, each a symbol and its formula.

    The operations are "+", "⊙", "1 -", "tanh", "sigma", "f" (the plain cell's activation) and the three products.
    """
    place = {letter: n for n, letter in enumerate(form.order)}
    gate = dict(zip(form.order, form.gates, strict=True))

    def of_input(letter):
        biases = [form.biases[0][place[letter]]] if len(form.biases) == 2 else []
        return (form.product, "x_t", form.U[place[letter]]), *biases

    def of_state(letter, state="h_{t-1}"):
        return (form.product, state, form.W[place[letter]]), form.biases[-1][place[letter]]

    def line(letter, function):
        return gate[letter], (function, ("+", *of_input(letter), *of_state(letter)))

    if cell is RNNCell:
        return {"elman-state": [line("h", "f")]}
    if issubclass(cell, LSTMCell):
        lines = [line(letter, "tanh" if letter == "g" else "sigma") for letter in form.order]
        taken = gate["i"] if "i" in gate else ("1 -", gate["f"])
        new = ("c_t", ("+", ("⊙", gate["f"], "c_{t-1}"), ("⊙", taken, gate["g"])))
        hidden = [("h_t", ("⊙", gate["o"], ("tanh", "c_t")))]
        return {"lstm-gates": lines, "lstm-cell" if "i" in gate else "coupled-cell": [new], "lstm-hidden": hidden}
    r, z, n = (gate[letter] for letter in "rzn")
    inside = of_state("n", ("⊙", r, "h_{t-1}")) if form.reset_before else [("⊙", r, ("+", *of_state("n")))]
    taken, kept = (("1 -", z), z) if form.z_keeps else (z, ("1 -", z))
    return {
        "gru-gates": [line(letter, "sigma") for letter in form.order if letter in "rz"],
        "reset-before" if form.reset_before else "gru-candidate": [(n, ("tanh", ("+", *of_input("n"), *inside)))],
        "gru-state": [("h_t", ("+", ("⊙", taken, n), ("⊙", kept, "h_{t-1}")))],
    }
