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

// A study that runs is followed while somebody looks. Browsers open six connections to a server and no more: of all tabs that show this
// study one asks the server, whoever has the lock, and tells the others.
const watched = document.getElementById("watch");
if (watched) {
  const study = `${watched.dataset.events} ${watched.dataset.digest}`; // a tab that shows another text of the file follows another study
  const tabs = new BroadcastChannel(study), lost = document.getElementById("lost");
  const show = said => {
    lost.hidden = !said.lost;
    for (const [id, html] of Object.entries(said.news)) {
      const part = document.getElementById(id);
      if (part.shown === html) continue;
      const below = part.scrollHeight - part.scrollTop - part.clientHeight < 40;
      const held = part.contains(document.activeElement) && document.activeElement !== part;
      part.innerHTML = part.shown = html; // written by the server, where all that is somebody's is escaped
      if (held) part.querySelector("button, a")?.focus();
      if (id === "log" && below) part.scrollTop = part.scrollHeight;
    }
  };
  const ask = signal => new Promise(done => {
    const all = { lost: false, news: {} };
    let source = null, again = 0;
    const tell = (lost, news) => {
      Object.assign(all.news, news);
      all.lost = lost;
      show({ lost, news });
      tabs.postMessage({ lost, news });
    };
    const open = () => {
      source = new EventSource(watched.dataset.events);
      source.onopen = () => tell(false, {});
      source.onmessage = event => tell(false, JSON.parse(event.data));
      source.onerror = () => {
        tell(true, {});
        if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 3000);
      };
    };
    tabs.onmessage = event => { if (event.data === "and so far?") tabs.postMessage(all); };
    signal.addEventListener("abort", () => { clearTimeout(again); source?.close(); done(); });
    if (signal.aborted) done();
    else open();
  });
  const log = document.getElementById("log"); // what was said last is what one looks for
  log.closest("details").addEventListener("toggle", () => { log.scrollTop = log.scrollHeight; });
  let looks = null;
  const follow = () => {
    looks?.abort();
    tabs.onmessage = null;
    if (document.hidden) return;
    const { signal } = looks = new AbortController();
    tabs.onmessage = event => { if (event.data.news) show(event.data); };
    tabs.postMessage("and so far?");
    navigator.locks.request(study, { signal }, () => ask(signal)).catch(() => {}); // nobody looks any more, before it was its turn
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
