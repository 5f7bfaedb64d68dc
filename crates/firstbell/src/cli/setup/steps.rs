//! The questions of a first run, in their order: what is there already is said, what is missing is asked.

use firstbell_core::failure::Failure;
use firstbell_core::schedule::Assisted;
use firstbell_core::secret::Secret;

use super::ask::Question;
use super::{Mode, Setup, words};
use crate::cli::context::Context;
use crate::cli::say;
use crate::codes::CodeConfig;
use crate::ports::Clock;
use crate::secrets::Name;
use crate::setup::{Checked, Key, Known, Look, api_key, check, redirect, user_id};

/// A question, or a few that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    UserId,
    Who,
    Redirect,
    ApiKey,
    KeyPlace,
    ApiSecret,
    Password,
    Seed,
}

/// What a first run comes to when all is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The login that proves it.
    Login,
    /// A token is there already.
    Proven,
}

/// How a step stands.
pub(super) enum Standing {
    /// It is there: what is said of it.
    There(String),
    /// Nobody needs it.
    Unneeded,
    /// It is to be asked for.
    Missing,
}

impl Step {
    pub(super) const ALL: [Step; 8] = [
        Step::UserId,
        Step::Who,
        Step::Redirect,
        Step::ApiKey,
        Step::KeyPlace,
        Step::ApiSecret,
        Step::Password,
        Step::Seed,
    ];

    /// What it is called, also by whoever wants to change it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::UserId => "client id",
            Step::Who => "who logs in",
            Step::Redirect => "redirect url",
            Step::ApiKey => "api key",
            Step::KeyPlace => "key",
            Step::ApiSecret => "api secret",
            Step::Password => "password",
            Step::Seed => "totp key",
        }
    }
}

/// A clock that is off by more makes codes that are refused, and a login stops because of it.
const OFF_MAX_S: i64 = 10;

impl Setup<'_> {
    /// All of them, until nothing is missing and the owner wants the login.
    pub(super) async fn questions(&mut self) -> Result<Next, Failure> {
        say::error(words::BEGINNING);
        if self.draft.is_rehearsal() {
            say::error("This is a rehearsal against a kitesim on this machine: nothing goes to Zerodha.\n");
        }
        for step in Step::ALL {
            self.look_at(step).await?;
        }
        self.channels().await?;
        let proven = self.has_token().await?;
        let changed = self.review(proven).await?;
        Ok(if proven && !changed { Next::Proven } else { Next::Login })
    }

    async fn look_at(&mut self, step: Step) -> Result<(), Failure> {
        match self.standing(step)? {
            Standing::Unneeded => Ok(()),
            Standing::Missing => self.ask(step).await,
            Standing::There(what) => {
                say::error(&format!("  ✓ {:<13} {what}", step.name()));
                // Nothing is spent by it, and a console may have changed since.
                if step == Step::ApiKey { self.told_of_key().await.map(drop) } else { Ok(()) }
            }
        }
    }

    fn standing(&self, step: Step) -> Result<Standing, Failure> {
        let context = self.context()?;
        let key = match step {
            Step::UserId => Key::UserId,
            Step::Who => Key::Assisted,
            Step::Redirect => Key::RedirectUrl,
            Step::ApiKey => Key::ApiKey,
            Step::KeyPlace => return self.key_standing(&context),
            Step::ApiSecret => return self.secret_standing(&context, Name::ApiSecret),
            Step::Password => return self.secret_standing(&context, Name::Password),
            Step::Seed => return self.secret_standing(&context, Name::TotpSeed),
        };
        if !self.draft.has(key) {
            return Ok(Standing::Missing);
        }
        let account = self.account(&context)?;
        Ok(Standing::There(match step {
            Step::UserId => account.app.user_id.clone(),
            Step::Who if account.assisted == Assisted::Only => "you, by one tap (assisted)".into(),
            Step::Who => "firstbell (automatic)".into(),
            Step::Redirect => account.app.redirect.to_string(),
            _ => account.app.api_key.clone(),
        }))
    }

    fn secret_standing(&self, context: &Context, name: Name) -> Result<Standing, Failure> {
        let account = self.account(context)?;
        let unneeded = match name {
            Name::ApiSecret => false,
            Name::Password => account.assisted == Assisted::Only,
            Name::TotpSeed => {
                account.assisted == Assisted::Only || !matches!(account.codes, CodeConfig::Seed)
            }
        };
        if unneeded {
            return Ok(Standing::Unneeded);
        }
        self.where_secret_is(context, name)
    }

    /// Asks for what a step needs, and keeps it.
    pub(super) async fn ask(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::UserId => {
                let question =
                    Question { prompt: "Your Kite client id: ", help: words::USER_ID, unseen: false };
                self.keep_answer(Key::UserId, &question, user_id).await
            }
            Step::Who => {
                say::error(words::WHO);
                let question = Question { prompt: "1 or 2: ", help: words::WHO_HELP, unseen: false };
                self.keep_answer(Key::Assisted, &question, who).await
            }
            Step::Redirect => {
                say::error(words::APP);
                let question =
                    Question { prompt: "The app's redirect URL: ", help: words::REDIRECT, unseen: false };
                self.keep_answer(Key::RedirectUrl, &question, redirect).await
            }
            Step::ApiKey => self.ask_api_key().await,
            Step::KeyPlace => self.ask_key_place().await,
            Step::ApiSecret => self.ask_api_secret().await,
            Step::Password => self.ask_password().await,
            Step::Seed => self.ask_seed().await,
        }
    }

    async fn keep_answer(
        &mut self,
        key: Key,
        question: &Question<'_>,
        look: impl Fn(&Secret) -> Look<String>,
    ) -> Result<(), Failure> {
        loop {
            let text = self.asks.ask(question, &look).await?;
            if self.set(key, &text) {
                return Ok(());
            }
        }
    }

    async fn ask_api_key(&mut self) -> Result<(), Failure> {
        let prompt = "The app's API key (not shown): ";
        let question = Question { prompt, help: words::API_KEY, unseen: true };
        loop {
            self.keep_answer(Key::ApiKey, &question, api_key).await?;
            if self.told_of_key().await? != Known::No
                || self.asks.yes("  Keep it all the same?", false).await?
            {
                return Ok(());
            }
            // What is refused does not stay behind for the next run.
            self.draft.take_back(Key::ApiKey, &self.env).map_err(|faults| super::broken(&faults))?;
        }
    }

    /// Opens the login page with the key that is there, and says what it told.
    async fn told_of_key(&self) -> Result<Known, Failure> {
        let context = self.context()?;
        let app = &self.account(&context)?.app;
        let Checked { known, ahead_s } = check(&context.kite(), app, &self.http, || self.clock.now()).await;
        match &known {
            Known::Yes => say::error("  ✓ Kite begins a login with this API key; nothing was spent."),
            Known::No => say::error(
                "  ✗ Kite does not know this API key. Copy it anew from the app's page at developers.kite.trade, and see that it \
                 is not the API secret.",
            ),
            Known::Unclear(why) => say::error(&format!(
                "  ! Kite's login page said neither yes nor no to this API key ({why}). The login at the end will tell."
            )),
            Known::Unreachable(why) => say::error(&format!(
                "  ! Kite cannot be reached from here now ({why}), so the API key is not tried. The login at the end will tell."
            )),
        }
        if let Some(ahead_s) = ahead_s.filter(|s| s.abs() > OFF_MAX_S) {
            say::error(&format!("  ✗ {}", wrong_clock(ahead_s)));
        }
        Ok(known)
    }

    /// What is there, once more, and the moment to change it.
    async fn review(&mut self, proven: bool) -> Result<bool, Failure> {
        let mut changed = false;
        loop {
            self.before_login(proven && !changed)?;
            let names = Step::ALL.iter().filter(|step| **step != Step::KeyPlace);
            let names: Vec<_> = names.map(|step| step.name()).collect();
            let end = if proven && !changed { "end" } else { "log in" };
            let prompt = format!("Enter to {end}, or the name of what you want to change: ");
            let answer = self.asks.read(&prompt, false).await?;
            if answer.is_blank() {
                return Ok(changed);
            }
            match Step::ALL.into_iter().find(|step| crate::setup::names(&answer, step.name())) {
                Some(step) if step != Step::KeyPlace => {
                    self.ask(step).await?;
                    changed = true;
                    // Another way to log in may need what was not asked for.
                    for step in [Step::ApiSecret, Step::Password, Step::Seed] {
                        if matches!(self.standing(step)?, Standing::Missing) {
                            self.ask(step).await?;
                        }
                    }
                }
                _ => say::error(&format!("  There are: {}.", names.join(", "))),
            }
        }
    }
}

fn who(answer: &Secret) -> Look<String> {
    match crate::setup::number(answer) {
        Some(1) => Look::Good(Mode::Assisted.written().into()),
        Some(2) => Look::Good(Mode::Automatic.written().into()),
        _ => Look::Wrong("Type 1 or 2.".into()),
    }
}

/// What a machine's clock that differs from Kite's needs.
pub(super) fn wrong_clock(ahead_s: i64) -> String {
    let side = if ahead_s > 0 { "behind" } else { "ahead of" };
    let far = match ahead_s.abs() {
        s if s < 90 => format!("{s} seconds"),
        s => format!("{} minutes", (s + 30) / 60),
    };
    format!(
        "This machine's clock is {far} {side} Kite's: codes made by it are refused, and firstbell does not log in by it. Set it \
         with: timedatectl set-ntp true"
    )
}
