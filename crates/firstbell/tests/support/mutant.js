// A login page that is drawn from a list of mutations, and tells after every change which of its fields hold what. It
// sends what Kite's page sends: credentials to /api/login, the code to /api/twofa.
(() => {
  const spec = SPEC;
  const has = (name) => spec.does.includes(name);
  const pick = (...all) => all[spec.seed % all.length];
  const query = new URLSearchParams(location.search);
  const make = (tag, attributes, ...children) => {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
    e.append(...children);
    return e;
  };
  const id = (name) => has('renamed-ids') ? 'f' + spec.seed + '-' + [...name].reverse().join('') : name;
  // Everything that a field holds is told to the test, by a request that the page may make: a picture.
  const watch = (input, name) => {
    input.dataset.really = name;
    let due = false;
    input.addEventListener('input', () => {
      if (due) return;
      due = true;
      queueMicrotask(() => { due = false; new Image().src = '/seen?' + new URLSearchParams({ field: name, value: input.value, at: Math.random() }); });
    });
    return input;
  };
  // A field with its label, in one of the ways in which pages label things.
  const field = (name, label, attributes) => {
    const style = has('labels') ? pick('wrap', 'aria', 'before', 'placeholder', 'table') : 'for';
    const input = watch(make('input', { ...attributes }), name);
    if (style === 'wrap') return { input, row: make('label', {}, label + ' ', input) };
    if (style === 'aria') { input.setAttribute('aria-label', label); return { input, row: make('div', {}, input) }; }
    if (style === 'placeholder') { input.placeholder = label; return { input, row: make('p', {}, input) }; }
    if (style === 'before') return { input, row: make('div', {}, make('span', {}, label + ':'), make('div', { class: 'inner' }, input)) };
    if (style === 'table') return { input, row: make('table', {}, make('tbody', {}, make('tr', {}, make('td', {}, label), make('td', {}, input)))) };
    const tag = make('label', { for: attributes.id || '' }, label);
    return { input, row: make('div', { class: 'su-input-group' }, tag, input) };
  };
  const HIDDEN = ['display:none', 'visibility:hidden', 'opacity:0', 'position:absolute;left:-9999px', 'position:absolute;clip-path:inset(50%)',
    'height:0;overflow:hidden', 'width:1px;height:1px;overflow:hidden;position:absolute'];
  const decoys = () => HIDDEN.map((style, i) => make('div', { style, 'aria-hidden': i % 2 ? 'true' : 'false' },
    watch(make('input', { type: 'text', id: 'userid', name: 'user_id', placeholder: 'User ID', tabindex: '-1' }), 'decoy'),
    watch(make('input', { type: 'password', id: 'password', name: 'password', tabindex: '-1' }), 'decoy')));
  const send = async (path, fields) => {
    try {
      const reply = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields) });
      return await reply.json();
    } catch { return { status: 'error', message: 'Something went wrong.' }; }
  };
  const app = document.getElementById('app');
  const frame = () => {
    const inner = make('div', { class: 'login-form' });
    let shell = make('div', { class: 'login-card' }, make('h2', {}, has('other-words') ? pick('Welcome', 'लॉगिन', 'Sign in', 'Good morning') : 'Login to Kite'), inner);
    if (has('moved')) for (let i = 0; i < 2 + spec.seed % 4; i++) shell = make(pick('section', 'div', 'main', 'article'), {}, make('p', {}, 'Markets open at 09:15'), shell);
    app.append(shell);
    if (has('search-box')) app.prepend(make('form', { role: 'search' }, watch(make('input', { type: pick('search', 'text'), placeholder: 'Search stocks' }), 'decoy')));
    if (has('banner')) app.prepend(make('div', { role: 'dialog' }, make('p', {}, 'We use cookies.'), make('button', { type: 'button' }, 'OK')));
    return inner;
  };
  // Draws a field anew, once, in the middle of typing: what was typed is lost.
  const redraw = (row, input, name) => {
    input.addEventListener('input', () => {
      if (input.value.length !== 3 || input.dataset.old) return;
      const copy = input.cloneNode();
      copy.dataset.old = '1'; copy.value = '';
      watch(copy, name);
      input.dataset.old = '1';
      input.replaceWith(copy);
    });
  };
  const value = (form, name) => [...form.querySelectorAll('input')].find((e) => e.dataset.really === name).value;
  const button = (text) => {
    const kind = has('button') ? pick('input', 'icon') : 'button';
    if (kind === 'input') return make('input', { type: 'submit', value: text });
    return make('button', { type: 'submit' }, kind === 'icon' ? '→' : text);
  };
  const first = (place) => {
    const words = has('other-words') ? pick(['Client ID', 'Your password'], ['Username', 'Password *'], ['Kite ID', 'Kite password'], ['Login ID', 'Password:']) : ['User ID', 'Password'];
    const user = field('user', words[0], { type: has('types') ? pick('text', 'email', 'tel') : 'text', id: id('userid'), autocomplete: has('types') ? 'username' : 'off' });
    const secret = field('password', words[1], { type: has('password-as-text') ? 'text' : 'password', id: id('password'), ...(has('types') ? { autocomplete: 'current-password' } : {}) });
    let rows = [user.row, secret.row];
    if (has('swapped')) rows.reverse();
    if (has('hidden-decoys')) rows = [...decoys(), ...rows];
    if (has('more-fields')) rows.splice(spec.seed % 3, 0, field('decoy', pick('Referral code', 'Branch', 'Nickname'), { type: 'text', id: 'more' }).row);
    if (has('checkbox')) rows.push(make('label', {}, make('input', { type: 'checkbox' }), ' Remember me'), make('select', {}, make('option', {}, 'English')));
    if (has('cloned-password')) rows.push(field('decoy', words[1], { type: 'password', id: id('password') }).row);
    if (has('contradiction')) { secret.input.id = 'x'; secret.row.querySelector('label[for]')?.setAttribute('for', 'x'); rows.push(field('decoy', 'Answer', { type: 'password', id: 'password' }).row); }
    if (has('captcha')) rows.push(field('decoy', 'Captcha', { type: 'text', id: 'captcha' }).row);
    const form = make('form', { novalidate: '' }, ...(has('fieldset') ? [make('fieldset', {}, ...rows)] : rows), button('Login'));
    if (has('foreign-action')) form.setAttribute('action', 'https://evil.example/login');
    if (has('focus-thief')) secret.input.addEventListener('input', () => { if (secret.input.value.length === 2) user.input.focus(); });
    if (has('redrawn')) { redraw(user.row, user.input, 'user'); redraw(secret.row, secret.input, 'password'); }
    let busy = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      const login = await send('/api/login', { user_id: value(form, 'user'), password: value(form, 'password'), type: 'user_id' });
      busy = false;
      if (login.status !== 'success') return place.append(make('p', { class: 'error' }, login.message));
      if (has('stays')) { form.querySelectorAll('input').forEach((e) => { e.disabled = false; }); return second(place, login.data); }
      form.remove();
      setTimeout(() => second(place, login.data), has('late') ? 400 : 0);
    });
    if (has('late-password')) { secret.row.remove(); setTimeout(() => form.firstElementChild.after(secret.row), 500); }
    place.append(form);
    if (has('focus')) user.input.focus();
  };
  const second = (place, login) => {
    const label = has('other-words') ? pick('TOTP', 'Enter the External TOTP', 'Code from your authenticator', '6 digit code') : 'External TOTP';
    const type = has('types') ? pick('tel', 'text', 'number') : spec.generation === 'C' ? 'text' : 'number';
    const code = field('code', has('app-code') ? 'Mobile App Code' : label, { type, id: spec.generation === 'C' ? id('totp') : id('userid'), maxlength: '6', inputmode: 'numeric' });
    let rows = [code.row];
    if (has('hidden-decoys')) rows = [...decoys(), ...rows];
    if (has('two-codes')) rows.push(field('decoy', label, { type, maxlength: '6' }).row);
    if (has('six-boxes')) rows = [...Array(6)].map((_, i) => watch(make('input', { type: 'tel', maxlength: '1', inputmode: 'numeric' }), 'decoy'));
    const form = make('form', { class: has('renamed-ids') ? 'x' + spec.seed : 'twofa-form', novalidate: '' }, ...rows, button('Continue'));
    let busy = false;
    const submit = async () => {
      const text = value(form, 'code');
      if (busy || text.length !== 6) return;
      busy = true;
      const reply = await send('/api/twofa', { user_id: login.user_id, request_id: login.request_id, twofa_value: text, twofa_type: login.twofa_type, skip_session: '' });
      if (reply.status === 'success') location.assign('/connect/finish?' + new URLSearchParams({ api_key: query.get('api_key'), sess_id: query.get('sess_id') }));
    };
    form.addEventListener('submit', (event) => { event.preventDefault(); submit(); });
    if (spec.generation === 'D') form.addEventListener('input', submit);
    if (has('redrawn')) redraw(code.row, code.input, 'code');
    place.append(form);
    if (has('focus')) code.input.focus();
  };
  const start = () => {
    if (has('nothing-known')) { app.append(make('h1', {}, 'Something quite different'), watch(make('input', { type: 'text' }), 'decoy')); return; }
    first(frame());
  };
  if (has('late')) setTimeout(start, 300 + spec.seed % 500); else start();
})();
