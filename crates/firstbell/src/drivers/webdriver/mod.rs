//! Chrome or Firefox through a WebDriver server: one that we start in a cage, or somebody else's at an address.

mod config;
mod unseen;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;
use firstbell_core::sight::Seen;

pub use self::config::{Browser, WebDriverConfig};
use self::unseen::Watch;
use super::bidi::{Kind, Session};
use super::bounds::Bounds;
use super::cage::{Cage, CageConfig, Order};
use super::engine::{Deed, Engine, Texts};
use super::filter::Whom;
use super::switches::{SWITCHES, resolver_rules};
use super::{chrome, firefox, policies};
use crate::ports::Soon;

/// A server that is ours starts its browser within this; a grid may have to wait for a free one.
const BEGIN: Duration = Duration::from_secs(45);
/// A browser that is not watched within this will not be.
const WATCH: Duration = Duration::from_secs(10);
/// A server that does not end a session within this is left alone with it.
const END: Duration = Duration::from_secs(5);

/// What a server says of a browser that ended by itself.
const NOT_CREATED: &str = "session not created";

/// One browser behind one server, for one login.
pub(super) struct WebDriver<'a> {
    // In the order in which they end.
    server: Server,
    watch: Option<Watch>,
    session: Session<'a>,
    proven: bool,
}

/// Whose the server is.
enum Server {
    Ours(Box<Cage>),
    Theirs { url: Url, id: String },
}

/// The browser that a server of ours would start; none where the server is somebody else's.
pub(super) fn browser(config: &WebDriverConfig) -> Option<Result<PathBuf, Failure>> {
    config.url.is_none().then(|| binary(config))
}

fn binary(config: &WebDriverConfig) -> Result<PathBuf, Failure> {
    match config.browser {
        Browser::Chrome => chrome::find(config.binary.as_deref(), config.headful),
        Browser::Firefox => firefox::find(config.binary.as_deref()),
    }
}

impl<'a> WebDriver<'a> {
    pub(super) async fn start(
        plan: &'a Plan,
        config: &WebDriverConfig,
        cage: &CageConfig,
    ) -> Result<WebDriver<'a>, Failure> {
        match &config.url {
            Some(url) => WebDriver::join(plan, config, url).await,
            None => WebDriver::own(plan, config, cage).await,
        }
    }

    /// Starts a server in a cage, and a browser through it.
    async fn own(
        plan: &'a Plan,
        config: &WebDriverConfig,
        cage: &CageConfig,
    ) -> Result<WebDriver<'a>, Failure> {
        let program = config.program()?;
        let binary = binary(config)?;
        match config.browser {
            Browser::Chrome => policies::chromium(Path::new("/"), &binary)?,
            Browser::Firefox => policies::firefox(Path::new("/"), &binary)?,
        }
        let mut out = PathBuf::new();
        let cage = Cage::start(plan, cage, |places| {
            out.clone_from(&places.out);
            Ok(Order {
                program: program.clone(),
                browser: Some(binary.clone()),
                arguments: match config.browser {
                    Browser::Chrome => vec!["--port=0".into()],
                    Browser::Firefox => ["--port", "0", "--websocket-port", "0"].map(str::to_owned).to_vec(),
                },
                environment: firefox::environment(places, config.headful),
                folder: places.home.clone(),
                ready: vec!["started successfully on port ".into(), "Listening on 127.0.0.1:".into()],
                alone: config.browser == Browser::Chrome && chrome::kind_of(&binary) == Whom::Alone,
                control: places.control.clone(),
                out: places.out.clone(),
            })
        })
        .await?;
        let options = match config.browser {
            Browser::Chrome => json!({ "goog:chromeOptions": {
                "binary": binary, "excludeSwitches": UNWANTED, "args": arguments(plan, config, Some(cage.proxy)) } }),
            Browser::Firefox => json!({ "moz:firefoxOptions": {
                "binary": binary, "args": arguments(plan, config, Some(cage.proxy)),
                "prefs": firefox::preferences_json(Some(&out)) } }),
        };
        let opened = async {
            let link = cage.connect(cage.port).await.map_err(|e| e.to_string())?;
            let server = format!("127.0.0.1:{}", cage.port);
            let wanted = wanted(config, options);
            let begun = tokio::time::timeout(BEGIN, wire::begin(Box::new(link), &server, "", wanted)).await;
            let begun = begun.map_err(|_| "it did not start its browser in time".to_owned())??;
            let port = begun.socket.port().ok_or("its BiDi address has no port")?;
            let link = cage.connect(port).await.map_err(|e| e.to_string())?;
            let session = Session::open(plan, begun.socket.as_str(), Box::new(link), engine(config)).await;
            let session = session.map_err(|e| e.to_string())?;
            let watch = match config.browser {
                Browser::Chrome => Some(watch(&cage, begun.devtools, &session).await?),
                Browser::Firefox => None,
            };
            Ok::<_, String>((session, watch))
        };
        match opened.await {
            Ok((session, watch)) => {
                Ok(WebDriver { server: Server::Ours(Box::new(cage)), watch, session, proven: false })
            }
            Err(why) => {
                let (why, is_open) = (cage.why(&why).to_owned(), cage.open_port().is_some());
                cage.end().await?;
                let server = program.display().to_string();
                // The server does not say why its browser ended; where there are no walls for us, it had none either.
                let no_sandbox = is_open && config.browser == Browser::Chrome && why == NOT_CREATED;
                Err(if no_sandbox { without_sandbox(&server) } else { broken(&server, &why) })
            }
        }
    }

    /// Begins a session at a server that is not ours.
    async fn join(plan: &'a Plan, config: &WebDriverConfig, url: &Url) -> Result<WebDriver<'a>, Failure> {
        let options = match config.browser {
            Browser::Chrome => json!({ "goog:chromeOptions": {
                "excludeSwitches": UNWANTED, "args": arguments(plan, config, None) } }),
            Browser::Firefox => json!({ "moz:firefoxOptions": {
                "args": arguments(plan, config, None), "prefs": firefox::preferences_json(None) } }),
        };
        let opened = async {
            let server = wire::authority(url);
            let path = url.path().trim_end_matches('/');
            let begin = async {
                let link = wire::reach(url).await?;
                wire::begin(link, &server, path, wanted(config, options)).await
            };
            let begun = tokio::time::timeout(BEGIN, begin).await;
            let begun = begun.map_err(|_| "it did not start a browser in time".to_owned())??;
            // Whatever host it names: the way to it is the one that the owner gave.
            let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
            let socket = format!("{scheme}://{server}{}", begun.socket.path());
            let session = match wire::reach(url).await {
                Ok(link) => {
                    Session::open(plan, &socket, link, engine(config)).await.map_err(|e| e.to_string())
                }
                Err(why) => Err(why),
            };
            match session {
                Ok(session) => Ok((session, begun.id)),
                Err(why) => {
                    let _ = end(url, &begun.id).await;
                    Err(why)
                }
            }
        };
        match opened.await {
            Ok((session, id)) => {
                let server = Server::Theirs { url: url.clone(), id };
                Ok(WebDriver { server, watch: None, session, proven: true })
            }
            Err(why) => Err(broken(&wire::authority(url), &why)),
        }
    }

    async fn step(&mut self, deed: Deed, texts: &mut dyn Texts) -> Result<Seen, Failure> {
        if matches!(deed, Deed::Fill(_)) && !self.proven {
            self.prove()?;
            self.proven = true;
        }
        match (&deed, &mut self.server) {
            // A page that is left may send a last word past everybody.
            (Deed::Draw { .. }, Server::Ours(cage)) => cage.shut().await,
            (Deed::Draw { .. }, Server::Theirs { .. }) if self.session.holds_a_secret() => {
                return Ok(Seen::Unchanged);
            }
            _ => {}
        }
        let outcome = tokio::select! {
            biased;
            () = unwatched(self.watch.as_mut()) => {
                if let Server::Ours(cage) = &mut self.server {
                    cage.shut().await;
                }
                self.session.unwatched()
            }
            outcome = self.session.step(deed, texts) => outcome,
        };
        match &self.server {
            Server::Ours(cage) => outcome.map_err(|failure| firefox::explained(failure, cage)),
            Server::Theirs { .. } => outcome,
        }
    }
}

impl Engine for WebDriver<'_> {
    fn perform<'s>(&'s mut self, deed: Deed, texts: &'s mut dyn Texts) -> Soon<'s, Result<Seen, Failure>> {
        Box::pin(self.step(deed, texts))
    }

    fn prove(&self) -> Result<(), Failure> {
        match &self.server {
            Server::Ours(cage) => cage.prove(),
            // Nobody here can ask that of somebody else's.
            Server::Theirs { .. } => Ok(()),
        }
    }

    fn open_port(&self) -> Option<&str> {
        match &self.server {
            Server::Ours(cage) => cage.open_port(),
            Server::Theirs { .. } => None,
        }
    }

    fn bounds(&self) -> Bounds {
        match &self.server {
            Server::Ours(cage) => cage.bounds,
            // Nothing of it is on this machine, as far as we know.
            Server::Theirs { .. } => Bounds::WHOLE,
        }
    }

    fn close<'e>(self: Box<Self>) -> Soon<'e, Result<(), Failure>>
    where
        Self: 'e,
    {
        let WebDriver { server, watch, session, .. } = *self;
        Box::pin(async move {
            let ended = match server {
                Server::Ours(cage) => cage.end().await,
                Server::Theirs { url, id } => end(&url, &id).await,
            };
            drop((watch, session));
            ended
        })
    }
}

/// Stops what this server would let out without a word.
async fn watch(cage: &Cage, port: Option<u16>, session: &Session<'_>) -> Result<Watch, String> {
    let port = port.ok_or("it does not tell where its browser can be watched")?;
    let link = cage.connect(port).await.map_err(|e| e.to_string())?;
    let watch = tokio::time::timeout(WATCH, Watch::open(port, session.page(), Box::new(link))).await;
    let watch = watch.map_err(|_| "its browser could not be watched in time".to_owned())?;
    watch.map_err(|e| e.to_string())
}

/// Waits until a browser that is to be watched is not; for ever where none is.
async fn unwatched(watch: Option<&mut Watch>) {
    match watch {
        Some(watch) => watch.ended().await,
        None => std::future::pending().await,
    }
}

fn engine(config: &WebDriverConfig) -> Kind {
    match config.browser {
        Browser::Chrome => Kind::Chromium,
        Browser::Firefox => Kind::Firefox,
    }
}

/// Ends a session at somebody else's server.
async fn end(url: &Url, id: &str) -> Result<(), Failure> {
    let path = format!("{}/session/{id}", url.path().trim_end_matches('/'));
    let end =
        async { wire::ask(wire::reach(url).await?, &wire::authority(url), ("DELETE", &path), None).await };
    match tokio::time::timeout(END, end).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(why)) => Err(not_ended(url, &why)),
        Err(_) => Err(not_ended(url, "no answer in time")),
    }
}

/// What chromedriver adds by itself: with the first the browser writes what pages say, addresses and all, into a file of its
/// profile; with the second pages may open windows at any time.
const UNWANTED: [&str; 2] = ["enable-logging", "disable-popup-blocking"];

/// The capabilities of the session that is asked for.
fn wanted(config: &WebDriverConfig, options: Value) -> Value {
    let mut always = options;
    for (name, value) in &config.capabilities {
        always[name] = value.clone();
    }
    always["browserName"] = config.browser.as_str().into();
    always["webSocketUrl"] = true.into();
    always["acceptInsecureCerts"] = false.into();
    json!({ "capabilities": { "alwaysMatch": always } })
}

/// The browser's arguments; `proxy` is the port of a cage's way out.
fn arguments(plan: &Plan, config: &WebDriverConfig, proxy: Option<u16>) -> Vec<String> {
    // The owner's first: where two disagree, the last one counts.
    let mut arguments: Vec<String> = config.arguments.clone();
    match (config.browser, proxy) {
        (Browser::Chrome, Some(port)) => {
            arguments.extend(SWITCHES.map(str::to_owned));
            arguments.push(format!("--proxy-server=socks5://127.0.0.1:{port}"));
            // Also what is on this machine, of which the cage has its own.
            arguments.push("--proxy-bypass-list=<-loopback>".into());
            arguments.push("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1".into());
        }
        (Browser::Chrome, None) => {
            arguments.extend(SWITCHES.map(str::to_owned));
            arguments.push(format!("--host-resolver-rules={}", resolver_rules(plan)));
        }
        (Browser::Firefox, _) => {}
    }
    if !config.headful {
        arguments
            .push(if config.browser == Browser::Chrome { "--headless=new" } else { "--headless" }.into());
    }
    arguments
}

fn broken(server: &str, why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("the WebDriver server {server} gives no browser that firstbell can use: {why}"),
        cure: "Its browser and its version must fit together, and both must know WebDriver BiDi (chromedriver and \
               geckodriver of 2025 or newer do); or use another engine: --driver chrome."
            .into(),
    }
}

fn without_sandbox(server: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!(
            "the WebDriver server {server} could not start its browser, most likely because the browser's sandbox is off on \
             this system, which gives no namespaces"
        ),
        cure: "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile \
               for the browser), or log in without a browser: --driver http."
            .into(),
    }
}

fn not_ended(url: &Url, why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("the session at {} may still be open: {why}", wire::authority(url)),
        cure: "End it there: it has seen the password and is logged in.".into(),
    }
}
