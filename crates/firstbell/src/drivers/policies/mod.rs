//! Policies that somebody set for a browser of this machine. They count more than our switches and preferences, so an engine does not
//! start under one that puts a stranger between the login page and the broker.

mod list;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use serde_json::Value;

use self::list::{CHROMIUM, FIREFOX, Policy};
use super::firefox;
use crate::textfile;

/// Debian's headless shell reads no policy: the tests plant one that would end its login.
const SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";
/// Where the Chromium of a folder reads its policies from. Each file there counts, whatever its name ends in.
const OWN: [(&str, &str); 2] =
    [("/usr/lib/chromium", "/etc/chromium/policies"), ("/opt/google/chrome", "/etc/opt/chrome/policies")];
/// Of another one nobody knows: all that there are.
const ALL: [&str; 6] = [
    "/etc/brave/policies",
    "/etc/chromium/policies",
    "/etc/chromium-browser/policies",
    "/etc/opt/chrome/policies",
    "/etc/opt/chrome_for_testing/policies",
    "/etc/opt/edge/policies",
];

const ANOTHER_THAN_CHROMIUM: &str = "--driver firefox, --driver http";
const ANOTHER_THAN_FIREFOX: &str = "--driver chrome, --driver http";

/// Looks at what this Chromium or Chrome would read; `root` is the machine's `/`.
///
/// # Errors
/// [`Failure::Broken`] that names the file and the policy.
pub(super) fn chromium(root: &Path, program: &Path) -> Result<(), Failure> {
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    if program == Path::new(SHELL) {
        return Ok(());
    }
    let own = OWN.iter().find(|(folder, _)| program.starts_with(folder));
    for policies in own.map_or(&ALL[..], |(_, policies)| std::slice::from_ref(policies)) {
        // A recommended policy counts less than a switch, as far as it was tried; one that nobody wants here is none too.
        for level in ["managed", "recommended"] {
            for file in files(&within(root, policies).join(level))? {
                let set = read(&file, ANOTHER_THAN_CHROMIUM)?;
                judge(&file, &set, &CHROMIUM, ANOTHER_THAN_CHROMIUM)?;
            }
        }
    }
    Ok(())
}

/// Looks at what this Firefox would read; `root` is the machine's `/`. It reads one of the files only; which one, is its
/// builder's choice.
///
/// # Errors
/// [`Failure::Broken`] that names the file and the policy.
pub(super) fn firefox(root: &Path, program: &Path) -> Result<(), Failure> {
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let called = Path::new("/etc").join(program.file_name().unwrap_or_default()).join("policies");
    let mut folders = vec![PathBuf::from("/etc/firefox/policies"), called];
    // Another program may be a script that starts one of the known.
    let known = firefox::PLACES.map(PathBuf::from);
    let others = if known.contains(&program) { &[][..] } else { &known[..] };
    folders.extend(others.iter().chain([&program]).map(|program| program.with_file_name("distribution")));
    for folder in folders {
        let file = within(root, folder).join("policies.json");
        let set = read(&file, ANOTHER_THAN_FIREFOX)?;
        judge(&file, &set["policies"], &FIREFOX, ANOTHER_THAN_FIREFOX)?;
    }
    Ok(())
}

fn within(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn judge(file: &Path, set: &Value, policies: &[Policy], others: &str) -> Result<(), Failure> {
    match policies.iter().find(|(name, stops, _)| set.get(name).is_some_and(stops)) {
        None => Ok(()),
        Some((name, _, why)) => Err(Failure::Broken {
            part: Part::Browser,
            why: format!("{} sets the policy {name} for this browser: {why}", file.display()),
            cure: format!(
                "Have it taken out of that file by whoever looks after this machine, or log in with an engine for which it is \
                 not set: {others}."
            ),
        }),
    }
}

/// The files of a folder of policies.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut files) => {
            files.sort();
            Ok(files)
        }
        Err(e) if is_shut(&e) => Ok(Vec::new()),
        Err(e) => Err(unclear(folder, &e.to_string(), ANOTHER_THAN_CHROMIUM)),
    }
}

/// What a file sets; null where the browser finds none either. A file that we cannot read otherwise stops the login: a browser
/// ignores what it does not understand, but it understands more than we do (Chromium takes comments and a last comma), and what it
/// understood would be in force.
fn read(file: &Path, others: &str) -> Result<Value, Failure> {
    let is_there = match fs::metadata(file) {
        Ok(meta) if meta.is_dir() => Ok(false),
        Ok(meta) if meta.is_file() => File::open(file).map(|_| true),
        // A pipe is not opened: nobody may be at its other end.
        Ok(_) => Ok(true),
        Err(e) => Err(e),
    };
    match is_there {
        Ok(false) => Ok(Value::Null),
        Err(e) if is_shut(&e) => Ok(Value::Null),
        Err(e) => Err(unclear(file, &e.to_string(), others)),
        Ok(true) => textfile::read(file)
            .and_then(|text| serde_json::from_str(&text).map_err(|e| format!("it is no plain JSON: {e}")))
            .map_err(|why| unclear(file, &why, others)),
    }
}

/// Whether the browser, which is never more than we are, finds nothing there.
fn is_shut(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}

fn unclear(file: &Path, why: &str, others: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("whether {} sets a policy that endangers a login cannot be seen: {why}", file.display()),
        cure: format!("Mend it or take it away, or log in with an engine that does not read it: {others}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "/usr/lib/chromium/chromium";
    const CHROME: &str = "/opt/google/chrome/chrome";
    const FOX: &str = "/opt/firefox/firefox";

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
        for (file, text) in files {
            let file = within(root.path(), file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn asked(program: &str, files: &[(&str, &str)]) -> Result<(), Failure> {
        let root = machine(files);
        let look = if program == FOX { firefox } else { chromium };
        look(root.path(), Path::new(program))
    }

    fn stops(program: &str, file: &str, name: &str, value: &str) -> bool {
        let set = format!("{{\"{name}\":{value}}}");
        let text = if program == FOX { format!("{{\"policies\":{set}}}") } else { set };
        match asked(program, &[(file, &text)]) {
            Ok(()) => false,
            Err(Failure::Broken { part: Part::Browser, why, cure }) => {
                assert!(why.contains(file) && why.contains(&format!("the policy {name} for")), "{why}");
                assert!(cure.contains("--driver http"), "{cure}");
                true
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_of_chromium_s_that_endangers_a_login_stops_it_and_an_empty_one_does_not() {
        let file = "/etc/chromium/policies/managed/x.json";
        let put =
            "{\"*\":{\"installation_mode\":\"blocked\"},\"abc\":{\"installation_mode\":\"force_installed\"}}";
        for (name, bad, good) in [
            ("ExtensionInstallForcelist", "[\"abc\"]", "[]"),
            ("ExtensionSettings", put, "{\"*\":{\"installation_mode\":\"blocked\"}}"),
            ("ExtensionSettings", "{\"a\":{\"installation_mode\":\"normal_installed\"}}", "{\"a\":{}}"),
            ("ProxyMode", "\"fixed_servers\"", "\"\""),
            ("ProxyServer", "\"10.0.0.1:3128\"", "null"),
            ("ProxyServerMode", "2", "null"),
            ("ProxyPacUrl", "\"http://x/y.pac\"", "\"\""),
            ("ProxySettings", "{\"ProxyMode\":\"system\"}", "{}"),
            ("ProxyOverrideRules", "[{}]", "[]"),
            ("WebRtcIPHandling", "\"default\"", "\"disable_non_proxied_udp\""),
            ("WebRtcIPHandlingUrl", "[{}]", "[]"),
            ("CACertificates", "[\"MII\"]", "[]"),
            ("CACertificatesWithConstraints", "[{}]", "[]"),
            ("CertificateTransparencyEnforcementDisabledForUrls", "[\"*\"]", "[]"),
            ("CertificateTransparencyEnforcementDisabledForCas", "[\"sha256/x\"]", "[]"),
            ("CertificateTransparencyEnforcementDisabledForLegacyCas", "[\"x\"]", "[]"),
            ("RemoteDebuggingAllowed", "false", "true"),
        ] {
            assert!(stops(FULL, file, name, bad), "{name} {bad}");
            assert!(!stops(FULL, file, name, good), "{name} {good}");
        }
        assert!(!stops(FULL, file, "HomepageLocation", "\"https://x.example\""));
    }

    #[test]
    fn each_of_firefox_s_that_endangers_a_login_stops_it_and_an_empty_one_does_not() {
        let file = "/etc/firefox/policies/policies.json";
        let as_text = "\"{\\\"a\\\":{\\\"installation_mode\\\":\\\"force_installed\\\"}}\"";
        for (name, bad, good) in [
            ("ExtensionSettings", "{\"a\":{\"installation_mode\":\"force_installed\"}}", "{\"*\":{}}"),
            ("ExtensionSettings", as_text, "\"{}\""),
            ("ExtensionSettings", "\"no JSON\"", "null"),
            ("Extensions", "{\"Install\":[\"file:///x.xpi\"]}", "{\"Uninstall\":[\"x\"]}"),
            ("Proxy", "{\"Mode\":\"none\"}", "{}"),
            ("Certificates", "{\"Install\":[\"x.pem\"]}", "{\"Install\":[]}"),
            ("Certificates", "{\"ImportEnterpriseRoots\":1}", "{\"ImportEnterpriseRoots\":false}"),
            ("SecurityDevices", "{\"x\":\"/tmp/x.so\"}", "{\"Delete\":[\"x\"]}"),
            ("SecurityDevices", "{\"Add\":{\"x\":\"/tmp/x.so\"}}", "{\"Add\":{}}"),
            ("DisableDeveloperTools", "true", "false"),
            (
                "Preferences",
                "{\"media.peerconnection.enabled\":true}",
                "{\"browser.tabs.warnOnClose\":false}",
            ),
            ("Preferences", "{\"security.tls.version.min\":{\"Value\":1}}", "{}"),
        ] {
            assert!(stops(FOX, file, name, bad), "{name} {bad}");
            assert!(!stops(FOX, file, name, good), "{name} {good}");
        }
        assert!(!stops(FOX, file, "DisableTelemetry", "true"));
        for beside in ["/opt/firefox/distribution/policies.json", "/etc/firefox/policies/policies.json"] {
            assert!(stops(FOX, beside, "DisableDeveloperTools", "1"), "{beside}");
        }
        let other = [(
            "/usr/lib/firefox-esr/distribution/policies.json",
            "{\"policies\":{\"Proxy\":{\"Mode\":\"none\"}}}",
        )];
        let root = machine(&other);
        firefox(root.path(), Path::new(FOX)).unwrap();
        assert!(firefox(root.path(), Path::new("/nowhere/bin/start-firefox")).is_err());
    }

    #[test]
    fn a_browser_answers_for_the_files_that_it_reads_and_an_unknown_one_for_all() {
        let (own, chrome) =
            ("/etc/chromium/policies/managed/a.bak", "/etc/opt/chrome/policies/recommended/a.json");
        let (name, value) = ("ProxyMode", "\"direct\"");
        for (program, of_chromium, of_chrome) in [
            (FULL, true, false),
            (CHROME, false, true),
            ("/nowhere/chromium", true, true),
            (SHELL, false, false),
        ] {
            assert_eq!(stops(program, own, name, value), of_chromium, "{program}");
            assert_eq!(stops(program, chrome, name, value), of_chrome, "{program}");
        }
    }

    #[test]
    fn what_cannot_be_read_stops_a_login_and_what_is_not_there_does_not() {
        let file = "/etc/chromium/policies/managed/x.json";
        for text in ["// said\n{\"ProxyMode\":\"direct\"}", "{\"ProxyMode\":\"direct\",}", "", "{"] {
            let failure = asked(FULL, &[(file, text)]).unwrap_err();
            assert!(failure.to_string().contains(file), "{failure}");
            assert!(failure.cure().contains("Mend it or take it away"), "{failure}");
        }
        let large = format!("{{\"x\":\"{}\"}}", "y".repeat(300 * 1024));
        asked(FULL, &[(file, &large)]).unwrap_err();
        for text in ["null", "[]", "{}", "[\"ProxyMode\"]"] {
            asked(FULL, &[(file, text)]).unwrap();
            asked(FOX, &[("/etc/firefox/policies/policies.json", text)]).unwrap();
        }
        // A folder below, a folder that is a file, a link that leads nowhere.
        asked(FULL, &[("/etc/chromium/policies/managed/below/x.json", "{\"ProxyMode\":\"direct\"}")])
            .unwrap();
        asked(FULL, &[("/etc/chromium/policies", "")]).unwrap();
        let root = machine(&[(file, "{}")]);
        let folder = within(root.path(), file).with_file_name("");
        std::os::unix::fs::symlink("/nowhere", folder.join("gone.json")).unwrap();
        chromium(root.path(), Path::new(FULL)).unwrap();
        // Nobody is at the other end of this pipe.
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.join("pipe.json"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        chromium(root.path(), Path::new(FULL)).unwrap_err();
    }
}
