/* The norm of the gradient of the input k steps ago, for a plain network, an LSTM and a GRU whose recurrent matrices
   have the same spectral radius. Everything is computed here; the reference is lab_values in _ext/widget_values.py. */
widget("gradient-lab", (kit) => {
  "use strict";
  const { settings: s, make, show } = kit;
  const H = 24, D = 4, LONGEST = 100, GATES = { rnn: 1, lstm: 4, gru: 3 };
  const NAMES = { rnn: "RNN", lstm: "LSTM", gru: "GRU" };
  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  const F = { tanh: [Math.tanh, (y) => 1 - y * y], relu: [(z) => Math.max(0, z), (y) => +(y > 0)], linear: [(z) => z, () => 1] };

  // ---------------------------------------------------------------- networks

  /** Mean 0, variance 1, the same numbers as in Python (mulberry32). */
  const numbers = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 4294967296 - 0.5) * Math.sqrt(12);
  };
  const network = (draw) => {
    const next = numbers(draw), list = (n, f) => Array.from({ length: n }, f);
    const matrix = (rows, columns) => list(rows, () => Float64Array.from(list(columns, next)));
    const each = (f) => Object.fromEntries(Object.entries(GATES).map(([name, gates]) => [name, list(gates, (_, k) => f(name, k))]));
    const W = each(() => matrix(H, H));
    const U = each(() => matrix(D, H).map((row) => row.map((value) => value / 10)));
    const x = matrix(LONGEST, D), [last] = matrix(1, H), size = Math.hypot(...last);
    each((name, k) => W[name][k].forEach((row, i) => { W[name][k][i] = row.map((value) => value / kit.data.radii[draw][name][k]); }));
    return { W, U, x, last: last.map((value) => value / size) };
  };
  const made = {};

  const times = (v, M, scale = 1) => {
    const sum = new Float64Array(M[0].length);
    M.forEach((row, i) => { const v_i = v[i] * scale; for (let j = 0; j < sum.length; j++) sum[j] += v_i * row[j]; });
    return sum;
  };
  const back = (d, M, scale, into) => M.forEach((row, i) => {
    let sum = 0;
    for (let j = 0; j < row.length; j++) sum += d[j] * row[j];
    into[i] += sum * scale;
  });

  /* Each cell: step(x's sums, h's sums, state) gives what a step keeps; slope(kept, gradient of (h, c)) gives the
     gradients of the x's sums, of the h's sums, and of the old (h, c) past the products. */
  const vector = (f) => Float64Array.from({ length: H }, (_, j) => f(j));
  const CELLS = {
    rnn: {
      step: ([zx], [zh]) => ({ h: vector((j) => F[s.activation][0](zx[j] + zh[j])) }),
      slope: ({ h }, dh) => { const d = [vector((j) => dh[j] * F[s.activation][1](h[j]))]; return [d, d, vector(() => 0)]; },
    },
    lstm: { // i, f, g, o
      step: (zx, zh, old) => {
        const [i, f, g, o] = zx.map((z, k) => vector((j) => (k == 2 ? Math.tanh : sigmoid)(z[j] + zh[k][j] + (k == 1 ? s.keep : 0))));
        const c = vector((j) => f[j] * old.c[j] + i[j] * g[j]), q = c.map(Math.tanh);
        return { i, f, g, o, q, c, old: old.c, h: vector((j) => o[j] * q[j]) };
      },
      slope: ({ i, f, g, o, q, old }, dh, dc) => {
        const all = vector((j) => dc[j] + dh[j] * o[j] * (1 - q[j] ** 2));
        const d = [(j) => all[j] * g[j] * i[j] * (1 - i[j]), (j) => all[j] * old[j] * f[j] * (1 - f[j]),
          (j) => all[j] * i[j] * (1 - g[j] ** 2), (j) => dh[j] * q[j] * o[j] * (1 - o[j])].map(vector);
        return [d, d, vector(() => 0), vector((j) => all[j] * f[j])];
      },
    },
    gru: { // r, z, n, the reset after the product
      step: (zx, zh, old) => {
        const [r, z] = [0, 1].map((k) => vector((j) => sigmoid(zx[k][j] + zh[k][j] + k * s.keep)));
        const n = vector((j) => Math.tanh(zx[2][j] + r[j] * zh[2][j]));
        return { r, z, n, a: zh[2], old: old.h, h: vector((j) => (1 - z[j]) * n[j] + z[j] * old.h[j]) };
      },
      slope: ({ r, z, n, a, old }, dh) => {
        const dn = vector((j) => dh[j] * (1 - z[j]) * (1 - n[j] ** 2));
        const dz = vector((j) => dh[j] * (old[j] - n[j]) * z[j] * (1 - z[j]));
        const dr = vector((j) => dn[j] * a[j] * r[j] * (1 - r[j]));
        return [[dr, dz, dn], [dr, dz, vector((j) => dn[j] * r[j])], vector((j) => dh[j] * z[j])];
      },
    },
  };

  /** Norms of the gradient of the input, lag 0 first. */
  const norms = (name) => {
    const { W, U, x, last } = (made[s.draw] ??= network(s.draw)), kept = [], found = [];
    let state = { h: new Float64Array(H), c: new Float64Array(H) };
    for (const x_t of x.slice(LONGEST - s.length))
      kept.push((state = CELLS[name].step(U[name].map((M) => times(x_t, M)), W[name].map((M) => times(state.h, M, s.radius)), state)));
    let dh = last, dc = new Float64Array(H);
    for (const step of kept.reverse()) {
      const [dx, da, keep_h, keep_c] = CELLS[name].slope(step, dh, dc), d_input = new Float64Array(D);
      dx.forEach((d, k) => back(d, U[name][k], 1, d_input));
      da.forEach((d, k) => back(d, W[name][k], s.radius, keep_h));
      [dh, dc] = [keep_h, keep_c];
      found.push(Math.hypot(...d_input));
    }
    return found;
  };

  // ---------------------------------------------------------------- the picture

  const LEFT = 44, RIGHT = 352, TOP = 8, BOTTOM = 186, LOW = -12, HIGH = 6;
  const picture = make("svg", { viewBox: "0 0 360 224", role: "img", "aria-label":
    "Norm of the gradient against the lag on a logarithmic scale, one line for each network. The sentence and the table below hold the numbers." });
  const draw = (curves) => {
    const X = (lag) => LEFT + ((RIGHT - LEFT) * lag) / (s.length - 1), Y = (power) => TOP + ((BOTTOM - TOP) * (HIGH - power)) / (HIGH - LOW);
    const parts = [];
    for (let power = LOW; power <= HIGH; power += 3)
      parts.push(make("line", { class: power ? "grid" : "grid one", x1: LEFT, x2: RIGHT, y1: Y(power), y2: Y(power) }),
        make("text", { x: LEFT - 6, y: Y(power) + 4, "text-anchor": "end" }, power ? "10" + kit.power(power) : "1"));
    const step = s.length > 50 ? 20 : s.length > 20 ? 10 : 5;
    for (let lag = 0; lag < s.length; lag += step) parts.push(make("text", { x: X(lag), y: BOTTOM + 16, "text-anchor": "middle" }, lag));
    parts.push(make("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 33, "text-anchor": "middle" }, "lag: steps back from the loss"));
    const plot = make("svg", { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP, viewBox: `${LEFT} ${TOP} ${RIGHT - LEFT} ${BOTTOM - TOP}` },
      make("line", { class: "cursor", x1: X(s.lag), x2: X(s.lag), y1: TOP, y2: BOTTOM }));
    for (const [name, curve] of Object.entries(curves)) {
      const points = curve.map((norm, lag) => [X(lag), Y(Math.max(-30, Math.min(30, Math.log10(norm))))]);
      plot.append(make("path", { class: name, d: "M" + points.map((at) => at.map((value) => value.toFixed(1)).join(" ")).join("L") }),
        make("circle", { class: name, cx: points[s.lag][0], cy: points[s.lag][1], r: 4 }));
    }
    picture.replaceChildren(...parts, plot);
  };

  // ---------------------------------------------------------------- the controls

  const legend = make("p", { class: "legend" }, ...Object.keys(NAMES).map((name) => make("span", {}, make("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" },
    make("path", { class: name, d: "M0 4H26" })), NAMES[name])));
  const table = kit.table("The same as a table", ["network", "norm at the lag", "factor a step", "below 1\u00a0% from lag"]);

  kit.render = () => {
    const curves = Object.fromEntries(Object.keys(NAMES).map((name) => [name, norms(name)]));
    const values = Object.fromEntries(Object.entries(curves).map(([name, curve]) => {
      const reach = curve.findIndex((norm) => norm < curve[0] / 100);
      return [name, { norm: curve[s.lag], factor: (curve.at(-1) / curve[0]) ** (1 / (s.length - 1)), reach: reach < 0 ? null : reach }];
    }));
    draw(curves);
    table.fill(Object.entries(values).map(([name, v]) => [NAMES[name], show(v.norm), show(v.factor, 3), v.reach ?? "not reached"]));
    kit.say(`Gradient at lag ${s.lag}: ` + Object.entries(values).map(([name, v]) => `${NAMES[name]} ${show(v.norm, 3)} (${show(v.factor, 2)} times a step)`).join(", ") + ".");
    return values;
  };
  kit.start(legend, picture, kit.says,
    make("div", { class: "ranges" },
      kit.range("lag", "lag", { min: 0, max: () => s.length - 1, step: 1 }),
      kit.range("radius", "spectral radius", { min: 0.2, max: 1.6, step: 0.05 }),
      kit.range("keep", "bias of LSTM’s f, GRU’s z", { min: -1, max: 5, step: 0.25 }),
      kit.range("length", "length", { min: 10, max: 100, step: 5 }),
      kit.range("draw", "random draw", { min: 1, max: Object.keys(kit.data.radii).length, step: 1 })),
    kit.choice("activation", "activation of the RNN", { tanh: "tanh", relu: "ReLU", linear: "none" }), table.element);
});
