//! The doctor: everything short of a login, as findings. It opens no page, spends nothing, sends no message, and shows no secret.

pub mod disk;
pub mod doors;
mod engines;
pub mod files;
pub mod finding;
mod issuer;
pub mod machine;
pub mod memory;
mod network;
pub mod people;
pub mod posture;
mod setup;
pub mod shown;
pub mod unit;
pub mod upkeep;

use std::path::{Path, PathBuf};

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;

use self::files::{Held, OpenTo};
use self::finding::{Area, Finding, Grade};
use self::machine::Machine;
use self::posture::Posture;
use self::shown::Shown;
use crate::config::{Config, ConfigFaults, Holder};
use crate::drivers::DriverConfig;
use crate::hands::Hands;
use crate::ports::{Clock, Http};
use crate::secrets::Source;
use crate::serve;
use crate::setup::KeyPlace;
use crate::sinks::Handed;

/// What there is to look at.
pub struct Visit<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The user's home: it is shown as `~`.
    pub home: Option<PathBuf>,
    /// Where the configuration is, or should be.
    pub place: &'a Path,
    /// The configuration, or all that is wrong with it.
    pub config: Result<&'a Config, &'a ConfigFaults>,
    /// The accounts with their store, where it could be opened and there is one.
    pub hands: &'a [Hands<'a>],
    /// Why it could not.
    pub closed: Option<Failure>,
    /// The broker.
    pub kite: &'a Kite,
    /// The engines.
    pub drivers: &'a DriverConfig,
    /// Calls out.
    pub http: &'a dyn Http,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Looks at everything.
pub async fn examine(visit: &Visit<'_>) -> Vec<Finding> {
    let machine = visit.machine;
    let words = visit.config.map(setup::private_words).unwrap_or_default();
    let shown = Shown::new(visit.home.clone(), words);
    // Before an engine is tried: that lowers a limit of this process.
    let dumpable = rustix::process::dumpable_behavior().ok();
    let dumpable = dumpable.map(|how| how != rustix::process::DumpableBehavior::NotDumpable);
    let mut findings = posture::own(machine, dumpable);
    findings.extend(memory::examine(machine));
    findings.extend(people::examine(machine));
    findings.extend(doors::examine(machine));
    findings.extend(upkeep::examine(machine));
    let network = network::examine(visit.kite, visit.http, visit.clock);
    let engines = engines::examine(visit.drivers, visit.kite.plan());
    let rest = async {
        match visit.config {
            Ok(config) => configured(visit, config, &shown).await,
            Err(faults) => vec![unconfigured(visit.place, faults, &shown)],
        }
    };
    let (network, engines, rest) = tokio::join!(network, engines, rest);
    findings.extend(network.into_iter().chain(engines).chain(rest));
    for finding in &mut findings {
        finding.what = shown.text(&finding.what);
        finding.mend = finding.mend.take().map(|mend| shown.text(&mend));
    }
    findings
}

/// What the store is not opened without.
const CLOSES: [&str; 8] = [
    "state_folder",
    "key_file",
    "identity_file",
    "sealed_identity_file",
    "vault_file",
    "vault_copy",
    "store_file",
    "store_copy",
];

async fn configured(visit: &Visit<'_>, config: &Config, shown: &Shown) -> Vec<Finding> {
    let machine = visit.machine;
    let place = std::path::absolute(visit.place).unwrap_or_else(|_| visit.place.to_owned());
    let mut findings = vec![Finding::good(Area::Setup, "configuration", "the configuration can be used")];
    findings.push(disk::encryption(machine, &existing(&config.state_dir)));
    findings.extend(files::examine(&held(visit.place, config), machine, shown));
    findings.push(files::above(&[&config.state_dir, &place], machine, shown));
    findings.push(key(config));
    // A file of it that lies open is why a store is not opened: then one command mends both.
    let closes = |f: &&Finding| f.grade == Grade::Bad && CLOSES.contains(&f.id.as_str());
    let open = findings.iter().find(closes);
    let (setup, daemon) =
        tokio::join!(setup::examine(visit, config, open), daemon(machine, &config.state_dir));
    findings.extend(setup.into_iter().chain(daemon));
    findings
}

fn unconfigured(place: &Path, faults: &ConfigFaults, shown: &Shown) -> Finding {
    let (area, id, path) = (Area::Setup, "configuration", shown.path(place));
    match place.exists() {
        false => Finding::bad(
            area,
            id,
            format!("there is no configuration at {path}: nothing can log in yet"),
            "write one as the README shows (\"Real use\"), or name another with --config",
        ),
        true => Finding::bad(
            area,
            id,
            format!("the configuration at {path} cannot be used: {} wrong", faults.0.len()),
            "firstbell status    # it lists every fault with its line",
        ),
    }
}

/// The folder itself, or the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    there.canonicalize().unwrap_or_else(|_| there.to_owned())
}

/// What firstbell keeps, and what it is told.
fn held(place: &Path, config: &Config) -> Vec<Held> {
    let held =
        |id: &str, what: String, path: PathBuf, open_to| Held { id: id.to_owned(), what, path, open_to };
    let own = |id: &str, what: &str, path: PathBuf| held(id, what.to_owned(), path, OpenTo::Nobody);
    let state = &config.state_dir;
    let mut all = vec![
        held("config_file", "the configuration".into(), place.to_owned(), OpenTo::Readers),
        own("state_folder", "the state folder", state.clone()),
        own("key_file", "the key file", state.join("key")),
        own("identity_file", "the identity", state.join("identity.txt")),
        own("sealed_identity_file", "the identity under a passphrase", state.join("identity.age")),
        own("vault_file", "the vault", state.join("vault.age")),
        own("vault_copy", "the copy of the vault", state.join("vault.previous.age")),
        own("store_file", "the store", state.join("store.db")),
        own("store_copy", "the copy of the store", state.join("store.previous.db")),
        own("mark_file", "the mark", config.store.mark.clone()),
    ];
    let of_accounts = config.accounts.iter().flat_map(|account| {
        account.secrets.iter().map(move |(secret, source)| (&account.name, secret.as_str(), source))
    });
    let of_channels = config.channels.iter().flat_map(|channel| {
        channel.secrets.iter().map(move |(secret, source)| (&channel.name, secret.as_str(), source))
    });
    for (owner, secret, source) in of_accounts.chain(of_channels) {
        if let Source::File(path) = source {
            let what = format!("the file with the secret {secret} of {owner}");
            all.push(held(
                &setup::named("secret_file", &format!("{owner}_{secret}")),
                what,
                path.clone(),
                OpenTo::AsSecret,
            ));
        }
    }
    for account in &config.accounts {
        for (number, sink) in account.sinks.iter().enumerate() {
            for (secret, source) in &sink.secrets {
                if let Source::File(path) = source {
                    let whose = format!("{}_sink_{}_{secret}", account.name, number + 1);
                    let what = format!("the file with the secret {secret} of a sink of {}", account.name);
                    all.push(held(
                        &setup::named("secret_file", &whose),
                        what,
                        path.clone(),
                        OpenTo::AsSecret,
                    ));
                }
            }
            // A token file is there from the first login on.
            if let Some(Handed { path, mode, owner }) = sink.handed() {
                let id = setup::named("token_file", &format!("{}_{}", account.name, number + 1));
                let what = format!("a token file of {}", account.name);
                all.push(held(&id, what, path, OpenTo::AsHanded { mode, owner }));
            }
        }
    }
    all
}

/// Where the key is, and what that protects.
pub fn key(config: &Config) -> Finding {
    let (area, id) = (Area::Files, "key_place");
    if config.shared.is_some() {
        let what = "the key is a file of this machine, and the store in a database: who has the database has no secret; root and \
                    programs of this user have the key";
        return Finding::good(area, id, what);
    }
    let place = KeyPlace::of(&config.vault);
    let what = match config.vault.holder() {
        Holder::Elsewhere(source) if place == KeyPlace::Elsewhere => {
            format!("the key of the vault comes from the {}: {}", source.describe(), place.sentence())
        }
        _ => format!("the key of the vault: {}: {}", place.name(), place.sentence()),
    };
    match config.vault.holder() {
        Holder::Elsewhere(Source::Env(_)) | Holder::Passphrase(Source::Env(_)) => Finding::warning(
            area,
            id,
            format!("{what}; every program of this user can read it there"),
            "keep it in a file, a keyring, a systemd credential or behind a program: README.md, \"Where secrets live\"",
        ),
        _ => Finding::good(area, id, what),
    }
}

async fn daemon(machine: &Machine, state: &Path) -> Vec<Finding> {
    let (area, id) = (Area::Daemon, "daemon");
    let alive = match serve::ask(state, "GET", "/livez").await {
        Err(failure) => return vec![Finding::bad(area, id, failure.to_string(), failure.cure())],
        Ok(None) => {
            let what = "no firstbell run keeps these accounts: nothing logs in by itself";
            return vec![Finding::warning(area, id, what, "firstbell run    # best as a service")];
        }
        Ok(Some((200, _))) => {
            Finding::good(area, id, "firstbell run keeps these accounts, and looks when it should")
        }
        Ok(Some(_)) => Finding::bad(
            area,
            id,
            "firstbell run is there, and a keeper does not look when it should",
            "see its log (journalctl -u firstbell), then restart it",
        ),
    };
    let pid = serve::process(state).await;
    let posture = pid.and_then(|pid| Some((pid, Posture::of(machine, &pid.to_string())?)));
    let posture = match posture {
        Some((pid, posture)) => {
            let swaps = memory::swaps_openly(machine);
            let locked = posture::locked("daemon_swap", "the daemon", &posture, swaps);
            let unit = unit::examine(machine, pid, &posture);
            posture::daemon(&posture).into_iter().chain([locked]).chain(unit).collect()
        }
        None => vec![Finding::unknown(Area::Posture, "daemon_process", "what is in force for the daemon")],
    };
    [vec![alive], posture].concat()
}
