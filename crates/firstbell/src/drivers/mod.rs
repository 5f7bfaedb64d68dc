//! The engines that walk a login: the shelf of drivers.

mod arguments;
mod bidi;
mod bounds;
mod cage;
mod chrome;
mod document;
mod engine;
mod fence;
mod filter;
mod firefox;
mod group;
mod http;
mod job;
mod names;
mod observer;
mod policies;
mod private;
mod sandbox;
mod switches;
mod typing;
mod view;
mod watchdog;
mod webdriver;
mod worker;

use std::path::PathBuf;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;

pub use bounds::Bounds;
pub use chrome::ChromeConfig;
pub use fence::Fence;
pub use filter::Filter;
pub use firefox::FirefoxConfig;
pub(crate) use names::is_public;
pub use webdriver::{Browser, WebDriverConfig};

use self::arguments::Taker;
use self::cage::CageConfig;
use self::job::{Job, Make};
use self::worker::{Post, Worker};

use crate::ports::{Driver, Engines, Reach, Soon};
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

/// The engines that are tried where nothing else is written: each a different pair of eyes, the last without any.
const LADDER: [DriverName; 3] = [DriverName::Chrome, DriverName::Firefox, DriverName::Http];
/// Ourselves, also where our own path is not open to the user that an engine runs as.
const OURSELVES: &str = "/proc/self/exe";

/// How the engines are to be started.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// The engines to be tried, the first one first.
    pub ladder: Vec<DriverName>,
    /// What the browser needs to know.
    pub chrome: ChromeConfig,
    /// What Firefox needs to know.
    pub firefox: FirefoxConfig,
    /// What a WebDriver server needs to know.
    pub webdriver: WebDriverConfig,
    /// Risks that the owner accepts by name.
    pub accept: Vec<Risk>,
    /// The socket of a service that drives browsers; without it a process of our own does.
    pub worker: Option<PathBuf>,
    /// firstbell itself, whose hidden command drives a browser: this program, unless it is a test.
    pub ourselves: PathBuf,
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
        let (mut chrome, mut worker) = (ChromeConfig::default(), None);
        if let Some(mut browser) = root.section("browser") {
            chrome.binary = browser.text("binary").map(PathBuf::from);
            chrome.user = browser.text("user");
            chrome.arguments = browser
                .texts("arguments", |text| arguments::accept(Taker::Chromium, text))
                .unwrap_or_default();
            chrome.memory_mb = browser.number("memory_mb", 1);
            worker = browser.parsed("worker", absolute);
            browser.end(&["arguments", "binary", "memory_mb", "user", "worker"]);
        }
        let accept = root.texts("accept", Risk::parse).unwrap_or_default();
        let firefox = FirefoxConfig::read(root);
        let webdriver = WebDriverConfig::read(root, accept.contains(&Risk::RemoteWebDriver));
        DriverConfig { ladder, chrome, firefox, webdriver, accept, worker, ourselves: OURSELVES.into() }
    }
}

impl DriverConfig {
    /// This engine and no other, as this machine has it.
    pub fn only(name: DriverName) -> DriverConfig {
        let (chrome, firefox, webdriver, accept, worker) = Default::default();
        DriverConfig {
            ladder: vec![name],
            chrome,
            firefox,
            webdriver,
            accept,
            worker,
            ourselves: OURSELVES.into(),
        }
    }

    /// Has every engine show its window, or none.
    pub fn show(&mut self, headful: bool) {
        self.chrome.headful = headful;
        self.firefox.headful = headful;
        self.webdriver.headful = headful;
    }

    /// The program that an engine's pages are shown by; none where it is somebody else's, or no browser.
    pub fn program(&self, name: DriverName) -> Option<Result<PathBuf, Failure>> {
        match name {
            DriverName::Chrome => Some(chrome::find(self.chrome.binary.as_deref(), self.chrome.headful)),
            DriverName::Firefox => Some(firefox::find(self.firefox.binary.as_deref())),
            DriverName::WebDriver => webdriver::browser(&self.webdriver),
            DriverName::Http => None,
        }
    }

    /// Starts an engine as a login does, has its sandbox proven, and ends it; no page is opened in it.
    ///
    /// # Errors
    /// [`Failure::Broken`] where it does not start, or has no sandbox.
    pub async fn try_out(&self, name: DriverName, plan: &Plan) -> Result<Bounds, Failure> {
        let Some(job) = self.job(name, plan) else { return Ok(Bounds::WHOLE) };
        let mut worker = Worker::hire(self.post(), job).await?;
        let (proven, bounds) = (worker.prove().await, worker.bounds());
        Box::new(worker).close().await.and(proven).map(|()| bounds)
    }

    /// What a worker is to start; none for an engine that is no browser.
    fn job(&self, name: DriverName, plan: &Plan) -> Option<Job> {
        let make = match name {
            DriverName::Chrome => Make::Chrome(self.chrome.clone()),
            DriverName::Firefox => Make::Firefox(self.firefox.clone(), self.cage()),
            DriverName::WebDriver => Make::WebDriver(self.webdriver.clone(), self.cage()),
            DriverName::Http => return None,
        };
        Some(Job::new(make, plan))
    }

    /// Where the worker is. One that shows its window must be where the window is.
    fn post(&self) -> Post<'_> {
        let headful = self.chrome.headful;
        let socket = self.worker.as_deref().filter(|_| !headful);
        Post { program: &self.ourselves, socket, user: self.chrome.user.as_deref(), headful }
    }

    fn cage(&self) -> CageConfig {
        let accept_open = self.accept.contains(&Risk::OpenControlPort);
        let (user, memory_mb) =
            (self.chrome.user.clone(), self.chrome.memory_mb.unwrap_or(watchdog::MEMORY_MB));
        CageConfig { user, memory_mb, accept_open }
    }
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err("must be a whole path, beginning with /".into()) }
}

/// The hidden command that drives a browser for a keeper, before any configuration or store is read.
pub fn work() -> std::process::ExitCode {
    worker::work()
}

/// The hidden command that shuts an engine in, before any thread or runtime exists.
pub fn cage(stage: &str) -> std::process::ExitCode {
    cage::enter(stage)
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
        reach: Reach<'a>,
    ) -> Soon<'a, Result<Box<dyn Driver + 'a>, Failure>> {
        Box::pin(async move {
            let name = DriverName::parse(name).expect("names come from the ladder");
            // Somebody else's server looks names up in a place that we cannot see; ours says what this network tells.
            names::prove(plan).await?;
            Ok(match self.job(name, plan) {
                Some(job) => Box::new(Worker::hire(self.post(), job).await?) as Box<dyn Driver>,
                None => Box::new(http::HttpDriver::new(plan, app, reach)),
            })
        })
    }
}
