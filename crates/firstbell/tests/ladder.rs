//! The ladder of engines, and the sources of codes: what leads on, what does not, and what is spent.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use serde_json::json;
use support::{Ended, Home, Sim, engines};

/// Puts lines before the configuration's own.
fn before(home: &Home, lines: &str) {
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), format!("{lines}\n{text}")).unwrap();
}

fn climb(home: &Home) -> Ended {
    home.run(&["login", "--json"])
}

#[test]
fn a_missing_browser_leads_to_the_next_engine() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    before(&home, "drivers = [\"chrome\", \"http\"]\n[browser]\nbinary = \"/nowhere/chromium\"");
    let ended = climb(&home);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
}

#[test]
fn a_page_that_no_browser_knows_leads_to_the_requests_under_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    // Its script arrives in half: nothing of the form comes, not even when it is opened again.
    sim.fault(&json!({ "at": "login-page", "do": "half-loaded" }));
    before(&home, "drivers = [\"chrome\", \"http\"]");
    let ended = climb(&home);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
    assert_eq!(sim.seen()["login_pages"], 3, "opened twice by the browser and once without one");
}

#[test]
fn a_half_loaded_page_is_opened_once_more() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login-page", "call": 1, "do": "half-loaded" }));
    let ended = home.login("chrome");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
}

#[test]
fn a_refusal_and_a_lost_answer_lead_nowhere() {
    for (fault, failure, code) in [
        (json!({ "at": "login", "do": "wrong-password" }), "password-rejected", 3),
        (json!({ "at": "login", "do": "reset-after" }), "unanswered", 5),
        (json!({ "at": "login", "do": "blocked" }), "blocked", 3),
        (json!({ "at": "login", "do": "wrong-type" }), "unknown-page", 4),
    ] {
        let sim = Sim::start();
        let home = Home::new(&sim);
        sim.settings(&json!({ "keep_alive": false }));
        sim.fault(&fault);
        before(&home, "drivers = [\"chrome\", \"http\"]");
        let ended = climb(&home);
        assert_eq!((ended.code, &ended.json()["failure"]), (code, &json!(failure)), "{ended:?}");
        assert_eq!((sim.passwords(), sim.codes()), (1, 0), "{failure}");
    }
}

#[test]
fn at_the_end_of_the_ladder_a_person_reads_what_each_engine_said() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login-page", "do": "wrong-type" }));
    before(&home, "drivers = [\"firefox\", \"chrome\", \"http\"]\n[firefox]\nbinary = \"/nowhere/firefox\"");
    let ended = climb(&home);
    let message = ended.json()["message"].as_str().unwrap().to_owned();
    assert_eq!((ended.code, &ended.json()["failure"]), (4, &json!("unknown-page")), "{ended:?}");
    for said in ["firefox: ", "/nowhere/firefox", "chrome: ", "http: "] {
        assert!(message.contains(said), "{said} is not in {message}");
    }
    assert_eq!((sim.passwords(), sim.codes()), (0, 0));
}

#[test]
fn what_stands_in_the_way_is_named_and_climbs_no_ladder() {
    for (settings, failure, code, passwords) in [
        (json!({ "captcha": true }), "captcha", 4, 0),
        (json!({ "forced_reset": true }), "forced-reset", 3, 1),
        (json!({ "page": "B" }), "other-factor", 3, 1),
    ] {
        let sim = Sim::start();
        let home = Home::new(&sim);
        sim.settings(&settings);
        before(&home, "drivers = [\"chrome\", \"http\"]");
        let ended = climb(&home);
        assert_eq!((ended.code, &ended.json()["failure"]), (code, &json!(failure)), "{ended:?}");
        assert_eq!((sim.passwords(), sim.codes()), (passwords, 0), "{failure}");
    }
}

/// The present code of a simulator's account.
fn code(sim: &Sim) -> String {
    #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
    let now = jiff::Timestamp::now();
    Seed::parse(&Secret::new(sim.account.totp_seed.clone())).unwrap().code(now).digits.expose().to_owned()
}

/// A home whose codes come from elsewhere.
fn with_codes(sim: &Sim, totp: &str) -> Home {
    let home = Home::new(sim);
    home.configure(sim, &format!("totp = {totp}"));
    home
}

#[test]
fn codes_come_from_a_program_that_sees_little_of_our_environment() {
    let sim = Sim::start();
    // Made now, so that it is good for this time step and the next.
    let home = with_codes(&sim, "{ command = [\"PROGRAM\"] }");
    let program = home.dir.path().join("code.sh");
    let seen = home.dir.path().join("environment");
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), text.replace("PROGRAM", program.to_str().unwrap())).unwrap();
    std::fs::write(&program, format!("#!/bin/sh\nenv > {}\necho {}\n", seen.display(), code(&sim))).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = home.command(&["login", "--driver", "http", "--json"]);
    let ended = support::ended(command.env("A_SECRET_OF_MINE", "x").output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let environment = std::fs::read_to_string(seen).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("A_SECRET_OF_MINE"), "{environment}");
    assert!(!environment.contains("FIRSTBELL_"), "{environment}");
}

#[test]
fn a_program_that_gives_no_code_costs_no_code() {
    for (line, says) in [
        ("echo 12345", "something else than six digits"),
        ("echo 123456 extra", "something else than six digits"),
        ("true", "gave nothing"),
        ("exit 3", "ended with"),
        ("yes 123456", "six digits"),
    ] {
        let sim = Sim::start();
        let home = with_codes(&sim, &format!("{{ command = [\"/bin/sh\", \"-c\", \"{line}\"] }}"));
        let ended = home.login("http");
        assert_eq!(ended.code, 7, "{line}: {ended:?}");
        assert!(ended.stderr.contains("no code for the second factor"), "{line}: {ended:?}");
        assert!(ended.stderr.contains(says) || line.starts_with("yes"), "{line}: {ended:?}");
        assert_eq!((sim.passwords(), sim.codes()), (1, 0), "{line}");
        assert_eq!(home.status()["tries_left"]["code"], 2, "{line}");
    }
}

#[test]
fn codes_come_from_an_address_of_this_machine() {
    let sim = Sim::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/code", listener.local_addr().unwrap());
    let home = with_codes(&sim, &format!("{{ url = \"{url}\" }}"));
    let now = code(&sim);
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 2048]);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{now}\n").unwrap();
    });
    let ended = home.login("http");
    assert_eq!(ended.code, 0, "{ended:?}");
    asked.join().unwrap();
}

#[test]
fn codes_come_from_whoever_is_asked() {
    let sim = Sim::start();
    let home = with_codes(&sim, "{ prompt = true }");
    let ended = home.run_with(&["login", "--driver", "http", "--json"], &format!("{}\n", code(&sim)));
    assert_eq!(ended.code, 0, "{ended:?}");
    let home = with_codes(&sim, "{ prompt = true }");
    let ended = home.login("http");
    assert_eq!(ended.code, 7, "nobody was there: {ended:?}");
}

#[test]
fn a_source_of_codes_is_read_with_all_its_faults() {
    let sim = Sim::start();
    for (totp, says) in [
        ("{ }", "needs exactly one of command"),
        ("{ command = [] }", "command needs a program"),
        ("{ command = \"pass otp\" }", "must be a list of texts"),
        ("{ url = \"http://totp.example/code\" }", "https, or http on a loopback address"),
        ("{ url = \"http://127.0.0.1:1/x\", prompt = true }", "needs exactly one of command"),
        ("{ prompt = true }\ntotp_seed = { env = \"X\" }", "two places for one thing"),
    ] {
        let home = with_codes(&sim, totp);
        let ended = home.login("http");
        assert!(ended.code == 2 && ended.stderr.contains(says), "{totp}: {ended:?}");
    }
}

/// A server that speaks TLS with a certificate for which nobody vouches, as a network that opens connections does.
struct Stranger(std::process::Child, String);

impl Stranger {
    fn start(folder: &std::path::Path) -> Stranger {
        let (key, certificate) = (folder.join("key.pem"), folder.join("cert.pem"));
        let made = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=stranger", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut server = std::process::Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key"])
            .arg(&key)
            .arg("-cert")
            .arg(&certificate)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .filter_map(|line| Some(line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.to_owned()))
            .next();
        Stranger(server, port.unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_named_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = Stranger::start(folder.path());
    let sim = Sim::start();
    for engine in engines::BROWSERS.into_iter().chain([engines::HTTP]) {
        let home = Home::new(&sim);
        let text = engines::lines(engine) + &std::fs::read_to_string(home.config()).unwrap();
        let site = format!("site = \"https://127.0.0.1:{}\"", stranger.1);
        std::fs::write(home.config(), text.replace(&format!("site = \"{}\"", sim.site), &site)).unwrap();
        let ended = home.run(&["login", "--json"]);
        assert_eq!((ended.code, &ended.json()["failure"]), (5, &json!("insecure")), "{engine:?}: {ended:?}");
        assert!(ended.stderr.contains("nobody who is trusted vouches for it"), "{ended:?}");
        assert_eq!(sim.passwords(), 0);
    }
}
