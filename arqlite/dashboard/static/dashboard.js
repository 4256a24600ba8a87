// What a page can do beside being read: stay up to date, be used by keys, complete a filter.
// All of it works on what the server has sent; without this file nothing is missing that cannot be clicked.

const root = document.documentElement, body = document.body;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const kept = {
  get(name, usual) { try { return localStorage.getItem(`arqlite.${name}`) ?? usual; } catch { return usual; } },
  set(name, value) { try { localStorage.setItem(`arqlite.${name}`, value); } catch { /* a browser that keeps nothing */ } },
};
root.dataset.js = "";

// -- theme: in a cookie, so that the server can write it into the page before anything is painted

const THEMES = ["", "light", "dark"];
function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  document.cookie = `arqlite_theme=${theme}; path=${body.dataset.root}; max-age=${theme ? 31536000 : 0}; samesite=lax`;
  showTheme();
}
function showTheme() {
  const button = one("#theme");
  if (button) button.textContent = { light: "Light", dark: "Dark" }[root.dataset.theme] ?? "System";
}

// -- times: as the server wrote them, in UTC, or as this device has them

// What both ways of writing a moment begin with is the same in all languages.
function written(at, isLocal) {
  const text = isLocal ? at.toString() : at.toUTCString();
  const [day, clock, zone] = isLocal
    ? [`${text.slice(8, 10)} ${text.slice(4, 7)}`, text.slice(16, 24), text.slice(25, 33)]
    : [text.slice(5, 11), text.slice(17, 25), "UTC"];
  return { day, minutes: clock.slice(0, 5), seconds: `${clock} ${zone}` };
}
function showTimes() {
  const isLocal = kept.get("clock", "utc") === "local";
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = isLocal
      ? at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })
      : at.toISOString().replace(/^([^T]+)T([^.]+).*/, "$1 $2 UTC");
    if (time.dataset.clock) time.textContent = written(at, isLocal)[time.dataset.clock];
  }
  const button = one("#clock");
  if (button) button.textContent = isLocal ? "Local" : "UTC";
}

// -- selection, and the row that keys are about

const picks = () => all("td.pick input");
const chosen = () => picks().filter((box) => box.checked);
let lastPick = null, atRow = null;
function showSelection() {
  const count = chosen().length, bar = one(".bulk"), every = one("#pick-all");
  if (bar) {
    if (count) bar.dataset.count = count; else delete bar.dataset.count;
    one(".count", bar).textContent = count ? `${count} selected` : "";
  }
  if (every) {
    every.checked = count > 0 && count === picks().length;
    every.indeterminate = count > 0 && !every.checked;
  }
}
const rows = () => all("main tbody tr");
function showRow() {
  for (const row of rows()) row.classList.toggle("at", row.id !== "" && row.id === atRow);
}
function step(by) {
  const list = rows().filter((row) => row.id);
  if (!list.length) return;
  const now = list.findIndex((row) => row.id === atRow);
  const row = list[Math.min(Math.max(now < 0 ? 0 : now + by, 0), list.length - 1)];
  atRow = row.id;
  showRow();
  row.scrollIntoView({ block: "nearest" });
}
const currentRow = () => (atRow ? document.getElementById(atRow) : null);
function doToJobs(verb) {
  const button = one(`.bulk button[value="${verb}"]`);
  if (!button) {
    one(`.acts form[action$="/${verb}"] button`)?.click();
    return;
  }
  if (!chosen().length) {
    const box = currentRow() && one(".pick input", currentRow());
    if (!box) return;
    box.checked = true;
  }
  button.form.requestSubmit(button);
}

// -- live: hear that something has changed, fetch this page again, and change what differs

const rate = () => Number(kept.get("rate", "5"));
let stream = null, isDue = false, isFetching = false, isBroken = false, timer = 0, again = 0, isOver = false, lastLook = Date.now();

function isHeld() {
  const focused = document.activeElement, selection = getSelection();
  return document.hidden || chosen().length > 0 || one("details.menu[open], dialog[open]") !== null
    || (one("main").contains(focused) && focused.matches("input:not([type=checkbox]), select, textarea"))
    || (selection !== null && !selection.isCollapsed && one("main").contains(selection.anchorNode));
}
function connect() {
  stream?.close();
  clearInterval(timer);
  clearTimeout(again);
  stream = null;
  if (isOver || !one("#rate")) return;
  if (rate() && !document.hidden) {
    if (body.dataset.live) {
      stream = new EventSource(`${body.dataset.live}?every=${rate()}`);
      stream.addEventListener("open", () => heard(true));
      stream.addEventListener("changed", () => { isDue = true; refreshIfDue(); });
      // A proxy may not let streams through, or there are too many: then the page asks by itself, and not too often.
      stream.addEventListener("error", () => {
        heard(false);
        // What was refused is not tried again by browsers.
        if (stream?.readyState === EventSource.CLOSED) again = setTimeout(connect, 60_000);
      });
    } else isBroken = true;
    pace();
  }
  showState();
}
function heard(isOpen) {
  if (isBroken === isOpen) {
    isBroken = !isOpen;
    pace();
  }
  showState();
}
function pace() {
  clearInterval(timer);
  timer = setInterval(() => { isDue ||= isBroken || isUntold(); refreshIfDue(); }, Math.max(rate(), isBroken ? 5 : 1) * 1000);
}
// The stream looks at numbers of queues: a running job tells of itself, and a tag or a time may change, without one.
const isUntold = () => one("[data-follow]") !== null || Date.now() - lastLook > 60_000;
function showState(state) {
  body.dataset.state = state ?? (!rate() || document.hidden ? "off" : isBroken ? "asks" : "live");
}
function refreshIfDue() {
  if (isDue && !isFetching && !isHeld()) refresh();
}
async function refresh() {
  isFetching = true;
  isDue = false;
  lastLook = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    const isAway = answer.status >= 500;
    // What a form has answered stands under the address of the form, which is no page: it is left as it is.
    const isPage = !answer.redirected && answer.status !== 405 && (answer.headers.get("content-type") ?? "").startsWith("text/html");
    if (!isPage && !isAway) { isOver = true; connect(); showState("off"); return; }
    const told = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = one("#main", told);
    isDue ||= isAway || !fresh || isHeld();
    // A proxy may answer for a dashboard that starts anew: what it says is none of our pages.
    if (!fresh) return showState(isAway ? "away" : undefined);
    if (isHeld()) return;
    // What was just done is told once, by the first page: it stays there long enough to be read.
    const said = one("#flash");
    if (said && !one("#flash", told) && performance.now() < 8000) fresh.prepend(said.cloneNode(true));
    morph(one("#main"), fresh);
    document.title = told.title;
    settle();
    showState();
  } catch {
    isDue = true;
    showState("away");
  } finally {
    isFetching = false;
  }
}

/** Make `old` like `fresh`, keeping elements that are still there: with focus, open details and what was chosen. */
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !isOurs(old, name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && !isOurs(old, name)) old.setAttribute(name, value);
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const stays = new Set([...fresh.children].map((child) => child.id));
  // Past what is not the server's, and over what is gone: or all that comes after it would be taken for new.
  const skipped = (node) => {
    while (node && (isMade(node) || (node.id && !stays.has(node.id)))) {
      const next = node.nextSibling;
      if (!isMade(node)) node.remove();
      node = next;
    }
    return node;
  };
  let place = skipped(old.firstChild);
  for (const wanted of [...fresh.childNodes]) {
    // Text between elements is spaces that come and go with them.
    while (wanted.nodeType === Node.ELEMENT_NODE && place && place.nodeType !== Node.ELEMENT_NODE) {
      const next = skipped(place.nextSibling);
      place.remove();
      place = next;
    }
    const twin = wanted.id ? byId.get(wanted.id) : null;
    if (twin && twin !== place) old.insertBefore(twin, place);
    const here = twin ?? place;
    if (here && isAlike(here, wanted)) {
      if (here.nodeType === Node.ELEMENT_NODE) morph(here, wanted);
      else if (here.nodeValue !== wanted.nodeValue) here.nodeValue = wanted.nodeValue;
      place = skipped(here.nextSibling);
    } else old.insertBefore(document.importNode(wanted, true), place);
  }
  while (place) {
    const next = skipped(place.nextSibling);
    place.remove();
    place = next;
  }
}
const isAlike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
// What the reader has changed is theirs: what is open, and elements and marks that only this script makes.
const isMade = (node) => node.nodeType === Node.ELEMENT_NODE && node.dataset.own === "all";
const isOurs = (element, name) => element.dataset.own !== undefined || name === "open" || name === "data-count"
  || (name === "value" && element === document.activeElement);

// -- completing: a list below an input, moved through by arrows

function listBelow(input, list, find, take) {
  let options = [], at = -1, asked = 0, hasMoved = false;
  const show = () => {
    list.replaceChildren(...options.map((option, place) => {
      const item = document.createElement("li");
      item.id = `${list.id}-${place}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(place === at));
      item.append(option.label);
      if (option.note) item.append(Object.assign(document.createElement("small"), { textContent: option.note }));
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(option); });
      return item;
    }));
    list.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (at >= 0) { input.setAttribute("aria-activedescendant", `${list.id}-${at}`); list.children[at].scrollIntoView({ block: "nearest" }); }
    else input.removeAttribute("aria-activedescendant");
  };
  const ask = async (first = -1) => {
    hasMoved = false;
    const number = ++asked, found = await find();
    if (number !== asked) return;
    // Who has moved to an option while this list was under way keeps it, if it is in this list, too.
    const same = hasMoved ? found.findIndex((option) => option.label === options[at]?.label) : -1;
    options = found;
    at = same >= 0 ? same : options.length ? first : -1;
    show();
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!options.length) return;
      event.preventDefault();
      hasMoved = true;
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      show();
    } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0 && !list.hidden) {
      event.preventDefault();
      take(options[at]);
    } else if (event.key === "Escape" && options.length && !input.closest("dialog")) {
      event.stopPropagation();
      close();
    }
  });
  const close = () => { asked++; options = []; at = -1; show(); };
  return { ask, close };
}
async function suggested(word, start) {
  if (!body.dataset.suggest) return [];
  try {
    const answer = await fetch(`${body.dataset.suggest}?${new URLSearchParams({ word, start })}`, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : [];
  } catch {
    return [];
  }
}
const quoted = (value) => (/^[^\s",:*]+$/.test(value) ? value : `"${value.replace(/(["\\])/g, "\\$1")}"`);

function completeFilter() {
  const input = one("#q");
  if (!input) return;
  const names = all("#q-words option").map((option) => option.value);
  input.removeAttribute("list");
  const list = Object.assign(document.createElement("ul"), { id: "q-list", hidden: true });
  list.dataset.own = "all";
  input.dataset.own = "marks";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Completions");
  input.after(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-controls": "q-list", "aria-expanded": "false", "aria-autocomplete": "list" })) input.setAttribute(name, value);
  const word = () => {
    const before = input.value.slice(0, input.selectionStart), from = before.search(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)*$/);
    return { from, text: before.slice(from) };
  };
  const below = listBelow(input, list, async () => {
    const { text } = word(), bare = text.replace(/^-/, ""), [, name, told] = bare.match(/^([a-z_]+):(.*)$/s) ?? [];
    if (!name) return bare ? names.filter((each) => each.startsWith(bare)).map((each) => ({ label: each, value: each })) : [];
    const parts = told.split(","), start = parts.pop().replace(/^"/, "");
    const head = `${name}:${parts.map((part) => `${part},`).join("")}`;
    return (await suggested(name, start)).filter((value) => value !== start).map((value) => ({ label: value, value: head + quoted(value) }));
  }, ({ value }) => {
    const { from, text } = word(), written = (text.startsWith("-") ? "-" : "") + value, rest = input.value.slice(from + text.length);
    const isWhole = !/[:.>]$/.test(value);
    input.value = input.value.slice(0, from) + written + (isWhole && !rest ? " " : "") + rest;
    const end = from + written.length + (isWhole && !rest ? 1 : 0);
    input.setSelectionRange(end, end);
    below.close();
    if (!isWhole) below.ask();
  });
  input.addEventListener("input", () => below.ask());
  input.addEventListener("blur", () => below.close());
}

function openPalette() {
  const dialog = one("#palette");
  if (!dialog || dialog.open) return;
  const input = one("input", dialog);
  input.value = "";
  dialog.showModal();
  dialog.ask();
}
function makePalette() {
  const dialog = one("#palette");
  if (!dialog) return;
  const input = one("input", dialog), jobs = input.dataset.jobs;
  const pages = all(".side nav a").map((link) => ({ label: link.textContent.trim(), note: "page", href: link.href }));
  const below = listBelow(input, one("#palette-list"), async () => {
    const text = input.value.trim(), low = text.toLowerCase();
    const found = pages.filter((each) => each.label.toLowerCase().includes(low));
    if (!text) return found;
    const [queues, functions] = await Promise.all([suggested("queue", text), suggested("function", text)]);
    const query = (q) => `${jobs}?${new URLSearchParams({ q })}`;
    return [
      ...found,
      ...queues.map((key) => ({ label: key, note: "jobs of the queue", href: query(`queue:${quoted(key)}`) })),
      ...functions.map((name) => ({ label: name, note: "jobs of the function", href: query(`function:${quoted(name)}`) })),
      { label: text, note: "look for jobs", href: query(text) },
    ];
  }, ({ href }) => { location.href = href; });
  dialog.ask = () => below.ask(0);
  // A search field takes the first Escape to empty itself; here it means to leave.
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.preventDefault(); dialog.close(); }
  });
  input.addEventListener("input", dialog.ask);
}

// -- clipboard: also where a page is not served by HTTPS

async function copy(button) {
  const block = button.closest(".code");
  const text = button.dataset.copy ?? all("pre", block).map((part) => part.textContent).join("\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    (button.closest("dialog") ?? body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// -- keys

let isGoing = 0;
const KEYS = {
  "/": () => one("#q") ? one("#q").focus() : one('.side nav a[data-key="j"]')?.click(),
  j: () => step(1), k: () => step(-1),
  x: () => { const box = currentRow() && one(".pick input", currentRow()); if (box) { box.checked = !box.checked; showSelection(); } },
  Enter: () => currentRow() && one("a", currentRow())?.click(),
  r: () => doToJobs("retry"), c: () => doToJobs("cancel"),
  ".": () => refresh(), t: () => nextTheme(), "?": () => one("#keys")?.showModal(),
  g: () => { isGoing = Date.now(); },
  Escape: () => {
    for (const menu of all("details.menu[open]")) menu.open = false;
    for (const box of chosen()) box.checked = false;
    atRow = null;
    showRow();
    showSelection();
  },
};
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // What has focus takes Enter itself.
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  if (Date.now() - isGoing < 1500) {
    isGoing = 0;
    one(`.side nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  const action = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (!action) return;
  event.preventDefault();
  action();
});

// -- one listener for all that comes and goes with the page

document.addEventListener("click", (event) => {
  const target = event.target;
  for (const menu of all("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  if (target.matches(".copy")) copy(target);
  if (target.matches("dialog")) target.close();
  if (target.matches("#theme")) nextTheme();
  if (target.matches("#find")) openPalette();
  if (target.matches("#help")) one("#keys").showModal();
  if (target.matches("#clock")) { kept.set("clock", kept.get("clock", "utc") === "utc" ? "local" : "utc"); showTimes(); }
  if (target.matches("#pick-all")) for (const box of picks()) box.checked = target.checked;
  if (target.matches("td.pick input")) {
    const boxes = picks(), from = boxes.indexOf(lastPick), to = boxes.indexOf(target);
    if (event.shiftKey && from >= 0) for (const box of boxes.slice(Math.min(from, to), Math.max(from, to))) box.checked = target.checked;
    lastPick = target;
  }
  if (target.matches(".pick input")) showSelection();
});
document.addEventListener("visibilitychange", () => { isDue = true; connect(); refreshIfDue(); });
one("#rate")?.addEventListener("change", (event) => { kept.set("rate", event.target.value); connect(); });

function settle() {
  showTimes();
  showSelection();
  showRow();
}
if (one("#rate")) one("#rate").value = String(rate());
showTheme();
settle();
completeFilter();
makePalette();
connect();
