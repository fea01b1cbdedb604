// Keys, sliders, the clock, an editor that indents, and what is said when the server is gone. No page needs any of it.
"use strict";

const typing = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");

// Keys: an element with data-key is clicked, or focused where it takes text. Letters are for choices, as on the page.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = event.target;
  if (event.key === "Escape" && at instanceof HTMLElement && at !== document.body) return at.blur();
  if (at instanceof HTMLElement && typing(at)) return;
  if (event.key === " " && at.matches("button, summary, input, [tabindex='0']")) return;
  if (event.key === "Enter" && at.matches("button, summary, a")) return;
  if (event.repeat) return;
  const name = event.key === " " ? "Space" : event.key;
  const found = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === name && one.offsetParent);
  if (!found) return;
  event.preventDefault();
  if (typing(found)) return found.focus();
  if (found.matches("summary, input")) found.focus();
  found.click();
});

// A form that was sent is not sent again by a second click; the server would notice, but the eye should, too.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 2000);
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

// Sliders go through the steps in data-steps; the field next to each holds the number that is sent.
const redraw = (() => {
  let timer = 0;
  return (form) => {
    timer ||= setTimeout(() => { timer = 0; htmx.trigger(form, "redraw"); }, 60);
  };
})();
document.addEventListener("input", (event) => {
  const at = event.target, form = at.closest("[data-redraw]");
  if (!form) return;
  if (at.dataset.slides) {
    const field = document.getElementById(at.dataset.slides);
    field.value = JSON.parse(at.dataset.steps)[at.value];
    at.setAttribute("aria-valuetext", field.value);
  } else {
    const slider = form.querySelector(`[data-slides="${at.id}"]`);
    if (slider && at.value !== "") {
      const steps = JSON.parse(slider.dataset.steps), far = steps.map((step) => Math.abs(step - at.value));
      slider.value = far.indexOf(Math.min(...far));
      slider.setAttribute("aria-valuetext", at.value);
    }
  }
  form.querySelectorAll("[data-off-for]").forEach((off) => { off.disabled = document.getElementById(off.dataset.offFor).checked; });
  redraw(form);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-redraw]")) return;
  event.preventDefault();
  htmx.trigger(event.target, "redraw");
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "report") document.getElementById("problem")?.replaceChildren();
});

// A clock that runs down, in seconds from data-left; at its end it is said that the time is up.
setInterval(() => {
  for (const clock of document.querySelectorAll("[data-left]")) {
    clock.until ??= performance.now() + 1000 * clock.dataset.left;
    const left = Math.max(0, Math.round((clock.until - performance.now()) / 1000));
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    document.getElementById("time-up").hidden = left > 0;
  }
}, 250);

// In the editor Tab indents, Enter keeps the indent; Escape and then Tab leaves, as everywhere.
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (!(at instanceof HTMLTextAreaElement) || !at.classList.contains("code") || event.isComposing) return;
  if (event.key === "Escape") return at.blur();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return at.form.requestSubmit();
  const before = at.value.slice(0, at.selectionStart), line = before.slice(before.lastIndexOf("\n") + 1);
  let text = "";
  if (event.key === "Tab" && !event.shiftKey) text = " ".repeat(4 - (line.length % 4));
  if (event.key === "Enter") text = "\n" + /^ */.exec(line)[0] + (line.trimEnd().endsWith(":") ? "    " : "");
  if (!text) return;
  event.preventDefault();
  document.execCommand("insertText", false, text);
});

// A text of the editor that was neither saved nor sent is not left without a question.
addEventListener("beforeunload", (event) => {
  const editor = document.querySelector("textarea.code:not(.short)");
  if (editor && editor.value !== editor.defaultValue) event.preventDefault();
});

// The server is gone: say so, ask every second, and go on when it is back.
let gone = 0;
function lost() {
  if (gone) return;
  document.getElementById("gone").hidden = false;
  gone = setInterval(async () => {
    try {
      const answer = await fetch("/alive");
      if (answer.status !== 204) return;
    } catch { return; }
    clearInterval(gone);
    gone = 0;
    document.getElementById("gone").hidden = true;
    document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent);
    document.querySelectorAll("[data-redraw]").forEach(redraw);
  }, 1000);
}
document.addEventListener("htmx:sendError", lost);

// What comes after a form is read from its beginning, or from what comes next where that would be out of view.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "main") return;
  const next = document.querySelector("[autofocus], [data-focus]");
  (next ?? event.target).focus({ preventScroll: true });
  scrollTo(0, 0);
  next?.scrollIntoView({ block: "nearest" });
});
document.addEventListener("DOMContentLoaded", () => document.querySelector("[data-focus]")?.focus({ preventScroll: true }));
