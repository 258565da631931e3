// Open OnDemand's poll puts new cards in the place of the old ones. What was open, scrolled or focused in a card of ours
// stays so, and each value has a button that copies it. All in the turn of the poll, before anything is painted.
(() => {
  'use strict';
  const PARTS = 'summary, a[href], button, [tabindex]';
  const shown = new Map(); // ids of panels => their cards
  const scrolls = new WeakMap();
  let page = [0, 0];
  let focused = null;
  let told = null;

  function parts(card, panel) {
    const count = {};
    return [...card.querySelectorAll(PARTS)].map((part) => {
      const kind = part.localName;
      count[kind] = (count[kind] ?? 0) + 1;
      part.id ||= `${panel}-${kind}-${count[kind]}`;
      return part;
    });
  }

  // A card that changed may have another secret in the place of something that was open.
  function restore(part, old) {
    if (!old || (part.localName === 'summary' && part.textContent !== old.textContent)) return;

    const [left, top] = scrolls.get(old) ?? [0, 0];
    if (part.localName === 'summary') part.parentElement.open = old.parentElement.open;
    if (left || top) part.scrollTo({ left, top, behavior: 'instant' });
  }

  function tell(text) {
    if (!told) {
      told = document.createElement('div');
      told.className = 'sr-only visually-hidden';
      told.setAttribute('role', 'status');
      document.body.append(told);
    }
    told.textContent = text;
  }

  async function copy(button, code, name) {
    const done = await navigator.clipboard.writeText(code.textContent).then(() => 'Copied', () => 'Not copied');
    button.firstChild.data = done;
    tell(`${done}${name}`);
    setTimeout(() => { button.firstChild.data = 'Copy'; }, 2000);
  }

  // A secret is copied without being shown.
  function addButton(code) {
    const summary = code.closest('details')?.querySelector('summary');
    const row = code.closest('tr');
    const label = (row?.querySelector('th') ?? summary)?.textContent ?? '';
    const button = document.createElement('button');
    const name = document.createElement('span');
    button.type = 'button';
    button.className = 'btn btn-sm btn-secondary ml-2 ms-2 mb-1 float-right float-end';
    name.className = 'sr-only visually-hidden';
    name.textContent = ` ${label}`;
    button.append('Copy', name);
    button.addEventListener('click', () => copy(button, code, name.textContent));
    const cell = code.closest('td');
    cell?.querySelector('details')?.classList.add('d-inline-block');
    if (cell) cell.prepend(button);
    else if (code.closest('pre')) code.closest('pre').before(button);
    else code.after(button);
  }

  function begin(card) {
    if (navigator.clipboard) card.querySelectorAll('code.user-select-all').forEach(addButton);
    const panel = card.closest('.session-panel')?.id ?? 'card';
    const all = parts(card, panel);
    const old = new Map(parts(shown.get(panel) ?? card, panel).map((part) => [part.id, part]));
    shown.set(panel, card);
    all.forEach((part) => restore(part, old.get(part.id)));
    if (focused && !focused.isConnected) all.find((part) => part.id === focused.id)?.focus({ preventScroll: true });
  }

  // Open OnDemand 4.2 looks for what had the focus by its id, or else by all of its text in a selector. Code and lessons
  // make none, and its poll would end there. What a card has in the place of this comes first in the page.
  function standIn(id) {
    const one = document.createElement('span');
    one.id = id;
    document.body.append(one);
    queueMicrotask(() => one.remove());
  }

  customElements.define('multitenant-card', class extends HTMLElement {
    connectedCallback() {
      if (document.readyState === 'loading') {
        addEventListener('DOMContentLoaded', () => begin(this), { once: true });
        return;
      }
      const [left, top] = page;
      begin(this);
      // What is shorter for a moment, and Open OnDemand's own focus, scroll the page.
      queueMicrotask(() => {
        if (window.scrollX !== left || window.scrollY !== top) window.scrollTo({ left, top, behavior: 'instant' });
      });
    }

    // What no card has taken the place of is gone for good: its publisher may share under another id in every round.
    disconnectedCallback() {
      if (this.contains(focused)) standIn(focused.id);
      queueMicrotask(() => this.isConnected || shown.forEach((card, panel) => card === this && shown.delete(panel)));
    }
  });

  addEventListener('scroll', ({ target }) => {
    if (target === document) page = [window.scrollX, window.scrollY];
    else scrolls.set(target, [target.scrollLeft, target.scrollTop]);
  }, { capture: true, passive: true });
  document.addEventListener('focusin', ({ target }) => { focused = target; });
  document.addEventListener('focusout', ({ target }) => queueMicrotask(() => {
    if (target.isConnected && focused === target && document.activeElement !== target) focused = null;
  }));
})();
