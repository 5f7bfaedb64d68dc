//! `[webdriver]` in the configuration: which server, which browser, and what an owner may add.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use firstbell_core::failure::{Failure, Part};

use super::super::arguments::{self, Taker};
use crate::written::Section;

/// The browsers that there are servers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Browser {
    /// Chromium or Chrome, through chromedriver.
    #[default]
    Chrome,
    /// Firefox, through geckodriver.
    Firefox,
}

impl Browser {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Browser::Chrome => "chrome",
            Browser::Firefox => "firefox",
        }
    }

    fn parse(name: &str) -> Result<Browser, String> {
        match name {
            "chrome" => Ok(Browser::Chrome),
            "firefox" => Ok(Browser::Firefox),
            _ => Err("is not known; known browsers: chrome, firefox".into()),
        }
    }

    fn server(self) -> &'static str {
        match self {
            Browser::Chrome => "chromedriver",
            Browser::Firefox => "geckodriver",
        }
    }
}

/// Which server, and what it is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebDriverConfig {
    /// The browser behind it.
    pub browser: Browser,
    /// The server's program, instead of the first one found.
    pub program: Option<PathBuf>,
    /// A server that somebody else runs.
    #[serde(with = "address")]
    pub url: Option<Url>,
    /// The browser's program, where the server is ours.
    pub binary: Option<PathBuf>,
    /// Further arguments of the browser, each accepted.
    pub arguments: Vec<String>,
    /// Further capabilities, each accepted.
    pub capabilities: Vec<(String, Value)>,
    /// Show the browser's window.
    pub headful: bool,
}

impl WebDriverConfig {
    /// Reads `[webdriver]`. `remote` says whether the owner accepted a server of somebody else.
    pub(in super::super) fn read(root: &mut Section<'_>, remote: bool) -> WebDriverConfig {
        let mut config = WebDriverConfig::default();
        let Some(mut section) = root.section("webdriver") else { return config };
        config.browser = section.parsed("browser", Browser::parse).unwrap_or_default();
        config.program = section.text("program").map(PathBuf::from);
        config.url = section.parsed("url", |text| read_url(text, remote));
        config.binary = section.text("binary").map(PathBuf::from);
        let taker = match config.browser {
            Browser::Chrome => Taker::Chromium,
            Browser::Firefox => Taker::Firefox,
        };
        config.arguments =
            section.texts("arguments", |text| arguments::accept(taker, text)).unwrap_or_default();
        let is_theirs = config.url.is_some();
        config.capabilities =
            section.foreign("capabilities", |name| arguments::accept_capability(is_theirs, name));
        if config.url.is_some() && (config.program.is_some() || config.binary.is_some()) {
            section.fault(
                "has a url: the server is somebody else's, and program and binary are theirs to choose",
            );
        }
        section.end(&["arguments", "binary", "browser", "capabilities", "program", "url"]);
        config
    }

    /// The server to start.
    pub(super) fn program(&self) -> Result<PathBuf, Failure> {
        let name = self.browser.server();
        let missing = |why: String| Failure::Broken { part: Part::Browser, why, cure: install(self.browser) };
        if let Some(path) = &self.program {
            return if path.is_file() {
                Ok(path.clone())
            } else {
                Err(missing(format!("there is no {name} at {}", path.display())))
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let usual = ["/usr/bin", "/usr/local/bin", "/usr/lib/chromium"].map(PathBuf::from);
        std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .chain(usual)
            .map(|folder: PathBuf| folder.join(name))
            .find(|program: &PathBuf| Path::is_file(program))
            .ok_or_else(|| missing(format!("no {name} was found on this machine")))
    }
}

/// An address as the text that it is written as.
mod address {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
        url.as_ref().map(Url::as_str).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| Url::parse(&text)).transpose().map_err(de::Error::custom)
    }
}

fn install(browser: Browser) -> String {
    match browser {
        Browser::Chrome => {
            "Install it: sudo apt-get install chromium-driver (Debian); or name one under [webdriver] \
                            program; or use another engine: --driver chrome."
                .into()
        }
        Browser::Firefox => {
            "Install it: cargo install geckodriver --locked; or name one under [webdriver] program; or \
                             drive Firefox without it: --driver firefox."
                .into()
        }
    }
}

fn read_url(text: &str, accepted: bool) -> Result<Url, String> {
    if !accepted {
        return Err("names a server that somebody else runs: it would see your password and one code, and could keep \
                    them. If that is what you want, write accept = [\"remote-webdriver\"] at the top of this file"
            .into());
    }
    let url = Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
    let here = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err(
            "would carry your password over the network in the clear: use https, or a tunnel that ends on \
                       this machine (http://127.0.0.1:…)"
                .into(),
        ),
        _ => Err("must begin with https://, or http:// on this machine".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_else_s_server_is_accepted_by_name_and_never_in_the_clear() {
        assert!(read_url("https://grid.example:4444", false).unwrap_err().contains("remote-webdriver"));
        assert!(read_url("http://grid.example:4444", true).unwrap_err().contains("in the clear"));
        for good in ["https://grid.example/wd/hub", "http://127.0.0.1:4444", "http://localhost:9515"] {
            read_url(good, true).unwrap();
        }
        assert!(read_url("ftp://x", true).is_err());
    }
}
