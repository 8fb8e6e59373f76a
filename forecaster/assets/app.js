// What a script adds to pages that work without it: fresh figures without a reload, the theme button, keys.
// Every part that carries data-live and an id is taken from a new copy of this same page and merged in, so there is
// one way in which a figure is made, and focus, open details and scroll position stay.
(() => {
  "use strict";

  const toggle = document.getElementById("theme");
  toggle?.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // Storage is switched off: the choice lasts for this page.
    }
  });

  const every = Number(document.body.dataset.refresh) * 1000;
  const status = document.getElementById("refresh-status");
  let failed = 0;
  let loadedAt = new Date();

  async function refresh() {
    const parts = document.querySelectorAll("[data-live][id]");
    if (parts.length === 0 || document.hidden) return;
    const answer = await fetch(document.body.dataset.address || location.href, { headers: { "X-Refresh": "1" }, credentials: "same-origin", cache: "no-store" });
    if (answer.redirected || answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) throw new Error(`the hub answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const next = fresh.getElementById(part.id);
      if (next) Idiomorph.morph(part, next.innerHTML, { morphStyle: "innerHTML", ignoreActiveValue: true });
    }
    loadedAt = new Date();
  }

  async function loop() {
    try {
      await refresh();
      if (failed > 0 && status) status.textContent = "";
      failed = 0;
    } catch (problem) {
      failed += 1;
      if (status) status.textContent = `No answer from the hub since ${loadedAt.toLocaleTimeString()} (${problem.message}). Trying again.`;
    }
    setTimeout(loop, Math.min(every * 2 ** Math.min(failed, 4), 60_000));
  }
  if (every > 0) setTimeout(loop, every);

  // A form that reaches out to a node takes a while: say so, and do not send it twice.
  for (const form of document.querySelectorAll("form[data-busy]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      if (button) {
        button.disabled = true;
        button.textContent = form.dataset.busy;
      }
    });
  }

  const rows = () => [...document.querySelectorAll("[data-rows] a[data-row]")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const help = document.getElementById("keys");
    if (event.target instanceof Element && event.target.closest("input, select, textarea, dialog[open]")) return;
    const links = rows();
    const here = links.indexOf(document.activeElement);
    switch (event.key) {
      case "/": {
        const search = document.querySelector("input[type=search]");
        if (!search) return;
        search.focus();
        search.select();
        break;
      }
      case "j": links[Math.min(here + 1, links.length - 1)]?.focus(); break;
      case "k": links[Math.max(here - 1, 0)]?.focus(); break;
      case "w": location.href = "/"; break;
      case "?": help?.showModal(); break;
      default: return;
    }
    event.preventDefault();
  });
})();
