// Tells of every element of the page what it is, where it stands and what it says. It reads no value that was typed.
(() => {
  const nodes = [];
  const skip = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'LINK', 'META', 'HEAD', 'TITLE']);
  const walk = (e, depth) => {
    if (nodes.length >= 1500 || skip.has(e.tagName)) return;
    const box = e.getBoundingClientRect();
    const style = getComputedStyle(e);
    const typed = e instanceof HTMLInputElement || e instanceof HTMLTextAreaElement || e instanceof HTMLSelectElement || e.isContentEditable;
    const text = typed ? '' : [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(' ').trim().slice(0, 400);
    nodes.push({
      depth, tag: e.tagName.toLowerCase(),
      attributes: [...e.attributes].map((a) => [a.name, a.name === 'value' ? '' : a.value.slice(0, 200)]),
      text, place: [box.x, box.y, box.width, box.height],
      size: parseFloat(style.fontSize) || 16, ink: style.color, ground: style.backgroundColor,
      shown: box.width > 0 && box.height > 0 && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
    });
    for (const child of e.children) walk(child, depth + 1);
  };
  if (document.body) walk(document.body, 0);
  return { width: innerWidth, height: innerHeight, nodes };
})()
