//! The program that is measured, started on free ports, and the requests that are sent to it.

use std::fs;
use std::process::Stdio;
use std::rc::Rc;

use data_encoding::BASE32_NOPAD;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::form_urlencoded::Serializer;

use crate::Outcome;
use crate::wire::Wire;

/// Limits of the rehearsal itself are off, one code serves many logins, and the market is wide.
const SETTINGS: &str = r#"{"settings":{"rate_limits":"off","totp_reuse":true,"ticker_connections":64,
    "invented_shares":3000}}"#;

/// The credentials that the program made.
#[derive(Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) user_id: String,
    pub(crate) password: String,
    pub(crate) totp_seed: String,
    pub(crate) api_key: String,
    pub(crate) api_secret: String,
}

/// A running program and what is known of it.
pub(crate) struct Stage {
    process: Rc<Child>,
    site: String,
    inspect: String,
    pub(crate) account: Account,
    pub(crate) seed: Vec<u8>,
}

impl Stage {
    pub(crate) async fn set() -> Outcome<Stage> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kitesim"));
        command.args(["serve", "--clock", &morning(0)]).kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("no announcement")?;
        let announced: Value = serde_json::from_str(&line)?;
        let host = |name: &str| {
            announced[name].as_str().and_then(|url| url.strip_prefix("http://")).map(str::to_owned)
        };
        let account: Account = serde_json::from_value(announced["account"].clone())?;
        let seed = BASE32_NOPAD.decode(account.totp_seed.as_bytes())?;
        let stage = Stage {
            process: Rc::new(process),
            site: host("site").ok_or("no site")?,
            inspect: host("inspect").ok_or("no inspection")?,
            account,
            seed,
        };
        stage.levers().await?.ask(&stage.lever("/faults", SETTINGS)).await?.expect_status(200)?;
        Ok(stage)
    }

    /// The same stage for another task.
    pub(crate) fn again(&self) -> Stage {
        Stage {
            process: Rc::clone(&self.process),
            site: self.site.clone(),
            inspect: self.inspect.clone(),
            account: self.account.clone(),
            seed: self.seed.clone(),
        }
    }

    pub(crate) async fn wire(&self) -> Outcome<Wire> {
        Wire::to(&self.site).await
    }

    pub(crate) async fn levers(&self) -> Outcome<Wire> {
        Wire::to(&self.inspect).await
    }

    pub(crate) fn get(&self, target: &str, cookies: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: {}\r\nCookie: {cookies}\r\n\r\n", self.site)
    }

    pub(crate) fn authorized(&self, target: &str, token: &str) -> String {
        let (site, api_key) = (&self.site, &self.account.api_key);
        format!(
            "GET {target} HTTP/1.1\r\nHost: {site}\r\nX-Kite-Version: 3\r\nAuthorization: token {api_key}:{token}\r\n\r\n"
        )
    }

    pub(crate) fn post(&self, target: &str, cookies: &str, fields: &[(&str, &str)]) -> String {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let site = &self.site;
        format!(
            "POST {target} HTTP/1.1\r\nHost: {site}\r\nCookie: {cookies}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        )
    }

    /// A call of the inspection.
    pub(crate) fn lever(&self, target: &str, order: &str) -> String {
        let inspect = &self.inspect;
        format!("POST {target} HTTP/1.1\r\nHost: {inspect}\r\nContent-Length: {}\r\n\r\n{order}", order.len())
    }

    pub(crate) fn handshake(&self, token: &str) -> String {
        let (site, api_key) = (&self.site, &self.account.api_key);
        format!(
            "GET /?api_key={api_key}&access_token={token} HTTP/1.1\r\nHost: {site}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    /// Processor time of the program so far, in seconds: the kernel counts in hundredths.
    pub(crate) fn processor_s(&self) -> Outcome<f64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.number()?))?;
        let after = text.rsplit_once(") ").ok_or("an unreadable stat file")?.1;
        let fields: Vec<&str> = after.split(' ').collect();
        let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
        Ok((user + system) / 100.0)
    }

    /// The most memory that the program has had so far, in MiB.
    pub(crate) fn most_memory(&self) -> Outcome<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.number()?))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    fn number(&self) -> Outcome<u32> {
        Ok(self.process.id().ok_or("the program has ended")?)
    }
}

/// Half past eight in India on a day of 2026, counted from the first of January.
pub(crate) fn morning(day: i64) -> String {
    let day = jiff::civil::date(2026, 1, 1).saturating_add(jiff::Span::new().days(day));
    format!("{day}T08:30:00+05:30")
}
