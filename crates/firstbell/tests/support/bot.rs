//! A Bot API server of the test's own: `getUpdates` with its offsets, its waiting and its one reader, and whatever goes wrong there.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use firstbell::clock::MachineClock;
use firstbell::ports::Clock;
use serde_json::{Value, json};

use crate::daemon::{Daemon, now, until};
use crate::support::{Home, marker, request};

/// What goes wrong with one `getUpdates`.
#[derive(Clone, Debug)]
pub enum Bad {
    /// An answer with this status and body.
    Say(u16, String),
    /// Bytes that are no HTTP.
    Garbage,
    /// Reads, and never answers.
    Hang,
}

#[derive(Default)]
struct Talk {
    updates: VecDeque<Value>,
    next_update: i64,
    next_message: i64,
    /// Who asks for updates now: the newest one.
    reader: u64,
    webhook: bool,
    keeps_messages: bool,
    bad: VecDeque<Bad>,
    /// What goes wrong with the next call that confirms something.
    bad_confirming: Option<Bad>,
    bad_at: Option<Instant>,
    last: Value,
    polls: Vec<(Instant, Value)>,
    conflicts: usize,
    sent: Vec<(i64, String)>,
    deleted: Vec<(i64, i64)>,
    raw: String,
}

type Shared = Arc<(Mutex<Talk>, Condvar)>;

pub struct Bot {
    pub url: String,
    pub token: String,
    shared: Shared,
}

impl Bot {
    pub fn start() -> Bot {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let token = format!("123456:{}", marker(35));
        let talk = Talk { next_update: 100, next_message: 1, ..Talk::default() };
        let shared: Shared = Arc::new((Mutex::new(talk), Condvar::new()));
        let (all, known) = (shared.clone(), token.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, token) = (all.clone(), known.clone());
                std::thread::spawn(move || serve(stream, &shared, &token));
            }
        });
        Bot { url, token, shared }
    }

    /// The table of a channel with this bot.
    pub fn table(&self, name: &str) -> String {
        format!(
            "[channel.{name}]\nkind = \"telegram\"\nchat_id = \"1\"\nserver = \"{}\"\ncommands = true\n",
            self.url
        )
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.shared.0.lock().unwrap()
    }

    /// A person writes to the bot in a private chat, now; gives the message's number.
    pub fn says(&self, person: i64, text: &str) -> i64 {
        self.says_with(person, text, &json!({}))
    }

    /// The same with some of the message's fields being others.
    pub fn says_with(&self, person: i64, text: &str, other: &Value) -> i64 {
        let number = {
            let mut talk = self.talk();
            talk.next_message += 1;
            talk.next_message
        };
        let mut message = json!({
            "message_id": number, "date": MachineClock::start().now().as_second(), "text": text,
            "chat": { "id": person, "type": "private", "first_name": "A" },
            "from": { "id": person, "is_bot": false, "first_name": "A" },
        });
        for (key, value) in other.as_object().unwrap() {
            message[key] = value.clone();
        }
        self.push(json!({ "message": message }));
        number
    }

    /// An update of any kind; without a number it gets the next one.
    pub fn push(&self, mut update: Value) {
        let mut talk = self.talk();
        if update.is_object() && update.get("update_id").is_none() {
            talk.next_update += 1;
            update["update_id"] = json!(talk.next_update);
        }
        talk.last = update.clone();
        talk.updates.push_back(update);
        self.shared.1.notify_all();
    }

    /// What goes wrong with the next calls, one after another.
    pub fn goes_wrong(&self, bad: &[Bad]) {
        self.talk().bad.extend(bad.iter().cloned());
        self.shared.1.notify_all();
    }

    /// When a call last went wrong.
    pub fn bad_at(&self) -> Instant {
        self.talk().bad_at.unwrap()
    }

    /// What goes wrong with the next call that confirms something; it is confirmed all the same.
    pub fn goes_wrong_at_offset(&self, bad: Bad) {
        self.talk().bad_confirming = Some(bad);
    }

    /// The newest update, as it was given.
    pub fn last(&self) -> Value {
        self.talk().last.clone()
    }

    pub fn set_webhook(&self, webhook: bool) {
        self.talk().webhook = webhook;
    }

    /// Refuses to delete messages.
    pub fn keep_messages(&self) {
        self.talk().keeps_messages = true;
    }

    /// What the bot wrote to a person.
    pub fn told(&self, person: i64) -> Vec<String> {
        self.talk().sent.iter().filter(|(chat, _)| *chat == person).map(|(_, text)| text.clone()).collect()
    }

    /// To whom it wrote.
    pub fn chats(&self) -> Vec<i64> {
        let mut chats: Vec<_> = self.talk().sent.iter().map(|(chat, _)| *chat).collect();
        chats.sort_unstable();
        chats.dedup();
        chats
    }

    /// Waits until it has written this to a person, in an answer behind the first `after` ones.
    pub fn wait_told(&self, person: i64, after: usize, text: &str) -> String {
        until(text, || {
            let told = self.told(person);
            let found = told.iter().skip(after).find(|told| told.contains(text)).cloned();
            found.ok_or_else(|| format!("told {told:#?}"))
        })
    }

    /// Asks, and gives the answer.
    pub fn asks(&self, person: i64, text: &str) -> String {
        let before = self.told(person).len();
        self.says(person, text);
        self.wait_told(person, before, "")
    }

    pub fn deleted(&self) -> Vec<(i64, i64)> {
        self.talk().deleted.clone()
    }

    /// Starts a daemon, and waits until it reads.
    pub fn read_by_daemon(&self, home: &Home) -> Daemon {
        let before = self.polls().len();
        let daemon = Daemon::start(home);
        until("the daemon reads", || if self.polls().len() > before { Ok(()) } else { Err(daemon.log()) });
        daemon
    }

    /// The calls for updates so far: when, and with which body.
    pub fn polls(&self) -> Vec<(Instant, Value)> {
        self.talk().polls.clone()
    }

    /// How many calls for updates were answered with 409.
    pub fn conflicts(&self) -> usize {
        self.talk().conflicts
    }

    /// Everything that was sent here but the addresses, in which the token has its place.
    pub fn raw(&self) -> String {
        self.talk().raw.clone()
    }

    /// Another program that reads this bot's messages all the time, until it is dropped.
    pub fn thief(&self) -> Thief {
        let over = Arc::new(AtomicBool::new(false));
        let (ends, url, path) = (over.clone(), self.url.clone(), format!("/bot{}/getUpdates", self.token));
        let reads = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                request("POST", &url, &path, Some(&json!({ "timeout": 1, "offset": -1 })));
            }
        });
        Thief { over, reads: Some(reads) }
    }
}

pub struct Thief {
    over: Arc<AtomicBool>,
    reads: Option<JoinHandle<()>>,
}

impl Drop for Thief {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.reads.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, token: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let text = String::from_utf8(body).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    shared.0.lock().unwrap().raw.push_str(&text);
    let path = first.split(' ').nth(1)?;
    let known = path.strip_prefix("/bot").and_then(|rest| rest.strip_prefix(token));
    let (status, reply) = match known {
        Some("/getUpdates") => match updates(shared, &body) {
            Ok(answer) => answer,
            Err(Bad::Hang) => return reader.read_to_end(&mut Vec::new()).ok().map(drop),
            Err(_) => return stream.write_all(b"\x16\x03\x01 garbage\r\n\r\n").ok(),
        },
        Some("/sendMessage") => sent(shared, &body),
        Some("/deleteMessage") => deleted(shared, &body),
        _ => (401, json!({ "ok": false, "error_code": 401, "description": "Unauthorized" }).to_string()),
    };
    let length = reply.len();
    let head = "content-type: application/json\r\nconnection: close";
    write!(stream, "HTTP/1.1 {status} X\r\n{head}\r\ncontent-length: {length}\r\n\r\n{reply}").ok()
}

fn updates((talk, changed): &(Mutex<Talk>, Condvar), body: &Value) -> Result<(u16, String), Bad> {
    let mut talk = talk.lock().unwrap();
    talk.polls.push((now(), body.clone()));
    talk.reader += 1;
    let me = talk.reader;
    changed.notify_all();
    let number = |key: &str| body[key].as_i64();
    if talk.webhook {
        let why = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
        return Ok(conflict(&mut talk, why));
    }
    match number("offset") {
        Some(last) if last < 0 => {
            let keep = usize::try_from(-last).unwrap();
            while talk.updates.len() > keep {
                talk.updates.pop_front();
            }
        }
        Some(from) => talk.updates.retain(|update| update["update_id"].as_i64().is_none_or(|id| id >= from)),
        None => {}
    }
    if number("offset").is_some()
        && let Some(bad) = talk.bad_confirming.take()
    {
        return Err(bad);
    }
    let ends = now() + Duration::from_secs(u64::try_from(number("timeout").unwrap_or(0)).unwrap());
    loop {
        if talk.reader != me {
            let why =
                "terminated by other getUpdates request; make sure that only one bot instance is running";
            return Ok(conflict(&mut talk, why));
        }
        if let Some(bad) = talk.bad.pop_front() {
            talk.bad_at = Some(now());
            return match bad {
                Bad::Say(status, body) => Ok((status, body)),
                bad => Err(bad),
            };
        }
        let left = ends.saturating_duration_since(now());
        if !talk.updates.is_empty() || left.is_zero() {
            let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap();
            let given: Vec<_> = talk.updates.iter().take(limit).cloned().collect();
            return Ok((200, json!({ "ok": true, "result": given }).to_string()));
        }
        talk = changed.wait_timeout(talk, left).unwrap().0;
    }
}

fn conflict(talk: &mut Talk, why: &str) -> (u16, String) {
    talk.conflicts += 1;
    let description = format!("Conflict: {why}");
    (409, json!({ "ok": false, "error_code": 409, "description": description }).to_string())
}

fn sent((talk, _): &(Mutex<Talk>, Condvar), body: &Value) -> (u16, String) {
    // A channel names its chat by a text.
    let chat = body["chat_id"].as_i64().or_else(|| body["chat_id"].as_str()?.parse().ok());
    let text = body["text"].as_str().unwrap().to_owned();
    assert!(text.encode_utf16().count() <= 4096 && !text.is_empty() && body.get("parse_mode").is_none());
    talk.lock().unwrap().sent.push((chat.unwrap(), text));
    (200, json!({ "ok": true, "result": { "message_id": 1 } }).to_string())
}

fn deleted((talk, _): &(Mutex<Talk>, Condvar), body: &Value) -> (u16, String) {
    let mut talk = talk.lock().unwrap();
    if talk.keeps_messages {
        let why = "Bad Request: message can't be deleted";
        return (400, json!({ "ok": false, "error_code": 400, "description": why }).to_string());
    }
    talk.deleted.push((body["chat_id"].as_i64().unwrap(), body["message_id"].as_i64().unwrap()));
    (200, json!({ "ok": true, "result": true }).to_string())
}
