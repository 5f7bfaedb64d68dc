//! The processes of this machine as `/proc` shows them: arguments, environment, program and parent.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at all processes: a look takes half as long, and the machine has logins to make meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// What one process showed at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub id: u32,
    /// Read before the rest. A child that has not become its own program yet shows its parent's, and so the rest is of
    /// this program or of a later one, never of an earlier.
    pub program: PathBuf,
    pub arguments: Vec<u8>,
    pub environment: Vec<u8>,
}

impl Process {
    fn read(id: u32) -> Process {
        let place = PathBuf::from(format!("/proc/{id}"));
        let program = fs::read_link(place.join("exe")).unwrap_or_default();
        let bytes = |name: &str| fs::read(place.join(name)).unwrap_or_default();
        Process { id, program, arguments: bytes("cmdline"), environment: bytes("environ") }
    }

    /// The process that started it, while both live.
    pub fn parent(&self) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).ok()?;
        // The program's name stands in parentheses and may hold anything: state and parent come after the last one.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    }

    /// The private folder in which it lives, if it is of an engine: its home and its profile are there.
    pub fn browser_folder(&self) -> Option<PathBuf> {
        let (arguments, environment) =
            (String::from_utf8_lossy(&self.arguments), String::from_utf8_lossy(&self.environment));
        let home = environment.split('\0').find_map(|variable| variable.strip_prefix("HOME="));
        let profile = arguments.split('\0').find_map(|a| a.strip_prefix("--user-data-dir="));
        let folders = [home, profile].into_iter().flatten().filter_map(|place| Path::new(place).parent());
        let is_private = |folder: &&Path| folder.to_string_lossy().contains("/firstbell-browser-");
        folders.map(Path::to_owned).find(|folder| is_private(&folder.as_path()))
    }

    /// Whether its arguments or its environment name this folder.
    pub fn names(&self, folder: &Path) -> bool {
        let name = folder.as_os_str().as_encoded_bytes();
        [&self.arguments, &self.environment].iter().any(|b| b.windows(name.len()).any(|w| w == name))
    }
}

/// All processes that show anything.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.map(Process::read).filter(|p| !p.arguments.is_empty() || !p.environment.is_empty()).collect()
}

/// The private folder of the engine that a process started, however many others stand between.
pub fn browser_folder_of(root: u32) -> Option<PathBuf> {
    let samples: Vec<Sample> =
        all().into_iter().map(|process| Sample { parent: process.parent(), process }).collect();
    below(root, &samples).iter().find_map(|sample| sample.process.browser_folder())
}

/// What was seen of a process's descendants.
pub fn below(root: u32, samples: &[Sample]) -> Vec<&Sample> {
    let mut known = BTreeSet::from([root]);
    loop {
        let news = samples.iter().filter(|s| s.parent.is_some_and(|parent| known.contains(&parent)));
        let before = known.len();
        known.extend(news.map(|s| s.process.id).collect::<Vec<_>>());
        if known.len() == before {
            return samples
                .iter()
                .filter(|s| s.process.id != root && known.contains(&s.process.id))
                .collect();
        }
    }
}

/// One thing that was seen while the watch went on.
#[derive(Clone, Debug)]
pub struct Sample {
    pub process: Process,
    pub parent: Option<u32>,
}

enum Order {
    Round(Sender<()>),
    Stop,
}

/// Looks at all processes, over and over, in a thread of its own.
pub struct Watch {
    orders: Sender<Order>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Watch {
    pub fn start() -> Watch {
        let (orders, received) = channel();
        Watch { orders, thread: std::thread::spawn(move || keep_watch(&received)) }
    }

    /// Returns when every process that lives now was looked at.
    pub fn full_round(&self) {
        let (done, wait) = channel();
        self.orders.send(Order::Round(done)).unwrap();
        wait.recv().unwrap();
    }

    /// Everything that was seen, each different thing once; with one last round.
    pub fn stop(self) -> Vec<Sample> {
        self.orders.send(Order::Stop).unwrap();
        self.thread.join().unwrap()
    }
}

fn keep_watch(orders: &Receiver<Order>) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut last: HashMap<u32, Process> = HashMap::new();
    let mut round = || {
        for process in all() {
            if last.get(&process.id) != Some(&process) {
                samples.push(Sample { parent: process.parent(), process: process.clone() });
                last.insert(process.id, process);
            }
        }
    };
    loop {
        round();
        match orders.recv_timeout(PAUSE) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Round(done)) => {
                round();
                let _ = done.send(());
            }
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                round();
                return samples;
            }
        }
    }
}
