//! The engines that walk a login: the shelf of drivers.

mod chrome;
mod http;

use std::path::PathBuf;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;

use crate::ports::{Driver, Http};
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
    /// The browser's program, instead of the first one found.
    pub binary: Option<PathBuf>,
    /// The user that a browser started by root runs as.
    pub user: Option<String>,
    /// Show the browser's window.
    pub headful: bool,
}

impl DriverConfig {
    /// Reads `driver` and `[browser]`.
    pub fn read(root: &mut Section<'_>) -> DriverConfig {
        let driver = root.parsed("driver", DriverName::parse).unwrap_or(DriverName::Chrome);
        let (mut binary, mut user) = (None, None);
        if let Some(mut browser) = root.section("browser") {
            binary = browser.text("binary").map(PathBuf::from);
            user = browser.text("user");
            browser.end(&["binary", "user"]);
        }
        DriverConfig { driver, binary, user, headful: false }
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`Failure::Broken`] where a part of this machine is missing.
    pub async fn open<'a>(
        &self,
        plan: &'a Plan,
        app: &App,
        http: &'a dyn Http,
    ) -> Result<Box<dyn Driver + 'a>, Failure> {
        Ok(match self.driver {
            DriverName::Chrome => Box::new(chrome::ChromeDriver::start(plan, self).await?),
            DriverName::Http => Box::new(http::HttpDriver::new(plan, app, http)),
        })
    }
}
