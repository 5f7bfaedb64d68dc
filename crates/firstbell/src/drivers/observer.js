// Runs in a world of its own beside the page's scripts: tells how often each mark of the plan is there, at once and
// after every change, and puts the focus where it is asked to. It never reads what was typed.
(() => {
  if (window !== window.top || globalThis.firstbell) return;
  const marks = __MARKS__;
  const TYPED = ['text', 'password', 'email', 'tel', 'number', 'search', 'url'];
  // Nothing of the page changes while one look goes on, so that each thing is worked out once in it.
  const memories = [];
  const remembered = (work) => {
    const memory = new Map();
    memories.push(memory);
    return (key) => {
      if (!memory.has(key)) memory.set(key, work(key));
      return memory.get(key);
    };
  };
  const anew = (work) => {
    for (const memory of memories) memory.clear();
    try { return work(); } finally { for (const memory of memories) memory.clear(); }
  };
  // What a person could see: drawn, with a size, on the page and not beyond its edge, and not hidden from readers.
  const seen = remembered((e) => {
    if (!e.isConnected || e.disabled || e.readOnly || e.closest('[aria-hidden=true], [inert]')) return false;
    const shown = e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!shown) return false;
    return [...e.getClientRects()].some((r) => r.width > 2 && r.height > 2
      && r.right + scrollX > 0 && r.bottom + scrollY > 0 && r.left + scrollX < document.documentElement.scrollWidth + 1
      && !clipped(e, r));
  });
  // Cut away by something around it, or by itself.
  const clipped = (e, r) => {
    for (let up = e; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (Number(style.opacity) < 0.1 || style.clipPath.includes('inset(50%') || style.clip.startsWith('rect(0px, 0px')) return true;
      if (up === e || style.overflow === 'visible') continue;
      const box = up.getBoundingClientRect();
      if (box.width < 3 || box.height < 3 || r.right <= box.left || r.left >= box.right || r.bottom <= box.top || r.top >= box.bottom) return true;
    }
    return false;
  };
  const plain = (text) => (text || '').replace(/\s+/g, ' ').trim().toLowerCase();
  const fits = (wants, texts) => wants.some((want) => texts.some((text) =>
    want.startsWith('=') ? text.replace(/[\s:*]+$/, '') === want.slice(1) : text.includes(want)));
  const room = (e) => e.form || e.closest('form, [role=form]') || document.body;
  const typed = (e) => e instanceof HTMLInputElement && TYPED.includes(e.type);
  // The texts by which a person knows a field: what belongs to it, else what stands right before it.
  const labels = remembered((e) => {
    const own = [e.getAttribute('label'), e.getAttribute('aria-label'), ...[...(e.labels || [])].map((l) => l.textContent)];
    for (const id of (e.getAttribute('aria-labelledby') || '').split(/\s+/)) own.push(document.getElementById(id)?.textContent);
    const texts = own.map(plain).filter((text) => text);
    if (texts.length > 0) return texts;
    for (let up = e; up && up !== room(e); up = up.parentElement) {
      for (let before = up.previousElementSibling; before; before = before.previousElementSibling) {
        if (before.matches('input, button, select, textarea, script, style') || before.querySelector('input, button, select')) return [];
        const text = plain(before.textContent);
        if (text) return [text];
      }
      if ([...up.parentElement.querySelectorAll('input')].filter(seen).length > 1) return [];
    }
    return [];
  });
  const query = remembered((css) => {
    try { return [...document.querySelectorAll(css)]; } catch { return []; }
  });
  const words = remembered((e) => plain(e.textContent).slice(0, 400));
  // All that one way of finding matches.
  const matches = (target, depth) => query(target.css || 'input').filter((e) => {
    if (!seen(e)) return false;
    if (target.type.length > 0 && !(e instanceof HTMLInputElement && target.type.includes(e.type))) return false;
    if (target.autocomplete.length > 0 && !target.autocomplete.includes(plain(e.getAttribute('autocomplete')))) return false;
    if (target.placeholder.length > 0 && !fits(target.placeholder, [plain(e.getAttribute('placeholder'))])) return false;
    if (target.label.length > 0 && !fits(target.label, labels(e))) return false;
    if (target.says.length > 0 && !fits(target.says, [words(e)])) return false;
    if (target.alone && query('input').some((o) => o !== e && typed(o) && room(o) === room(e) && seen(o))) return false;
    if (target.beside === null) return true;
    const beside = marks.find((m) => m.id === target.beside);
    return depth === 0 && beside !== undefined && neighbours(beside).some((o) => o !== e && room(o) === room(e));
  });
  // The first way that matches anything decides; a later one that contradicts it makes the mark more than one.
  const find = (mark, depth = 0) => {
    let found = [];
    for (const target of mark.find) {
      const more = matches(target, depth);
      if (found.length === 0) found = more;
      else if (more.length > 0 && !found.every((e) => more.includes(e))) return [...new Set([...found, ...more])];
    }
    return found;
  };
  const neighbours = remembered((mark) => find(mark, 1));
  const only = (mark) => anew(() => find(marks[mark]));
  const counts = () => anew(() => marks.map((m) => find(m).length));
  let told = '';
  let due = false;
  // While we type ourselves, every key is a change and none is news: the field is asked for by name, and the page is looked at
  // when the typing is over.
  let typing = false;
  const look = () => {
    due = false;
    if (typing) return;
    const text = JSON.stringify({ origin: location.origin, counts: counts() });
    if (text !== told) { told = text; __TELL__(text); }
  };
  // A burst of changes is looked at once, when the page's own script has had its turn.
  const tell = () => {
    if (due) return;
    due = true;
    queueMicrotask(look);
  };
  new MutationObserver(tell).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (const event of ['readystatechange', 'load', 'transitionend', 'animationend', 'resize']) addEventListener(event, tell, true);
  let field = null;
  // The origin that a form would send to; the attribute is read, because a field named "action" hides the property.
  const target = (e) => {
    const action = e.form && e.form.getAttribute('action');
    return action === null || action === undefined ? location.origin : new URL(action, document.baseURI).origin;
  };
  const state = () => ({
    origin: location.origin,
    target: field && field.isConnected ? target(field) : null,
    focused: field !== null && field.isConnected && document.activeElement === field && document.hasFocus(),
    length: field ? field.value.length : 0,
  });
  // What is typed goes into the field that was proven, or nowhere: not where a page has moved the focus meanwhile.
  let guards = false;
  for (const event of ['keydown', 'keypress', 'beforeinput']) {
    addEventListener(event, (e) => {
      if (!guards || !e.isTrusted || (e.target === field && field.isConnected)) return;
      e.preventDefault();
      e.stopImmediatePropagation();
    }, true);
  }
  globalThis.firstbell = {
    focus(mark) {
      typing = true;
      const all = only(mark);
      field = all.length === 1 && all[0] instanceof HTMLInputElement ? all[0] : null;
      guards = true;
      if (field) { field.focus(); field.select(); }
      return { count: all.length, ...state() };
    },
    // Whether the field that has the focus is still the one that the mark finds, and the only one.
    state(mark) {
      if (mark === undefined) return state();
      const all = only(mark);
      return { count: all.length, same: all.length === 1 && all[0] === field, ...state() };
    },
    // The typing is over, well or not: what has changed meanwhile is looked at. Tells how many characters the one field of
    // each mark holds; none where it is not there exactly once.
    typed(...all) {
      typing = false;
      tell();
      const found = anew(() => all.map((mark) => find(marks[mark])));
      return found.map((e) => e.length === 1 && e[0] instanceof HTMLInputElement ? e[0].value.length : null);
    },
  };
  tell();
})();
