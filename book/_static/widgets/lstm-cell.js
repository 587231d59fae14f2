/* One LSTM unit whose four sums are set by hand: gates as valves, the cell state as a level. Equations (lstm-gates),
   (lstm-cell), (lstm-hidden) and (peephole-gates). */
widget("lstm-cell", (kit) => {
  "use strict";
  const { settings: s, make, show } = kit;
  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  const two = (value) => (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");
  const SHOWN = 40; // steps
  let past, start; // the states before this step: [{c, h}, …], and the setting that the first of them came from

  const compute = () => {
    const before = past.at(-1).c, p = (name) => (s.peepholes ? s[name] : 0);
    const i = sigmoid(s.zi + p("pi") * before), f = sigmoid(s.zf + p("pf") * before), g = Math.tanh(s.zg);
    const c = f * before + i * g, o = sigmoid(s.zo + p("po") * c);
    return { i, f, g, o, before, c, h: o * Math.tanh(c) };
  };

  // ---------------------------------------------------------------- the picture

  const TANK = { x: 150, y: 72, width: 60, height: 120 }, ZERO = 132, UNIT = 12, PIPE = 16;
  const level = (c) => ZERO - UNIT * Math.max(-5, Math.min(5, c));
  const text = (x, y, anchor = "middle") => make("text", { x, y, "text-anchor": anchor });
  const at = { // what moves, or says a number
    in: make("path", { class: "stream" }), kept: make("path", { class: "stream" }), out: make("path", { class: "stream" }),
    i: make("path", { class: "plate" }), f: make("path", { class: "plate" }), o: make("path", { class: "plate" }),
    fill: make("rect", { class: "fill", x: TANK.x + 1, width: TANK.width - 2 }), old: make("path", { class: "old" }),
    peep: make("path", { class: "peep", d: `M150 180L106 144M210 180L264 144M170 72L178 48` }),
    g: text(16, 112, "start"), gi: text(106, 112), gf: text(212, 38, "start"), go: text(264, 112), h: text(344, 112, "end"),
    before: text(142, 64, "end"), c: text(180, 210),
  };
  const LOOP = "M164 76V32H196V76";
  const picture = make("svg", { viewBox: "0 0 360 218", role: "img", "aria-label":
    "The unit as a tank: the candidate flows in through the valve of the input gate, the old level comes back through that of the forget gate, and the hidden state leaves through that of the output gate. The sentence and the table below hold the numbers." },
    make("path", { class: "pipe", d: LOOP, "stroke-width": PIPE }), make("path", { class: "pipe", d: "M16 132H150M210 132H344", "stroke-width": PIPE }),
    at.in, at.kept, at.out, make("rect", { class: "tank", rx: 4, ...TANK }), at.fill,
    make("path", { class: "zero", d: "M146 132H214" }), make("text", { x: 216, y: 80, class: "quiet" }, "5"), make("text", { x: 216, y: 192, class: "quiet" }, "−5"), at.old, at.peep, at.i, at.f, at.o,
    ...["g", "gi", "gf", "go", "h", "before", "c"].map((name) => at[name]));
  const draw = (v) => {
    const set = (name, attributes) => Object.entries(attributes).forEach(([key, value]) => at[name].setAttribute(key, value));
    // a stream is as wide as its gate is open, and lies at the lower edge of its pipe, under the plate
    const under = (gate) => PIPE / 2 - (PIPE * gate) / 2;
    set("in", { d: `M16 ${ZERO + under(v.i)}H150`, "stroke-width": PIPE * v.i, class: v.g < 0 ? "stream less" : "stream" });
    set("out", { d: `M210 ${ZERO + under(v.o)}H344`, "stroke-width": PIPE * v.o, class: v.c < 0 ? "stream less" : "stream" });
    set("kept", { d: LOOP, "stroke-width": PIPE * v.f, class: v.before < 0 ? "stream less" : "stream" });
    const plate = (x, y, gate) => `M${x} ${y - PIPE / 2 - 5}V${y + PIPE / 2 - PIPE * gate}`;
    set("i", { d: plate(106, ZERO, v.i) });
    set("o", { d: plate(264, ZERO, v.o) });
    set("f", { d: plate(180, 32, v.f) });
    at.fill.style.y = Math.min(level(v.c), ZERO) + "px";
    at.fill.style.height = Math.abs(level(v.c) - ZERO) + "px";
    at.fill.classList.toggle("less", v.c < 0);
    set("old", { d: `M138 ${level(v.before)}H210` });
    at.peep.style.display = s.peepholes ? "" : "none";
    const words = { g: `g ${two(v.g)}`, gi: `i ${two(v.i)}`, gf: `f ${two(v.f)}`, go: `o ${two(v.o)}`, h: `h ${two(v.h)}`,
      before: `before ${two(v.before)}`, c: `c ${two(v.c)}${Math.abs(v.c) > 5 ? " (off the scale)" : ""}` };
    for (const [name, word] of Object.entries(words)) at[name].textContent = word;
  };

  const history = make("svg", { viewBox: "0 0 360 96", role: "img", "aria-label":
    "Cell state and hidden state of the steps so far: a line and bars. The table below holds the last of them." });
  const drawHistory = (v) => {
    const states = [...past, v].slice(-SHOWN), most = Math.max(1, ...states.map(({ c }) => Math.abs(c)));
    const X = (n) => 30 + (322 * n) / (SHOWN - 1), Y = (value) => 44 - (36 * value) / most;
    history.replaceChildren(
      make("line", { class: "grid one", x1: 26, x2: 356, y1: 44, y2: 44 }), make("text", { x: 20, y: 48, "text-anchor": "end" }, 0),
      make("text", { x: 20, y: 14, "text-anchor": "end" }, show(most, 2)),
      ...states.map(({ h }, n) => make("rect", { class: "bar", x: X(n) - 2.5, width: 5, y: Math.min(Y(h), 44), height: Math.abs(Y(h) - 44) })),
      make("path", { class: "state", d: "M" + states.map(({ c }, n) => `${X(n).toFixed(1)} ${Y(c).toFixed(1)}`).join("L") }),
      make("circle", { class: "state", cx: X(states.length - 1), cy: Y(v.c), r: 3.5 }),
      make("text", { x: 30, y: 93 }, "line: cell state c, bars: hidden state h"));
  };

  // ---------------------------------------------------------------- the controls

  const CASES = { keep: [10, -10], replace: [-10, 10], "add up": [10, 10], erase: [-10, -10] };
  const cases = Object.entries(CASES).map(([name, [zf, zi]]) =>
    kit.button(`${name}: f ${+(zf > 0)}, i ${+(zi > 0)}`, () => kit.put({ zf, zi, peepholes: false })));
  const again = () => { past = [{ c: s.start, h: 0 }]; start = s.start; };
  const clock = kit.button("a clock, by peepholes", () => {
    kit.put({ zg: 0.8, zi: 10, zf: 10, zo: -10, start: 0, peepholes: true, pi: 0, pf: -10, po: 10 });
    again();
    kit.put({});
  });
  const step = () => {
    const { c, h } = kit.root.values;
    past.push({ c, h });
    kit.put({});
    return past.length < SHOWN;
  };
  const steps = make("div", { class: "buttons" }, kit.button("Step", step),
    kit.player(() => (past.length < SHOWN ? step() : (again(), kit.put({}), true)), 600), kit.button("Start again", () => { again(); kit.put({}); }));
  const z = (name, label) => kit.range(name, label, { min: -10, max: 10, step: 0.1 });
  const peepholes = make("div", { class: "ranges" }, z("pi", "peephole of i"), z("pf", "peephole of f"), z("po", "peephole of o"));
  const table = kit.table("All numbers", ["quantity", "value"]);

  kit.render = () => {
    if (s.start !== start) again();
    const v = compute(), now = past.length;
    draw(v);
    drawHistory(v);
    peepholes.hidden = !s.peepholes;
    cases.forEach((button, n) => {
      const [f, i] = Object.values(CASES)[n].map((value) => +(value > 0));
      button.setAttribute("aria-pressed", Math.abs(v.f - f) < 0.05 && Math.abs(v.i - i) < 0.05);
    });
    table.fill([["step", now], ["candidate g", v.g], ["input gate i", v.i], ["forget gate f", v.f], ["output gate o", v.o],
      ["cell state before", v.before], ["cell state c", v.c], ["hidden state h", v.h]].map(([name, value]) => [name, show(value)]));
    kit.say(`Step ${now}: of the old cell state ${show(v.before, 3)} the forget gate keeps ${show(v.f * v.before, 3)}, the input gate adds ${show(v.i * v.g, 3)}. `
      + `The cell state is ${show(v.c, 3)}, the hidden state ${show(v.h, 3)}.`);
    return v;
  };
  kit.start(make("div", { class: "buttons" }, ...cases, clock), picture, steps, kit.says, history,
    make("div", { class: "ranges" }, z("zg", "value zᵍ"), z("zi", "input gate zⁱ"), z("zf", "forget gate zᶠ"), z("zo", "output gate zᵒ"),
      kit.range("start", "cell state at first", { min: -3, max: 3, step: 0.1 })),
    kit.toggle("peepholes", "peepholes"), peepholes, table.element);
});
