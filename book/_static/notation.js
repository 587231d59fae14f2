/* The switch between notations. A chosen one is remembered, taken out of its template and typeset; the course's own
   stays typeset and in its place, so that links to it lead there, and is shown on paper (see course.css). */
(() => {
  "use strict";
  const KEY = "rnncourse-notation";
  const box = document.querySelector(".notation-switch");

  const unwrap = (place, choice) => {
    for (const template of place.querySelectorAll(":scope > template")) {
      const part = template.content.firstElementChild;
      if (part.dataset.notation == choice) {
        const number = place.querySelector(".eqno");
        if (number) part.querySelector(".math").prepend(number.cloneNode(true));
        template.replaceWith(part);
        return [part];
      }
    }
    return [];
  };

  const show = (choice) => {
    const places = [...document.querySelectorAll(".in-notation")];
    const added = places.flatMap((place) => unwrap(place, choice));
    for (const place of places) {
      const parts = [...place.children];
      const shown = parts.find((part) => part.dataset.notation == choice) ?? parts[0];
      parts.forEach((part) => part.classList.toggle("away", part != shown));
    }
    if (added.length) window.MathJax?.startup?.promise?.then(() => MathJax.typesetPromise(added));
  };

  const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const remember = (choice) => { try { localStorage.setItem(KEY, choice); } catch { /* then for this page only */ } };

  const follow = (choice) => {
    const button = box.querySelector(`[value="${CSS.escape(choice ?? "course")}"]`);
    if (button) { button.checked = true; show(button.value); }
  };

  box.hidden = false;
  box.addEventListener("change", (event) => { remember(event.target.value); show(event.target.value); });
  window.addEventListener("storage", (event) => { if (event.key == KEY) follow(event.newValue); });  // another tab's
  follow(remembered());
})();
