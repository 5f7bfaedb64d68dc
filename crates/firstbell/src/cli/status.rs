//! `firstbell status`: what is stored, what was spent, and what to do next.

use std::sync::Arc;

use firstbell_core::budget::TRIES;
use firstbell_core::failure::Failure;
use serde_json::{Value, json};

use super::AccountArg;
use super::context::{self, Context};
use super::exit::Exit;
use super::journal::{Lines, LogForm};
use super::say;
use crate::config::Account;
use crate::halt::Halt;
use crate::ports::Clock;
use crate::serve;
use crate::standing::{self, Standing};

pub(super) async fn run(context: &Context, args: AccountArg, as_json: bool) -> Exit {
    let accounts: Vec<&Account> = match args.account.as_deref() {
        None => context.config.accounts.iter().collect(),
        Some(name) => match context.account(Some(name)) {
            Ok(account) => vec![account],
            Err(exit) => return exit,
        },
    };
    let (found, kept) = match look(context, &accounts).await {
        Ok(found) => found,
        Err(failure) => return Exit::failed(&failure),
    };
    if !as_json {
        found.iter().for_each(|status| say::out(&lines(status)));
        if !kept {
            say::error("no firstbell run keeps these accounts: what is next happens only when you do it");
        }
    }
    Exit::done(json!({ "accounts": found, "kept": kept }))
}

/// The daemon knows best; without one the store is asked.
async fn look(context: &Context, accounts: &[&Account]) -> Result<(Vec<Value>, bool), Failure> {
    if let Some((200, body)) = serve::ask(&context.config.state_dir, "GET", "/v1/accounts").await? {
        let all = body["accounts"].as_array().cloned().unwrap_or_default();
        let wanted = |status: &Value| accounts.iter().any(|account| status["account"] == account.name);
        return Ok((all.into_iter().filter(wanted).collect(), true));
    }
    let (tools, halt) = (context.tools(context.stores()?), Halt::new());
    let quiet = Lines { form: LogForm::Text, account: None, tally: Arc::default() };
    let one = |account: &&Account| {
        let hands = tools.hands(account, &quiet, &halt);
        let standing = Standing::of(&hands, &standing::marks(&hands))?;
        let schedule = context::schedule_of(&context.config, account, &tools.kite);
        let view = standing.view(&schedule, &context.config.calendar, None);
        Ok(standing::words(&hands, &standing, &view, tools.clock.now()))
    };
    Ok((accounts.iter().map(one).collect::<Result<_, Failure>>()?, false))
}

fn lines(status: &Value) -> String {
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    [vec![format!("{} ({})", text("account"), text("user_id"))], rows(status)].concat().join("\n")
}

/// The same without the line that names the account.
pub(super) fn rows(status: &Value) -> Vec<String> {
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    match status["generation"].as_u64() {
        None => lines.push("  token      none yet".into()),
        Some(generation) => lines.push(format!(
            "  token      {}, generation {generation}, issued {}, trusted until {}",
            text("token"),
            text("issued"),
            text("trusted_until")
        )),
    }
    if status["pending"] == true {
        lines.push("  pending    a token that could not be proven yet; the next login asks again".into());
    }
    if let Some(left) = status["tries_left"].as_object() {
        lines.push(format!(
            "  tries left password {} of {TRIES}, code {} of {TRIES}",
            left["password"], left["code"]
        ));
    }
    if let Some(failed) = status["last_failure"].as_object() {
        let text = |key: &str| failed[key].as_str().unwrap_or_default();
        lines.push(format!("  last       {} at {}", text("failure"), text("at")));
    }
    if status["paused"] == true {
        lines.push("  paused     firstbell resume ends that".into());
    }
    if status["served"] != "yes" {
        lines.push(format!("  served     no: {}", text("served")));
    }
    let lacks: Vec<&str> =
        status["lacks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !lacks.is_empty() {
        lines.push(format!("  missing    {}, when it was last looked at", lacks.join(", ")));
    }
    if let Some(needs) = status["needs_you"].as_str() {
        lines.push(format!("  needs you  {needs}"));
    }
    let next = |key: &str| status["next"][key].as_str().unwrap_or_default();
    let what = match next("step") {
        "look again" => format!("nothing before {}", next("at")),
        step => format!("{step} at {}", next("at")),
    };
    lines.push(format!("  next       {what}, because {}", next("because")));
    lines
}
