// How a vote was given: by key or by pointer, how long the page was looked at, how large it is.
//
// A report is sent in the same moment as the vote itself: Streamlit gathers everything that
// changes within one event into one message, so that no vote costs a second run of the script.
// Two more things can only be done here. A held key, or a second press before the answer to the
// first has come, would meet the buttons of a bar that is about to change: it is ignored. And the
// comment is sent while it is being written, so that a refresh loses nothing.
//
// Marks of single products are painted here: a page drawn anew for every mark would close what is
// open in the lists and take the focus off the button.

const IDLE = 30000; // milliseconds without a sign of life that still count as looking
const PAUSE = 700; // milliseconds without typing after which the comment is sent
const ANSWER = 2500; // milliseconds after which the bar is free again without an answer
const OPENING = 2000; // milliseconds that a comment box may take to appear
const COMMENT = "[class*=st-key-comment-] textarea";

let task = null;
let votes = [];
let keys = [];
let marks = {};
let send = () => {};
let active = 0;
let seen = 0;
let busy = 0;
let timer = null;

function look() {
  const moment = performance.now();
  if (document.visibilityState === "visible") active += Math.min(moment - seen, IDLE);
  seen = moment;
}

function box(event) {
  const target = event.composedPath()[0];
  if (!target || !target.closest) return null;
  return target.closest(
    "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]",
  );
}

function report(method) {
  look();
  send("act", {
    task,
    method,
    active_ms: Math.round(active),
    viewport: `${window.innerWidth}x${window.innerHeight}@${window.devicePixelRatio}`,
  });
}

// True when this press may go on to the button.
function passes(event) {
  if (event.repeat || performance.now() < busy) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return false;
  }
  busy = performance.now() + ANSWER;
  return true;
}

function again({ key, code, keyCode, repeat }) {
  return { key, code, keyCode, which: keyCode, repeat, bubbles: true, cancelable: true };
}

function pressed(event) {
  const key = event.key.toLowerCase();
  const writing = box(event);
  if (writing) {
    if (key === "escape") writing.blur();
    return;
  }
  look();
  if (event.ctrlKey || event.metaKey || event.altKey || !keys.includes(key)) return;
  // a switch that has the focus keeps every key to itself
  const { type } = document.activeElement || {};
  if (event.isTrusted && (type === "checkbox" || type === "radio")) {
    event.stopImmediatePropagation();
    document.activeElement.blur();
    document.body.dispatchEvent(new KeyboardEvent("keydown", again(event)));
    return;
  }
  // without a connection the bar is disabled, and a press must not be waited for
  if (!document.querySelector(".st-key-votes button:not(:disabled)")) return;
  if (passes(event) && votes.includes(key)) report("key");
}

function paint() {
  for (const button of document.querySelectorAll(".ek-mark")) {
    const { item, mark } = button.dataset;
    button.setAttribute("aria-pressed", marks[item] === mark);
  }
  const there = document.querySelector("#ek-task");
  if (keys.length && (!there || there.dataset.task !== task)) requestAnimationFrame(paint);
}

function marked(button) {
  const { item, mark } = button.dataset;
  const { [item]: before, ...others } = marks;
  marks = before === mark ? others : { ...others, [item]: mark };
  paint();
  send("marks", { task, items: marks });
}

// The box that was opened takes what is typed next: "bad" would vote, were it left to the page.
function write(until) {
  const area = document.querySelector(COMMENT);
  if (area) area.focus();
  if (document.activeElement === area) return;
  if (performance.now() < until) requestAnimationFrame(() => write(until));
}

function clicked(event) {
  look();
  const note = event.target.closest && event.target.closest("[class*=st-key-note-] button");
  if (note && !document.querySelector(COMMENT)) write(performance.now() + OPENING);
  const mark = event.target.closest && event.target.closest(".ek-mark");
  if (mark) return marked(mark);
  const button = event.target.closest && event.target.closest(".st-key-votes button");
  if (!button || button.disabled || !passes(event)) return;
  report(event.detail === 0 ? "key" : event.pointerType || "mouse");
}

function wrote(event) {
  const area = event.target;
  if (area.tagName !== "TEXTAREA" || !area.closest("[class*=st-key-comment-]")) return;
  const [about, text] = [task, area.value];
  clearTimeout(timer);
  timer = setTimeout(() => send("draft", { task: about, text }), PAUSE);
}

if (!window.evalkitActivity) {
  window.evalkitActivity = true;
  window.addEventListener("keydown", pressed, true);
  document.addEventListener("click", clicked, true);
  document.addEventListener("input", wrote, true);
  for (const name of ["pointermove", "wheel", "visibilitychange"]) {
    document.addEventListener(name, look, { capture: true, passive: true });
  }
}

export default function (component) {
  const shown = component.data;
  send = component.setStateValue;
  votes = shown.votes;
  keys = [...shown.votes, ...shown.keys];
  busy = 0;
  if (shown.task !== task) {
    task = shown.task;
    marks = Object.fromEntries(shown.marks);
    active = 0;
    seen = performance.now();
  }
  paint();
  document.documentElement.dataset.ekReady = task;
  document.documentElement.dataset.ekRun = shown.run;
  return () => {
    votes = [];
    keys = [];
    delete document.documentElement.dataset.ekReady;
  };
}
