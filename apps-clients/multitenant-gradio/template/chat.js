"use strict";

// The conversation is here alone: it ends with the page.
const element = id => document.getElementById(id);
const messages = [];
let running = null;

const HEADERS = { "X-Requested-With": "multitenant-chat" };
const PATIENCE = 10000;
const LOOKS = 4;
const PAUSE = 3000;
const GONE = "The chat's own job does not answer: it may have ended, or your login to Open OnDemand has. " +
             "Look at its card in the dashboard.";
const NOTHING = "The model ended its answer before it began. Your message is below again: send it once more, or change it.";
const AGAIN = " Your message is below again: send it once more.";
const CUT = "The answer ends here because it reached the length that the service allows. Write “go on” for more.";

// Yields what the lines of an answer say.
async function* lines(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const whole = rest.split("\n");
    rest = whole.pop();
    for (const line of whole) yield JSON.parse(line);
    if (done) return;
  }
}

function say(sentence) {
  element("error").textContent = sentence;
}

function state(text) {
  if (element("state").textContent !== text) element("state").textContent = text;
}

// Follows what is new, unless the reader has gone up to read.
function following(change) {
  const page = document.documentElement;
  const follow = page.scrollHeight - page.scrollTop - page.clientHeight < 100;
  change();
  if (follow) toEnd();
}

function toEnd() {
  document.documentElement.scrollTop = document.documentElement.scrollHeight;
}

// Shows the text as it was written; in blocks, if it grows or takes a browser long; without its lines, if it has more
// than a browser bears.
function plain(place, text, grows = false) {
  place.className = text.split("\n").length > ELEMENTS ? "" : "plain";
  const whole = { type: "html", raw: tidy(text) };
  fill(place, grows || heavy([whole], whole.raw) ? blocks(whole.raw) : [whole]);
}

function show(role, name) {
  const article = make("article");
  const body = make("div");
  article.className = role;
  article.append(make("h2", name), body);
  element("messages").append(article);
  return { article, body };
}

// An answer that grows. It is drawn once for all that came since the last frame.
class Answer {
  constructor(model) {
    Object.assign(this, show("assistant", tidy(model)), { text: "", thought: "" });
  }

  take(part) {
    if (part.note) element("note").textContent = part.note;
    if (part.cut) say(CUT);
    if (!part.text && !part.thought) return;
    this.text += part.text || "";
    this.thought += part.thought || "";
    state(part.text ? "The model answers…" : "The model thinks…");
    this.frame = this.frame || requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    following(() => {
      if (this.thought) {
        if (!this.thoughts) this.thoughts = make("p");
        if (!this.thoughts.isConnected) this.body.before(make("details", make("summary", "Thoughts"), this.thoughts));
        plain(this.thoughts, this.thought, true);
      }
      render(this.body, this.text);
    });
  }
}

function busy(on) {
  element("send").disabled = element("clear").disabled = on;
  element("stop").disabled = !on;
  state(on ? "Waiting for the model…" : "");
  // Read out once it is whole.
  element("messages").setAttribute("aria-busy", String(on));
}

function failure(part) {
  return Object.assign(new Error(part.error), part);
}

// Where none of the jobs answers that the chat knows, the dashboard may know others, and tells the chat's job.
async function persist(ask, begun) {
  for (let looks = 0; ; looks++) {
    try {
      return await ask();
    } catch (error) {
      if (!error.again || begun() || looks === LOOKS || !(await lookAgain(error.again, looks))) throw error;
    }
  }
}

async function lookAgain(dashboard, looks) {
  state("No job of the service answers: your dashboard is asked for those that run now…");
  if (looks) await new Promise(done => setTimeout(done, PAUSE));
  try {
    return (await fetch(dashboard, { signal: running && running.signal })).ok;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return false;
  }
}

async function receive(answer) {
  const response = await fetch("chat", {
    method: "POST", signal: running.signal, headers: { ...HEADERS, "Content-Type": "application/json" },
    body: JSON.stringify({ model: element("model").value, messages }),
  });
  let whole = false;
  for await (const part of lines(response)) {
    if (part.error) throw failure(part);
    answer.take(part);
    whole = whole || part.done;
  }
  if (!whole) throw new TypeError("incomplete");
  if (!answer.text) throw new Error(NOTHING);
}

async function send(text) {
  const asked = show("user", "You");
  plain(asked.body, text);
  messages.push({ role: "user", content: text });
  const answer = new Answer(element("model").value);
  running = new AbortController();
  say("");
  busy(true);
  toEnd();
  const late = setTimeout(() => {
    if (!answer.text && !answer.thought) state("Still waiting: the service may be busy with others, or load its model.");
  }, PATIENCE);
  let ended = "";
  let lost = false;
  try {
    await persist(() => receive(answer), () => answer.text || answer.thought);
  } catch (error) {
    lost = error.lost;
    if (error.name === "AbortError") ended = "Stopped.";
    else say(error.name === "Error" ? error.message + (lost && answer.text ? AGAIN : "") : GONE);
  }
  clearTimeout(late);
  running = null;
  busy(false);
  state(ended);
  answer.draw();
  if (answer.text) answer.article.append(copyButton("Copy the answer", answer.text));
  if (answer.text && !lost) {
    messages.push({ role: "assistant", content: answer.text });
  } else {
    // It can be sent again. What came of an answer that broke off stays to be read.
    messages.pop();
    if (!answer.text) [answer, asked].forEach(({ article }) => article.remove());
    element("text").value = [text, element("text").value].filter(Boolean).join("\n\n");
  }
  element("text").focus();
}

async function models() {
  const answer = await (await fetch("models", { headers: HEADERS })).json();
  if (answer.error) throw failure(answer);
  return answer;
}

// Whether there is a model to ask.
async function start() {
  if (element("model").value) return true;
  try {
    const answer = await persist(models, () => false);
    say("");
    document.title = `Chat: ${answer.service}`;
    element("service").textContent = answer.service;
    element("owner").textContent = `Runs in a job of ${answer.owner}, who can read what you write.`;
    element("note").textContent = answer.note || "";
    element("model").replaceChildren(...answer.models.map(
      name => new Option(tidy(name), name, false, name === answer.model)));
    return true;
  } catch (error) {
    say(error.name === "Error" ? error.message : GONE);
    return false;
  } finally {
    state("");
  }
}

element("form").addEventListener("submit", async event => {
  event.preventDefault();
  if (running || !(await start())) return;
  const text = element("text").value.trim();
  if (!text || running) return;
  element("text").value = "";
  send(text);
});
element("text").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("form").requestSubmit();
});
element("stop").addEventListener("click", () => running && running.abort());
element("clear").addEventListener("click", () => {
  messages.length = 0;
  element("messages").replaceChildren();
  say("");
  state("");
  element("text").focus();
});
// A form that is submitted before there is a script for it stops the page.
element("send").disabled = false;
start();
