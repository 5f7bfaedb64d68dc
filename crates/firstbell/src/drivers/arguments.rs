//! Arguments and capabilities that an owner adds to an engine, and those that would undo what keeps a login safe.

/// What begins an argument that is refused, and why.
const REFUSED: [(&str, &str); 36] = [
    ("remote-debugging", "it opens a control port to every local user"),
    ("remote-allow-", "it lets others use the control port"),
    ("start-debugger-server", "it opens a control port to every local user"),
    ("websocket-port", "firstbell chooses the engine's ports"),
    ("marionette", "it opens a control port to every local user"),
    ("no-sandbox", "it turns the browser's sandbox off"),
    ("disable-setuid-sandbox", "it turns a part of the browser's sandbox off"),
    ("disable-namespace-sandbox", "it turns a part of the browser's sandbox off"),
    ("disable-seccomp-filter-sandbox", "it turns a part of the browser's sandbox off"),
    ("disable-gpu-sandbox", "it turns a part of the browser's sandbox off"),
    ("allow-sandbox-debugging", "it turns a part of the browser's sandbox off"),
    ("single-process", "it puts the page and the browser into one process"),
    ("no-zygote", "it turns a part of the browser's sandbox off"),
    ("in-process", "it puts the page and the browser into one process"),
    ("disable-web-security", "it lets other sites read the login page"),
    ("disable-site-isolation", "it puts several sites into one process"),
    ("ignore-certificate-errors", "it types the password into a forged page"),
    ("allow-insecure", "it types the password into a forged page"),
    ("host-resolver-rules", "firstbell sets which hosts the browser knows"),
    ("host-rules", "firstbell sets which hosts the browser knows"),
    ("proxy", "firstbell sets the browser's way out"),
    ("user-data-dir", "the profile is a private folder that is wiped"),
    ("profile", "the profile is a private folder that is wiped"),
    ("log-", "it writes what the browser does to a file"),
    ("enable-logging", "it writes what the browser does to a file"),
    ("net-log", "it writes what the browser does to a file"),
    ("ssl-key-log-file", "it writes the keys of encrypted connections to a file"),
    ("disk-cache-dir", "the profile is a private folder that is wiped"),
    ("crash-dumps-dir", "it writes memory to files"),
    ("js-flags", "firstbell sets how scripts run"),
    ("renderer-cmd-prefix", "it runs another program in the page's place"),
    ("gpu-launcher", "it runs another program beside the page"),
    ("utility-cmd-prefix", "it runs another program beside the page"),
    ("reduce-security", "it turns a part of the browser's sandbox off"),
    ("unsafely-treat-insecure-origin", "it types the password into a forged page"),
    ("load-extension", "an extension can read what is typed"),
];

/// Capabilities that are firstbell's, and why.
const OURS: [(&str, &str); 6] = [
    ("acceptInsecureCerts", "it types the password into a forged page"),
    ("proxy", "firstbell sets the browser's way out"),
    ("webSocketUrl", "firstbell asks for it itself"),
    ("browserName", "name it as browser = \"chrome\" or \"firefox\""),
    ("goog:chromeOptions", "write arguments = [...] and binary instead"),
    ("moz:firefoxOptions", "write arguments = [...] and binary instead"),
];

/// Accepts an argument that an owner adds.
///
/// # Errors
/// Says why it is refused.
pub(super) fn accept(argument: &str) -> Result<String, String> {
    let name = argument.trim_start_matches('-').to_ascii_lowercase();
    if name.len() == argument.len() {
        return Err(format!("{argument:?} is no argument: it begins with no -"));
    }
    let found = REFUSED.iter().find(|(start, _)| name.starts_with(start));
    // Firefox takes a profile also by its short names.
    let short = matches!(name.split(['=', ' ']).next(), Some("p" | "profilemanager"));
    match found {
        Some((_, why)) => Err(format!("{argument} is refused: {why}")),
        None if short => Err(format!("{argument} is refused: the profile is a private folder that is wiped")),
        None => Ok(argument.to_owned()),
    }
}

/// Accepts the name of a capability that an owner adds.
///
/// # Errors
/// Says why it is refused.
pub(super) fn accept_capability(name: &str) -> Result<(), String> {
    match OURS.iter().find(|(ours, _)| *ours == name) {
        Some((_, why)) => Err(format!("{name} is refused: {why}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_undoes_the_care_is_refused_with_its_reason() {
        for (argument, word) in [
            ("--remote-debugging-port=9222", "control port"),
            ("-remote-debugging-port", "control port"),
            ("--No-Sandbox", "sandbox"),
            ("--proxy-server=socks5://1.2.3.4", "way out"),
            ("--user-data-dir=/tmp/x", "wiped"),
            ("-P", "wiped"),
            ("--log-net-log=/x", "to a file"),
            ("--renderer-cmd-prefix=sh", "another program"),
            ("--js-flags=--jit", "how scripts run"),
            ("--profile", "wiped"),
            ("no-dashes", "begins with no -"),
        ] {
            let why = accept(argument).unwrap_err();
            assert!(why.contains(word), "{argument}: {why}");
        }
        for argument in ["--lang=en", "--disable-gpu", "--window-size=800,600", "-safe-mode"] {
            accept(argument).unwrap();
        }
        assert!(accept_capability("acceptInsecureCerts").is_err() && accept_capability("timeouts").is_ok());
    }
}
