//! A worker that says whatever an input says, at the other end of a keeper's socket.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use firstbell::drivers::{DriverConfig, DriverName};
use firstbell::halt::Halt;
use firstbell::ports::{Engines, Reach};
use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Cause;
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Role, Step, Submit};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Fill, Seen};

use crate::bot::{Provider, Still};
use crate::{app, folder};

/// What is typed, in this order.
pub const TEXTS: [&str; 2] = ["AB1234typed", "tr0ub4dor"];
/// Whether a text may be out by then, and what was seen.
pub type Did = (bool, Result<Seen, Failure>);

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let here = Origin::parse("http://127.0.0.1:1").expect("the constant is an origin");
    Kite::live().plan().clone().at(here)
});
/// What a keeper is told before anything else: the engine stands.
const STANDS: &str =
    r#"{"number":1,"report":{"done":{"open_port":null,"bounds":{"fence":"whole","filter":"in-force"}}}}"#;

/// A socket, and a thread behind it that answers one keeper after the other.
#[derive(Debug)]
pub struct Answers {
    /// Where the keeper finds it.
    pub socket: PathBuf,
    scripts: Sender<Vec<Vec<u8>>>,
    heard: Receiver<Vec<u8>>,
}

impl Answers {
    /// Listens from now on.
    pub fn begin() -> Answers {
        std::fs::create_dir_all(folder()).expect("a folder of our own");
        let socket = folder().join("worker.sock");
        let listener = UnixListener::bind(&socket).expect("a folder of our own");
        let ((scripts, next), (tell, heard)) = (channel::<Vec<Vec<u8>>>(), channel());
        thread::spawn(move || {
            for script in next {
                let (mut keeper, _) = listener.accept().expect("there is a keeper");
                let _ = tell.send(answer(&mut keeper, &script));
            }
        });
        Answers { socket, scripts, heard }
    }

    /// What the next keeper is answered: its first order so that it goes on, and then these, whatever it says.
    pub fn answer_next(&self, answers: Vec<Vec<u8>>) {
        self.scripts.send(answers).expect("the thread lives");
    }

    /// All that it said, messages and the lengths before them.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.recv().expect("the thread lives")
    }
}

/// A message as one is sent.
pub fn framed(message: &str) -> Vec<u8> {
    let head = u32::try_from(message.len()).expect("inputs are short").to_le_bytes();
    [&head, message.as_bytes()].concat()
}

/// What one login orders, until the engine breaks; with each whether a text may be out by then.
pub async fn walk(socket: &Path) -> Vec<Did> {
    let mut config = DriverConfig::only(DriverName::Chrome);
    config.worker = Some(socket.to_owned());
    let leave = Halt::new();
    let (http, clock, app) = (Provider::new(&[], &leave), Still::default(), app());
    let opened = config.open("chrome", &PLAN, &app, Reach { http: &http, clock: &clock }).await;
    let mut driver = opened.expect("the first answer says that it stands");
    let mut did = Vec::new();
    for (may_be_out, action) in orders() {
        let seen = driver.perform(action).await;
        let is_over = seen.is_err();
        did.push((may_be_out, seen));
        if is_over {
            break;
        }
    }
    let _ = driver.close().await;
    did
}

fn orders() -> Vec<(bool, Action)> {
    let field = |role, mark, text: &str| (role, mark, Secret::new(text.into()));
    let fields = vec![field(Role::UserId, 0, TEXTS[0]), field(Role::Password, 1, TEXTS[1])];
    let (step, submit) = (Step::Credentials, Submit::Enter);
    let fill = Fill { step, fields, submit, cause: Cause::Password, time_step: None, wait_ms: 9 };
    vec![
        (false, Action::Open { url: PLAN.origin.join("/connect/login"), wait_ms: 9 }),
        (true, Action::Fill(fill)),
        (true, Action::Look { wait_ms: 9 }),
        (true, Action::Witness),
        (true, Action::Draw { html: String::new() }),
    ]
}

fn answer(keeper: &mut UnixStream, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut heard = Vec::new();
    let all = [&framed(STANDS)[..], &answers.concat()].concat();
    // The keeper reads one for each order, or stops reading; what it says fits into the socket until it is read here.
    let said = keeper.write_all(&all).and_then(|()| keeper.shutdown(Shutdown::Write));
    if said.is_ok() {
        let _ = keeper.read_to_end(&mut heard);
    }
    heard
}
