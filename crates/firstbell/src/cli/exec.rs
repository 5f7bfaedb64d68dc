//! `firstbell exec`: becomes another program, with today's token in its environment.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::ExecArgs;
use super::context::Context;
use super::exit::Exit;
use super::token::believed;
use crate::secrets::Source;

pub(super) async fn run(context: &Context, args: ExecArgs) -> Exit {
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let token = match believed(context, account).await {
        Ok(token) => token,
        Err(failure) => return Exit::failed(&failure),
    };
    let Some((program, arguments)) = args.command.split_first() else {
        return Exit::usage("there is no program behind --");
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("KITE_API_KEY", &account.app.api_key)
        .env("KITE_ACCESS_TOKEN", token.access.secret().expose());
    // The program needs the token; what the login needs is not its business.
    for source in context.config.accounts.iter().flat_map(|a| &a.secrets) {
        if let (_, Source::Env(variable)) = source {
            command.env_remove(variable);
        }
    }
    // Signals, exit code and terminal are the program's own from here: nothing of us is left between.
    let error = command.exec();
    Exit::not_started(Path::new(program), &error)
}
