//! What only a real browser can show: the evidence's pages, the origin of what is typed, ports, and what is left behind.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use firstbell::clock::MachineClock;
use firstbell::http::HyperHttp;
use firstbell::ports::{Engines, Reach};
use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::origin::Origin;
use firstbell_core::sight::{Action, Rest, Seen, Sight};
use serde_json::json;
use support::{Home, Sim, engines};

fn app() -> App {
    App { api_key: "key".into(), user_id: "AB1234".into(), redirect: "https://example.org/".parse().unwrap() }
}

/// Serves one page to every request, on a thread that ends with the test.
fn serve(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let length = page.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{page}"
            );
        }
    });
    origin
}

/// The last sight of a page, when it has gone quiet.
async fn look(kite: &Kite, url: String) -> Sight {
    let drivers = engines::config(engines::CHROME);
    let (app, http) = (app(), HyperHttp::unconnected());
    let clock = MachineClock::start();
    let reach = Reach { http: &http, clock: &clock };
    let mut driver = drivers.open(drivers.names()[0], kite.plan(), &app, reach).await.unwrap();
    let mut action = Action::Open { url, wait_ms: 20_000 };
    let sight = loop {
        match driver.perform(action).await.unwrap() {
            Seen::Page(sight) if sight.rest == Rest::Quiet => break sight,
            Seen::Page(_) => action = Action::Look { wait_ms: 20_000 },
            other => panic!("{other:?}"),
        }
    };
    driver.close().await.unwrap();
    sight
}

#[tokio::test]
async fn every_page_of_the_evidence_shows_the_marks_that_are_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evidence/kite");
    let mut pages = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        let piece: toml::Table = toml::from_str(&text).unwrap_or_default();
        let (Some(shows), Some(body)) = (piece.get("shows"), piece.get("body")) else { continue };
        let shows: BTreeMap<String, u32> = shows.clone().try_into().unwrap();
        let site = Origin::parse(&serve(body.as_str().unwrap().to_owned())).unwrap();
        let kite = Kite::rehearsal(site.clone(), site.clone()).unwrap();
        let sight = look(&kite, site.join("/connect/login?api_key=key")).await;
        let marks = kite.plan().marks.iter().zip(&sight.counts);
        let found: BTreeMap<String, u32> =
            marks.filter(|(_, n)| **n > 0).map(|(m, n)| (m.id.clone(), *n)).collect();
        assert_eq!(found, shows, "{}", path.display());
        pages += 1;
    }
    assert!(pages >= 8, "{pages} pages");
}

#[tokio::test]
async fn a_page_that_leaves_for_another_origin_is_not_followed() {
    let elsewhere = serve("<p>elsewhere</p>".into());
    let page = format!("<script>location.replace('{elsewhere}/sign-in')</script>");
    let site = Origin::parse(&serve(page)).unwrap();
    let kite = Kite::rehearsal(site.clone(), site.clone()).unwrap();
    let drivers = engines::config(engines::CHROME);
    let (app, http) = (app(), HyperHttp::unconnected());
    let clock = MachineClock::start();
    let reach = Reach { http: &http, clock: &clock };
    let mut driver = drivers.open(drivers.names()[0], kite.plan(), &app, reach).await.unwrap();
    let mut action = Action::Open { url: site.join("/"), wait_ms: 20_000 };
    let away = loop {
        match driver.perform(action).await.unwrap() {
            Seen::Away(url) => break url,
            Seen::Page(_) => action = Action::Look { wait_ms: 20_000 },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(away.expose(), format!("{elsewhere}/sign-in"));
    driver.close().await.unwrap();
}

/// Sockets that listen, by inode, as the kernel lists them.
fn listeners() -> BTreeSet<String> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let text = read("/proc/net/tcp") + &read("/proc/net/tcp6");
    let rows = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>());
    rows.filter(|r| r.get(3) == Some(&"0A")).map(|r| r[9].to_owned()).collect()
}

/// Sockets of the processes whose arguments name this text, by inode.
fn sockets_of(text: &str) -> (usize, BTreeSet<String>) {
    let (mut count, mut inodes) = (0, BTreeSet::new());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !String::from_utf8_lossy(&arguments).contains(text) {
            continue;
        }
        count += 1;
        for fd in fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
            let link = fs::read_link(fd.path()).unwrap_or_default().display().to_string();
            if let Some(inode) = link.strip_prefix("socket:[") {
                inodes.insert(inode.trim_end_matches(']').to_owned());
            }
        }
    }
    (count, inodes)
}

#[test]
fn a_login_opens_no_port_and_leaves_neither_process_nor_folder() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "twofa", "do": "hold" }));
    let mut child = home
        .command(&["login", "--driver", "chrome"])
        .env("XDG_RUNTIME_DIR", home.dir.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    sim.wait_held("twofa");
    // In the middle of the login: the browser is up, the code is typed.
    let folder = browser_folder(&home, child.id());
    let (processes, sockets) = sockets_of(&folder);
    assert!(processes > 0, "no browser of {folder}");
    assert!(listeners().is_disjoint(&sockets), "the browser listens");
    let mode = fs::metadata(&folder).map(|m| std::os::unix::fs::MetadataExt::mode(&m) & 0o777).unwrap();
    assert_eq!(mode, 0o700);
    sim.post("/release", &json!({}));
    assert!(child.wait().unwrap().success());
    assert_eq!(sockets_of(&folder).0, 0, "a process is left");
    assert!(!Path::new(&folder).exists(), "the folder is left");
}

/// The private folder of the browser that this firstbell started.
fn browser_folder(home: &Home, firstbell: u32) -> String {
    let bases = [home.dir.path().to_owned(), "/dev/shm".into()];
    let folders = bases.iter().flat_map(|base| fs::read_dir(base).into_iter().flatten().flatten());
    let ours = folders.filter(|f| f.file_name().to_string_lossy().starts_with("firstbell-browser-"));
    let found: Vec<String> =
        ours.map(|f| f.path().display().to_string()).filter(|f| is_below(f, firstbell)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Whether the browser of this folder descends from this process.
fn is_below(folder: &str, ancestor: u32) -> bool {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
    let mut browsers = pids.filter(|pid| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(folder)
    });
    browsers.any(|pid| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| pid == ancestor))
}
