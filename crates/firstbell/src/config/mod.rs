//! File and environment become the configuration; every fault is reported at once, with its line.

mod account;
mod api;
mod glance;
mod keeping;
mod shared;
mod variables;
mod vault;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firstbell_core::calendar::Calendar;
use firstbell_core::origin::Origin;

pub use self::account::Account;
pub use self::api::Api;
pub use self::glance::{Glance, glance};
pub use self::keeping::{Egress, Keeping, Leap, Telling};
pub use self::shared::Shared;
pub use self::vault::{Holder, VaultConfig};

use crate::alerts::ChannelConfig;
use crate::calendarfile;
use crate::drivers::DriverConfig;
use crate::planfile;
use crate::stores::{KEEP_DAYS_MIN, Place};
use crate::written::{Faults, Section};

/// Everything that firstbell was told.
#[derive(Debug)]
pub struct Config {
    /// Where store, vault and locks are.
    pub state_dir: PathBuf,
    /// The store in it, its mark beside it, and how long events stay.
    pub store: Place,
    /// The database that takes the store's place where several machines keep the same accounts.
    pub shared: Option<Shared>,
    /// How the vault of this machine is opened.
    pub vault: VaultConfig,
    /// The accounts, by name.
    pub accounts: Vec<Account>,
    /// The further doors to the local API.
    pub api: Api,
    /// The ways to a person.
    pub channels: Vec<ChannelConfig>,
    /// The engines.
    pub drivers: DriverConfig,
    /// The login plan in the place of the compiled-in one: read, checked, and signed where a signature is asked for.
    pub plan: Option<OwnPlan>,
    /// On which days the exchanges trade: what is compiled in, and over it the owner's lists in their order.
    pub calendar: Calendar,
    /// The hours, and what else keeping accounts asks.
    pub keeping: Keeping,
    /// Loopback addresses in the place of the broker's own, for rehearsals.
    pub rehearsal: Option<(Origin, Origin)>,
}

/// A login plan of the owner's.
#[derive(Debug)]
pub struct OwnPlan {
    /// Its file, as it is written.
    pub text: String,
    /// Whether a signature was asked for, and is good.
    pub is_signed: bool,
}

/// What is wrong with a configuration: a line for each fault.
#[derive(Debug)]
pub struct ConfigFaults(pub Vec<String>);

/// The environment as it was at the start.
pub type Environment = BTreeMap<String, String>;

/// The keys of the file.
const KNOWN: [&str; 21] = [
    "accept",
    "account",
    "alerts",
    "api",
    "browser",
    "calendar",
    "channel",
    "driver",
    "drivers",
    "egress",
    "firefox",
    "keep_days",
    "mark",
    "plan",
    "plan_key",
    "rehearsal",
    "schedule",
    "state_dir",
    "store",
    "vault",
    "webdriver",
];

/// Where the configuration is, unless it is named: `FIRSTBELL_CONFIG`, else below the user's configuration folder.
pub fn place(named: Option<&Path>, env: &Environment) -> PathBuf {
    let home = || PathBuf::from(env.get("HOME").map_or("/", String::as_str));
    let folder = env.get("XDG_CONFIG_HOME").map_or_else(|| home().join(".config"), PathBuf::from);
    named
        .map(Path::to_owned)
        .or_else(|| env.get("FIRSTBELL_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| folder.join("firstbell/config.toml"))
}

/// Reads the file at `path`, and the environment over it.
///
/// # Errors
/// All faults of both.
pub fn load(path: &Path, env: &Environment) -> Result<Config, ConfigFaults> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        let cure = format!("write one; the README shows it whole ({file}), or name another with --config");
        ConfigFaults(vec![format!("{file}: the configuration cannot be read: {e}; {cure}")])
    })?;
    read(&file, &text, env)
}

impl Config {
    /// The variables that secrets come from: nobody else's business.
    pub fn secret_variables(&self) -> Vec<&str> {
        variables::of(&self.accounts, &self.channels, self.shared.as_ref(), &self.vault)
    }
}

/// Reads a text that faults call by this name, and the environment over it.
///
/// # Errors
/// As [`load`].
pub fn read(file: &str, text: &str, env: &Environment) -> Result<Config, ConfigFaults> {
    let faults = Faults::new(file, text);
    let mut root = Section::root(text, faults.clone());
    let (rehearsal, leap) = root.section("rehearsal").map(keeping::read_rehearsal).unwrap_or_default();
    let keeping = Keeping { leap, ..Keeping::read(&mut root) };
    let mut drivers = DriverConfig::read(&mut root);
    let state_dir = root.parsed("state_dir", |text| {
        let why = |why| format!("{why}: each folder is a memory of its own of what was spent");
        absolute_path(text).map_err(why)
    });
    let mark = root.parsed("mark", absolute_path);
    let keep_days = root.number("keep_days", KEEP_DAYS_MIN);
    let keep_days = keep_days.map(|days| u32::try_from(days).unwrap_or(u32::MAX));
    let accounts = read_accounts(&mut root);
    let channels = root.named("channel").into_iter();
    let channels: Vec<_> = channels.filter_map(|(n, s)| ChannelConfig::read(n, s)).collect();
    if keeping.leap.is_some() && (accounts.len() > 1 || rehearsal.is_none()) {
        root.fault("rehearsal.leap is for the rehearsal of one account");
    }
    let shared = Shared::read(&mut root);
    let vault = VaultConfig::read(&mut root, shared.is_some());
    let api = Api::read(&mut root);
    let plan = read_plan(&mut root);
    let calendar = read_calendar(&mut root);
    let own_dir = env.get("FIRSTBELL_STATE_DIR").map(PathBuf::from).or(state_dir);
    let state_dir = own_dir.unwrap_or_else(|| usual_state_dir(env));
    let mut store = Place::of(&state_dir);
    store.mark = mark.unwrap_or(store.mark);
    store.keep_days = keep_days.unwrap_or(store.keep_days);
    if store.mark.starts_with(&state_dir) {
        root.fault("mark must be outside the state folder: restored with it, it would prove nothing");
    }
    root.end(&KNOWN);

    let mut lines = faults.lines();
    let sources = variables::of(&accounts, &channels, shared.as_ref(), &vault);
    lines.extend(variables::read(env, &mut drivers, &sources));
    if !lines.is_empty() {
        return Err(ConfigFaults(lines));
    }
    Ok(Config {
        state_dir,
        store,
        shared,
        vault,
        accounts,
        api,
        channels,
        drivers,
        plan,
        calendar,
        keeping,
        rehearsal,
    })
}

fn read_accounts(root: &mut Section<'_>) -> Vec<Account> {
    let accounts: Vec<_> =
        root.named("account").into_iter().filter_map(|(n, s)| account::read(n, s)).collect();
    if accounts.is_empty() && !root.asked("account") {
        root.fault("there is no account: write one under [account.NAME]");
    }
    for (i, account) in accounts.iter().enumerate() {
        if accounts[..i].iter().any(|other| other.app.user() == account.app.user()) {
            // Two apps of one user share the broker's counters and time steps; one keeper for both is still to come.
            let name = account.name.escape_debug();
            root.fault(&format!(
                "account.{name}.user_id is another account's too; one account for each user, please"
            ));
        }
    }
    accounts
}

/// Such a path is shown in messages, and a terminal obeys some signs.
fn absolute_path(text: &str) -> Result<PathBuf, String> {
    match Path::new(text).is_absolute() && !text.contains(char::is_control) {
        true => Ok(PathBuf::from(text)),
        false => Err("must be an absolute path".into()),
    }
}

/// Reads `plan` and `plan_key`: the file at that path, in the place of the compiled-in plan.
fn read_plan(root: &mut Section<'_>) -> Option<OwnPlan> {
    let key = root.parsed("plan_key", planfile::read_key);
    let signed = root.asked("plan_key");
    // A key that cannot be read must not turn into no key.
    if signed && key.is_none() {
        return root.text("plan").and(None);
    }
    let read = |path: &str| {
        planfile::read(&absolute_path(path)?, key.as_ref()).map(|(_, text)| text).map_err(|faults| {
            format!("cannot be used (firstbell plan check shows it alone):\n    {}", faults.join("\n    "))
        })
    };
    let plan = root.parsed("plan", read);
    if signed && !root.asked("plan") {
        root.fault("plan_key without a plan: there is nothing to be signed");
    }
    plan.map(|text| OwnPlan { text, is_signed: signed })
}

/// Reads `calendar`: lists of days, laid one after another over what is compiled in.
fn read_calendar(root: &mut Section<'_>) -> Calendar {
    let read = |path: &str| {
        calendarfile::read(&absolute_path(path)?)
            .map_err(|faults| format!("cannot be used:\n    {}", faults.join("\n    ")))
    };
    let own = root.texts("calendar", read).unwrap_or_default();
    own.into_iter().fold(Calendar::compiled().clone(), Calendar::with)
}

/// Where the state folder is, unless it is named.
pub fn usual_state_dir(env: &Environment) -> PathBuf {
    let home = || PathBuf::from(env.get("HOME").map_or("/", String::as_str));
    let folder = env.get("XDG_STATE_HOME").map_or_else(|| home().join(".local/state"), PathBuf::from);
    folder.join("firstbell")
}

#[cfg(test)]
mod tests {
    use firstbell_core::calendar::Exchange;

    use super::*;
    use crate::drivers::DriverName;
    use crate::secrets::Source;

    const GOOD: &str = r#"
[account.main]
user_id = "AB1234"
api_key = "kitekey123"
redirect_url = "http://127.0.0.1:5000/back"
password = { env = "KITE_PASSWORD" }
[[account.main.sink]]
kind = "file"
path = "/tmp/token"
format = "env"
"#;

    fn faults(text: &str, env: &[(&str, &str)]) -> Vec<String> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        read("c.toml", text, &env).err().map_or_else(Vec::new, |f| f.0)
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let config = read("c.toml", GOOD, &Environment::new()).unwrap();
        let account = &config.accounts[0];
        assert_eq!((account.name.as_str(), account.sinks.len()), ("main", 1));
        assert_eq!(account.secrets[0].1, Source::Env("KITE_PASSWORD".into()));
        assert_eq!(account.secrets[1].1, Source::Vault);
        assert_eq!(account.exchanges, Exchange::USUAL);
        assert!(config.rehearsal.is_none());
    }

    #[test]
    fn every_fault_comes_at_once_with_its_line() {
        let text = r#"drivr = "chrome"
driver = "netscape"
[account.Main]
user_id = 7
api_key = "x y"
redirect_url = "kite"
password = { env = "A", file = "/b" }
totp = "123456"
[[account.Main.sink]]
kind = "pigeon"
path = "token"
format = "xml"
colour = "red"
[rehearsal]
site = "http://127.0.0.1:1"
api = "https://api.example"
"#;
        let lines = faults(text, &[("FIRSTBELL_DRVIER", "http"), ("FIRSTBELL_DRIVER", "netscape")]);
        let want = [
            "c.toml:1: drivr is not known",
            "c.toml:2: driver is not known",
            "c.toml:3: [account.Main]: an account's name",
            "c.toml:4: account.Main.user_id must be a text",
            "c.toml:5: account.Main.api_key must be",
            "c.toml:6: account.Main.redirect_url is not an address",
            "c.toml:7: [account.Main.password]: needs exactly one",
            "c.toml:8: account.Main.totp must be a table",
            "c.toml:9: [account.Main.sink]: path must be absolute",
            "c.toml:10: account.Main.sink.kind is not known",
            "c.toml:12: account.Main.sink.format is not known",
            "c.toml:13: account.Main.sink.colour is not known",
            "c.toml:14: [rehearsal]: site and api must be loopback",
            "environment: FIRSTBELL_DRIVER is not known",
            "environment: FIRSTBELL_DRVIER is not known",
        ];
        for (line, start) in lines.iter().zip(want) {
            assert!(line.starts_with(start), "{line}\nis not\n{start}\nin {lines:#?}");
        }
        assert_eq!(lines.len(), want.len(), "{lines:#?}");
    }

    #[test]
    fn what_is_missing_and_what_is_no_toml_is_said() {
        assert!(faults("", &[])[0].contains("there is no account"));
        assert_eq!(faults("[account.main]", &[]).len(), 3, "user_id, api_key, redirect_url");
        let lines = faults("[account.main\nuser_id = \n", &[]);
        assert!(lines[0].starts_with("c.toml:1:"), "{lines:?}");
    }

    #[test]
    fn the_mark_is_outside_the_state_folder_and_events_stay_a_month_at_least() {
        let read =
            |top: &str| read("c.toml", &format!("state_dir = \"/s/fb\"\n{top}{GOOD}"), &Environment::new());
        let place = read("").unwrap().store;
        assert_eq!((place.mark, place.keep_days), (PathBuf::from("/s/fb.mark"), 400));
        let place = read("mark = \"/m/x\"\nkeep_days = 30\n").unwrap().store;
        assert_eq!((place.mark, place.keep_days), (PathBuf::from("/m/x"), 30));
        for wrong in [
            "mark = \"/s/fb/mark\"\n",
            "mark = \"m\"\n",
            "mark = \"/m/\\u001b[2J\"\n",
            "keep_days = 29\n",
            "keep_days = \"30\"\n",
        ] {
            assert_eq!(read(wrong).unwrap_err().0.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn the_environment_outranks_the_file() {
        let env = [("FIRSTBELL_DRIVER", "http"), ("FIRSTBELL_STATE_DIR", "/x")];
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let config = read("c.toml", GOOD, &env).unwrap();
        assert_eq!((config.drivers.ladder, config.state_dir), (vec![DriverName::Http], PathBuf::from("/x")));
    }
}
