//! What the configuration names: secrets, store, plan, calendar, places for the token, ways to the owner, the registered address.

use std::time::Duration;

use firstbell_core::broker::App;
use firstbell_core::plan::VERSION;
use firstbell_core::schedule::Assisted;
use firstbell_core::token::date_in_india;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::Visit;
use super::finding::{Area, Finding};
use crate::checks;
use crate::codes::CodeConfig;
use crate::config::Config;
use crate::hands::Hands;
use crate::secrets::{Name, Owner, Source};
use crate::sinks::SinkConfig;

const AREA: Area = Area::Setup;
/// Whatever calls out is given up after this.
const TIME: Duration = Duration::from_secs(6);

/// All of it, for a configuration that could be read.
pub(super) async fn examine(visit: &Visit<'_>, config: &Config, open: Option<&Finding>) -> Vec<Finding> {
    let mut findings = vec![plan(config), store(visit, config, open)];
    findings.extend(config.accounts.iter().map(|account| {
        let today = date_in_india(visit.clock.now());
        let id = named("calendar", &account.name);
        match config.calendar.notice_due(&account.exchanges, today) {
            None => {
                Finding::good(AREA, &id, format!("{}: the holidays of its exchanges are known", account.name))
            }
            Some(year) => Finding::warning(
                AREA,
                &id,
                format!(
                    "{}: no list of holidays for {year}: every weekday counts as a trading day",
                    account.name
                ),
                "install the newest firstbell, or name a list of your own: calendar = [\"/path\"]",
            ),
        }
    }));
    findings.extend(visit.hands.iter().map(secrets));
    let (sinks, channels, address) =
        tokio::join!(join_all(visit.hands.iter().map(sinks)), channels(visit, config), egress(visit, config));
    findings.extend(sinks.into_iter().flatten().chain(channels).chain(address));
    findings
}

/// A name for programs, with whose it is.
pub(super) fn named(what: &str, whose: &str) -> String {
    format!("{what}_{}", whose.replace('-', "_"))
}

fn plan(config: &Config) -> Finding {
    let id = "plan";
    match config.plan.as_ref().map(|plan| plan.is_signed) {
        None => Finding::good(AREA, id, format!("the login plan is the compiled-in one (form {VERSION})")),
        Some(true) => Finding::good(
            AREA,
            id,
            format!("the login plan is yours, checked (form {VERSION}), its signature too"),
        ),
        Some(false) => Finding::warning(
            AREA,
            id,
            format!(
                "the login plan is yours, checked (form {VERSION}), and not signed: whoever can write that file changes it"
            ),
            "sign it (minisign -S -m my-plan.toml) and write plan_key = \"RW…\"",
        ),
    }
}

fn store(visit: &Visit<'_>, config: &Config, open: Option<&Finding>) -> Finding {
    let id = "store";
    match (&visit.closed, visit.hands.first()) {
        (Some(failure), _) => match open.and_then(|open| Some((&open.what, open.mend.clone()?))) {
            Some((why, mend)) => Finding::bad(AREA, id, format!("the store is not opened: {why}"), mend),
            None => Finding::bad(AREA, id, failure.to_string(), failure.cure()),
        },
        (None, Some(hands)) => {
            let flawed = |hands: &&Hands<'_>| {
                !hands
                    .stores
                    .store()
                    .verify(&hands.account.app.user())
                    .is_ok_and(|found| found.flaw.is_none())
            };
            match visit.hands.iter().find(flawed) {
                Some(hands) => Finding::bad(
                    AREA,
                    id,
                    format!(
                        "the history of {} is broken, or cannot be read: no login is made on it",
                        hands.account.name
                    ),
                    format!("firstbell history --verify {}", hands.account.name),
                ),
                None if hands.stores.healed() => Finding::warning(
                    AREA,
                    id,
                    "the store was damaged; its copy of the last good moment took its place, and what was damaged lies beside it",
                    "look at the disk: sudo dmesg --level=err; then firstbell status",
                ),
                None => Finding::good(AREA, id, "the store opens with its key, and its history is whole"),
            }
        }
        (None, None) => {
            let vaulted = config
                .accounts
                .iter()
                .find(|account| account.secrets.iter().any(|(_, s)| *s == Source::Vault));
            match vaulted {
                Some(account) => Finding::bad(
                    AREA,
                    id,
                    "nothing is stored yet, and a login needs secrets",
                    format!("firstbell secrets set password {}", account.name),
                ),
                None => Finding::good(AREA, id, "nothing is stored yet; the first login makes the store"),
            }
        }
    }
}

fn secrets(hands: &Hands<'_>) -> Finding {
    let (account, id) = (hands.account, named("secrets", &hands.account.name));
    let Some(failure) = hands.lacks_secret() else {
        return Finding::good(AREA, &id, format!("{}: the secrets of a login are there", account.name));
    };
    let user = account.app.user();
    let owner = Owner { id: &user, name: &account.name };
    // Where the vault lacks one, the command that stores it is all that is needed.
    let wanted = |(name, source): &&(Name, Source)| {
        let needed = match name {
            Name::ApiSecret => true,
            Name::Password => account.assisted != Assisted::Only,
            Name::TotpSeed => account.assisted != Assisted::Only && matches!(account.codes, CodeConfig::Seed),
        };
        needed && *source == Source::Vault && source.fetch(owner, *name, hands.stores.vault()).is_err()
    };
    let mend = match account.secrets.iter().find(wanted) {
        Some((name, _)) => format!("firstbell secrets set {} {}", name.as_str(), account.name),
        None => failure.cure(),
    };
    Finding::bad(AREA, &id, format!("{}: {failure}", account.name), mend)
}

/// How the sinks are tried, all at one time.
async fn sinks(hands: &Hands<'_>) -> Vec<Finding> {
    let name = &hands.account.name;
    let ill = hands.check_sinks().await;
    let one = |(number, sink): (usize, &SinkConfig)| {
        let id = named("sink", &format!("{name}_{}", number + 1));
        match ill.iter().find(|(other, _)| std::ptr::eq(*other, sink)) {
            None => Finding::good(AREA, &id, format!("{name}: the token can be written to {}", sink.name)),
            Some((_, failure)) => Finding::bad(AREA, &id, format!("{name}: {failure}"), failure.cure()),
        }
    };
    hands.account.sinks.iter().enumerate().map(one).collect()
}

async fn channels(visit: &Visit<'_>, config: &Config) -> Vec<Finding> {
    if config.channels.is_empty() {
        return vec![Finding::warning(
            AREA,
            "channels",
            "nobody is told when a morning goes wrong: there is no channel",
            "write a [channel.NAME] into the configuration; then firstbell alerts test",
        )];
    }
    let Some(hands) = visit.hands.first() else {
        return vec![Finding::unknown(
            AREA,
            "channels",
            "whether the channels can be reached (the store is not open)",
        )];
    };
    let one = async |channel: &crate::alerts::ChannelConfig| {
        let id = named("channel", &channel.name);
        let lacks = timeout(TIME, checks::channels(hands, std::slice::from_ref(channel))).await;
        match lacks.is_ok_and(|lacks| lacks.is_empty()) {
            true => Finding::good(
                AREA,
                &id,
                format!("channel {}: its secrets are there, and somebody answers", channel.name),
            ),
            false => Finding::bad(
                AREA,
                &id,
                format!("channel {}: a secret of it is missing, or nobody answers there", channel.name),
                format!("firstbell alerts test {}", channel.name),
            ),
        }
    };
    join_all(config.channels.iter().map(one)).await
}

async fn egress(visit: &Visit<'_>, config: &Config) -> Vec<Finding> {
    let id = "egress_address";
    let Some(egress) = &config.keeping.egress else {
        return vec![Finding::warning(
            AREA,
            id,
            "nobody said which address is registered at Zerodha: orders from another one are refused",
            "write [egress] address and url into the configuration",
        )];
    };
    let said = timeout(TIME, checks::our_address(visit.http, egress)).await.ok().flatten();
    vec![match said {
        Some(ip) if ip == egress.address => {
            Finding::good(AREA, id, "this machine comes from the registered address")
        }
        Some(_) => Finding::bad(
            AREA,
            id,
            "this machine does not come from the address that is registered at Zerodha: orders would be refused",
            "see the way out (a VPN? another provider?), or register the new one at the developer console",
        ),
        None => Finding::unknown(AREA, id, "from which address this machine comes"),
    }]
}

/// What of an account must not be shown.
pub(super) fn private_words(config: &Config) -> Vec<String> {
    let of_app = |App { api_key, user_id, .. }: &App| [api_key.clone(), user_id.clone()];
    let words = config.accounts.iter().flat_map(|account| of_app(&account.app));
    words.chain(config.keeping.egress.iter().map(|egress| egress.address.to_string())).collect()
}
