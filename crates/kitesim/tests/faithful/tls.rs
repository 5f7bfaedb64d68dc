//! The pretended names behind TLS, asked by curl as a program with a hosts-file line and a trusted authority would.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clients::{Client, python};
use crate::support::driver::Driver;
use crate::support::{MORNING, Sim, refused};

const NAMES: [&str; 5] =
    ["kite.zerodha.com", "kite.trade", "api.kite.trade", "ws.kite.trade", "ws.zerodha.com"];

/// A folder of its own for one test; the place is the build's own scratch.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-tls-{name}", std::process::id()));
    let _none_yet = fs::remove_dir_all(&path);
    path
}

fn start(folder: &Path) -> Sim {
    let sim = Sim::with(&["--clock", MORNING, "--tls", folder.to_str().expect("its path is text")], None);
    sim.lever("/clock", &json!({"freeze": true, "set": MORNING}));
    sim
}

/// Asks a pretended name; gives curl's exit code and what it wrote. The port is hidden, as behind a hosts-file line.
fn curl(sim: &Sim, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let port =
        sim.announced["tls"]["listen"].as_str().expect("it is announced").rsplit(':').next().expect("a port");
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--noproxy", "*", "--cacert"]).arg(folder.join("ca.pem"));
    command.arg("--cookie-jar").arg(folder.join("jar")).arg("--cookie").arg(folder.join("jar"));
    command.args(["--connect-to", &format!("::127.0.0.1:{port}")]).args(arguments);
    let output = command.output().expect("curl runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), text)
}

#[test]
fn row_01_all_names_answer_under_one_authority() {
    let folder = folder("names");
    let sim = start(&folder);
    for name in NAMES {
        let (code, text) =
            curl(&sim, &folder, &["-o", "/dev/null", "-w", "%{http_code}", &format!("https://{name}/")]);
        assert_eq!(code, Some(0), "{name}: {text}");
        assert_eq!(text, if name == "kite.zerodha.com" { "200" } else { "404" }, "{name}");
    }
    // The API's calls are the API host's alone, and the site's are the site's.
    let status = ["-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: token nobody:nothing"];
    for (url, expected) in [
        ("https://api.kite.trade/user/profile", "403"),
        ("https://kite.zerodha.com/user/profile", "404"),
        ("https://api.kite.trade/connect/login", "404"),
        ("https://ws.kite.trade/connect/login", "404"),
    ] {
        assert_eq!(curl(&sim, &folder, &[&status[..], &[url]].concat()).1, expected, "{url}");
    }
}

#[test]
fn row_02_the_old_entry_leads_to_the_site_by_get_and_post() {
    let folder = folder("entry");
    let sim = start(&folder);
    let query = format!("v=3&api_key={}&x=a%20b", sim.credential("api_key"));
    for method in ["GET", "POST"] {
        let url = format!("https://kite.trade/connect/login?{query}");
        let (_, text) = curl(
            &sim,
            &folder,
            &["-X", method, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", &url],
        );
        assert_eq!(text, format!("302 https://kite.zerodha.com/connect/login?{query}"), "{method}");
    }
}

/// Posts a form to a pretended name; gives the JSON of the reply.
fn posted(sim: &Sim, folder: &Path, path: &str, fields: &[(&str, &str)]) -> Value {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let (code, text) = curl(sim, folder, &["-d", &body, &format!("https://{path}")]);
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).expect("it is JSON")
}

/// A login on the pretended names; gives the request token.
fn grant(sim: &Sim, folder: &Path) -> String {
    let post = |path: &str, fields: &[(&str, &str)]| posted(sim, folder, path, fields);
    let user_id = sim.credential("user_id");
    let first =
        post("kite.zerodha.com/api/login", &[("user_id", user_id), ("password", sim.credential("password"))]);
    let request_id = first["data"]["request_id"].as_str().expect("it names the login");
    let code = sim.code(0);
    let fields = [("user_id", user_id), ("request_id", request_id), ("twofa_value", code.as_str())];
    assert_eq!(post("kite.zerodha.com/api/twofa", &fields)["status"], "success");
    let entry = format!("https://kite.trade/connect/login?api_key={}", sim.credential("api_key"));
    // The landing page is no pretended name, so it is not followed to.
    let ways = ["-L", "--max-redirs", "2", "-o", "/dev/null", "-w", "%{redirect_url}"];
    let (_, landed) = curl(sim, folder, &[&ways[..], &[entry.as_str()]].concat());
    let token = landed.split("request_token=").nth(1).and_then(|rest| rest.get(..32)).expect("a token");
    token.to_owned()
}

#[test]
fn rows_01_02_08_a_whole_script_runs_on_the_real_names() {
    let folder = folder("script");
    let sim = start(&folder);
    let token = grant(&sim, &folder);
    let api_key = sim.credential("api_key");
    let checksum =
        HEXLOWER.encode(&Sha256::digest(format!("{api_key}{token}{}", sim.credential("api_secret"))));
    let exchange = [("api_key", api_key), ("request_token", token.as_str()), ("checksum", checksum.as_str())];
    let session = posted(&sim, &folder, "api.kite.trade/session/token", &exchange);
    assert_eq!(session["data"]["user_id"], *sim.credential("user_id"), "{session}");
}

#[test]
fn row_01_the_official_python_client_comes_unchanged() {
    let folder = folder("python");
    let sim = start(&folder);
    let request_token = grant(&sim, &folder);
    let port =
        sim.announced["tls"]["listen"].as_str().and_then(|listen| listen.rsplit(':').next()).expect("a port");
    let errand = json!({
        "port": port.parse::<u16>().expect("a number"), "api_key": sim.credential("api_key"),
        "api_secret": sim.credential("api_secret"), "request_token": request_token,
    });
    let mut command = python("real_names.py");
    command
        .env("REQUESTS_CA_BUNDLE", folder.join("ca.pem"))
        .env_remove("HTTPS_PROXY")
        .env_remove("https_proxy");
    let mut client = Client::sent(command, &errand);
    let user = sim.credential("user_id");
    let expected = json!({"user": user, "same": true, "refused": 403, "asked": ["api.kite.trade"]});
    assert_eq!(client.hear(), expected);
    client.end();
}

#[test]
fn row_01_cookies_are_secure_behind_tls() {
    let folder = folder("cookies");
    let sim = start(&folder);
    let url = format!("https://kite.zerodha.com/connect/login?api_key={}", sim.credential("api_key"));
    let (_, head) = curl(&sim, &folder, &["-D", "-", "-o", "/dev/null", &url]);
    assert!(head.contains("kf_session=") && head.contains("SameSite=None; Secure"), "{head}");
}

#[test]
fn row_01_foreign_and_crossed_names_are_refused() {
    let folder = folder("foreign");
    let sim = start(&folder);
    assert_eq!(curl(&sim, &folder, &["https://example.com/"]).0, Some(35));
    for host in ["api.kite.trade", "example.com", "localhost"] {
        let arguments = ["-H", &format!("Host: {host}"), "-o", "/dev/null", "-w", "%{http_code}"];
        let (_, text) = curl(&sim, &folder, &[&arguments[..], &["https://kite.zerodha.com/"]].concat());
        assert_eq!(text, "421", "{host}");
    }
}

#[test]
fn the_authority_is_kept_private_and_bound() {
    let folder = folder("kept");
    let before = {
        let sim = start(&folder);
        assert_eq!(sim.announced["tls"]["authority"], json!(folder.join("ca.pem")));
        fs::read(folder.join("ca.pem")).expect("it is written")
    };
    let mode =
        |name: &str| fs::metadata(folder.join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("")), (0o600, 0o700));
    let sim = start(&folder);
    assert_eq!(fs::read(folder.join("ca.pem")).expect("it is kept"), before);
    assert_eq!(curl(&sim, &folder, &["-o", "/dev/null", "https://kite.zerodha.com/"]).0, Some(0));
    let told =
        Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(folder.join("ca.pem")).output();
    let told = String::from_utf8(told.expect("openssl runs").stdout).expect("it is text");
    assert!(
        told.contains("X509v3 Name Constraints: critical") && told.contains("CA:TRUE, pathlen:0"),
        "{told}"
    );
    for name in NAMES {
        assert!(told.contains(&format!("DNS:{name}")), "{told}");
    }
    fs::set_permissions(folder.join("ca.key"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let (code, told) = refused(&["--tls", folder.to_str().expect("its path is text")], "");
    assert_eq!(code, Some(1));
    assert!(told.contains("ca.key: others may read it"), "{told}");
}

#[test]
fn row_34_certificates_may_be_expired_early_or_of_others_and_handshakes_refused() {
    let folder = folder("bad");
    let sim = start(&folder);
    // curl's code 60: the certificate cannot be verified.
    let deeds = [
        ("certificate-expired", "expired"),
        ("certificate-other-name", "name"),
        ("certificate-early", "not yet valid"),
        ("certificate-stranger", "certificate"),
    ];
    for (deed, reason) in deeds {
        sim.lever("/faults", &json!({"fault": [{"at": "handshake", "do": deed, "call": 1}]}));
        let (code, told) = curl(&sim, &folder, &["https://kite.zerodha.com/"]);
        assert_eq!(code, Some(60), "{told}");
        assert!(told.contains(reason), "{deed}: {told}");
        assert_eq!(curl(&sim, &folder, &["-o", "/dev/null", "https://kite.zerodha.com/"]).0, Some(0));
    }
    sim.lever("/faults", &json!({"fault": [{"at": "handshake", "do": "handshake-refused", "call": 1}]}));
    // curl's code 35: the handshake failed.
    let (code, told) = curl(&sim, &folder, &["https://kite.zerodha.com/"]);
    assert_eq!(code, Some(35), "{told}");
    sim.lever("/faults", &json!({"fault": [{"at": "login", "do": "reset-before"}]}));
    let (code, _) = curl(&sim, &folder, &["-d", "user_id=AB1234", "https://kite.zerodha.com/api/login"]);
    assert!(matches!(code, Some(52 | 56)), "{code:?}");
}

/// The hash by which Chromium is told to trust one key.
fn key_hash(listen: &str) -> String {
    let shown = Command::new("openssl")
        .args(["s_client", "-connect", listen, "-servername", "kite.zerodha.com"])
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    let path = folder("leaf");
    fs::write(&path, shown.stdout).expect("the scratch folder is there");
    let key = Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&path).output();
    let key = String::from_utf8(key.expect("openssl runs").stdout).expect("it is text");
    let inner: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.encode(&Sha256::digest(BASE64.decode(inner.as_bytes()).expect("it is base64")))
}

#[test]
fn rows_01_02_a_browser_logs_in_on_the_real_names() {
    let folder = folder("browser");
    let sim = start(&folder);
    let listen = sim.announced["tls"]["listen"].as_str().expect("it is announced").to_owned();
    let rules: Vec<String> = NAMES.iter().map(|name| format!("MAP {name} {listen}")).collect();
    let driver = Driver::with(&[
        &format!("--host-resolver-rules={}", rules.join(",")),
        &format!("--ignore-certificate-errors-spki-list={}", key_hash(&listen)),
    ]);
    driver.open(&format!("https://kite.trade/connect/login?v=3&api_key={}", sim.credential("api_key")));
    assert!(driver.url().starts_with("https://kite.zerodha.com/connect/login?"), "{}", driver.url());
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.first("tag name", "button"));
    driver.until("document.querySelector('form.twofa-form')");
    driver.keys(&driver.css("#userid"), &sim.code(0));
    driver.until_at("request_token=");
}
