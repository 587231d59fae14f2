/* Typesets the formulas in small portions, those in sight first, so that a page with hundreds of them can be scrolled and
   clicked while it is at it. MathJax.startup.promise, which others wait for, ends with the last one. */
(() => {
  "use strict";
  const PORTION = 30; // milliseconds
  const pause = () => new Promise((resume) => setTimeout(resume));

  const typeset = async () => {
    const inSight = (formula) => { const { top, bottom } = formula.getBoundingClientRect(); return bottom > 0 && top < innerHeight; };
    const [seen, others] = [[], []];
    for (const formula of document.querySelectorAll(".math")) (inSight(formula) ? seen : others).push(formula);
    await MathJax.typesetPromise(seen);
    for (let size = 4; others.length; ) {
      await pause();
      const start = performance.now(), portion = others.splice(0, size);
      await MathJax.typesetPromise(portion);
      size = Math.ceil(Math.min(2, PORTION / (performance.now() - start)) * portion.length);
    }
  };

  window.MathJax.startup = {
    typeset: false,
    ready() {
      MathJax.startup.defaultReady();
      MathJax.startup.promise = MathJax.startup.promise.then(typeset);
    },
  };
})();
