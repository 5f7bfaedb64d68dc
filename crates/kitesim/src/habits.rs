//! How the website varies: the generation of its login page, and what may stand between a user and the end of a login.

/// The website's part of the settings.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// Which login page is served.
    pub(crate) page: Page,
    /// What a page of generation B asks for.
    pub(crate) pin: String,
    /// What a page of generation A asks for.
    pub(crate) answers: [String; 2],
    /// Whether the user must allow the app at the first login.
    pub(crate) consent: bool,
    /// Whether somebody who is logged in is asked to go on as the same user, unless `skip_session` is there.
    pub(crate) continue_as: bool,
    /// Whether the password has expired.
    pub(crate) forced_reset: bool,
    /// Whether a password needs a captcha beside it.
    pub(crate) captcha: bool,
    /// Whether the dashboard tells that the kill switch is on.
    pub(crate) kill_switch: bool,
    /// Whether the dashboard begins with the risk disclosure.
    pub(crate) risk_modal: bool,
    /// How many passwords may come within a minute before the next ones are turned away; 0 means any number.
    pub(crate) login_burst: u64,
}

/// A generation of the login page, by what it asks for in its second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Two security questions; until 2018.
    A,
    /// A PIN of six digits; until October 2021.
    B,
    /// A code in a field of its own, sent by hand; 2021 and 2022.
    C,
    /// A code that is sent at its sixth digit, in a field named like the user's; 2023 to now.
    D,
}

/// Every generation with its name.
pub(crate) const PAGES: [(&str, Page); 4] = [("A", Page::A), ("B", Page::B), ("C", Page::C), ("D", Page::D)];

/// What a page of generation A asks; the answers are settings.
pub(crate) const QUESTIONS: [&str; 2] =
    ["What colour is the simulated kite?", "In which city does the simulation live?"];

impl Page {
    /// Its name on the command line and in scenarios.
    pub(crate) fn name(self) -> &'static str {
        PAGES.iter().find(|(_, page)| *page == self).map_or("", |(name, _)| name)
    }
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            page: Page::D,
            pin: "271828".to_owned(),
            answers: ["orange".to_owned(), "bengaluru".to_owned()],
            // Public scripts advise one login by hand for each app, so that they never meet the consent page.
            consent: false,
            // Scripts work with and without skip_session, so this page must be rare.
            continue_as: false,
            forced_reset: false,
            // No public script meets a captcha in the normal login.
            captcha: false,
            kill_switch: false,
            risk_modal: false,
            login_burst: 0,
        }
    }
}
