"""The two widgets of the translator, as in `widget_values`; apart from it, since torch takes a second to import."""

from collections.abc import Iterable, Iterator

import numpy as np
from widget_values import Widget, changed_one_by_one, number

from rnncourse import translation
from rnncourse.vocabulary import SPECIAL, STOP

# All are of the test part of `rnncourse.data.interface`; each shows something else.
ALIGNED = {
    "translation-en-zh.pt": [
        "View Latest Version",
        "Create a new Python file",
        "Error encountered adding notebook tour %1 (%2)",  # the order changes
    ],
    "translation-zh-en.pt": ["您的修改已保存", "选择要导出的工作区"],
}
SEARCHED = [
    "Failed to get the stash",  # a beam of 1 misses the best answer
    "Comment %(num)s not found",  # and so does a beam of 2
    "Cancel console Shut Down",  # the best one depends on the power
]
WIDEST = 4
LENGTH_POWER = 2.0  # as the page translates


def exact(name: str) -> translation.Translator:
    """The translator in float64: its numbers do not depend on how many hypotheses go through it at once."""
    translator = translation.load(translation.CHECKPOINTS / name)
    return translator._replace(model=translator.model.double())


# ---------------------------------------------------------------- attention


def attention() -> Widget:
    """Where the trained translators looked, token by token."""
    sentences = [
        translator.attention_data(text, length_power=LENGTH_POWER) | {"languages": languages}
        for name, texts in ALIGNED.items()
        for translator, languages in [(exact(name), name[-8:-3].split("-"))]
        for text in texts
    ]
    kept = ("text", "translation", "source", "target", "weights", "languages")
    settings = {"sentence": "0", "word": "a2"}
    words = [(n, word) for n in range(len(sentences)) for word in ("a0", "a2", "s0", "s1")]
    cases = [settings, *({"sentence": str(n), "word": word} for n, word in words)]
    first = sentences[0]
    return Widget(
        "Where the translator looks",
        {
            "settings": settings,
            "sentences": [{name: one[name] for name in kept} for one in sentences],
            "cases": [{"settings": case, "values": attention_values(sentences, case)} for case in cases],
        },
        ["while it writes", "it looks most at", "with a weight of"],
        [
            [f"`{token}`", f"`{first['source'][int(np.argmax(row))]}`", number(max(row))]
            for token, row in zip(first["target"], first["weights"], strict=True)
        ],
    )


def attention_values(sentences: list[dict], settings: dict) -> dict:
    """Of a written token (a) the weights of all read ones; of a read one (s) its weights while each was written."""
    weights = np.array(sentences[int(settings["sentence"])]["weights"])
    side, place = settings["word"][0], int(settings["word"][1:])
    shares = weights[place] if side == "a" else weights[:, place]
    return {"shares": shares.tolist(), "sum": float(shares.sum()), "most": int(shares.argmax())}


# ---------------------------------------------------------------- beam search


def beam_search() -> Widget:
    """The search itself runs in the page, on the probabilities of all prefixes that searches of any width meet."""
    translator = exact("translation-en-zh.pt")
    searches = [
        {beam: translator.beam_data(text, beam, LENGTH_POWER) for beam in range(1, WIDEST + 1)} for text in SEARCHED
    ]
    last = max(node["depth"] for node in searches[0][3]["tree"])
    settings = {"sentence": "0", "beam": 3, "power": LENGTH_POWER, "step": last}
    changed = [
        *changed_one_by_one(settings, {"beam": 1, "power": 0, "step": 3}),
        *({"sentence": str(n), "beam": 4, "power": power, "step": 2} for n in range(len(SEARCHED)) for power in (0, 1)),
        *(
            {"sentence": str(n), "beam": beam, "power": 0.5, "step": max(node["depth"] for node in found["tree"])}
            for n, widths in enumerate(searches)
            for beam, found in widths.items()
        ),
    ]
    return Widget(
        "Beam search, step by step",
        {
            "settings": settings,
            "stop": SPECIAL[STOP],
            "sentences": [lattice(text, widths.values()) for text, widths in zip(SEARCHED, searches, strict=True)],
            "cases": [
                {"settings": case, "values": beam_values(searches[int(case["sentence"])][case["beam"]], case)}
                for case in changed
            ],
        },
        ["beam", "answer", "log-probability"],
        [
            [beam, found["hypotheses"][0]["text"], number(found["hypotheses"][0]["score"])]
            for beam, found in searches[0].items()
        ],
    )


def paths(tree: list[dict]) -> Iterator[tuple[str, ...]]:
    """The tokens from the first to each node."""
    found = []
    for node in tree:
        found.append((*(found[node["parent"]] if node["parent"] >= 0 else ()), node["token"]))
        yield found[-1]


def lattice(text: str, searches: Iterable[dict]) -> dict:
    """All that searches of a text looked at, as one tree: [parent, token, log-probability]; and what they found."""
    places, nodes, texts = {(): -1}, [], {}
    for found in searches:
        all_paths = list(paths(found["tree"]))
        for node, path in zip(found["tree"], all_paths, strict=True):
            if path not in places:
                places[path] = len(nodes)
                nodes.append([places[path[:-1]], node["token"], node["log_probability"]])
        texts |= {places[all_paths[one["node"]]]: one["text"] for one in found["hypotheses"]}
    return {"text": text, "nodes": nodes, "texts": texts}


def beam_values(found: dict, settings: dict) -> dict:
    """Scores and fates of all that the search has looked at up to a step, and what has ended, the best first."""
    tree = [node for node in found["tree"] if node["depth"] <= settings["step"]]
    scores = [node["score"] / node["depth"] ** settings["power"] for node in tree if node["fate"] == "ended"]
    return {
        "scores": [node["score"] for node in tree],
        "fates": [node["fate"] for node in tree],
        "normalised": sorted(scores, reverse=True)[: settings["beam"]],
    }
