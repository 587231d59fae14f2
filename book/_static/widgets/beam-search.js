/* Beam search on the scores of the trained translator, as rnncourse.decode.beam_search does it: of all continuations the
   best stay. The probabilities of every prefix that a search of any width here meets come with the page. */
widget("beam-search", (kit) => {
  "use strict";
  const { settings: s, make, data } = kit;
  const two = (value) => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");

  // ---------------------------------------------------------------- the search

  const children = data.sentences.map(({ nodes }) => {
    const found = new Map();
    nodes.forEach(([parent], n) => found.set(parent, [...(found.get(parent) ?? []), n]));
    return found;
  });
  const search = ({ nodes }, next, beam) => {
    const tree = [];
    let live = [-1], ended = 0;
    for (let depth = 1; live.length; depth++) {
      const after = (parent) => (next.get(parent < 0 ? -1 : tree[parent].node) ?? []).map((node) => {
        const [, token, chance] = nodes[node], before = tree[parent];
        return { parent, node, depth, token, chance, score: (before?.score ?? 0) + chance, words: [...(before?.words ?? []), token] };
      });
      const all = live.flatMap(after).sort((a, b) => b.score - a.score).slice(0, 2 * beam);
      live = [];
      all.forEach((one, rank) => {
        const stop = one.token == data.stop;
        one.fate = stop ? (rank < beam ? "ended" : "dropped") : live.length < beam ? "live" : "dropped";
        ended += one.fate == "ended";
        if (one.fate == "live") live.push(tree.length);
        tree.push(one);
      });
      if (ended >= beam) live = [];
    }
    return tree;
  };
  const made = {};
  const tree = () => (made[[s.sentence, s.beam]] ??= search(data.sentences[s.sentence], children[s.sentence], s.beam));
  const last = () => tree().at(-1).depth;

  // ---------------------------------------------------------------- the picture

  const WIDE = 43, HIGH = 46;
  const picture = make("svg", { role: "img", "aria-label":
    "A tree that grows downwards: in each row the continuations that the search looks at, the best on the left, with their scores. Those that stay have a frame, those that end a thick one. The table below holds the numbers." });
  const draw = (found, best) => {
    const at = [], lines = [], boxes = [], line = new Set();
    for (let n = found.indexOf(best); n >= 0; n = found[n].parent) line.add(n);
    found.forEach((one, n) => {
      const row = found.filter(({ depth }) => depth == one.depth);
      const x = 180 + WIDE * (row.indexOf(one) - (row.length - 1) / 2), y = HIGH * one.depth;
      const [px, py] = at[one.parent] ?? [180, 8];
      const kind = `${one.fate}${line.has(n) ? " now" : ""}`, end = one.token == data.stop;
      at.push([x, y]);
      lines.push(make("line", { class: kind, x1: px, y1: py + (one.parent < 0 ? 8 : 18), x2: x, y2: y - 14 }));
      boxes.push(make("g", { class: `node ${kind}` }, make("rect", { x: x - 19, y: y - 14, width: 38, height: 32, rx: 5 }),
        make("text", { x, y, "text-anchor": "middle", lang: end ? null : "zh" }, end ? "end" : one.token),
        make("text", { x, y: y + 13, "text-anchor": "middle", class: "score" }, two(one.score))));
    });
    picture.setAttribute("viewBox", `0 0 360 ${HIGH * last() + 22}`);
    picture.replaceChildren(...lines, make("text", { x: 180, y: 12, "text-anchor": "middle" }, "start"), ...boxes);
  };

  // ---------------------------------------------------------------- the controls

  const choice = kit.choice("sentence", "sentence", Object.fromEntries(data.sentences.map(({ text }, n) => [n, make("span", { lang: "en" }, text)])));
  const move = (by) => {
    kit.put({ step: Math.min(last(), Math.max(0, s.step + by)) });
    return s.step < last();
  };
  const steps = make("div", { class: "buttons" }, kit.button("Step back", () => move(-1)),
    kit.player(() => (s.step == last() ? (kit.put({ step: 0 }), true) : move(1)), 1200), kit.button("Step on", () => move(1)));
  const answers = make("ol", { class: "found" });
  const table = kit.table("The continuations of this step", ["answer so far", "log-probability of the token", "sum", "sum / lengthᵅ", "fate"]);
  const FATES = { live: "goes on", ended: "has ended", dropped: "dropped" };

  kit.render = () => {
    const found = tree().filter(({ depth }) => depth <= s.step), now = found.filter(({ depth }) => depth == s.step);
    const normalised = (one) => one.score / one.depth ** s.power;
    const ended = found.filter(({ fate }) => fate == "ended").sort((a, b) => normalised(b) - normalised(a)).slice(0, s.beam);
    const text = (one) => data.sentences[s.sentence].texts[one.node] ?? one.words.slice(0, -1).join("");
    const written = (one) => one.words.join("").replace(data.stop, " (end)");
    const listed = (fate) => now.filter((one) => one.fate == fate).map((one) => `“${written(one)}” ${two(one.score)}`).join(", ");
    draw(found, s.step == last() ? ended[0] : undefined);
    answers.replaceChildren(...ended.map((one) => make("li", {}, make("span", { lang: "zh" }, text(one)), `: ${two(one.score)} / ${one.depth}`,
      make("sup", {}, kit.show(s.power)), ` = ${kit.show(normalised(one), 3)}`)));
    table.fill(now.map((one) => [written(one), kit.show(one.chance), kit.show(one.score), kit.show(normalised(one)), FATES[one.fate]]));
    const ends = listed("ended");
    kit.say(s.step == 0 ? "Nothing is written yet." : s.step == last()
      ? `Step ${s.step}: the search is over. Best by score / lengthᵅ: “${text(ended[0])}” with ${kit.show(normalised(ended[0]), 3)}.`
      : `Step ${s.step}: of ${now.length} continuations these go on: ${listed("live")}.` + (ends ? ` Ended: ${ends}.` : ""));
    return { scores: found.map(({ score }) => score), fates: found.map(({ fate }) => fate), normalised: ended.map(normalised) };
  };
  kit.start(choice, kit.range("step", "step", { min: 0, max: last, step: 1 }), steps, kit.says, picture, answers,
    make("div", { class: "ranges" }, kit.range("beam", "beam", { min: 1, max: 4, step: 1 }), kit.range("power", "length power α", { min: 0, max: 2, step: 0.5 })),
    table.element);
});
