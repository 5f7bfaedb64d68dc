// The pretended login page of the years 2023 and later, drawn by script as the real one is.
"use strict";

(function () {
  const LABELS = { totp: "External TOTP", app_code: "Mobile App Code", sms: "SMS OTP" };
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

  function actions(text) {
    return make("div", { class: "actions" }, make("button", { type: "submit", class: "button-orange wide" }, text));
  }

  function mountPassword(place) {
    const user = field("", { type: "text", id: "userid", label: "User ID", placeholder: "User ID", minlength: "6",
      maxlength: "16", autocapitalize: "characters" });
    const secret = field("", { type: "password", id: "password", label: "Password", placeholder: "Password" });
    const room = make("div", { class: "form-error" });
    const form = make("form", { novalidate: "" }, user.group, secret.group, room, actions("Login "));
    let busy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      user.message.textContent = user.input.value.trim() ? "" : "User ID should be minimum 6 characters.";
      secret.message.textContent = secret.input.value ? "" : "Password should be minimum 6 characters.";
      if (busy || user.message.textContent || secret.message.textContent) return;
      busy = true;
      showError(room, "");
      const id = user.input.value.trim();
      const reply = await send("/api/login", { user_id: id, password: secret.input.value, type: "user_id" });
      busy = false;
      if (reply.status !== "success") return showError(room, reply.message);
      // The first step leaves the page before the second one comes: both have an input with the id "userid".
      form.remove();
      mountCode(place, reply.data);
    });
    place.append(form);
    user.input.focus();
  }

  function mountCode(place, login) {
    const label = LABELS[login.twofa_type] || login.twofa_type;
    const code = field("twofa-value", { type: "number", id: "userid", label, placeholder: "\u2022".repeat(CODE_LENGTH),
      minlength: String(CODE_LENGTH), maxlength: String(CODE_LENGTH), inputmode: "numeric", autofocus: "autofocus" });
    const room = make("div", { class: "form-error" });
    const form = make("form", { class: "twofa-form", novalidate: "" }, code.group, room, actions("Continue "));
    let busy = false;
    const submit = async () => {
      if (busy) return;
      const value = code.input.value;
      code.message.textContent = value.length === CODE_LENGTH ? "" : label + " should be 6 digits.";
      if (code.message.textContent) return;
      busy = true;
      showError(room, "");
      const fields = { user_id: login.user_id, request_id: login.request_id, twofa_value: value, twofa_type: login.twofa_type };
      const reply = await send("/api/twofa", { ...fields, skip_session: "" });
      if (reply.status === "success") return leave();
      busy = false;
      code.input.value = "";
      showError(room, reply.message);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    code.input.addEventListener("input", () => {
      if (code.input.value.length === CODE_LENGTH) submit();
    });
    place.append(form);
    code.input.focus();
  }

  function leave() {
    if (location.pathname !== "/connect/login") return location.assign("/dashboard");
    const rest = new URLSearchParams({ api_key: query.get("api_key"), sess_id: query.get("sess_id") });
    location.assign("/connect/finish?" + rest);
  }

  mountPassword(frame());
})();
