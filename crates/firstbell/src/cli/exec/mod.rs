//! `firstbell exec`: runs a program with today's token, and keeps it on the day's token for as long as it runs.

mod args;
mod child;
mod mask;
mod orders;
mod supply;

use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::token::Token;
use tokio::process::Child;

pub(super) use self::args::ExecArgs;
use self::args::OnChange;
use self::child::Manner;
use self::mask::Masked;
use self::orders::Orders;
use self::supply::Supply;
use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ports::Clock;

/// What the program wrote last is passed on for so long after its end: a child of its own may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context, args: ExecArgs) -> Exit {
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let without = context.config.accounts.iter().flat_map(|a| &a.secrets);
    let without = without.flat_map(|(_, source)| source.variables());
    let manner = match Manner::of(&args, account, without.collect()) {
        Ok(manner) => manner,
        Err(e) => return Exit::internal(&format!("no file in memory for the token: {e}")),
    };
    match supervise(context, account, &args, &manner).await {
        Ok(exit) => exit,
        Err(failure) => Exit::failed(&failure),
    }
}

/// How a life of the program came to its end.
enum End {
    /// By itself, or by a signal of the owner's.
    Own(ExitStatus),
    /// For another token.
    Changed(Token),
}

async fn supervise(
    context: &Context,
    account: &Account,
    args: &ExecArgs,
    manner: &Manner<'_>,
) -> Result<Exit, Failure> {
    let clock = MachineClock::start();
    let supply = Supply::of(context, account, &clock);
    let wait = args.wait(clock.now());
    if args.on_change == OnChange::Nothing && !args.mask {
        let token = supply.first(wait).await?;
        return Ok(become_it(manner, &token));
    }
    let orders = Orders::watch()?;
    let mut token = tokio::select! {
        token = supply.first(wait) => token?,
        () = told_to_end(&orders) => return Err(Failure::Interrupted),
    };
    let masked = Masked::default();
    let life = Life { args, manner, supply: &supply, orders: &orders, masked: &masked };
    loop {
        masked.add(token.access.secret());
        let mut child = match manner.start(&token) {
            Ok(child) => child,
            Err(e) => return Ok(Exit::not_started(manner.program().0, &e)),
        };
        match life.live(&mut child, token.generation).await {
            Ok(End::Own(status)) => return Ok(Exit::of_program(child::code(status))),
            Ok(End::Changed(newer)) => token = newer,
            Err(e) => return Ok(Exit::internal(&format!("the program is not to be waited for: {e}"))),
        }
    }
}

/// Nothing of us is left between: signals, exit code and terminal are the program's own.
fn become_it(manner: &Manner<'_>, token: &Token) -> Exit {
    use std::os::unix::process::CommandExt;
    let error = match manner.command(token) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    };
    Exit::not_started(manner.program().0, &error)
}

async fn told_to_end(orders: &Orders) {
    while !orders.next().await.ends() {}
}

/// What one life of the program is lived with.
struct Life<'a> {
    args: &'a ExecArgs,
    manner: &'a Manner<'a>,
    supply: &'a Supply<'a>,
    orders: &'a Orders,
    masked: &'a Masked,
}

impl Life<'_> {
    async fn live(&self, child: &mut Child, generation: u64) -> std::io::Result<End> {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let words = futures_util::future::join(
            self.masked.pass(out, tokio::io::stdout()),
            self.masked.pass(err, tokio::io::stderr()),
        );
        let mut words = pin!(words);
        let mut spoken = false;
        let end = {
            let mut lived = pin!(self.beside(child, generation));
            loop {
                tokio::select! {
                    end = &mut lived => break end?,
                    _ = &mut words, if !spoken => spoken = true,
                }
            }
        };
        if !spoken {
            let _cut = tokio::time::timeout(LAST_WORDS, words).await;
        }
        Ok(end)
    }

    /// Until the program ends; whoever asked it to end has his way, whatever token comes.
    async fn beside(&self, child: &mut Child, mut generation: u64) -> std::io::Result<End> {
        let mut ending = false;
        loop {
            let newer = async {
                if ending || self.args.on_change == OnChange::Nothing {
                    std::future::pending::<()>().await;
                }
                self.supply.after(generation).await
            };
            let newer = tokio::select! {
                status = child.wait() => return Ok(End::Own(status?)),
                heard = self.orders.next() => {
                    if !heard.by_terminal {
                        child::signal(child, heard.signal);
                    }
                    ending |= heard.ends();
                    continue;
                }
                newer = newer => newer,
            };
            generation = newer.generation;
            match self.args.on_change {
                OnChange::Nothing => {}
                OnChange::Signal(signal) => {
                    self.masked.add(newer.access.secret());
                    if let Err(e) = self.manner.write(&newer) {
                        say::error(&format!("firstbell: the program's descriptor was not written: {e}"));
                    }
                    child::signal(child, signal);
                }
                OnChange::Restart => return self.replace(child, newer).await,
            }
        }
    }

    /// Ends the program for another token, unless the owner wants it ended for good meanwhile.
    async fn replace(&self, child: &mut Child, newer: Token) -> std::io::Result<End> {
        say::error("firstbell: there is another token; the program is started again with it");
        let grace = Duration::from_secs(self.args.grace_s.into());
        let mut ended = pin!(child::end(child, grace));
        let mut wanted = false;
        let status = loop {
            tokio::select! {
                status = &mut ended => break status?,
                // It was asked to end already; a second word makes it no faster than its grace.
                heard = self.orders.next() => wanted |= heard.ends(),
            }
        };
        Ok(if wanted { End::Own(status) } else { End::Changed(newer) })
    }
}
