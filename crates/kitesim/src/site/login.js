// The pretended login pages of four generations, drawn by script as the real ones are: A asks two security questions
// (until 2018), B a PIN (until 2021), C a code in a field "totp" (2021, 2022), D a code that is sent by itself (since).
"use strict";

(function () {
  const LABELS = { totp: "External TOTP", app_code: "Mobile App Code", sms: "SMS OTP" };
  // What the server wants of this page: its generation, whether a captcha is shown, and how it is disfigured.
  const wish = document.currentScript.dataset;
  const CODE_LENGTH = 6;
  const query = new URLSearchParams(location.search);

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // One input with its label and its own message, as the real page's "su-input" component: every property of
  // the component also stands as a plain attribute on the input.
  function field(classes, attributes) {
    const label = make("label", { class: "su-input-label su-visible su-dynamic-label" }, attributes.label);
    const input = make("input", {
      class: "su-input-field", icon: "", animate: "true", rules: "[object Object]", autocorrect: "off", ...attributes,
    });
    const message = make("span", { class: "su-message" });
    return { group: make("div", { class: "su-input-group su-static-label " + classes }, label, input, message), input, message };
  }

  // The places of all of these matter: scripts reach the fields by counting children from the body down.
  function frame() {
    const heading = make("div", { class: "form-header" }, make("h2", {}, "Login to Kite"));
    const form = make("div", { class: "login-form" });
    const links = make("div", { class: "login-links" },
      make("a", { href: "/forgot" }, "Forgot user ID or password?"), make("br", {}),
      make("a", { class: "text-light", href: "#" }, "Don't have an account? Signup now!"));
    const card = make("div", { class: "login-card" }, heading, form);
    const container = make("div", { id: "container", class: "container wrapper" }, make("div", { class: "spacer" }),
      make("div", { class: "login" }, card));
    const page = make("div", {}, make("div", { class: "header-space" }),
      make("div", { class: "login-wrapper" }, container, links));
    document.getElementById("app").append(page);
    return form;
  }

  // Sends a form and gives Kite's envelope; whatever is no envelope becomes an error in the same shape.
  async function send(path, fields) {
    try {
      const reply = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", "x-kite-version": "3.0.0" },
        body: new URLSearchParams(fields).toString(),
      });
      const envelope = await reply.json();
      if (envelope && (envelope.status === "success" || envelope.message)) return envelope;
    } catch (failure) {
      // A cut connection and a page instead of JSON look the same to the user.
    }
    return { status: "error", message: "Something went wrong. Please try again in some time.", data: null };
  }

  function showError(room, text) {
    room.replaceChildren();
    if (text) room.append(make("p", { class: "error" }, text));
  }

  function actions(text, name) {
    const button = make("button", { type: "submit", class: "button-orange wide" }, text);
    const row = make("div", { class: "actions" }, button);
    // The oldest scripts find the button by its name, and one of the PIN years looks for an input of type submit.
    if (wish.page === "A") button.name = name;
    if (wish.page === "B") row.append(make("input", { type: "submit", value: text.trim(), class: "text-light" }));
    return row;
  }

  // An id as scripts know it, or a strange one when the ids of this page are renamed.
  function known(id) {
    return wish.mutation === "renamed-ids" ? "f" + wish.seed + "-" + [...id].reverse().join("") : id;
  }

  // Fields that nobody sees and that look like the real ones.
  function decoy(type, id) {
    const input = make("input", { type, id, tabindex: "-1", autocomplete: "off" });
    return make("div", { style: "position:absolute;left:-9999px", "aria-hidden": "true" }, input);
  }

  // The picture to be read aloud by a human, and the field for it.
  function captcha(place) {
    const task = field("captcha", { type: "tel", id: "captcha", label: "Captcha", placeholder: "Captcha" });
    task.id = "";
    task.draw = async () => {
      const reply = await (await fetch("/api/captcha")).json();
      task.id = reply.data.captcha_id;
      task.input.value = "";
      place.replaceChildren(make("img", { alt: "Captcha", src: reply.data.image }), task.group);
    };
    task.draw();
    return task;
  }

  function mountPassword(place) {
    const user = field("", { type: "text", id: known("userid"), label: "User ID", placeholder: "User ID", minlength: "6",
      maxlength: "16", autocapitalize: "characters" });
    const secret = field("", { type: "password", id: known("password"), label: "Password", placeholder: "Password" });
    const room = make("div", { class: "form-error" });
    const fields = [user.group, secret.group];
    if (wish.mutation === "reordered-fields") fields.reverse();
    if (wish.mutation === "decoy-fields") fields.unshift(decoy("text", "userid"), decoy("password", "password"));
    const asked = make("div", { class: "form-asked" });
    const task = wish.captcha ? captcha(asked) : null;
    const form = make("form", { novalidate: "" }, ...fields, make("div", {}, asked, room), actions("Login ", "login"));
    let busy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      user.message.textContent = user.input.value.trim() ? "" : "User ID should be minimum 6 characters.";
      secret.message.textContent = secret.input.value ? "" : "Password should be minimum 6 characters.";
      if (busy || user.message.textContent || secret.message.textContent) return;
      busy = true;
      showError(room, "");
      const id = user.input.value.trim();
      const extra = task ? { captcha_id: task.id, captcha: task.input.value } : {};
      const reply = await send("/api/login", { user_id: id, password: secret.input.value, type: "user_id", ...extra });
      busy = false;
      if (/password has expired/.test(reply.message)) return location.assign("/reset");
      if (reply.status !== "success") {
        if (task) task.draw();
        return showError(room, reply.message);
      }
      // The first step leaves the page before the second one comes: both have an input with the id "userid".
      form.remove();
      mountSecond[wish.page](place, reply.data);
    });
    place.append(form);
    if (wish.mutation === "lost-characters") loseOnce([user.input, secret.input]);
    user.input.focus();
  }

  // A framework that draws the form again while somebody types: each field forgets its third character, once.
  function loseOnce(inputs) {
    for (const input of inputs) {
      input.addEventListener("input", function lose() {
        if (input.value.length < 3) return;
        input.value = input.value.slice(0, -1);
        input.removeEventListener("input", lose);
      });
    }
  }

  // Somebody else's script: it tells another host at which field there is typing, and never what.
  function reachOut() {
    document.addEventListener("input", (event) => {
      new Image().src = "http://stranger.invalid/collect?field=" + encodeURIComponent(event.target.id);
    });
  }

  // Sends what the second step asked for; gives a refusal's message, or leaves the page.
  async function sendSecond(login, value, type) {
    const fields = { user_id: login.user_id, request_id: login.request_id, twofa_value: value, twofa_type: type };
    const reply = await send("/api/twofa", { ...fields, skip_session: "" });
    if (reply.status === "success") leave();
    return reply.status === "success" ? "" : reply.message;
  }

  // A second step that waits for its button or for Enter, and keeps what was typed until then.
  function mountPatient(place, login, inputs, rows) {
    const room = make("div", { class: "form-error" });
    const form = make("form", { class: "twofa-form", novalidate: "" }, ...rows(room), actions("Continue ", "twofa"));
    let busy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      for (const one of inputs) one.message.textContent = one.input.value ? "" : one.label + " is required.";
      if (busy || inputs.some((one) => !one.input.value)) return;
      busy = true;
      showError(room, "");
      const refusal = await sendSecond(login, inputs.map((one) => one.input.value).join("\n"), login.twofa_type);
      if (!refusal) return;
      busy = false;
      for (const one of inputs) one.input.value = "";
      showError(room, refusal);
    });
    place.append(form);
    inputs[0].input.focus();
  }

  function mountQuestions(place, login) {
    const answer = (number, name) => {
      const one = field("", { type: "password", name: "answer" + number, label: "Answer " + number });
      one.group.prepend(make("span", { class: name }, login.questions[number - 1]));
      return { ...one, label: "Answer " + number };
    };
    const inputs = [answer(1, "first"), answer(2, "second")];
    mountPatient(place, login, inputs, (room) => [inputs[0].group, inputs[1].group, room]);
  }

  // The input stands one level deeper than in all other steps: so have scripts of those years counted.
  function mountPin(place, login) {
    const pin = field("", { type: "password", id: known("pin"), label: "PIN", placeholder: "PIN", minlength: "6", maxlength: "6" });
    pin.label = "PIN";
    mountPatient(place, login, [pin], (room) => [room, make("div", { class: "pin-row" }, pin.group)]);
  }

  function mountTyped(place, login) {
    const label = LABELS[login.twofa_type] || login.twofa_type;
    const code = field("twofa-value", { type: "text", id: known("totp"), label, placeholder: label, minlength: "6", maxlength: "6" });
    code.label = label;
    announceSms(login.twofa_type, login);
    mountPatient(place, login, [code], (room) => [code.group, room]);
  }

  // Asks for a code by text message; whatever the answer is, the field is there.
  function announceSms(type, login) {
    if (type !== "sms") return;
    const path = "/oms/trusted/kitefront/user/" + encodeURIComponent(login.user_id) + "/twofa/generate_otp";
    send(path, { request_id: login.request_id, twofa_type: "sms" });
  }

  function mountCode(place, login) {
    let type = login.twofa_type;
    const label = () => LABELS[type] || type;
    const code = field("twofa-value", { type: "number", id: known("userid"), label: label(), placeholder: "\u2022".repeat(CODE_LENGTH),
      minlength: String(CODE_LENGTH), maxlength: String(CODE_LENGTH), inputmode: "numeric", autofocus: "autofocus" });
    const room = make("div", { class: "form-error" });
    const form = make("form", { class: "twofa-form", novalidate: "" }, code.group, room, actions("Continue ", "twofa"));
    let busy = false;
    const submit = async () => {
      if (busy) return;
      const value = code.input.value;
      code.message.textContent = value.length === CODE_LENGTH ? "" : label() + " should be 6 digits.";
      if (code.message.textContent) return;
      busy = true;
      showError(room, "");
      const refusal = await sendSecond(login, value, type);
      if (!refusal) return;
      busy = false;
      code.input.value = "";
      showError(room, refusal);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    code.input.addEventListener("input", () => {
      if (code.input.value.length === CODE_LENGTH) submit();
    });
    announceSms(type, login);
    if (type === "app_code") {
      const other = make("a", { href: "#", class: "text-light send-sms" }, "Send SMS OTP");
      other.addEventListener("click", (event) => {
        event.preventDefault();
        type = "sms";
        code.input.setAttribute("label", label());
        code.group.querySelector("label").textContent = label();
        other.remove();
        announceSms(type, login);
      });
      form.append(other);
    }
    place.append(form);
    code.input.focus();
  }

  const mountSecond = { A: mountQuestions, B: mountPin, C: mountTyped, D: mountCode };

  function leave() {
    if (location.pathname !== "/connect/login") return location.assign("/dashboard");
    const rest = new URLSearchParams({ api_key: query.get("api_key"), sess_id: query.get("sess_id") });
    location.assign("/connect/finish?" + rest);
  }

  if (wish.mutation === "stranger-script") reachOut();
  const start = () => mountPassword(frame());
  if (wish.mutation === "late-rendering") setTimeout(start, Number(wish.delay));
  else start();
})();
