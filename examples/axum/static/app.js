// Makes pages pleasant. Every page works without this file.
"use strict";

// Counts a wait down, and holds the form back until it is over.
for (const shown of document.querySelectorAll("[data-countdown]")) {
  const until = Date.now() + Number(shown.dataset.countdown) * 1000;
  const buttons = document.querySelectorAll("main form button[type=submit]");
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    for (const button of buttons) button.disabled = left > 0;
    if (left > 0) {
      shown.textContent = left < 120 ? `${left} s` : `${Math.ceil(left / 60)} min`;
      setTimeout(tick, 250);
      return;
    }
    const done = document.querySelector("[data-countdown-done]");
    shown.parentElement.hidden = true;
    done.hidden = false;
    done.classList.remove("unseen");
  };
  tick();
}

// Sends a form once, however often it is clicked.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
// What is shown once is not there when the page comes back from the browser's memory.
addEventListener("pagehide", () => {
  for (const shown of document.querySelectorAll(".codes, .scan, .key")) shown.remove();
});
// A page that comes back from the browser's memory may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent;
});

// A screen reader hears of a change where it knew before that there may be one.
for (const button of document.querySelectorAll("[data-copy], [data-download]")) button.setAttribute("aria-live", "polite");
const said = (button, text) => {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => (button.textContent = before), 2000);
};
const text = (id) => {
  const shown = document.getElementById(id);
  const items = [...shown.querySelectorAll("li, code")].filter((item) => !item.querySelector("code"));
  return items.length ? items.map((item) => item.textContent.trim()).join("\n") : shown.textContent.replace(/\s/g, "");
};
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", () =>
    navigator.clipboard.writeText(text(button.dataset.copy)).then(
      () => said(button, "Copied"),
      () => said(button, "Not copied: select the text"),
    ),
  );
}
for (const button of document.querySelectorAll("[data-download]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text(button.dataset.download) + "\n"], { type: "text/plain" }));
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
    said(button, "Downloaded");
  });
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// Shows times in the time zone of the reader.
for (const shown of document.querySelectorAll("time[datetime]")) {
  const time = new Date(shown.dateTime);
  if (!Number.isNaN(time.valueOf())) {
    shown.title = shown.textContent;
    shown.textContent = time.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  }
}

// The field to begin at: that of a code where it comes first, and where something went wrong the first that is empty.
const fields = [...document.querySelectorAll("main form input:not([type=hidden], [type=checkbox])")];
const wrong = document.querySelector(".advice") && (fields.find((field) => !field.value) ?? fields[0]);
const first = wrong || (fields[0]?.id === "code" && fields[0]);
if (first && !document.querySelector(".qr")) first.focus();
