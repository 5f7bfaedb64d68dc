//! A server in front of a kitesim that gives its login page another face, and hears what each field of it holds.

#![allow(unreachable_pub, reason = "each test file that takes this in is a crate of its own")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

/// What changes without changing what the page is.
pub const HARMLESS: [&str; 18] = [
    "renamed-ids",
    "hidden-decoys",
    "more-fields",
    "search-box",
    "banner",
    "checkbox",
    "other-words",
    "swapped",
    "moved",
    "labels",
    "types",
    "late",
    "late-password",
    "redrawn",
    "button",
    "fieldset",
    "focus",
    "plain",
];

/// What makes it unsure, or sure not, where a secret belongs.
pub const HARMFUL: [&str; 10] = [
    "cloned-password",
    "contradiction",
    "captcha",
    "foreign-action",
    "password-as-text",
    "app-code",
    "two-codes",
    "six-boxes",
    "nothing-known",
    "focus-thief",
];

/// One face of the page.
#[derive(Clone, Debug)]
pub struct Mutation {
    pub seed: u64,
    pub generation: &'static str,
    pub does: Vec<&'static str>,
}

impl Mutation {
    /// The one of this number; every fifth has something harmful in it.
    pub fn of(number: u64) -> Mutation {
        let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED;
        let mut draw = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        draw(7);
        let mut does: Vec<&str> = (0..1 + draw(4)).map(|_| HARMLESS[draw(HARMLESS.len())]).collect();
        does.sort_unstable();
        does.dedup();
        if number % 5 == 4 {
            does.push(HARMFUL[usize::try_from(number / 5).unwrap() % HARMFUL.len()]);
            // A second field that stands alone for a while is the field, as far as anybody can tell.
            does.retain(|name| *name != "late-password");
        }
        Mutation { seed: number, generation: if draw(3) == 0 { "C" } else { "D" }, does }
    }

    pub fn is_harmless(&self) -> bool {
        !self.does.iter().any(|name| HARMFUL.contains(name))
    }
}

/// What arrived at one face: what fields held, and how often each request of the login came.
#[derive(Debug, Default)]
pub struct Heard {
    pub fields: Vec<(String, String)>,
    pub passwords: usize,
    pub codes: usize,
}

/// The server. Its thread ends with the test.
pub struct Mutant {
    pub site: String,
    pub heard: Arc<Mutex<Heard>>,
}

impl Mutant {
    pub fn before(sim: &str, mutation: &Mutation) -> Mutant {
        let spec = json!({ "seed": mutation.seed, "generation": mutation.generation, "does": mutation.does });
        let script = include_str!("mutant.js").replacen("SPEC", &spec.to_string(), 1);
        let page = format!(
            "<!doctype html><html><head><meta charset=\"utf-8\"><title>Login</title></head><body><div id=\"app\"></div>\
             <script>{script}</script></body></html>"
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (sim, own, hears) = (sim.to_owned(), site.clone(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sim, own, page, hears) = (sim.clone(), own.clone(), page.clone(), Arc::clone(&hears));
                std::thread::spawn(move || serve(stream, (&sim, &own), &page, &hears));
            }
        });
        Mutant { site, heard }
    }
}

fn serve(mut client: TcpStream, (sim, own): (&str, &str), page: &str, heard: &Mutex<Heard>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !line.to_lowercase().starts_with("connection:") {
            head += &line;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    if let Some(query) = path.strip_prefix("/seen?") {
        let found = |name: &str| {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.into_owned().find(|(key, _)| key == name).map(|(_, value)| value)
        };
        heard.lock().unwrap().fields.push((found("field")?, found("value")?));
        return client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok();
    }
    if head.starts_with("POST") {
        let mut heard = heard.lock().unwrap();
        heard.passwords += usize::from(path == "/api/login");
        heard.codes += usize::from(path == "/api/twofa");
    }
    let mut server = TcpStream::connect(sim.strip_prefix("http://")?).ok()?;
    let head = head.replace(own, sim).replace(own.strip_prefix("http://")?, sim.strip_prefix("http://")?);
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply).ok()?;
    let text = String::from_utf8_lossy(&reply).replace(sim, own);
    if text.starts_with("HTTP/1.1 200") && path.starts_with("/connect/login") {
        let date = text.lines().find(|line| line.to_lowercase().starts_with("date:")).unwrap_or("X: y");
        let head = format!(
            "HTTP/1.1 200 OK\r\n{date}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            page.len()
        );
        return client.write_all(format!("{head}{page}").as_bytes()).ok();
    }
    client.write_all(text.as_bytes()).ok()
}
