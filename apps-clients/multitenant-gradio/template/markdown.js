"use strict";

// Marked only takes Markdown apart; what it finds becomes elements here, and what anybody wrote is text in them.
marked.setOptions({ breaks: true });

const NAMES = { paragraph: "p", blockquote: "blockquote", strong: "strong", em: "em", del: "del" };

function make(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function copyButton(label, text) {
  const button = make("button", "Copy");
  button.type = "button";
  button.title = label;
  button.addEventListener("click", () => copy(text, button));
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {  // without https
    const area = make("textarea", text);
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function codeBlock({ lang, text }) {
  const lines = make("pre", make("code", text));
  lines.tabIndex = 0;
  return make("figure", make("figcaption", make("span", lang || "code"), copyButton("Copy the code", text)), lines);
}

function list({ ordered, start, items }) {
  const made = make(ordered ? "ol" : "ul", ...items.map(item => make("li", ...inside(item.tokens))));
  if (ordered && start !== 1) made.start = start;
  return made;
}

function table({ header, rows }) {
  const row = (name, cells) => make("tr", ...cells.map(cell => make(name, ...inside(cell.tokens))));
  const made = make("div", make("table", make("thead", row("th", header)),
                                make("tbody", ...rows.map(cells => row("td", cells)))));
  made.className = "wide";
  made.tabIndex = 0;
  return made;
}

// Only to where links lead from anywhere; an image is a link, too, since the page loads nothing. A browser reads the
// address of each, of which any number may share a long one.
const LINK = 2048;
function link({ href, raw, text, tokens }) {
  if (href.length > LINK || !/^(https?:\/\/|mailto:)/i.test(href)) return raw;
  const made = make("a", ...(tokens && tokens.length ? inside(tokens) : [text || href]));
  Object.assign(made, { href, title: href, target: "_blank", rel: "noopener noreferrer" });
  return made;
}

function node(token) {
  switch (token.type) {
    case "br": case "hr": return make(token.type);
    case "checkbox": return token.checked ? "☑ " : "☐ ";
    case "code": return codeBlock(token);
    case "codespan": return make("code", token.text);
    case "heading": return make(`h${Math.min(token.depth + 2, 6)}`, ...inside(token.tokens));
    case "image": case "link": return link(token);
    case "list": return list(token);
    case "table": return table(token);
  }
  if (token.tokens) return make(NAMES[token.type] || "span", ...inside(token.tokens));
  return ["escape", "text"].includes(token.type) ? token.text : token.raw;
}

// Browsers give up on elements that are nested a thousand deep.
const DEEPEST = 50;
let depth = 0;
function inside(tokens) {
  if (depth === DEEPEST) return tokens.map(token => token.raw);
  depth += 1;
  const made = tokens.map(node);
  depth -= 1;
  return made;
}

// Browsers need time like the square of the number of marks on a letter, of turns between left and right in a line, and
// of letters in languages that end words without a blank. A line turns at each mark of direction, from what is written from
// right to left to what is not, and at each number beside such text; what stands between has no direction of its own.
const PILED = /(\p{M}{32})\p{M}+/gu;
const UNBROKEN = /[\u0600-\u06ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{1,4096}/g;
const RIGHT = "\\u0590-\\u061b\\u061d-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefe\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}";
const MARKS = "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069";
const BETWEEN = "\\u0000-/:-@\\[-`{-\\u00a9\\u00ab-\\u00b1\\u00b4\\u00b6-\\u00b8\\u00bb\\u00bf" +
                "\\u2000-\\u200d\\u2010-\\u2029\\u202f-\\u2065\\u3000\\ufeff";
const EACH_MARK = new RegExp(`[${MARKS}]`, "gu");
const TURNING = new RegExp(`[${RIGHT}${MARKS}]`, "u");
const TURN = new RegExp(`[${MARKS}]|\\p{N}+|(?![\\p{N}\\p{M}])[${RIGHT}][${BETWEEN}\\p{Mn}]*[^${RIGHT}${MARKS}${BETWEEN}]`,
                        "gu");
const TURNS = 5000;
function tidy(text) {
  return text.replace(PILED, "$1").replace(UNBROKEN, run => run.length < 4096 ? run : run + "\u200b");
}

function turns(text) {
  return TURNING.test(text) && (text.match(TURN) || []).length > TURNS;
}

// What turns around too often stands in the order in which it was written, and has no marks of direction, some of which
// turn all the same.
function direct(place, text) {
  const ordered = turns(text);
  place.dir = ordered ? "ltr" : "auto";
  place.style.unicodeBidi = ordered ? "bidi-override" : "";
  return ordered ? text.replace(EACH_MARK, "") : text;
}

// Of some texts Marked takes seconds for each ten thousand characters. It is given twice as much each time, and a text
// that takes long is shown as it was written, to its end.
const SHORT = 4000;
const SLOW = 300;
// Marked gives each row of a table as many cells as its head has: of four thousand characters it makes half a million.
// A block of code becomes some elements, and a call has room for some ten thousand arguments. A line costs as much as an
// element, of which a block of code has many, and so has a cell that is one letter wide: as many as words.
const ELEMENTS = 20000;
function elements(tokens) {
  return tokens.reduce((sum, { type, header, rows, items, tokens, text }) => {
    const within = type === "table" ? [header, ...rows].flat() : items || tokens || [];
    const cell = !type;
    const own = type === "code" ? 7 + text.split("\n").length : cell ? text.split(/\s+/).length : 1;
    return sum + own + elements(within);
  }, 0);
}

function lex(place, text) {
  for (let length = place.lexed || SHORT; !place.slow; length *= 2) {
    const start = performance.now();
    const tokens = marked.lexer(text.slice(0, length));
    place.slow = (length > SHORT && performance.now() - start > SLOW) || elements(tokens) > ELEMENTS;
    place.lexed = length;
    if (text.length <= length && !place.slow) return tokens;
  }
  throw new RangeError("slow");
}

function parse(place, text) {
  try {
    return lex(place, text).filter(token => !["space", "def"].includes(token.type));
  } catch (error) {  // so, or nested deeper than the browser can follow
    return [{ type: "html", raw: text }];
  }
}

// Shows a text that grows: what stays as it was keeps its elements, and what is selected in them.
function render(place, text) {
  place.turns = place.turns || turns(text);  // of a text that grows they do not become fewer
  if (place.turns) {
    place.slow = true;
    text = text.replace(EACH_MARK, "");
  }
  const tokens = parse(place, tidy(text));
  tokens.forEach((token, index) => {
    const old = place.children[index];
    if (old && old.source === token.raw) return;
    const made = make("div", node(token));
    made.source = token.raw;
    direct(made, token.raw);
    if (old) old.replaceWith(made);
    else place.append(made);
  });
  while (place.children.length > tokens.length) place.lastChild.remove();
}
