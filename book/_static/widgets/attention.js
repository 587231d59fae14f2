/* A sentence and its translation: the weights of attention between the token that is pointed at and those of the other
   side. Every token is a radio button, so that arrow keys and fingers reach what a mouse reaches. */
widget("attention", (kit) => {
  "use strict";
  const { settings: s, make, data } = kit;
  const two = (value) => value.toFixed(2);
  const ROWS = { s: ["it read", "source"], a: ["it wrote", "target"] };
  const named = (token) => (token == "<stop>" ? "the end" : `“${token}”`);

  const row = (one, side) => {
    const [label, tokens] = ROWS[side], spans = {};
    one[tokens].forEach((token, n) => {
      spans[side + n] = make("span", {}, make("span", { lang: one.languages[+(side == "a")] }, token == "<stop>" ? "end" : token), make("small"));
    });
    const box = kit.choice("word", label, spans);
    box.classList.add("tokens");
    box.addEventListener("pointermove", (event) => { // not pointerover: a page that moves under the mouse sends it
      const input = event.pointerType == "mouse" && event.target.closest("label")?.firstChild;
      if (input && input.value != s.word) kit.put({ word: input.value });
    });
    return { box, spans: Object.values(spans) };
  };
  const sentences = data.sentences.map((one) => ({ ...one, s: row(one, "s"), a: row(one, "a") }));
  const shown = make("div", { class: "aligned" });
  const choice = kit.choice("sentence", "sentence", Object.fromEntries(sentences.map((one, n) => [n, make("span", { lang: one.languages[0] }, one.text)])));
  const table = kit.table("The weights as a table", ["token", "weight"]);

  kit.render = () => {
    const one = sentences[s.sentence], side = s.word[0], n = +s.word.slice(1), other = side == "a" ? "s" : "a";
    if (shown.firstChild != one.s.box) shown.replaceChildren(one.s.box, one.a.box);
    if (n >= one[side].spans.length) { // a sentence with fewer tokens
      kit.put({ word: "a0" });
      return kit.root.values;
    }
    const shares = side == "a" ? one.weights[n] : one.weights.map((weights) => weights[n]);
    const sum = shares.reduce((total, share) => total + share, 0), most = shares.indexOf(Math.max(...shares));
    const tokens = one[ROWS[other][1]], token = named(one[ROWS[side][1]][n]);
    one[side].spans.forEach((span, k) => { span.style.setProperty("--share", 0); span.lastChild.textContent = k == n ? "▲" : ""; });
    one[other].spans.forEach((span, k) => { span.style.setProperty("--share", shares[k]); span.lastChild.textContent = two(shares[k]); });
    table.fill(tokens.map((other, k) => [named(other), two(shares[k])]));
    const largest = shares.map((share, k) => [share, named(tokens[k])]).sort(([a], [b]) => b - a).slice(0, 3);
    const listed = largest.map(([share, name]) => `${name} ${two(share)}`).join(", ");
    kit.say(`“${one.text}” becomes “${one.translation}”. ` + (side == "a" ? `To write ${token}, the translator looks at ${listed}.`
      : `It looks at ${token} while it writes ${listed}: ${two(sum)} in all.`));
    return { shares, sum, most };
  };
  kit.start(choice, shown, kit.says, table.element);
});
