//! The engines that walk a login: the shelf of drivers.

mod chrome;
mod group;
mod http;
mod observer;
mod private;
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

/// How the engines are to be started.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The engine to use.
    pub driver: DriverName,
    /// What the browser needs to know.
    pub chrome: ChromeConfig,
}

impl DriverConfig {
    /// Reads `driver` and `[browser]`.
    pub fn read(root: &mut Section<'_>) -> DriverConfig {
        let driver = root.parsed("driver", DriverName::parse).unwrap_or(DriverName::Chrome);
        let mut chrome = ChromeConfig::default();
        if let Some(mut browser) = root.section("browser") {
            chrome.binary = browser.text("binary").map(PathBuf::from);
            chrome.user = browser.text("user");
            browser.end(&["binary", "user"]);
        }
        DriverConfig { driver, chrome }
    }
}

impl Engines for DriverConfig {
    fn name(&self) -> &'static str {
        self.driver.as_str()
    }

    fn open<'a>(
        &'a self,
        plan: &'a Plan,
        app: &'a App,
        http: &'a dyn Http,
    ) -> Soon<'a, Result<Box<dyn Driver + 'a>, Failure>> {
        Box::pin(async move {
            Ok(match self.driver {
                DriverName::Chrome => {
                    Box::new(chrome::ChromeDriver::start(plan, &self.chrome).await?) as Box<dyn Driver>
                }
                DriverName::Http => Box::new(http::HttpDriver::new(plan, app, http)),
            })
        })
    }
}
