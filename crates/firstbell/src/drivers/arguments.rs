//! Arguments and capabilities that an owner may add to an engine: a closed list, because a browser knows a thousand others, takes
//! the last one where two disagree, and gains new ones with every version.

/// What the argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    Chromium,
    Firefox,
}

/// How Chromium looks and speaks, and how it gets on with a small machine. None touches what a page can do, what is kept, or whom the
/// browser talks to.
const CHROMIUM: [&str; 17] = [
    "accept-lang",
    "disable-dev-shm-usage",
    "disable-gpu",
    "disable-software-rasterizer",
    "enable-low-end-device-mode",
    "font-render-hinting",
    "force-color-profile",
    "force-dark-mode",
    "force-device-scale-factor",
    "hide-scrollbars",
    "high-dpi-support",
    "lang",
    "ozone-platform",
    "ozone-platform-hint",
    "start-maximized",
    "window-position",
    "window-size",
];
/// The same of Firefox, which takes its size and what window managers call it.
const FIREFOX: [&str; 4] = ["class", "height", "name", "width"];

/// Why what is asked for most often is not on the list. These only explain: what is not here is refused as well.
const REASONS: [(&str, &str); 15] = [
    ("allow-", "it takes a bar away that stands between the login page and other programs"),
    ("disable-blink-features", "firstbell sets what pages can do, and the last one counts"),
    ("disable-features", "firstbell sets what the browser does by itself, and the last one counts"),
    ("disable-web-security", "it lets other sites read the login page"),
    ("enable-", "firstbell sets what the browser and its pages can do"),
    ("force-webrtc", "it opens a way out that firstbell cannot watch"),
    ("headless", "the browser shows no window unless you ask for it: firstbell login --headful"),
    ("host-", "firstbell sets which hosts the browser knows"),
    ("ignore-certificate-errors", "it types the password into a forged page"),
    ("load-extension", "an extension can read what is typed"),
    ("profile", "the profile is a private folder that is wiped"),
    ("proxy", "firstbell sets the browser's way out"),
    ("remote-", "it opens a control port to every local user"),
    ("user-agent", "firstbell does not pretend to be another browser"),
    ("user-data-dir", "the profile is a private folder that is wiped"),
];
const SANDBOX: &str = "the browser's sandbox is always on; firstbell doctor says what it lacks here";

/// What a session may be asked for, whoever's server it is.
const CAPABILITIES: [&str; 7] = [
    "browserVersion",
    "pageLoadStrategy",
    "platformName",
    "setWindowRect",
    "strictFileInteractability",
    "timeouts",
    "unhandledPromptBehavior",
];
/// What begins the names that browsers and their own servers understand; all other names with a colon are a grid's.
const BROWSERS: [&str; 6] = ["goog:", "moz:", "ms:", "webauthn:", "fedcm:", "wdp:"];
/// Why what is asked for most often is not on the list.
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
/// Says why it is refused, and what there is.
pub(super) fn accept(taker: Taker, argument: &str) -> Result<String, String> {
    let Some(bare) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
        return Err(format!("{argument:?} is no argument: it begins with no -"));
    };
    let (name, value) = bare.split_once('=').unwrap_or((bare, ""));
    let known: &[&str] = match taker {
        Taker::Chromium => &CHROMIUM,
        Taker::Firefox => &FIREFOX,
    };
    if !known.contains(&name) {
        let known = known.join(", --");
        return Err(format!("{argument} is refused: {}. Leave it out; there are: --{known}", reason(name)));
    }
    // A word, a number or several: nothing that could be a path, an address or a second argument.
    if !value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ',' | '.' | '-' | '_')) {
        return Err(format!("{argument} is refused: its value may have letters, digits and , . - _ only"));
    }
    Ok(argument.to_owned())
}

fn reason(name: &str) -> &'static str {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    if name.contains("sandbox") || name.contains("zygote") {
        return SANDBOX;
    }
    let known = REASONS.iter().find(|(start, _)| name.starts_with(start));
    known
        .map_or("it may undo what firstbell sets, and is not on the list of those that cannot", |(_, why)| {
            why
        })
}

/// Accepts the name of a capability that an owner adds; `remote` where the server is somebody else's.
///
/// # Errors
/// Says why it is refused, and what there is.
pub(super) fn accept_capability(remote: bool, name: &str) -> Result<(), String> {
    let is_a_grid_s = || {
        remote
            && name.contains(':')
            && !BROWSERS.iter().any(|start| name.to_ascii_lowercase().starts_with(start))
    };
    if CAPABILITIES.contains(&name) || is_a_grid_s() {
        return Ok(());
    }
    let known = OURS.iter().find(|(ours, _)| *ours == name);
    let why = known.map_or("it may undo what firstbell asks for", |(_, why)| why);
    let grids = if remote { ", and a grid's own, such as se:name" } else { "" };
    Err(format!("{name} is refused: {why}. Leave it out; there are: {}{grids}", CAPABILITIES.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::switches::SWITCHES;

    const REFUSED: [&str; 54] = [
        "--disable-features=Prerender2",
        "--enable-features=FetchLaterAPI",
        "--disable-blink-features=",
        "--enable-blink-features=FetchLaterAPI",
        "--force-webrtc-ip-handling-policy=default",
        "--webrtc-ip-handling-policy=default",
        "--browser-subprocess-path=/tmp/x",
        "--renderer-cmd-prefix=sh",
        "--utility-cmd-prefix=sh",
        "--gpu-launcher=sh",
        "--zygote-cmd-prefix=sh",
        "--load-extension=/tmp/x",
        "--disable-extensions-except=/tmp/x",
        "--enable-unsafe-extension-debugging",
        "--js-flags=--jit",
        "--proxy-server=socks5://1.2.3.4",
        "--proxy-pac-url=http://x",
        "--no-proxy-server",
        "--host-rules=MAP * x",
        "--host-resolver-rules=",
        "--user-data-dir=/tmp/x",
        "--profile-directory=x",
        "--no-sandbox",
        "--No-Sandbox",
        "---no-sandbox",
        "--no-zygote",
        "--no-zygote-sandbox",
        "--disable-gpu-sandbox",
        "--disable-setuid-sandbox",
        "--single-process",
        "--in-process-gpu",
        "--disable-web-security",
        "--disable-site-isolation-trials",
        "--ignore-certificate-errors",
        "--ignore-certificate-errors-spki-list=x",
        "--allow-running-insecure-content",
        "--allow-pre-commit-input",
        "--ssl-key-log-file=/tmp/x",
        "--log-net-log=/tmp/x",
        "--log-file=x",
        "--enable-logging",
        "--dump-dom",
        "--remote-debugging-port=9222",
        "-remote-debugging-port",
        "--remote-allow-origins=x",
        "--enable-automation",
        "--user-agent=Mozilla",
        "--headless=old",
        "--disk-cache-dir=x",
        "--crash-dumps-dir=x",
        "--test-type",
        "--a-switch-of-next-year",
        "--",
        "-",
    ];

    #[test]
    fn chromium_is_given_nothing_that_undoes_the_care_nor_what_nobody_knows_yet() {
        for argument in REFUSED {
            let why = accept(Taker::Chromium, argument).unwrap_err();
            assert!(
                why.contains("is refused: ") && why.contains("there are: --accept-lang, "),
                "{argument}: {why}"
            );
            assert!(accept(Taker::Firefox, argument).is_err(), "{argument}");
        }
        // What firstbell itself gives, other than for a small machine, is not an owner's to give again.
        for ours in SWITCHES.iter().filter(|switch| **switch != "--disable-gpu") {
            let name = ours.split('=').next().unwrap_or_default();
            assert!(accept(Taker::Chromium, &format!("{name}=other")).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_often_is_refused_with_its_reason() {
        for (argument, word) in [
            ("--remote-debugging-port=9222", "control port"),
            ("--No-Sandbox", "always on"),
            ("--proxy-server=socks5://1.2.3.4", "way out"),
            ("--user-data-dir=/tmp/x", "wiped"),
            ("--user-agent=x", "does not pretend"),
            ("--headless", "--headful"),
            ("--js-flags=--jit", "not on the list"),
        ] {
            let why = accept(Taker::Chromium, argument).unwrap_err();
            assert!(why.contains(word), "{argument}: {why}");
        }
        assert!(accept(Taker::Chromium, "no-dashes").unwrap_err().contains("begins with no -"));
    }

    #[test]
    fn firefox_is_given_no_profile_no_page_and_no_port() {
        for argument in [
            "-P",
            "--profile",
            "--ProfileManager",
            "--start-debugger-server=6000",
            "--marionette",
            "--remote-debugging-port",
            "--remote-allow-hosts=x",
            "--new-tab=http://x",
            "--private-window",
            "--chrome=http://x",
            "--app=/tmp/application.ini",
            "--greomni=/tmp/omni.ja",
            "--browser-toolbox",
            "--jsconsole",
            "--backgroundtask=x",
            "--safe-mode",
            "--headless",
            "--lang=en",
        ] {
            let why = accept(Taker::Firefox, argument).unwrap_err();
            assert!(why.contains("there are: --class, --height, --name, --width"), "{argument}: {why}");
        }
    }

    #[test]
    fn what_changes_the_looks_is_accepted_and_its_value_is_no_path() {
        for argument in [
            "--lang=en-IN",
            "--disable-gpu",
            "--window-size=800,600",
            "--window-position=-10,20",
            "--ozone-platform=wayland",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1.5",
        ] {
            assert_eq!(accept(Taker::Chromium, argument).unwrap(), argument);
        }
        assert_eq!(accept(Taker::Firefox, "--width=800").unwrap(), "--width=800");
        for argument in
            ["--lang=/tmp/x", "--lang=en --no-sandbox", "--lang=a=b", "--lang=é", "--window-size=1\n2"]
        {
            assert!(accept(Taker::Chromium, argument).unwrap_err().contains("its value"), "{argument}");
        }
    }

    #[test]
    fn the_readme_tells_the_whole_list() {
        let readme = include_str!("../../../../README.md");
        for name in CHROMIUM.iter().chain(&FIREFOX) {
            assert!(readme.contains(&format!("`--{name}`")), "--{name}");
        }
    }

    #[test]
    fn a_session_is_asked_for_what_the_standard_has_and_a_grid_for_its_own_too() {
        for remote in [false, true] {
            accept_capability(remote, "timeouts").unwrap();
            for name in [
                "acceptInsecureCerts",
                "proxy",
                "goog:loggingPrefs",
                "Goog:chromeOptions",
                "moz:debuggerAddress",
                "chromeOptions",
            ] {
                let why = accept_capability(remote, name).unwrap_err();
                assert!(why.contains("is refused: ") && why.contains("pageLoadStrategy"), "{name}: {why}");
            }
        }
        accept_capability(true, "se:name").unwrap();
        assert!(accept_capability(false, "se:name").is_err());
    }
}
