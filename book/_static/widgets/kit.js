/* What the widgets share: native controls with labels, numbers that read well, a sentence and a table that say what the
   picture shows, a clock that can be stopped. A classic script: a module would not load from a file.

   widget(name, build) calls build(kit) for every box of that name. kit.settings holds the value of each control; after
   a change kit.render, which build has set, draws everything anew and returns the values (the tests read them). */
(() => {
  "use strict";
  const DRAWN = new Set(["svg", "g", "path", "line", "rect", "circle", "text"]);

  const make = (tag, attributes = {}, ...children) => {
    const element = DRAWN.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  };

  const power = (n) => [...String(n)].map((c) => (c == "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

  /** 4 digits, a minus sign, and a power of ten where it is needed. */
  const show = (value, digits = 4) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "undefined" : value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    let text = String(+value.toPrecision(digits));
    if (size && (size < 1e-3 || size >= 1e5)) {
      const [factor, exponent] = value.toExponential(digits - 2).split("e");
      text = +factor + "·10" + power(+exponent);
    }
    return text.replace("-", "−");
  };

  const makeKit = (root, uid) => {
    const data = JSON.parse(root.querySelector("script").textContent);
    const settings = { ...data.settings };
    const says = make("p", { class: "widget-says", role: "status" });
    const syncs = [];
    let clock = null;
    const kit = { data, settings, make, show, power, says, root };
    root.settings = settings;

    /** Change settings, bring all controls up to date and draw. */
    kit.put = (changes) => {
      Object.assign(settings, changes);
      syncs.forEach((sync) => sync());
      root.values = kit.render();
    };

    kit.say = (text) => { if (says.textContent != text) says.textContent = text; };

    const control = (name, read, write, attributes) => {
      const input = make("input", { "data-name": name, ...attributes, oninput: () => {
        const value = read(input);
        input.toggleAttribute("aria-invalid", value === undefined);
        if (value !== undefined) kit.put({ [name]: value });
      } });
      syncs.push(() => write(input));
      return input;
    };

    kit.range = (name, label, { min, max, step, text = show }) => {
      const shown = make("output", { "aria-hidden": "true" });
      const input = control(name, (input) => input.valueAsNumber, (input) => {
        const most = typeof max == "function" ? max() : max;
        settings[name] = Math.min(settings[name], most);
        Object.assign(input, { min, max: most, step, value: settings[name] });
        shown.value = text(settings[name]);
        input.setAttribute("aria-valuetext", shown.value);
      }, { type: "range", "aria-label": label });
      return make("label", { class: "widget-range" }, make("span", {}, label), input, shown);
    };

    kit.number = (name, label) => control(name, (input) => {
      const value = input.valueAsNumber;
      return Math.abs(value) <= 1000 ? value : undefined;
    }, (input) => {
      if (input.valueAsNumber !== settings[name]) Object.assign(input, { value: settings[name] }).removeAttribute("aria-invalid");
    }, { type: "number", "aria-label": label, min: -1000, max: 1000, step: "any", inputmode: "decimal" });

    kit.choice = (name, label, options) => make("fieldset", { class: "widget-choice" }, make("legend", {}, label),
      ...Object.entries(options).map(([value, text]) => make("label", {},
        control(name, () => value, (input) => { input.checked = settings[name] == value; }, { type: "radio", name: name + uid, value }), text)));

    kit.toggle = (name, label) => make("label", { class: "widget-toggle" },
      control(name, (input) => input.checked, (input) => { input.checked = settings[name]; }, { type: "checkbox" }), label);

    kit.button = (label, onclick, attributes = {}) => make("button", { type: "button", ...attributes, onclick }, label);

    const pause = () => { clearInterval(clock); clock = null; };

    /** A button that calls advance again and again, until it returns false or the button is pressed once more. */
    kit.player = (advance, milliseconds) => {
      const button = kit.button("Play", () => {
        if (clock) pause();
        else if (advance()) clock = setInterval(() => { if (document.hidden || !advance()) pause(), look(); }, milliseconds);
        look();
      });
      const look = () => { button.textContent = clock ? "Pause" : "Play"; };
      return button;
    };

    /** A table under a line that opens it; fill(rows) writes the rows, each with its head first. */
    kit.table = (caption, head) => {
      const body = make("tbody");
      const cells = head.map((text) => make("th", { scope: "col" }, text));
      const element = make("details", { class: "widget-numbers" }, make("summary", {}, caption),
        make("table", { class: "table" }, make("thead", {}, make("tr", {}, ...cells)), body));
      const fill = (rows) => body.replaceChildren(...rows.map(([first, ...others]) =>
        make("tr", {}, make("th", { scope: "row" }, first), ...others.map((text) => make("td", {}, text)))));
      return { element, fill };
    };

    /** Put the parts, kit.says among them, into the box, in place of what is printed, and draw for the first time. */
    kit.start = (...parts) => {
      root.append(make("div", { class: "widget-live" }, make("p", { class: "widget-title" }, root.getAttribute("aria-label")), ...parts));
      root.classList.add("live");
      kit.put({});
    };
    return kit;
  };

  window.widget = (name, build) => document.querySelectorAll(`.widget[data-widget=${name}]`)
    .forEach((root, n) => build(makeKit(root, `-${name}-${n}`)));
})();
