//! The token under a key of a Redis server, gone when it is dead, and a message to whoever subscribed that there is another one.

use std::path::{Path, PathBuf};

use firstbell_core::secret::Secret;
use rustls::pki_types::ServerName;

use super::kind::{Done, Fault, Form, Kind, REACH, Table, Tools};
use super::resp::{Line, Place, Reply};
use crate::ports::Delivery;
use crate::shape::Format;

pub(super) const KEYS: &[&str] = &[
    "address",
    "socket",
    "tls",
    "authority",
    "username",
    "password",
    "database",
    "key",
    "channel",
    "format",
    "template",
];

/// Sets the token, and beside it which one it is, both until the token is dead; and says so, in one step. Never an older one in a
/// newer one's place; what is there already is not said again. KEYS: token, which. ARGV: token, generation, second of issue,
/// second of death, channel.
const SET: &str = "
local held = redis.call('GET', KEYS[2])
local g, i = string.match(held or '', '^(%d+) (%d+)$')
if g and tonumber(g) > tonumber(ARGV[2]) and tonumber(i) >= tonumber(ARGV[3]) then return 0 end
local same = redis.call('GET', KEYS[1]) == ARGV[1]
redis.call('SET', KEYS[1], ARGV[1], 'EXAT', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. ARGV[3], 'EXAT', ARGV[4])
if same then return 1 end
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 2";

/// The same right, with nothing in it and nobody told, and gone at once. KEYS: one of the sink's own beside the token's.
const PROBE: &str = "
redis.call('SET', KEYS[1], 'firstbell', 'EX', 10)
return redis.call('DEL', KEYS[1])";

#[derive(Debug)]
struct Redis {
    place: Place,
    username: Option<String>,
    database: Option<u64>,
    key: String,
    channel: String,
    form: Form,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let place = read_place(table);
    let username = table.section.text("username");
    table.secret_if_written("password");
    if username.is_some() && table.secrets.is_empty() {
        table.section.fault("username without a password: password = { file = \"/path\" }");
    }
    let database = table.section.number("database", 0);
    let key = table.named("key", "firstbell:{account}");
    let channel = table.named("channel", "firstbell:{account}");
    let form = Form::read(table.section, Format::Json);
    Some(Box::new(Redis { place: place?, username, database, key, channel, form }))
}

fn read_place(table: &mut Table<'_, '_>) -> Option<Place> {
    let absolute = |text: &str| match Path::new(text).is_absolute() {
        true => Ok(PathBuf::from(text)),
        false => Err("must be an absolute path".to_owned()),
    };
    let socket = table.section.parsed("socket", absolute);
    let address = table.section.parsed("address", read_address);
    let tls = table.section.flag("tls").unwrap_or(false);
    let authority = table.authority();
    if table.section.asked("socket") == table.section.asked("address") {
        table
            .section
            .fault("needs one of address = \"127.0.0.1:6379\" and socket = \"/run/redis/redis-server.sock\"");
    }
    if let Some(socket) = socket {
        return Some(Place::Socket(socket));
    }
    let (host, port) = address?;
    if !tls && !is_near(&host) {
        table
            .section
            .fault("a token leaves this machine over encryption only: tls = true, or a loopback address");
    }
    if tls && ServerName::try_from(host.clone()).is_err() {
        table.section.fault("address has no name that a certificate could prove");
        return None;
    }
    Some(if tls { Place::Far(host, port, authority) } else { Place::Near(host, port) })
}

fn read_address(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port): (_, u16) = parts.ok_or("must be a host and a port, such as \"127.0.0.1:6379\"")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err("must be a host and a port, such as \"127.0.0.1:6379\"".into());
    }
    Ok((host.to_owned(), port))
}

fn is_near(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Redis {
    /// A connection that is let in.
    async fn line(&self, tools: &Tools<'_>) -> Result<Line, Fault> {
        let mut line = Line::open(&self.place).await?;
        if let Some(password) = tools.key("password") {
            let (auth, name) = (word("AUTH"), self.username.as_deref().map(word));
            let words: Vec<&Secret> = [&auth].into_iter().chain(&name).chain([password]).collect();
            good(line.ask(&words).await?)?;
        }
        if let Some(number) = self.database {
            good(line.ask(&[&word("SELECT"), &word(&number.to_string())]).await?)?;
        }
        Ok(line)
    }

    fn which(&self) -> String {
        format!("{}:generation", self.key)
    }
}

impl Kind for Redis {
    fn place(&self) -> String {
        match &self.place {
            Place::Socket(path) => path.display().to_string(),
            Place::Near(host, port) | Place::Far(host, port, _) => format!("{host}:{port}"),
        }
    }

    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let mut line = self.line(tools).await?;
            let key = word(&format!("{}:probe", self.key));
            good(line.ask(&[&word("EVAL"), &word(PROBE), &word("1"), &key]).await?)
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let mut line = self.line(tools).await?;
            let (token, life) = (self.form.fill(delivery), &delivery.token.life);
            let numbers = [
                delivery.token.generation.to_string(),
                life.issued.as_second().to_string(),
                life.dead_from.as_second().to_string(),
            ]
            .map(|number| word(&number));
            let [generation, issued, dead] = &numbers;
            let head = [word("EVAL"), word(SET), word("2"), word(&self.key), word(&self.which())];
            let channel = word(&self.channel);
            let words: Vec<&Secret> =
                head.iter().chain([&token, generation, issued, dead, &channel]).collect();
            good(line.ask(&words).await?)
        })
    }
}

fn word(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// What an answer means for us.
fn good(reply: Reply) -> Result<(), Fault> {
    let Reply::Refused(code) = reply else { return Ok(()) };
    let cure = match code.as_str() {
        "WRONGPASS" | "NOAUTH" => "It does not let us in: look at the sink's username and password.",
        "NOPERM" => {
            "Its user needs the commands eval, set, get, del and publish on the sink's key and channel."
        }
        "OOM" => "Its memory is full: raise maxmemory, or let it evict other keys.",
        "READONLY" => "It is a replica: name the primary.",
        "LOADING" | "MASTERDOWN" | "BUSY" => REACH,
        "MISCONF" => "It cannot save to its disk: look at its log.",
        _ => "Look at the server's log.",
    };
    Err(Fault::new(format!("refuses ({code})"), cure))
}
