//! The engines that walk a login: the shelf of drivers.

mod chrome;
mod group;
mod http;
mod observer;
mod private;
mod typing;
mod view;

use std::path::PathBuf;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;

pub use chrome::ChromeConfig;

use crate::ports::{Driver, Engines, Http, Soon};
use crate::written::Section;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverName {
    /// A Chromium of this machine, driven over a pipe.
    Chrome,
    /// No browser: the requests that the page itself would send.
    Http,
}

impl DriverName {
    /// Reads an engine's name.
    ///
    /// # Errors
    /// Names those there are.
    pub fn parse(name: &str) -> Result<DriverName, String> {
        match name {
            "chrome" => Ok(DriverName::Chrome),
            "http" => Ok(DriverName::Http),
            _ => Err("is not known; known drivers: chrome, http".into()),
        }
    }

    /// As it is typed and written.
    pub fn as_str(self) -> &'static str {
        match self {
            DriverName::Chrome => "chrome",
            DriverName::Http => "http",
        }
    }
}

/// The engines that are tried where nothing else is written: each a different pair of eyes, the last without any.
const LADDER: [DriverName; 2] = [DriverName::Chrome, DriverName::Http];

/// How the engines are to be started.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The engines to be tried, the first one first.
    pub ladder: Vec<DriverName>,
    /// What the browser needs to know.
    pub chrome: ChromeConfig,
}

impl DriverConfig {
    /// This engine and no other.
    pub fn only(name: DriverName) -> DriverConfig {
        DriverConfig { ladder: vec![name], chrome: ChromeConfig::default() }
    }

    /// Reads `drivers` (or `driver`, for one alone) and `[browser]`.
    pub fn read(root: &mut Section<'_>) -> DriverConfig {
        let one = root.parsed("driver", DriverName::parse);
        let several = root.texts("drivers", DriverName::parse);
        if root.asked("driver") && root.asked("drivers") {
            root.fault("driver and drivers are two ways to say one thing: write one of them");
        }
        let given = one.map(|name| vec![name]).or(several);
        if given.as_ref().is_some_and(Vec::is_empty) {
            root.fault("drivers is empty: no engine would be tried");
        }
        let mut ladder: Vec<DriverName> = Vec::new();
        for name in given.unwrap_or_else(|| LADDER.to_vec()) {
            if ladder.contains(&name) {
                root.fault(&format!("drivers has {} twice", name.as_str()));
            } else {
                ladder.push(name);
            }
        }
        let mut chrome = ChromeConfig::default();
        if let Some(mut browser) = root.section("browser") {
            chrome.binary = browser.text("binary").map(PathBuf::from);
            chrome.user = browser.text("user");
            browser.end(&["binary", "user"]);
        }
        DriverConfig { ladder, chrome }
    }
}

impl Engines for DriverConfig {
    fn names(&self) -> Vec<&'static str> {
        self.ladder.iter().map(|name| name.as_str()).collect()
    }

    fn open<'a>(
        &'a self,
        name: &'static str,
        plan: &'a Plan,
        app: &'a App,
        http: &'a dyn Http,
    ) -> Soon<'a, Result<Box<dyn Driver + 'a>, Failure>> {
        Box::pin(async move {
            let name = DriverName::parse(name).expect("names come from the ladder");
            Ok(match name {
                DriverName::Chrome => {
                    Box::new(chrome::ChromeDriver::start(plan, &self.chrome).await?) as Box<dyn Driver>
                }
                DriverName::Http => Box::new(http::HttpDriver::new(plan, app, http)),
            })
        })
    }
}
