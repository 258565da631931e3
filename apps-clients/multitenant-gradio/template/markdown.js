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
// address of each, of which any number may share a long one; nor is that shown for a label that is missing, unless it
// stands there.
const LINK = 2048;
function link({ href, raw, text, tokens }) {
  if (href.length > LINK || !/^(https?:\/\/|mailto:)/i.test(href)) return raw;
  const made = make("a", ...(tokens && tokens.length ? inside(tokens) : [text || (raw.includes(href) ? href : raw)]));
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
    case "html": return token.block ? make("div", token.raw) : token.raw;
    case "image": case "link": return link(token);
    case "list": return list(token);
    case "space": case "def": return "";
    case "table": return table(token);
  }
  if (token.tokens) return make(NAMES[token.type] || "span", ...inside(token.tokens));
  // Marked makes letters of their numbers (`&#1488;`), which nothing here would count.
  return token.type === "escape" ? token.text : token.raw;
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

// Browsers need time like the square of the number of marks on a letter.
const PILED = /(\p{M}{32})\p{M}+/gu;
function tidy(text) {
  return text.replace(PILED, "$1");
}

// Of most writing a browser needs as much time as there are letters: Latin, Greek, Cyrillic, ideographs, symbols. Of
// others it may look at a whole block anew for each: turns between left and right, brackets and numbers beside these,
// letters that are joined, and those of languages that end words without a blank.
const SIMPLE = "\\u0000-\\u02FF\\u0370-\\u0482\\u048A-\\u0588\\u1E00-\\u200A\\u2010-\\u2029\\u2030-\\u205F\\u2070-\\u20CF" +
               "\\u2100-\\u2BFF\\u2E80-\\u3029\\u3030-\\u3098\\u309B-\\uA4CF\\uAC00-\\uD7A3\\uF900-\\uFB06\\uFF00-\\uFFEF" +
               "\\u{1D400}-\\u{1D7FF}\\u{1F000}-\\u{1FAFF}\\u{20000}-\\u{3FFFF}";
const TURNING = new RegExp("[\\u0590-\\u08FF\\u200E\\u200F\\u202A-\\u202E\\u2066-\\u2069\\uFB1D-\\uFDFF\\uFE70-\\uFEFE" +
                           "\\u{10800}-\\u{10FFF}\\u{1E800}-\\u{1EFFF}]", "u");
const COMPLEX = new RegExp(`[^${SIMPLE}]`, "gu");
const COMPLEX_BESIDE = new RegExp(`[^${SIMPLE}]|\\p{Ps}|\\p{N}+`, "gu");
const WEIGHT = 2 ** 26;
// At each line it looks at all pieces of a block that are each in one script and from one font. Letters that most fonts
// have are from one with signs and blanks of ASCII; those of other scripts from one with wide signs. Any other letter or
// sign may be from a font of its own.
// A cell, or what is within many lists, may have a line for each of them, others have fewer.
const SIGNS = "\\u0000-\\u0040\\u005B-\\u0060\\u007B-\\u00BF\\u2000-\\u2022\\u2026-\\u2033\\u2039\\u203A";
const WIDE = "\\u3000-\\u303F\\u30FB\\u30FC\\uFF01-\\uFF20\\uFF3B-\\uFF40\\uFF5B-\\uFF65";
const ALPHABETS = ["A-Za-z\\u00C0-\\u017F\\u01A0\\u01A1\\u01AF\\u01B0\\u0218-\\u021B\\u1EA0-\\u1EF9", "\\u0386-\\u03CE",
                   "\\u0400-\\u045F\\u0490-\\u04FF"];
const OTHERS = ["\\u0531-\\u0587", "\\u3041-\\u3096", "\\u30A1-\\u30FA", "\\uAC00-\\uD7A3", "\\u4E00-\\u9FFF"];
const PIECES = new RegExp([...ALPHABETS.map(one => `[${one}${SIGNS}]+`), ...OTHERS.map(one => `[${one}${WIDE}]+`),
                           `[^${SIMPLE}]+`, "[^]"].join("|"), "gu");
const FEWER = 16;
// To learn how narrow a cell may be, it divides all of these languages up to the next blank into words anew for each word.
const IN_DICTIONARIES = /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
const ANEW = 12;

// What is shown as it was written has blocks of so many characters, of whole lines or words where it can, so that what
// comes next is laid out alone.
const BLOCK = /[^]{1,1024}$|[^]{0,1023}\n|[^]{0,1023} |[^]{1,1024}/gu;
function blocks(text) {
  return (text.match(BLOCK) || []).map(raw => ({ type: "html", raw }));
}

// Of some texts Marked takes seconds for each ten thousand characters. It is given twice as much each time, and a text
// that takes long is shown as it was written, to its end.
const SHORT = 4000;
const SLOW = 300;
// Nor is anything else drawn twice that took the browser so long, whatever it is.
const LONG = 2000;
// Marked gives each row of a table as many cells as its head has: of four thousand characters it makes half a million.
// A block of code becomes some elements, and a call has room for some ten thousand arguments. A line costs as much as an
// element, and as much again for each element that it is in. One has dozens of letters, but two in a cell, of which
// others may leave no more, and where lists and quotations are within so many others that nothing is left. But no
// line of a cell ends within a word in Latin, Greek or Cyrillic.
const ELEMENTS = 20000;
const LINE = 40;
const CELL = 2;
const ENDS = /\s+|[^\s\w\u00C0-\u02AF\u0300-\u0587]/g;
const INDENTED = 6;
function elements(tokens, line = LINE, around = 1, indented = 0) {
  return tokens.reduce((sum, { type, header, rows, items, tokens, text, raw }) => {
    const within = type === "table" ? [header, ...rows].flat() : items || tokens || [];
    if (type === "code") return sum + 7 + text.split("\n").length;
    const deep = indented + (["list", "blockquote"].includes(type) ? 1 : 0);
    const narrow = !type ? CELL : deep > INDENTED ? 1 : line;
    const shown = within.length ? "" : text || raw || "";
    const ends = narrow === CELL ? (shown.match(ENDS) || []).length : shown.length;
    const lines = Math.min(shown.length / narrow, ends);
    const inner = around + (["strong", "em", "del", "link", "image"].includes(type) ? 1 : 0);
    return sum + (1 + lines) * around + elements(within, narrow, inner, deep);
  }, 0);
}

const HOLDERS = ["blockquote", "list_item"];

function words(text) {
  const parts = text.split(/[ \t\n\v\f\r\u200B]+/);
  return parts.reduce((sum, part) => sum + part.length * (part.match(IN_DICTIONARIES) || []).length, 0);
}

// Of each block that is laid out all characters times those, and the pieces, that take longer.
function weight(tokens, complex, indented = 0) {
  return tokens.reduce((sum, { type, header, rows, items, tokens, raw, text }) => {
    const within = type === "table" ? [header, ...rows].flat() : items || (HOLDERS.includes(type) ? tokens : []);
    const deep = indented + (["list", "blockquote"].includes(type) ? 1 : 0);
    if (within.length) return sum + weight(within, complex, deep);
    const all = raw || text;
    const pieces = (all.match(PIECES) || []).length / (type && deep <= INDENTED ? FEWER : 1);
    return sum + all.length * ((all.match(complex) || []).length + pieces) + (type ? 0 : ANEW * words(all));
  }, 0);
}

function heavy(tokens, text) {
  return elements(tokens) > ELEMENTS || weight(tokens, TURNING.test(text) ? COMPLEX_BESIDE : COMPLEX) > WEIGHT;
}

function lex(place, text) {
  for (let length = place.lexed || SHORT; !place.slow; length *= 2) {
    const start = performance.now();
    const tokens = marked.lexer(text.slice(0, length)).filter(token => !["space", "def"].includes(token.type));
    place.slow = (length > SHORT && performance.now() - start > SLOW) || heavy(tokens, text);
    place.lexed = length;
    if (text.length <= length && !place.slow) return tokens;
  }
  throw new RangeError("slow");
}

function parse(place, text) {
  try {
    return lex(place, text);
  } catch (error) {  // so, or nested deeper than the browser can follow
    return blocks(text);
  }
}

// Shows a text that grows: what stays as it was keeps its elements, and what is selected in them.
function render(place, text) {
  const start = performance.now();
  fill(place, parse(place, tidy(text)));
  place.slow = place.slow || (text.length > SHORT && place.offsetHeight >= 0 && performance.now() - start > LONG);
}

function fill(place, tokens) {
  tokens.forEach((token, index) => {
    const old = place.children[index];
    if (old && old.source === token.raw) return;
    const made = make("div", node(token));
    made.source = token.raw;
    made.dir = "auto";
    if (old) old.replaceWith(made);
    else place.append(made);
  });
  while (place.children.length > tokens.length) place.lastChild.remove();
}
