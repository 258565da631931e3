"use strict";

// The conversation is here alone: it ends with the page.
const element = id => document.getElementById(id);
const messages = [];
let running = null;

const HEADERS = { "X-Requested-With": "multitenant-chat" };
const GONE = "The chat's own job does not answer: it may have ended. Start it anew from the dashboard.";

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

// What anybody wrote is text, never markup.
function show(role, text) {
  const article = document.createElement("article");
  const heading = document.createElement("h2");
  const paragraph = document.createElement("p");
  article.className = role;
  heading.textContent = role === "user" ? "You" : element("model").value;
  paragraph.dir = "auto";
  paragraph.textContent = text;
  article.append(heading, paragraph);
  element("messages").append(article);
  article.scrollIntoView({ block: "end" });
  return { article, paragraph };
}

function busy(state) {
  element("send").disabled = element("clear").disabled = state;
  element("stop").disabled = !state;
  element("state").textContent = state ? "The model answers…" : "";
  // Read out once it is whole.
  element("messages").setAttribute("aria-busy", String(state));
}

async function receive(shown) {
  const response = await fetch("chat", {
    method: "POST", signal: running.signal, headers: { ...HEADERS, "Content-Type": "application/json" },
    body: JSON.stringify({ model: element("model").value, messages }),
  });
  let whole = false;
  for await (const part of lines(response)) {
    if (part.error) throw new Error(part.error);
    if (part.text) {
      shown.paragraph.textContent += part.text;
      shown.article.scrollIntoView({ block: "end" });
    }
    whole = whole || part.done;
  }
  if (!whole) throw new TypeError("incomplete");
}

async function send(text) {
  const asked = show("user", text);
  messages.push({ role: "user", content: text });
  const answer = show("assistant", "");
  running = new AbortController();
  say("");
  busy(true);
  try {
    await receive(answer);
  } catch (error) {
    if (error.name !== "AbortError") say(error.name === "Error" ? error.message : GONE);
  }
  running = null;
  busy(false);
  const content = answer.paragraph.textContent;
  if (content) {
    messages.push({ role: "assistant", content });
  } else {
    // It can be sent again.
    messages.pop();
    answer.article.remove();
    asked.article.remove();
    if (!element("text").value) element("text").value = text;
  }
  element("text").focus();
}

async function start() {
  try {
    const answer = await (await fetch("models", { headers: HEADERS })).json();
    if (answer.error) return say(answer.error);
    document.title = `Chat with ${answer.service}`;
    element("service").textContent = answer.service;
    for (const name of answer.models) element("model").append(new Option(name, name, false, name === answer.model));
  } catch (error) {
    say(GONE);
  }
}

element("form").addEventListener("submit", event => {
  event.preventDefault();
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
  element("text").focus();
});
start();
