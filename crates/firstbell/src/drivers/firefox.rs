//! Firefox over WebDriver BiDi, without a geckodriver: in a cage, with a private profile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;
use firstbell_core::sight::Seen;

use super::arguments::{self, Taker};
use super::bidi::{Kind, Session};
use super::bounds::Bounds;
use super::cage::{Cage, CageConfig, Order, Places};
use super::engine::{Deed, Engine, Texts};
use super::policies;
use crate::ports::Soon;
use crate::written::Section;

/// How Firefox is to be started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirefoxConfig {
    /// Its program, instead of the first one found.
    pub binary: Option<PathBuf>,
    /// Further arguments, each accepted.
    pub arguments: Vec<String>,
    /// Show its window.
    pub headful: bool,
}

/// Where distributions put it.
pub(super) const PLACES: [&str; 5] = [
    "/usr/lib/firefox-esr/firefox-esr",
    "/usr/lib/firefox/firefox",
    "/usr/lib64/firefox/firefox",
    "/opt/firefox/firefox",
    "/usr/local/firefox/firefox",
];

/// Preferences, each with what it keeps away. Texts are quoted as user.js wants them.
const PREFERENCES: [(&str, &str); 52] = [
    // The only way out is the cage's.
    ("network.proxy.type", "1"),
    ("network.proxy.socks_version", "5"),
    ("network.proxy.socks_remote_dns", "true"),
    ("network.proxy.socks5_remote_dns", "true"),
    ("network.proxy.no_proxies_on", "\"\""),
    ("network.proxy.allow_hijacking_localhost", "true"),
    ("network.proxy.failover_direct", "false"),
    ("network.dns.disabled", "true"),
    ("network.dns.disablePrefetch", "true"),
    ("network.trr.mode", "5"),
    ("network.prefetch-next", "false"),
    ("network.predictor.enabled", "false"),
    ("network.http.speculative-parallel-limit", "0"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    // A request is never sent a second time by the browser itself, whatever becomes of its connection.
    ("network.http.request.max-attempts", "1"),
    ("network.http.http2.enabled", "false"),
    ("network.http.http3.enable", "false"),
    // A hostile script in the page finds no way out, and no compiled code.
    ("media.peerconnection.enabled", "false"),
    ("beacon.enabled", "false"),
    // A request that outlives its frame is one that nobody is asked about.
    ("dom.fetchKeepalive.enabled", "false"),
    ("network.webtransport.enabled", "false"),
    ("dom.reporting.enabled", "false"),
    ("dom.serviceWorkers.enabled", "false"),
    ("dom.push.enabled", "false"),
    ("javascript.options.ion", "false"),
    ("javascript.options.baselinejit", "false"),
    ("javascript.options.wasm", "false"),
    ("dom.disable_open_during_load", "true"),
    ("browser.download.start_downloads_in_tmp_dir", "true"),
    // Nothing is remembered.
    ("browser.privatebrowsing.autostart", "true"),
    ("browser.cache.disk.enable", "false"),
    ("browser.sessionstore.resume_from_crash", "false"),
    ("browser.formfill.enable", "false"),
    ("signon.rememberSignons", "false"),
    ("toolkit.crashreporter.enabled", "false"),
    // Roots that somebody added to this machine count nothing.
    ("security.enterprise_roots.enabled", "false"),
    // Nothing is fetched that the page did not ask for, and nothing is shown that is not the page.
    ("app.update.enabled", "false"),
    ("browser.safebrowsing.malware.enabled", "false"),
    ("browser.safebrowsing.phishing.enabled", "false"),
    ("browser.startup.page", "0"),
    ("browser.startup.homepage", "\"about:blank\""),
    ("browser.newtabpage.enabled", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("toolkit.telemetry.enabled", "false"),
    ("extensions.autoDisableScopes", "15"),
    ("extensions.enabledScopes", "0"),
    ("dom.ipc.processPrelaunch.enabled", "false"),
    ("browser.translations.enable", "false"),
    // A reply is read as it came.
    ("devtools.jsonview.enabled", "false"),
    // A window that is not in front would not take the focus.
    ("focusmanager.testmode", "true"),
];

const INSTALL: &str = "Install it: sudo apt-get install firefox-esr (Debian); or name one under [firefox] binary; or use \
                       another engine: --driver chrome, --driver http.";

impl FirefoxConfig {
    /// Reads `[firefox]`.
    pub(super) fn read(root: &mut Section<'_>) -> FirefoxConfig {
        let mut config = FirefoxConfig::default();
        if let Some(mut section) = root.section("firefox") {
            config.binary = section.text("binary").map(PathBuf::from);
            config.arguments = section
                .texts("arguments", |text| arguments::accept(Taker::Firefox, text))
                .unwrap_or_default();
            section.end(&["arguments", "binary"]);
        }
        config
    }
}

/// One Firefox for one login.
pub(super) struct FirefoxDriver<'a> {
    // In the order in which they end.
    cage: Cage,
    session: Session<'a>,
    proven: bool,
}

impl<'a> FirefoxDriver<'a> {
    pub(super) async fn start(
        plan: &'a Plan,
        config: &FirefoxConfig,
        cage: &CageConfig,
    ) -> Result<FirefoxDriver<'a>, Failure> {
        let program = find(config.binary.as_deref())?;
        policies::firefox(Path::new("/"), &program)?;
        let cage = Cage::start(plan, cage, |places| order(&program, config, places)).await?;
        let opened = async {
            let link = Box::new(cage.connect(cage.port).await?);
            let url = format!("ws://127.0.0.1:{}/session", cage.port);
            Session::open(plan, &url, link, Kind::BareFirefox).await
        };
        match opened.await {
            Ok(session) => Ok(FirefoxDriver { session, cage, proven: false }),
            Err(e) => {
                let why = format!("this Firefox cannot be driven: {}", cage.why(&e.to_string()));
                cage.end().await?;
                Err(Failure::Broken {
                    part: Part::Browser,
                    why,
                    cure: "Firefox 143 or newer is needed (Debian's firefox-esr is); or use another engine: --driver chrome."
                        .into(),
                })
            }
        }
    }
}

impl FirefoxDriver<'_> {
    async fn step(&mut self, deed: Deed, texts: &mut dyn Texts) -> Result<Seen, Failure> {
        if matches!(deed, Deed::Fill(_)) && !self.proven {
            self.prove()?;
            self.proven = true;
        }
        if matches!(deed, Deed::Draw { .. }) {
            self.cage.shut().await;
        }
        self.session.step(deed, texts).await.map_err(|failure| explained(failure, &self.cage))
    }
}

/// A browser that the watchdog ended did not just end.
pub(super) fn explained(failure: Failure, cage: &Cage) -> Failure {
    match failure {
        Failure::Broken { part, why, cure } => Failure::Broken { part, why: cage.why(&why).to_owned(), cure },
        other => other,
    }
}

impl Engine for FirefoxDriver<'_> {
    fn perform<'s>(&'s mut self, deed: Deed, texts: &'s mut dyn Texts) -> Soon<'s, Result<Seen, Failure>> {
        Box::pin(self.step(deed, texts))
    }

    fn prove(&self) -> Result<(), Failure> {
        self.cage.prove()
    }

    fn open_port(&self) -> Option<&str> {
        self.cage.open_port()
    }

    fn bounds(&self) -> Bounds {
        self.cage.bounds
    }

    fn close<'e>(self: Box<Self>) -> Soon<'e, Result<(), Failure>>
    where
        Self: 'e,
    {
        let FirefoxDriver { cage, session, .. } = *self;
        Box::pin(async move {
            let ended = cage.end().await;
            drop(session);
            ended
        })
    }
}

fn order(program: &Path, config: &FirefoxConfig, places: &Places) -> io::Result<Order> {
    std::fs::write(places.profile.join("user.js"), preferences(&places.out))?;
    let mut arguments: Vec<String> = Vec::new();
    if !config.headful {
        arguments.push("--headless".into());
    }
    arguments.extend(["--no-remote", "--profile"].map(str::to_owned));
    arguments.push(places.profile.display().to_string());
    arguments.extend(["--remote-debugging-port", "0"].map(str::to_owned));
    arguments.extend(config.arguments.iter().cloned());
    Ok(Order {
        program: program.to_owned(),
        browser: None,
        arguments,
        environment: environment(places, config.headful),
        folder: places.home.clone(),
        ready: vec![
            "WebDriver BiDi listening on ws://127.0.0.1:".into(),
            "listening on ws://localhost:".into(),
        ],
        // Its way out is one.
        alone: false,
        control: places.control.clone(),
        out: places.out.clone(),
    })
}

/// The whole environment of an engine: a home of its own, and a display where it is to be seen.
pub(super) fn environment(places: &Places, headful: bool) -> Vec<(String, String)> {
    let path = |path: &Path| path.display().to_string();
    let mut environment = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("HOME".into(), path(&places.home)),
        ("TMPDIR".into(), path(&places.tmp)),
        ("XDG_CONFIG_HOME".into(), path(&places.home)),
        ("XDG_CACHE_HOME".into(), path(&places.home)),
        ("XDG_RUNTIME_DIR".into(), path(&places.tmp)),
        ("MOZ_CRASHREPORTER_DISABLE".into(), "1".into()),
        ("MOZ_DISABLE_AUTO_SAFE_MODE".into(), "1".into()),
    ];
    if headful {
        let display = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];
        environment.extend(display.iter().filter_map(|n| Some(((*n).to_owned(), std::env::var(n).ok()?))));
    }
    environment
}

/// Preferences as names and JSON values, for a geckodriver that writes them itself.
pub(super) fn preferences_json(out: Option<&Path>) -> serde_json::Value {
    let read = |text: &str| serde_json::from_str(text).expect("each preference is written as JSON");
    // Without a cage its names and its way are those of the machine it runs on.
    let applies =
        |name: &str| out.is_some() || !(name.starts_with("network.proxy") || name == "network.dns.disabled");
    let listed = PREFERENCES.iter().filter(|(name, _)| applies(name));
    let mut all: serde_json::Map<_, _> = listed.map(|(n, v)| ((*n).to_owned(), read(v))).collect();
    if let Some(out) = out {
        all.insert("network.proxy.socks".into(), format!("file://{}", out.display()).into());
    }
    all.into()
}

fn preferences(out: &Path) -> String {
    let mut text: String =
        PREFERENCES.iter().map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect();
    text.push_str(&format!("user_pref(\"network.proxy.socks\", \"file://{}\");\n", out.display()));
    text
}

/// Whether a preference is one that a login rests on.
pub(super) fn is_ours(name: &str) -> bool {
    PREFERENCES.iter().any(|(ours, _)| *ours == name)
}

/// The program to start.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let missing = |why: String| Failure::Broken { part: Part::Browser, why, cure: INSTALL.into() };
    let is_there = |path: &Path| File::open(path).is_ok_and(|f| f.metadata().is_ok_and(|m| m.is_file()));
    if let Some(path) = named {
        return match is_there(path) {
            true => Ok(path.to_owned()),
            false => Err(missing(format!("there is no Firefox at {}", path.display()))),
        };
    }
    PLACES
        .iter()
        .map(PathBuf::from)
        .find(|path| is_there(path))
        .ok_or_else(|| missing("no Firefox was found on this machine".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_the_cage_s_and_every_preference_is_json() {
        let text = preferences(Path::new("/x/out"));
        assert!(text.contains("user_pref(\"network.proxy.socks\", \"file:///x/out\");"));
        assert_eq!(preferences_json(Some(Path::new("/x/out")))["network.proxy.type"], 1);
        assert!(preferences_json(None).get("network.proxy.type").is_none());
        assert_eq!(text.lines().count(), PREFERENCES.len() + 1);
    }

    #[test]
    fn a_missing_firefox_is_told_with_the_command_that_helps() {
        let failure = find(Some(Path::new("/nonexistent/firefox"))).unwrap_err();
        assert!(failure.cure().contains("apt-get install firefox-esr"), "{failure}");
    }
}
