//! A PostgreSQL server of a test's own: in a folder, reached by a socket in it, gone with the test.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// What it takes to start on a machine that does much else.
const LOOKS: u32 = 6000;
const LOOK: Duration = Duration::from_millis(10);
/// The password of its one user: as good as a secret in these tests.
pub const PASSWORD: &str = "pG-9Wq4vZr7Tn2Lx";

/// A server. The thread that started it must outlive it.
pub struct Postgres {
    child: Child,
    folder: TempDir,
    databases: AtomicU64,
    /// The port on the loopback, if it is reached by one.
    port: Option<u16>,
    settings: Vec<String>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Postgres {
    pub fn start() -> Postgres {
        Postgres::start_with(None, vec!["listen_addresses=".into()], &[])
    }

    /// One that is reached by a port, as from another machine.
    pub fn start_at_a_port() -> Postgres {
        Postgres::start_with(Some(free_port()), vec!["listen_addresses=localhost".into()], &[])
    }

    /// The same with this certificate and its key.
    pub fn encrypted(certificate: &Path, key: &Path) -> Postgres {
        let settings =
            ["listen_addresses=localhost", "ssl=on", "ssl_cert_file=../crt", "ssl_key_file=../key"];
        let files = [(certificate, "crt"), (key, "key")];
        Postgres::start_with(Some(free_port()), settings.map(str::to_owned).to_vec(), &files)
    }

    fn start_with(port: Option<u16>, settings: Vec<String>, files: &[(&Path, &str)]) -> Postgres {
        // In memory where the machine has such a place; what it says is on its disk is then as durable as it can be there.
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("fb-test-").tempdir_in(parent).unwrap();
        for (from, to) in files {
            let to = folder.path().join(to);
            fs::copy(from, &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
        if let Some((user, group)) = servant() {
            let mine =
                files.iter().map(|(_, name)| folder.path().join(name)).chain([folder.path().to_owned()]);
            mine.for_each(|path| chown(path, Some(user), Some(group)).unwrap());
        }
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let mut initdb = program("initdb");
        initdb.arg("--pgdata").arg(folder.path().join("data")).arg("--pwfile").arg(password);
        initdb.args([
            "--username=firstbell",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        let made = initdb.output().expect("setpriv (util-linux) is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let child = serve(folder.path(), port, &settings);
        Postgres { child, folder, databases: AtomicU64::new(0), port, settings }
    }

    /// Stops it as a crash would; what was confirmed is there after [`Postgres::again`].
    pub fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::QUIT);
        self.child.wait().unwrap();
    }

    pub fn again(&mut self) {
        self.child = serve(self.folder.path(), self.port, &self.settings);
    }

    /// The number of its first process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder with its socket.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A new database, empty or with what another one has.
    pub fn database(&self, template: Option<&str>) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let template = template.map_or("template0".into(), |url| url.rsplit('/').next().unwrap().to_owned());
        execute(&self.address("postgres"), &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        self.address(&name)
    }

    /// The address of a database by the server's port.
    pub fn outside(&self, name: &str) -> String {
        format!("postgres://firstbell:{PASSWORD}@localhost:{}/{name}", self.port.unwrap())
    }

    fn address(&self, name: &str) -> String {
        address(self.folder.path(), name)
    }
}

/// The address of a database behind the socket in this folder.
pub fn address(folder: &Path, name: &str) -> String {
    format!("postgres://firstbell:{PASSWORD}@{}/{name}", folder.display().to_string().replace('/', "%2F"))
}

/// Has the database do something.
pub fn execute(url: &str, sql: &str) {
    talk(url, async |client| client.batch_execute(sql).await.unwrap());
}

/// The number that is the answer.
pub fn number(url: &str, sql: &str) -> i64 {
    talk(url, async |client| client.query_one(sql, &[]).await.unwrap().get(0))
}

/// The text that is the answer; none where there is no row.
pub fn text(url: &str, sql: &str) -> Option<String> {
    talk(url, async |client| client.query_opt(sql, &[]).await.unwrap().and_then(|row| row.get(0)))
}

/// On a thread of its own: whoever asks may be in the middle of a runtime.
fn talk<T: Send>(url: &str, with: impl AsyncFnOnce(&tokio_postgres::Client) -> T + Send) -> T {
    let talk = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, wire) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            let wire = tokio::spawn(wire);
            let done = with(&client).await;
            drop(client);
            wire.await.unwrap().unwrap();
            done
        })
    };
    std::thread::scope(|scope| scope.spawn(talk).join().unwrap())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(folder: &Path, port: Option<u16>, settings: &[String]) -> Child {
    let log = folder.join("log");
    let file = fs::File::create(&log).unwrap();
    let mut postgres = program("postgres");
    postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    let usual = ["max_connections=100", "shared_buffers=16MB", "autovacuum=off"];
    for setting in usual.into_iter().chain(settings.iter().map(String::as_str)) {
        postgres.args(["-c", setting]);
    }
    if let Some(port) = port {
        postgres.args(["-p", &port.to_string()]);
    }
    let mut child = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let ready = || said().contains("ready to accept connections");
    let waits = (0..LOOKS).take_while(|_| !ready());
    waits.for_each(|_| std::thread::park_timeout(LOOK));
    if !ready() {
        let _ = child.kill();
        child.wait().unwrap();
        panic!("{}", said());
    }
    child
}

/// A program of the server's, as a user that may run it, ending with the thread that starts it.
fn program(name: &str) -> Command {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        debian.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some((user, group)) = servant() {
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()]);
    }
    command.arg("--").arg(found.unwrap_or_else(|| name.into())).current_dir("/");
    command
}

/// The user that serves in root's place: PostgreSQL refuses root.
fn servant() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
        Some((fields.next()?, fields.next()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("there is a user called nobody"))
}
