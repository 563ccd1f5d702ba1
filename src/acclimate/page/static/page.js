// What is quicker with a script; without it every form works by itself.
"use strict";

const wait = (form, on) => form.setAttribute("aria-busy", on ? "true" : "false");

// Files take a while to read: say so.
for (const each of document.querySelectorAll("form[data-reads], a[data-reads]")) {
  each.addEventListener(each.matches("form") ? "submit" : "click", () => wait(each, true));
}
addEventListener("pageshow", () => document.querySelectorAll("[aria-busy=true]").forEach(each => wait(each, false)));

// The study file beside the choices follows them.
for (const form of document.querySelectorAll("form[data-live]")) {
  let last = 0;
  form.addEventListener("change", async event => {
    if (["path", "name", "kind", "text", "label", "group", "skip_bad"].includes(event.target.name)) return; // read again by the button
    const mine = ++last;
    const said = new URLSearchParams(new FormData(form));
    wait(form, true);
    try {
      const answer = await fetch(`/new?${said}`);
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== last) return;
      for (const part of form.dataset.live.split(", ")) {
        const [old, fresh] = [form.querySelector(part), found.querySelector(part)];
        if (!old || !fresh) continue;
        const focused = old.contains(document.activeElement) ? document.activeElement : null;
        const named = old.querySelector("[name=name]")?.value;
        old.replaceChildren(...fresh.childNodes);
        old.querySelectorAll("textarea").forEach(each => { each.scrollTop = each.scrollHeight; }); // what is chosen stands at the end
        if (named) old.querySelector("[name=name]").value = named;
        if (focused?.value) [...old.querySelectorAll(`[name="${focused.name}"]`)].find(each => each.value === focused.value)?.focus();
      }
      history.replaceState(null, "", `/new?${said}`);
    } finally {
      if (mine === last) wait(form, false);
    }
  });
}

document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.closest("aside, form").querySelector("textarea");
  text.select();
  try { await navigator.clipboard.writeText(text.value); } catch { document.execCommand("copy"); }
  button.textContent = "Copied";
});

// Dropped files go into the folder, and into the list.
const drop = document.getElementById("drop");
if (drop) {
  drop.hidden = false;
  const told = document.getElementById("dropped");
  const send = async file => {
    const line = told.appendChild(document.createElement("li"));
    line.textContent = `${file.name}: on its way`;
    try {
      const answer = await fetch(`/files?${new URLSearchParams({ name: file.name })}`, { method: "PUT", body: file });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error.problem);
      line.textContent = `${file.name}: there`;
      const item = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name: "path", value: said.path, checked: true });
      label.append(box, ` ${said.path}`);
      item.append(label);
      document.getElementById("none")?.remove();
      document.getElementById("files").append(item);
    } catch (error) {
      line.textContent = error.message;
    }
  };
  const all = async files => { for (const file of files) await send(file); };
  drop.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", event => { event.preventDefault(); drop.classList.remove("over"); all(event.dataTransfer.files); });
  document.getElementById("file").addEventListener("change", event => { all([...event.target.files]); event.target.value = ""; });
}

// A study that runs is followed while somebody looks: browsers open few connections to one server, and tabs are many.
const watched = document.getElementById("watch");
if (watched) {
  let source = null, again = 0;
  const lost = document.getElementById("lost");
  const follow = () => {
    clearTimeout(again);
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source || source.readyState === EventSource.CLOSED) {
      source = new EventSource(watched.dataset.events);
      source.onopen = () => { lost.hidden = true; };
      source.onmessage = event => {
        for (const [id, html] of Object.entries(JSON.parse(event.data))) {
          const part = document.getElementById(id), below = part.scrollHeight - part.scrollTop - part.clientHeight < 40;
          const held = part.contains(document.activeElement) && document.activeElement !== part;
          part.innerHTML = html; // written by the server, where all that is somebody's is escaped
          if (held) part.querySelector("button, a")?.focus();
          if (id === "log" && below) part.scrollTop = part.scrollHeight;
        }
      };
      source.onerror = () => {
        lost.hidden = false;
        if (source.readyState === EventSource.CLOSED) again = setTimeout(follow, 3000);
      };
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
