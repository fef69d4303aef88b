// How a vote was given: by key or by pointer, how long the page was looked at, how large it is.
//
// A report is sent in the same moment as the vote itself: Streamlit gathers everything that
// changes within one event into one message, so that no vote costs a second run of the script.
// It also keeps a held key from voting again and again, and sends the comment while it is being
// written, so that a refresh loses nothing.

const IDLE = 30000;
const PAUSE = 700;
let task = null;
let keys = [];
let send = () => {};
let active = 0;
let seen = 0;
let timer = null;

function now() {
  return performance.now();
}

function look() {
  const moment = now();
  if (document.visibilityState === "visible") active += Math.min(moment - seen, IDLE);
  seen = moment;
}

function writing(event) {
  const target = event.composedPath ? event.composedPath()[0] : event.target;
  if (!target || !target.closest) return null;
  return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]");
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

function pressed(event) {
  const key = event.key.toLowerCase();
  const box = writing(event);
  if (box) {
    if (key === "escape") box.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !keys.includes(key)) return look();
  if (event.repeat) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  report("key");
}

function clicked(event) {
  const button = event.target.closest && event.target.closest("[class*=st-key-vote-] button");
  if (!button) return look();
  report(event.detail === 0 ? "key" : event.pointerType || "mouse");
}

function wrote(event) {
  const box = event.target;
  if (box.tagName !== "TEXTAREA" || !box.closest("[class*=st-key-comment-]")) return;
  const [about, text] = [task, box.value];
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
  send = component.setStateValue;
  keys = component.data.keys;
  if (component.data.task !== task) {
    task = component.data.task;
    active = 0;
    seen = now();
  }
}
