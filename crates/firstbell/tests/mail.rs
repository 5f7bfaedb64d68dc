//! E-mail into a real mail server of Debian's (python3-aiosmtpd): delivered, refused, slow, hanging, and somebody else's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/shelf.rs"]
mod shelf;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certificate::certificate;
use firstbell::ports::{ChannelFault, Message, Receipt};
use scanner::Scanner;
use shelf::{hostile, plain, send};
use support::marker;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(14);

/// A mail server with a certificate of its own.
struct Post {
    child: Child,
    port: u16,
    folder: TempDir,
    password: String,
}

impl Drop for Post {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Post {
    fn start(mode: &str) -> Post {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = certificate(folder.path(), "IP:127.0.0.1");
        let letters = folder.path().join("letters");
        fs::create_dir(&letters).unwrap();
        // The interpreter that Debian's package is for.
        let mut child = Command::new("/usr/bin/python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py"))
            .args([&letters, &certificate, &key])
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let password = format!("pW {}", marker(24));
        writeln!(child.stdin.as_mut().unwrap(), "me@mail.test\n{password}").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse();
        let port =
            port.unwrap_or_else(|_| panic!("no mail server; run packaging/mail.sh, which make test does"));
        Post { child, port, folder, password }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn lines(&self, tls: &str, to: &str) -> String {
        format!(
            "kind = \"email\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"{tls}\"\nuser = \"me@mail.test\"\n\
             from = \"firstbell <me@mail.test>\"\nto = [{to}]\n",
            self.port
        )
    }

    /// Sends to these recipients, believing the server's own authority.
    fn send(&self, tls: &str, to: &str, message: &Message) -> Result<Receipt, ChannelFault> {
        let believed = format!("authority = \"{}\"", self.authority().display());
        self.send_with(&(self.lines(tls, to) + &believed), message, LONG)
    }

    fn send_with(&self, lines: &str, message: &Message, time: Duration) -> Result<Receipt, ChannelFault> {
        let outcome = send(lines, &[("password".into(), self.password.clone())], message, time);
        let mut scanner = Scanner::default();
        scanner.add("the password", &self.password);
        let finds = scanner.search("the outcome", format!("{outcome:?}").as_bytes());
        assert!(finds.is_empty(), "{outcome:?}");
        outcome
    }

    /// The letters that it was given.
    fn letters(&self) -> Vec<String> {
        let mut paths: Vec<_> =
            fs::read_dir(self.folder.path().join("letters")).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

/// Headers and text of a letter, as a mail program of its reader's has them.
fn read_letter(letter: &str) -> Vec<String> {
    let program = "import sys, email, email.policy\n\
        m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
        print(m['Subject']); print(m['From']); print(m['To']); print(m['Auto-Submitted']); print(m['X-Evil'])\n\
        print(m.get_content_type(), m.is_multipart()); print(m.get_content())";
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (_, letter) = letter.split_once("\n\n").unwrap();
    child.stdin.take().unwrap().write_all(letter.as_bytes()).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_letter_is_delivered_encrypted_and_authenticated() {
    for (mode, tls) in [("starttls", "starttls"), ("implicit", "implicit"), ("plain", "none")] {
        let post = Post::start(mode);
        assert_eq!(post.send(tls, "\"a@b.test\", \"c@d.test\"", &plain()), Ok(Receipt::Accepted), "{mode}");
        let letters = post.letters();
        assert_eq!(letters.len(), 1);
        let head: Vec<_> = letters[0].lines().take(3).collect();
        let protected = if mode == "plain" { "protected False" } else { "protected True" };
        assert_eq!(head, [protected, "authenticated True", "to a@b.test c@d.test"]);
        let letter = read_letter(&letters[0]);
        assert_eq!(letter[0], plain().title);
        assert_eq!(
            &letter[1..5],
            ["firstbell <me@mail.test>", "a@b.test, c@d.test", "auto-generated", "None"]
        );
        assert_eq!(letter[5], "text/plain False");
        assert_eq!(letter[6..].join("\n").trim_end(), plain().body);
    }
}

#[test]
fn a_hostile_text_stays_a_text() {
    let post = Post::start("starttls");
    post.send("starttls", "\"a@b.test\"", &hostile()).unwrap();
    let letters = post.letters();
    assert_eq!(letters.len(), 1, "a line of its own ended the letter");
    let letter = read_letter(&letters[0]);
    assert!(
        letter[0].starts_with("main  X-Evil: 1    <b>नमस्ते</b> @everyone = ?UTF-8?B?eA== ?="),
        "{}",
        letter[0]
    );
    assert_eq!((letter[4].as_str(), letter[5].as_str()), ("None", "text/plain False"));
    let body = letter[6..].join("\n");
    assert!(body.contains("\n.\nQUIT\n") && body.contains("<script>") && body.contains(&"x".repeat(10_000)));
    assert!(!body.contains(['\0', '\u{1b}', '\u{202e}']));
}

#[test]
fn a_refused_recipient_is_named_and_silences_nobody_else() {
    let post = Post::start("starttls");
    let fault = post.send("starttls", "\"nobody@b.test\", \"a@b.test\"", &plain()).unwrap_err();
    assert_eq!(fault.why, "the mail server refused nobody@b.test (SMTP 550); the others got it");
    assert!(!fault.again, "{fault:?}");
    assert!(post.letters()[0].contains("to a@b.test\n"));
    let fault = post.send("starttls", "\"nobody@b.test\"", &plain()).unwrap_err();
    assert!(!fault.again && fault.why.ends_with("nobody@b.test (SMTP 550)"), "{fault:?}");
    let fault = post.send("starttls", "\"later@b.test\"", &plain()).unwrap_err();
    assert!(fault.again && fault.why.contains("451"), "{fault:?}");
    assert_eq!(post.letters().len(), 1);
}

#[test]
fn a_wrong_password_and_a_stranger_s_certificate_are_told() {
    let mut post = Post::start("starttls");
    let right = std::mem::replace(&mut post.password, format!("wrong {}", marker(20)));
    let fault = post.send("starttls", "\"a@b.test\"", &plain()).unwrap_err();
    assert!(!fault.again && fault.why.contains("refused user and password (SMTP 535)"), "{fault:?}");
    assert!(fault.cure.contains("app password"), "{fault:?}");
    post.password = right;
    // The compiled-in authorities do not know it, nor does another one.
    let other = Post::start("implicit");
    for (from, tls) in [(&post, "starttls"), (&other, "implicit")] {
        let lines = from.lines(tls, "\"a@b.test\"");
        let else_authority = if tls == "starttls" { other.authority() } else { post.authority() };
        for more in [String::new(), format!("authority = \"{}\"", else_authority.display())] {
            let fault = from.send_with(&(lines.clone() + &more), &plain(), LONG).unwrap_err();
            assert!(fault.why.contains("the certificate of 127.0.0.1 is not valid"), "{fault:?}");
        }
        assert!(from.letters().is_empty());
    }
}

/// Encryption that was asked for is never done without.
#[test]
fn a_server_without_starttls_is_told_nothing() {
    let post = Post::start("bare");
    let fault = post.send("starttls", "\"a@b.test\"", &plain()).unwrap_err();
    assert!(!fault.again && fault.why.contains("does not offer STARTTLS"), "{fault:?}");
    assert!(post.letters().is_empty());
}

#[test]
fn a_server_may_be_slow_and_one_that_hangs_is_left() {
    let slow = Post::start("slow");
    assert_eq!(slow.send("starttls", "\"a@b.test\"", &plain()), Ok(Receipt::Accepted));
    let hang = Post::start("hang");
    let lines =
        hang.lines("starttls", "\"a@b.test\"") + &format!("authority = \"{}\"", hang.authority().display());
    let fault = hang.send_with(&lines, &plain(), Duration::from_millis(1500)).unwrap_err();
    assert!(fault.again && fault.why.contains("1.5 s"), "{fault:?}");
    assert!(hang.letters().is_empty());
    // One that accepts connections and says nothing at all.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let lines = lines.replace(&format!("port = {}", hang.port), &format!("port = {port}"));
    let fault = hang.send_with(&lines, &plain(), Duration::from_millis(300)).unwrap_err();
    assert!(fault.again && fault.why.contains("0.3 s"), "{fault:?}");
    drop(mute);
    let fault = hang.send_with(&lines, &plain(), LONG).unwrap_err();
    assert!(fault.again && fault.why.contains("no conversation with 127.0.0.1"), "{fault:?}");
}
