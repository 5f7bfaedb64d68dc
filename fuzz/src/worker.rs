//! A worker that says whatever an input says, at the other end of a keeper's socket.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::folder;

/// What a keeper is told before anything else: the engine stands.
const STANDS: &str = r#"{"number":1,"report":{"done":{"open_port":null,"fence":"whole"}}}"#;

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
