//! One life of the program that `firstbell exec` runs: given a token, asked to end, ended.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use firstbell_core::token::Token;
use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::args::ExecArgs;
use crate::config::Account;
use crate::ports::Delivery;
use crate::shape::shape;

/// What stays the same from one life of the program to the next.
pub(super) struct Manner<'a> {
    args: &'a ExecArgs,
    account: &'a Account,
    /// Variables that only a login needs.
    without: Vec<&'a str>,
    /// The token as it is read through a descriptor: a file in memory that has no name, and no place on any disk.
    file: Option<OwnedFd>,
}

impl<'a> Manner<'a> {
    pub(super) fn of(
        args: &'a ExecArgs,
        account: &'a Account,
        without: Vec<&'a str>,
    ) -> std::io::Result<Manner<'a>> {
        let file = args.fd.map(|_| memfd_create("firstbell-token", MemfdFlags::CLOEXEC)).transpose()?;
        Ok(Manner { args, account, without, file })
    }

    /// The program itself, to become it.
    pub(super) fn becoming(&self, token: &Token) -> std::io::Result<std::process::Command> {
        let (program, arguments) = self.program();
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        self.given(command, token)
    }

    /// The program below us: it begins as ourselves, to say that it ends when we do.
    fn below(&self, token: &Token) -> std::io::Result<std::process::Command> {
        let mut command = std::process::Command::new("/proc/self/exe");
        command.args(["begin", &std::process::id().to_string(), "--"]).args(&self.args.command);
        self.given(command, token)
    }

    /// With this token.
    fn given(
        &self,
        mut command: std::process::Command,
        token: &Token,
    ) -> std::io::Result<std::process::Command> {
        // The program needs the token; what the login needs is not its business.
        for variable in &self.without {
            command.env_remove(variable);
        }
        command.env(&self.args.key_as, &token.api_key);
        match (self.args.fd, &self.file) {
            (Some(number), Some(file)) => {
                self.write(token)?;
                command.env_remove(&self.args.token_as).env("FIRSTBELL_FD", number.to_string());
                let mapping = FdMapping { parent_fd: file.try_clone()?, child_fd: number };
                command.fd_mappings(vec![mapping]).map_err(std::io::Error::other)?;
            }
            _ => {
                command.env(&self.args.token_as, token.access.secret().expose());
            }
        }
        Ok(command)
    }

    /// Starts it.
    pub(super) fn start(&self, token: &Token) -> std::io::Result<Child> {
        let mut command = Command::from(self.below(token)?);
        command.kill_on_drop(true);
        if self.args.mask {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        command.spawn()
    }

    /// Puts this token into the descriptor, for whoever reads it from now on.
    pub(super) fn write(&self, token: &Token) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (api_key, user_id) = (&token.api_key, &self.account.app.user_id);
        let delivery = Delivery { account: &self.account.name, api_key, user_id, token };
        let text = shape(self.args.format, &delivery);
        let text = text.expose().as_bytes();
        // Never empty, whoever reads meanwhile: all tokens are of one length, and what is longer goes last.
        let file = std::fs::File::from(file.try_clone()?);
        file.write_all_at(text, 0)?;
        file.set_len(u64::try_from(text.len()).expect("a token is short"))?;
        // The place in it is the program's as well: it reads from the beginning again.
        seek(&file, SeekFrom::Start(0))?;
        Ok(())
    }

    pub(super) fn program(&self) -> (&'a Path, &'a [OsString]) {
        let (program, arguments) = self.args.command.split_first().expect("clap wants a program");
        (Path::new(program), arguments)
    }
}

/// Passes a signal on to the program. One that has ended hears nothing.
pub(super) fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It is our own child and not waited for yet: its number is nobody else's.
        let _ = kill_process(pid, signal);
    }
}

/// Until the program has ended: it is asked to, and when the grace is over it is made to.
pub(super) async fn end(child: &mut Child, grace: Duration) -> std::io::Result<ExitStatus> {
    signal(child, Signal::TERM);
    match tokio::time::timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}

/// As a shell counts it: a signal is 128 and its number.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(255);
    u8::try_from(code).unwrap_or(255)
}
