// The review page: show one sample, send each decision, go to the next sample once it is saved.
"use strict";

const $ = (id) => document.getElementById(id);
let words, samples, classes, file;
let at = 0; // index of the sample shown; samples.length = the end
let saving = false;
let found = [], chosen = 0; // classes listed in the relabel dialog, index of the selected one

function fill(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text; // never markup: samples are written by models
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// ---- display

function show() {
  const over = at >= samples.length;
  $("sample").hidden = $("about").hidden = over;
  $("done").hidden = !over;
  for (const id of ["accept", "reject", "relabel"]) $(id).disabled = over;
  $("previous").disabled = at === 0;
  $("next").disabled = at >= lastPosition();
  if (over) showEnd();
  else showSample(samples[at]);
  showProgress();
}

function showSample(sample) {
  const info = classes.find((one) => one.name === sample.label) || { requests: [], keywords: [] };
  $("position").textContent = fill(words.position, { n: at + 1, all: samples.length })
    + " · " + fill(words.in_class, counts(sample.label));
  $("verdict").textContent = verdict(sample.decision);
  $("verdict").className = "chip " + (sample.decision ? sample.decision.decision : "");
  $("label").textContent = sample.label;
  $("definition").textContent = info.definition || "";
  $("reason").textContent = sample.reason;
  $("reason").hidden = !sample.reason;
  $("turns").replaceChildren(...sample.turns.map((turn) => make("li", turn)));
  list("requests", info.requests.map((text) => make("li", text)));
  list("keywords", info.keywords.map((text) => make("li", text)));
  $("seeds").replaceChildren(...(sample.seeds.length
    ? sample.seeds.map(seed)
    : [make("p", words.no_seeds, { class: "quiet" })]));
  $("scores").replaceChildren(...sample.scores.map(([name, value]) => {
    const row = make("div");
    row.append(make("dt", name), make("dd", value));
    return row;
  }));
  $("scores").previousElementSibling.hidden = !sample.scores.length;
}

function list(id, items) {
  $(id).replaceChildren(...items);
  $(id).previousElementSibling.hidden = !items.length;
}

function seed({ id, turns }, position) {
  const details = make("details", "", { class: "seed" });
  details.open = position === 0;
  details.append(make("summary", turns ? id : `${id} – ${words.seed_lost}`));
  const dialogue = make("ol");
  dialogue.append(...(turns || []).map((turn) => make("li", turn)));
  details.append(dialogue);
  return details;
}

function verdict(decision) {
  if (!decision) return words.open;
  const shown = fill(words[`was_${decision.decision}`], decision);
  return decision.reason ? `${shown} · ${decision.reason}` : shown;
}

function showEnd() {
  const given = samples.map((sample) => sample.decision.decision);
  const count = (name) => given.filter((one) => one === name).length;
  $("done-title").textContent = samples.length ? words.done_title : words.empty;
  $("done-counts").textContent = samples.length
    ? fill(words.done_counts, {
      accept: count("accept"), reject: count("reject"), relabel: count("relabel"),
    })
    : "";
  $("done-next").textContent = samples.length ? fill(words.done_next, { file }) : "";
}

function counts(label) {
  const same = samples.filter((sample) => label === undefined || sample.label === label);
  return { done: same.filter((sample) => sample.decision).length, all: same.length };
}

function showProgress() {
  const { done, all } = counts();
  $("count").textContent = fill(words.decided, { done, all });
  $("progress").setAttribute("aria-valuemax", all);
  $("progress").setAttribute("aria-valuenow", done);
  $("bar").style.width = `${all ? (100 * done) / all : 0}%`;
  const labels = [...new Set(samples.map((sample) => sample.label))].sort();
  $("classes").replaceChildren(...labels.map((label) => {
    const current = at < samples.length && samples[at].label === label;
    const row = make("tr", "", current ? { class: "current" } : {});
    const count = counts(label);
    row.append(make("td", label), make("td", `${count.done} / ${count.all}`, { class: "number" }));
    return row;
  }));
}

// ---- navigation

const undecided = (sample) => !sample.decision;
const lastPosition = () => (samples.some(undecided) ? samples.length - 1 : samples.length);

function go(position) {
  at = Math.max(0, Math.min(position, lastPosition()));
  $("reason-text").value = "";
  show();
  for (const pane of [$("call"), $("details"), document.querySelector("main")]) pane.scrollTop = 0;
}

function onward() {
  const later = samples.findIndex((sample, position) => position > at && undecided(sample));
  const any = samples.findIndex(undecided);
  go(later >= 0 ? later : any >= 0 ? any : samples.length);
}

// ---- decisions

async function post(path, body) {
  let reply;
  try {
    reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error(words.unreachable);
  }
  const result = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(result.error || `HTTP ${reply.status}`);
  return result;
}

function fail(pattern, error) {
  $("alert").textContent = fill(pattern, { error: error.message });
  $("alert").hidden = false;
}

// One change at a time: keys pressed while a decision is being saved are ignored.
async function save(path, body, then) {
  if (saving) return;
  saving = true;
  try {
    const result = await post(path, body);
    $("alert").hidden = true;
    then(result);
  } catch (error) {
    fail(words.saving_failed, error);
  } finally {
    saving = false;
  }
}

function decide(decision, extra = {}) {
  if (at >= samples.length) return;
  const sample = samples[at];
  save("/api/decide", { id: sample.id, decision, ...extra }, (result) => {
    sample.decision = result.decision;
    $("status").textContent = verdict(result.decision);
    onward();
  });
}

function undo() {
  save("/api/undo", {}, ({ id }) => {
    const position = samples.findIndex((sample) => sample.id === id);
    $("status").textContent = position < 0 ? words.nothing_to_undo : words.undone;
    if (position < 0) return;
    samples[position].decision = null;
    go(position);
  });
}

function open(name) {
  if (name !== "help" && at >= samples.length) return;
  if (name === "relabel") {
    $("search").value = "";
    search();
  }
  $(`${name}-dialog`).showModal();
}

function reject(reason) {
  $("reject-dialog").close();
  decide("reject", { reason });
}

// ---- list of classes

function search() {
  const sample = samples[at];
  const wanted = $("search").value.trim().toLowerCase();
  const rank = (one) => {
    if (one.id === wanted || one.name.toLowerCase().includes(wanted)) return 0;
    return [one.definition, ...one.requests].some((text) => text.toLowerCase().includes(wanted))
      ? 1 : 2;
  };
  found = classes
    .filter((one) => one.name !== sample.label && rank(one) < 2)
    .sort((one, other) => rank(one) - rank(other)
      || (other.name === sample.suggested) - (one.name === sample.suggested));
  $("options").replaceChildren(...found.map((one, position) => {
    const option = make("li", "", { role: "option", id: `option-${position}` });
    option.append(make("span", one.id && one.id !== one.name ? `${one.id} ${one.name}` : one.name));
    if (one.name === sample.suggested) {
      option.append(make("span", words.suggested, { class: "tag" }));
    }
    if (one.definition) option.append(make("small", one.definition));
    option.addEventListener("click", () => {
      choose(position);
      relabel();
    });
    return option;
  }));
  if (!found.length) $("options").append(make("li", words.no_class, { class: "quiet" }));
  choose(0);
}

function choose(position) {
  chosen = Math.max(0, Math.min(position, found.length - 1));
  [...$("options").children].forEach((option, index) => {
    option.setAttribute("aria-selected", String(found.length > 0 && index === chosen));
  });
  if (!found.length) {
    $("search").removeAttribute("aria-activedescendant");
    return;
  }
  $("search").setAttribute("aria-activedescendant", `option-${chosen}`);
  $(`option-${chosen}`).scrollIntoView({ block: "nearest" });
}

function relabel() {
  if (!found.length) return;
  $("relabel-dialog").close();
  decide("relabel", { label: found[chosen].name });
}

// ---- keys and buttons

// The letter of a key, also if an active Chinese input method hides it.
function letter(event) {
  if (event.key === "Process") return event.code.replace(/^(Key|Digit)/, "").toLowerCase();
  if (event.key === "？") return "?";
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

const KEYS = {
  a: () => decide("accept"),
  r: () => open("reject"),
  l: () => open("relabel"),
  u: undo,
  j: () => go(at + 1),
  ArrowRight: () => go(at + 1),
  k: () => go(at - 1),
  ArrowLeft: () => go(at - 1),
  "?": () => open("help"),
};
const MOVES = ["j", "k", "ArrowRight", "ArrowLeft"]; // these may repeat while held down

document.addEventListener("keydown", (event) => {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (!samples || modified || event.isComposing || document.querySelector("dialog[open]")) return;
  const key = letter(event);
  if (!(key in KEYS) || (event.repeat && !MOVES.includes(key))) return;
  event.preventDefault(); // else the letter is typed into the field that the dialog focuses
  KEYS[key]();
});

$("reject-form").addEventListener("keydown", (event) => {
  const key = letter(event);
  const writing = event.target === $("reason-text") && event.target.value;
  if (event.isComposing || event.repeat || writing || !/^[1-5]$/.test(key)) return;
  event.preventDefault();
  reject(words[`reason_${key}`]);
});

$("search").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.isComposing || !step) return;
  event.preventDefault();
  choose(chosen + step);
});
$("search").addEventListener("input", search);

$("reject-form").addEventListener("submit", (event) => {
  event.preventDefault();
  reject($("reason-text").value);
});
$("relabel-form").addEventListener("submit", (event) => {
  event.preventDefault();
  relabel();
});
for (const button of document.querySelectorAll("[data-reason]")) {
  button.addEventListener("click", () => reject(words[`reason_${button.dataset.reason}`]));
}
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
const BUTTONS = {
  accept: "a", reject: "r", relabel: "l", undo: "u", previous: "k", next: "j", help: "?",
};
for (const [id, key] of Object.entries(BUTTONS)) $(id).addEventListener("click", KEYS[key]);

async function start() {
  const reply = await fetch("/api/state");
  const state = await reply.json();
  if (!reply.ok) throw new Error(state.error);
  ({ words, samples, classes, file } = state);
  const first = samples.findIndex(undecided);
  go(first >= 0 ? first : samples.length);
}

start().catch((error) => fail(document.body.dataset.failed, error));
