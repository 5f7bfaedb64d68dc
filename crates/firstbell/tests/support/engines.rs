//! Every engine that the tests drive, as this machine has it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::path::{Path, PathBuf};

use firstbell::drivers::{Browser, DriverConfig, DriverName};

/// An engine by its driver, and the browser behind a WebDriver server.
pub type Engine = (DriverName, Browser);

pub const CHROME: Engine = (DriverName::Chrome, Browser::Chrome);
pub const FIREFOX: Engine = (DriverName::Firefox, Browser::Firefox);
pub const CHROMEDRIVER: Engine = (DriverName::WebDriver, Browser::Chrome);
pub const GECKODRIVER: Engine = (DriverName::WebDriver, Browser::Firefox);
pub const HTTP: Engine = (DriverName::Http, Browser::Chrome);

/// Those that show a page.
pub const BROWSERS: [Engine; 4] = [CHROME, FIREFOX, CHROMEDRIVER, GECKODRIVER];

pub fn config((name, browser): Engine) -> DriverConfig {
    let mut config = DriverConfig::only(name);
    // A test is not firstbell itself.
    config.ourselves = env!("CARGO_BIN_EXE_firstbell").into();
    config.webdriver.browser = browser;
    config.webdriver.program = (browser == Browser::Firefox).then(geckodriver);
    config
}

/// geckodriver is no Debian package: packaging/browser.sh builds it beside the other build products.
pub fn geckodriver() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/geckodriver");
    if built.is_file() { built.canonicalize().unwrap() } else { "/usr/bin/geckodriver".into() }
}

/// The same as lines of a configuration.
pub fn lines((name, browser): Engine) -> String {
    let mut lines = format!("driver = \"{}\"\n", name.as_str());
    if name == DriverName::WebDriver {
        lines.push_str(&format!("[webdriver]\nbrowser = \"{}\"\n", browser.as_str()));
        if browser == Browser::Firefox {
            lines.push_str(&format!("program = \"{}\"\n", geckodriver().display()));
        }
    }
    lines
}

/// A name for people, and the lines of a configuration, for every browser engine: the full browser too, which a machine may
/// have beside the headless shell.
pub fn every_browser() -> Vec<(&'static str, String)> {
    let full = "driver = \"chrome\"\n[browser]\nbinary = \"/usr/lib/chromium/chromium\"\n";
    vec![
        ("chrome (headless shell)", lines(CHROME)),
        ("chrome (full)", full.into()),
        ("firefox", lines(FIREFOX)),
        ("chromedriver", lines(CHROMEDRIVER)),
        ("geckodriver", lines(GECKODRIVER)),
    ]
}
