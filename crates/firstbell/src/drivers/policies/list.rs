//! The policies that stop a login, each with its reason. All others change what a browser shows or permits to its user, or stop a
//! login by themselves.

use serde_json::Value;

use super::super::firefox;

/// A policy's name, whether this value of it is one that stops a login, and why.
pub(super) type Policy = (&'static str, fn(&Value) -> bool, &'static str);

const EXTENSION: &str = "an extension that is put into the browser can read what is typed";
const WAY_OUT: &str = "firstbell sets the browser's way out, and the policy would count more";
const WEB_RTC: &str = "a page could send what was typed past firstbell";
const ROOTS: &str = "whoever holds such a certificate can show a forged login page";
const UNSEEN: &str = "a forged certificate would not be noticed";
const DRIVEN: &str = "it forbids that the browser is driven, so that firstbell cannot log in with it";
const MODULE: &str = "it puts a foreign library into the browser, which can bring certificates of its own";
const PREFERENCE: &str = "it changes what firstbell sets for a login, and the policy would count more";

pub(super) const CHROMIUM: [Policy; 16] = [
    ("ExtensionInstallForcelist", says, EXTENSION),
    ("ExtensionSettings", installs, EXTENSION),
    ("ProxyMode", says, WAY_OUT),
    ("ProxyServer", says, WAY_OUT),
    ("ProxyServerMode", says, WAY_OUT),
    ("ProxyPacUrl", says, WAY_OUT),
    ("ProxySettings", says, WAY_OUT),
    ("ProxyOverrideRules", says, WAY_OUT),
    ("WebRtcIPHandling", |value| says(value) && value != "disable_non_proxied_udp", WEB_RTC),
    ("WebRtcIPHandlingUrl", says, WEB_RTC),
    ("CACertificates", says, ROOTS),
    ("CACertificatesWithConstraints", says, ROOTS),
    ("CertificateTransparencyEnforcementDisabledForUrls", says, UNSEEN),
    ("CertificateTransparencyEnforcementDisabledForCas", says, UNSEEN),
    ("CertificateTransparencyEnforcementDisabledForLegacyCas", says, UNSEEN),
    ("RemoteDebuggingAllowed", |value| *value == false, DRIVEN),
];
pub(super) const FIREFOX: [Policy; 7] = [
    ("ExtensionSettings", installs, EXTENSION),
    ("Extensions", |value| says(&value["Install"]), EXTENSION),
    ("Proxy", says, WAY_OUT),
    ("Certificates", |value| says(&value["Install"]) || is_on(&value["ImportEnterpriseRoots"]), ROOTS),
    ("SecurityDevices", loads, MODULE),
    ("DisableDeveloperTools", is_on, DRIVEN),
    ("Preferences", changes, PREFERENCE),
];
/// Preferences of which no policy may set any, beside those that are ours by name.
const TENDER: [&str; 5] = ["marionette.", "network.proxy.", "remote.", "security.", "xpinstall."];

/// Whether anything at all is said.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Firefox takes a number for a yes.
fn is_on(value: &Value) -> bool {
    *value == true || *value == 1
}

/// Whether an extension is put in, whatever its owner wants.
fn installs(value: &Value) -> bool {
    any_entry(value, |_, entry| {
        matches!(entry["installation_mode"].as_str(), Some("force_installed" | "normal_installed"))
    })
}

/// Whether a module is loaded: by its name, or below `Add`.
fn loads(value: &Value) -> bool {
    any_entry(value, |name, entry| name != "Delete" && says(entry))
}

/// Whether a preference is set that matters to a login.
fn changes(value: &Value) -> bool {
    any_entry(value, |name, _| firefox::is_ours(name) || TENDER.iter().any(|start| name.starts_with(start)))
}

/// Firefox takes a table of some policies as a text too.
fn any_entry(value: &Value, is_it: impl Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(entries) => entries.iter().any(|(name, entry)| is_it(name, entry)),
        // One that is no table at all is not a text that can be judged.
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(entries)) => entries.iter().any(|(name, entry)| is_it(name, entry)),
            _ => true,
        },
        _ => false,
    }
}
