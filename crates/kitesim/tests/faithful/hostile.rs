//! Whatever a client sends, the simulation lives on and keeps its bounds.

use crate::support::{Line, Sim, get, post, refusal};

/// A small generator, so that a failure can be repeated.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut byte = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()[0]
        };
        (0..length).map(|_| byte()).collect()
    }
}

fn still_there(sim: &Sim) {
    assert_eq!(sim.ask(get("/forgot")).status, 200);
    sim.seen();
}

#[test]
fn random_bytes_kill_nothing() {
    let sim = Sim::start();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for host in ["site", "inspect", "redirect"] {
        for round in 0..40 {
            let mut line = Line::to(sim.host(host));
            // The other side may hang up in the middle; that is its right.
            let _refused = line.raw(&noise.bytes(1 + round * 97));
            let _rest = line.finish();
        }
    }
    still_there(&sim);
}

#[test]
fn random_bytes_in_the_places_of_fields_kill_nothing() {
    let sim = Sim::start();
    let mut noise = Noise(42);
    let paths =
        ["/api/login", "/api/twofa", "/session/token", "/connect/authorize", "/api/connect/app/authorize"];
    for path in paths {
        for round in 0..30 {
            let ask = post(path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .header("Cookie", "kf_session=%00; ;;==; enctoken")
                .header("Authorization", "token ::::")
                .body(noise.bytes(round * 131));
            let status = sim.ask(ask).status;
            assert!((400..500).contains(&status), "{path} {status}");
        }
    }
    let mut line = Line::to(sim.host("inspect"));
    for path in ["/clock", "/faults"] {
        for round in 0..30 {
            assert_eq!(line.ask(&post(path).body(noise.bytes(round * 31))).unwrap().status, 400);
        }
    }
    still_there(&sim);
}

#[test]
fn huge_heads_are_refused() {
    let sim = Sim::start();
    let long = "x".repeat(1024 * 1024);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nHost: {}\r\n\r\n", sim.site()),
        format!("GET / HTTP/1.1\r\nHost: {}\r\nCookie: {long}\r\n\r\n", sim.site()),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(5000)),
    ] {
        let mut line = Line::to(sim.site());
        let _refused = line.raw(head.as_bytes());
        if let Ok(reply) = line.reply() {
            assert!((400..500).contains(&reply.status), "{}", reply.status);
        }
    }
    still_there(&sim);
}

#[test]
fn huge_bodies_are_refused() {
    let sim = Sim::start();
    let body = vec![b'a'; 1024 * 1024];
    for path in ["/api/login", "/api/twofa", "/session/token", "/api/connect/app/authorize"] {
        let ask = post(path).header("Content-Type", "application/x-www-form-urlencoded").body(body.clone());
        let mut line = Line::to(sim.site());
        // It may hang up before it has read everything; what it says then must still be a refusal.
        match line.ask(&ask) {
            Ok(reply) => drop(refusal(&reply, 413, "InputException")),
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{path}"),
        }
    }
    let mut line = Line::to(sim.host("inspect"));
    if let Ok(reply) = line.ask(&post("/faults").body(body)) {
        assert_eq!(reply.status, 413);
    }
    still_there(&sim);
    let fits = vec![b'a'; 64 * 1024];
    let ask = post("/api/login").header("Content-Type", "application/x-www-form-urlencoded").body(fits);
    refusal(&sim.ask(ask), 400, "InputException");
}

#[test]
fn half_requests_and_many_connections_block_nobody() {
    let sim = Sim::start();
    let mut lines: Vec<Line> = (0..200).map(|_| Line::to(sim.site())).collect();
    for line in &mut lines {
        line.raw(b"POST /api/login HTTP/1.1\r\nContent-Length: 9").unwrap();
    }
    still_there(&sim);
    let mut unfinished = Line::to(sim.site());
    let head =
        format!("POST /api/login HTTP/1.1\r\nHost: {}\r\nContent-Length: 500\r\n\r\nuser_id=", sim.site());
    unfinished.raw(head.as_bytes()).unwrap();
    drop(unfinished);
    still_there(&sim);
}

#[test]
fn what_a_client_says_is_never_written_into_a_page() {
    let sim = Sim::start();
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    let api_key = sim.credential("api_key");
    for target in [
        format!("/connect/login?api_key={script}"),
        format!("/connect/login?api_key={api_key}&sess_id={script}"),
        format!("/{script}"),
        format!("/?{script}"),
    ] {
        let reply = sim.ask(get(&target));
        assert!(!reply.text().contains("alert(1)"), "{target}");
        assert!(!reply.header("location").unwrap_or_default().contains("alert(1)"), "{target}");
    }
}

/// Whoever stands in Kite's stead reads what was sent, or the client's next request would find its connection closed.
#[test]
fn a_body_that_nobody_needs_leaves_the_connection_open() {
    let sim = Sim::start();
    let fault = serde_json::json!({"fault": [{"at": "login", "do": "status", "status": 503}], "settings": {"replay": true}});
    sim.lever("/faults", &fault);
    let body = vec![b'x'; 20_000];
    let arrived = || sim.seen()["requests"].as_array().expect("a list").len();
    for (path, status) in [("/api/login", 503), ("/charges/orders", 200)] {
        let mut line = Line::to(sim.site());
        for _request in 0..3 {
            let before = arrived();
            let host = sim.site();
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
            line.raw(head.as_bytes()).expect("the connection is still open");
            // The body comes when the head has been looked at already.
            assert!((0..10_000).any(|_look| arrived() > before));
            line.raw(&body).expect("the connection is still open");
            assert_eq!(line.reply().expect("the connection is still open").status, status, "{path}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let sim = Sim::start();
    let mut line = Line::to(sim.site());
    line.send(&get("/forgot")).unwrap();
    line.send(&get("/nowhere")).unwrap();
    assert_eq!(line.reply().unwrap().status, 200);
    assert_eq!(line.reply().unwrap().status, 404);
}
