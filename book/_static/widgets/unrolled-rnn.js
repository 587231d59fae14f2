/* The unrolled network of two inputs, two hidden units and two outputs: forward through three steps, and back with the
   gradient of the sum of the last output. Equations (elman-state), (elman-output), and (bptt-delta) to (bptt-first). */
widget("unrolled-rnn", (kit) => {
  "use strict";
  const { settings: s, make, show } = kit;
  const F = {
    linear: [(z) => z, () => 1],
    tanh: [Math.tanh, (y) => 1 - y * y],
    relu: [(z) => Math.max(0, z), (y) => +(y > 0)],
  };
  const sub = (letter, t) => letter + "₀₁₂₃"[t];
  const pair = (v) => `(${v.map((value) => show(value, 3)).join(", ")})`;
  const times = (v, M) => [0, 1].map((j) => v[0] * M[0][j] + v[1] * M[1][j]);
  const back = (v, M) => M.map((row) => row[0] * v[0] + row[1] * v[1]);
  const outer = (a, b) => a.map((p) => b.map((q) => p * q));
  const add = (A, B) => A.map((row, i) => row.map((value, j) => value + B[i][j]));
  const matrix = (m) => [1, 2].map((i) => [1, 2].map((j) => s[m + i + j]));

  const compute = () => {
    const [U, W, V] = ["U", "W", "V"].map(matrix), [f, slope] = F[s.activation];
    const x = [1, 2, 3].map((t) => [s[`x${t}1`], s[`x${t}2`]]);
    const h = [[0, 0]];
    for (const x_t of x) {
      const from_x = times(x_t, U), from_h = times(h.at(-1), W);
      h.push(from_x.map((value, j) => f(value + from_h[j])));
    }
    const dh = [], dx = [], dU = [], dW = [];
    dh[3] = back([1, 1], V);
    for (let t = 3; t > 0; t--) {
      const dz = dh[t].map((value, j) => value * slope(h[t][j]));
      dx[t - 1] = back(dz, U);
      dh[t - 1] = back(dz, W);
      dU[t - 1] = add(outer(x[t - 1], dz), dU[t] ?? [[0, 0], [0, 0]]);
      dW[t - 1] = add(outer(h[t - 1], dz), dW[t] ?? [[0, 0], [0, 0]]);
    }
    return { x, h, o: h.slice(1).map((state) => times(state, V)), dh, dx, dU, dW, dV: outer(h[3], [1, 1]) };
  };

  // ---------------------------------------------------------------- the picture

  const picture = make("svg", { viewBox: "0 0 360 172", role: "img", "aria-label":
    "The network, once for each of three steps: inputs below, states in a row from left to right, outputs above. The table holds its numbers." });
  const box = (cx, y, name, numbers, kind) => make("g", { class: `box ${kind}` },
    make("rect", { x: cx - 33, y, width: 66, height: 42, rx: 6 }),
    make("text", { x: cx - 33, y: y - 5, class: "quiet" }, name),
    ...[0, 1].map((i) => make("text", { x: cx, y: y + 17 + 17 * i, "text-anchor": "middle" }, numbers ? show(numbers[i]) : "·")));
  const arrow = (x1, y1, x2, y2, text, backward, faint) => {
    if (backward) [x1, y1, x2, y2] = [x2, y2, x1, y1];
    const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
    return make("g", { class: "arrow" + (backward ? " back" : "") + (faint ? " faint" : "") },
      make("line", { x1, y1, x2, y2 }),
      make("path", { d: "M0 0L-7 3.5V-3.5Z", transform: `translate(${x2} ${y2}) rotate(${angle})` }),
      make("text", { x: (x1 + x2) / 2 + (x1 == x2 ? 6 : -4), y: (y1 + y2) / 2 + (x1 == x2 ? 4 : -5) }, text));
  };
  const draw = (v) => {
    const backward = s.position > 3, now = backward ? 7 - s.position : s.position;
    const parts = [];
    for (let t = 0; t <= 3; t++) {
      const cx = 45 + 90 * t, seen = backward ? t >= now || (t == 0 && now == 1) : t <= now;
      const kind = (name) => `${name}${backward ? " back" : ""}${seen ? "" : " faint"}${t == now && t ? " now" : ""}`;
      if (t) {
        parts.push(arrow(cx, 168, cx, 142, "U", backward, !seen), arrow(cx, 99, cx, 66, "V", backward, !seen));
        parts.push(arrow(cx - 55, 120, cx - 35, 120, "W", backward, !seen));
        parts.push(box(cx, 22, (backward ? "∂" : "") + sub("o", t), seen && (backward ? [+(t == 3), +(t == 3)] : v.o[t - 1]), kind("o")));
      }
      parts.push(box(cx, 99, (backward ? "∂" : "") + sub("h", t), seen && (backward ? v.dh : v.h)[t], kind("h")));
    }
    picture.replaceChildren(...parts);
    gradients.forEach((span, t) => { span.textContent = backward && t + 1 >= now ? `∂ ${v.dx[t].map((value) => show(value, 2)).join(", ")}` : ""; });
    for (const [m, cells] of Object.entries(sums))
      cells.forEach((cell, n) => {
        const sum = m == "V" ? v.dV : v["d" + m][now - 1];
        cell.textContent = backward ? `∂ ${show(sum[n >> 1][n & 1], 2)}` : "";
      });
  };

  // ---------------------------------------------------------------- the controls

  const gradients = [0, 1, 2].map(() => make("span", { class: "gradient" }));
  const swap = (a, b) => kit.button("⇄", () => kit.put({ [`x${a}1`]: s[`x${b}1`], [`x${a}2`]: s[`x${b}2`], [`x${b}1`]: s[`x${a}1`], [`x${b}2`]: s[`x${a}2`] }),
    { "aria-label": `Swap inputs ${a} and ${b}`, title: `Swap inputs ${a} and ${b}`, class: "swap" });
  const inputs = make("div", { class: "columns" }, make("span", { class: "gradient" }, "inputs"),
    ...[1, 2, 3].map((t) => make("div", {}, ...[1, 2].map((i) => kit.number(`x${t}${i}`, `input ${t}, number ${i}`)),
      gradients[t - 1], t < 3 ? swap(t, t + 1) : "")));

  const sums = { U: [], W: [], V: [] };
  const names = { U: "inputs", W: "state", V: "outputs" };
  const weights = Object.keys(sums).map((m) => make("fieldset", { class: "matrix" }, make("legend", {}, make("b", {}, m), " " + names[m]),
    ...[[1, 1], [1, 2], [2, 1], [2, 2]].map(([i, j]) => {
      const sum = make("span", { class: "gradient" });
      sums[m].push(sum);
      return make("span", {}, kit.number(m + i + j, `${m}, row ${i}, column ${j}`), sum);
    })));

  const every = (m, value) => Object.fromEntries(["11", "12", "21", "22"].map((at) => [m + at, value]));
  const presets = make("div", { class: "buttons" },
    kit.button("Worked example", () => kit.put({ ...kit.data.settings, position: s.position })),
    kit.button("All of W ½", () => kit.put(every("W", 0.5))), kit.button("All of W ¼", () => kit.put(every("W", 0.25))));

  const WHERE = ["before the first step", "forward, step 1", "forward, step 2", "forward, step 3", "back, step 3", "back, step 2", "back, step 1"];
  const move = (by) => {
    kit.put({ position: Math.min(6, Math.max(0, s.position + by)) });
    return s.position < 6;
  };
  const steps = make("div", { class: "buttons" }, kit.button("Step back", () => move(-1)),
    kit.player(() => (s.position == 6 ? (kit.put({ position: 0 }), true) : move(1)), 1000), kit.button("Step on", () => move(1)));
  const table = kit.table("All numbers", ["quantity", "step 1", "step 2", "step 3"]);

  kit.render = () => {
    const v = compute(), t = s.position > 3 ? 7 - s.position : s.position;
    draw(v);
    table.fill([["input", ...v.x.map(pair)], ["state", ...v.h.slice(1).map(pair)], ["output", ...v.o.map(pair)],
      ["gradient of the state", ...v.dh.slice(1).map(pair)], ["gradient of the input", ...v.dx.map(pair)],
      ...["U", "W"].flatMap((m) => [0, 1].map((i) => [`gradient of ${m}, row ${i + 1}, back to there`, ...v["d" + m].map((sum) => pair(sum[i]))])),
      ...[0, 1].map((i) => [`gradient of V, row ${i + 1}`, "–", "–", pair(v.dV[i])])]);
    kit.say(t == 0 ? "Before the first step: the state is (0, 0)."
      : s.position <= 3 ? `Step ${t}: input ${pair(v.x[t - 1])}, state ${pair(v.h[t])}, output ${pair(v.o[t - 1])}.`
      : `Back at step ${t}: if a number of the state grew by a little, the last outputs together would grow ${pair(v.dh[t])} times as much; for the input it is ${pair(v.dx[t - 1])}.`);
    return v;
  };
  kit.start(picture, inputs, kit.range("position", "time", { min: 0, max: 6, step: 1, text: (p) => WHERE[p] }), steps, kit.says,
    make("div", { class: "matrices" }, ...weights),
    kit.choice("activation", "activation of the states", { linear: "none", tanh: "tanh", relu: "ReLU" }), presets, table.element);
});
