// Runs in a world of its own beside the page's scripts: tells how often each mark of the plan is there, at once and
// after every change, and puts the focus where it is asked to. It never reads what was typed.
(() => {
  if (window !== window.top || globalThis.firstbell) return;
  const marks = __MARKS__;
  const seen = (e) => e.isConnected && !e.disabled && e.getClientRects().length > 0
    && e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const find = (alternatives) => {
    for (const css of alternatives) {
      const all = [...document.querySelectorAll(css)].filter(seen);
      if (all.length > 0) return all;
    }
    return [];
  };
  let told = '';
  const tell = () => {
    const text = JSON.stringify({ origin: location.origin, counts: marks.map((m) => find(m).length) });
    if (text !== told) { told = text; __TELL__(text); }
  };
  new MutationObserver(tell).observe(document, { subtree: true, childList: true, attributes: true });
  for (const event of ['readystatechange', 'load', 'transitionend', 'animationend']) addEventListener(event, tell, true);
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
  globalThis.firstbell = {
    focus(mark) {
      const all = find(marks[mark]);
      field = all.length === 1 && all[0] instanceof HTMLInputElement ? all[0] : null;
      if (field) { field.focus(); field.select(); }
      return { count: all.length, ...state() };
    },
    state,
  };
  tell();
})();
