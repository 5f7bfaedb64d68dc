//! The end of a first run: the login that proves it, and what there is to do from then on.

use firstbell_core::schedule::Assisted;

use super::Setup;
use crate::cli::exit::DONE;
use crate::cli::exit::Exit;
use crate::cli::login;
use crate::cli::{AccountArg, LoginArgs, say};
use crate::config;

/// How long an assisted login is waited for, in seconds: as `firstbell login --assisted` does.
const WAIT_S: u16 = 600;

/// One login, by the same code as every morning's.
pub(super) async fn login(setup: &Setup<'_>) -> Exit {
    let context = match setup.context() {
        Ok(context) => context,
        Err(failure) => return Exit::failed(&failure),
    };
    let assisted = match setup.account(&context) {
        Ok(account) => account.assisted == Assisted::Only,
        Err(failure) => return Exit::failed(&failure),
    };
    if assisted {
        say::error(
            "If your browser ends at an address that does not load, paste that address here. If it is told to belong elsewhere, \
             redirect_url is wrong: leave with Ctrl-C, run firstbell setup, and change the redirect url.",
        );
    }
    proven(context, setup.draft.account(), assisted).await
}

/// Whether the account's logins are a person's.
pub(super) fn is_assisted(setup: &Setup<'_>) -> bool {
    let Ok(context) = setup.context() else { return false };
    setup.account(&context).is_ok_and(|account| account.assisted == Assisted::Only)
}

/// Logs this account in; says how to go on where that fails.
pub(super) async fn proven(context: crate::cli::context::Context, account: &str, assisted: bool) -> Exit {
    let account = AccountArg { account: Some(account.to_owned()) };
    let args = LoginArgs { account, driver: None, headful: false, assisted, open: false, wait_s: WAIT_S };
    let exit = login::run(context, args).await;
    if exit.code() != DONE {
        if let Some(what) = exit.failure().and_then(mends) {
            say::error(&format!("  In setup: {what}"));
        }
        say::error("What you answered is kept: run firstbell setup again to change an answer and go on.");
    }
    exit
}

/// Which answer a failure speaks of.
fn mends(failure: &str) -> Option<&'static str> {
    Some(match failure {
        "wrong-return" => {
            "the redirect url is not what is registered. Compare the two to the letter: http or https, localhost or 127.0.0.1, the \
             number behind the colon, and whether it ends with a slash."
        }
        "unknown-key" => "the api key is not what stands at developers.kite.trade.",
        "secret-refused" => "the api secret does not belong to the api key.",
        "password-rejected" => {
            "change the password only when you know that it is another one: it is not sent again as it is."
        }
        "code-rejected" => "the totp key or this machine's clock is wrong.",
        "not-enabled" => "the client id is not the one that stands on the app's page.",
        "foreign-token" => "the client id is not whose login it was.",
        _ => return None,
    })
}

/// What there is from now on.
pub(super) fn farewell(setup: &Setup<'_>) {
    let path = setup.draft.path();
    let usual = config::place(None, &setup.env);
    let named = if std::fs::canonicalize(usual).is_ok_and(|usual| usual == *path) {
        String::new()
    } else {
        format!(", each with --config {}", path.display())
    };
    say::error(&format!(
        "\nSet up. From now on{named}:\n  firstbell run      logs in before each trading morning\n  \
         firstbell status   says what is next, and what to do\n  firstbell token    prints today's token\n  \
         firstbell exec     runs a program with it\nThe configuration is {}.\nOrders need your registered static IP \
         address; logging in does not.",
        path.display()
    ));
}
