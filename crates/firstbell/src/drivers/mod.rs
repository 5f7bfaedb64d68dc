//! The engines that walk a login: the shelf of drivers.

mod arguments;
mod bidi;
mod cage;
mod chrome;
mod firefox;
mod group;
mod http;
mod observer;
mod private;
mod sandbox;
mod switches;
mod view;
mod webdriver;

use std::path::PathBuf;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;

pub use chrome::ChromeConfig;
pub use firefox::FirefoxConfig;
pub use webdriver::{Browser, WebDriverConfig};

use self::cage::CageConfig;

use crate::ports::{Driver, Engines, Http, Soon};
use crate::written::Section;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverName {
    /// A Chromium of this machine, driven over a pipe.
    Chrome,
    /// A Firefox of this machine, over WebDriver BiDi.
    Firefox,
    /// Chrome or Firefox through a WebDriver server.
    WebDriver,
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
            "firefox" => Ok(DriverName::Firefox),
            "webdriver" => Ok(DriverName::WebDriver),
            "http" => Ok(DriverName::Http),
            _ => Err("is not known; known drivers: chrome, firefox, webdriver, http".into()),
        }
    }

    /// As it is typed and written.
    pub fn as_str(self) -> &'static str {
        match self {
            DriverName::Chrome => "chrome",
            DriverName::Firefox => "firefox",
            DriverName::WebDriver => "webdriver",
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
    /// What Firefox needs to know.
    pub firefox: FirefoxConfig,
    /// What a WebDriver server needs to know.
    pub webdriver: WebDriverConfig,
    /// Risks that the owner accepts by name.
    pub accept: Vec<Risk>,
}

/// A risk that is taken only where the owner names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Where this machine gives no namespaces, any of its users could use the engine's control port.
    OpenControlPort,
    /// A WebDriver server that somebody else runs sees the password and one code.
    RemoteWebDriver,
}

impl Risk {
    fn parse(name: &str) -> Result<Risk, String> {
        match name {
            "open-control-port" => Ok(Risk::OpenControlPort),
            "remote-webdriver" => Ok(Risk::RemoteWebDriver),
            _ => Err(format!(
                "{name:?} is no risk that can be accepted; known: open-control-port, remote-webdriver"
            )),
        }
    }
}

impl DriverConfig {
    /// Reads `driver` and `[browser]`.
    pub fn read(root: &mut Section<'_>) -> DriverConfig {
        let driver = root.parsed("driver", DriverName::parse).unwrap_or(DriverName::Chrome);
        let mut chrome = ChromeConfig::default();
        if let Some(mut browser) = root.section("browser") {
            chrome.binary = browser.text("binary").map(PathBuf::from);
            chrome.user = browser.text("user");
            chrome.arguments = browser.texts("arguments", arguments::accept);
            browser.end(&["arguments", "binary", "user"]);
        }
        let accept = root.texts("accept", Risk::parse);
        let firefox = FirefoxConfig::read(root);
        let webdriver = WebDriverConfig::read(root, accept.contains(&Risk::RemoteWebDriver));
        DriverConfig { driver, chrome, firefox, webdriver, accept }
    }
}

impl DriverConfig {
    /// One engine, as this machine has it.
    pub fn only(driver: DriverName) -> DriverConfig {
        let (chrome, firefox, webdriver) = Default::default();
        DriverConfig { driver, chrome, firefox, webdriver, accept: Vec::new() }
    }

    /// Has every engine show its window, or none.
    pub fn show(&mut self, headful: bool) {
        self.chrome.headful = headful;
        self.firefox.headful = headful;
        self.webdriver.headful = headful;
    }

    fn cage(&self) -> CageConfig<'_> {
        let accept_open = self.accept.contains(&Risk::OpenControlPort);
        CageConfig { user: self.chrome.user.as_deref(), accept_open }
    }
}

/// The hidden command that shuts an engine in, before any thread or runtime exists.
pub fn cage(stage: &str) -> std::process::ExitCode {
    cage::enter(stage)
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
                DriverName::Firefox => {
                    Box::new(firefox::FirefoxDriver::start(plan, &self.firefox, self.cage()).await?)
                }
                DriverName::WebDriver => {
                    Box::new(webdriver::WebDriver::start(plan, &self.webdriver, self.cage()).await?)
                }
                DriverName::Http => Box::new(http::HttpDriver::new(plan, app, http)),
            })
        })
    }
}
