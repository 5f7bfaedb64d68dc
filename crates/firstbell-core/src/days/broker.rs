//! The broker of a simulated life: it counts wrong passwords and codes, blocks at five, ends tokens each morning, and
//! lets a newer login replace an older token. It knows nothing of our rules.

/// What the broker answers to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    Refused { left: u8 },
    Blocked,
}

/// After so many wrong passwords, and separately codes, an account is blocked.
const STRIKES: u8 = 5;

#[derive(Clone, Debug, Default)]
pub(super) struct Broker {
    /// The password that is the right one.
    pub(super) password: u32,
    pub(super) wrong_passwords: u8,
    pub(super) wrong_codes: u8,
    pub(super) blocked: bool,
    used_step: u64,
    /// The token that lives, if one does.
    pub(super) living: Option<u64>,
    minted: u64,
}

impl Broker {
    pub(super) fn password(&mut self, given: u32) -> Answer {
        if self.blocked {
            return Answer::Blocked;
        }
        if given == self.password {
            return Answer::Taken;
        }
        self.wrong_passwords += 1;
        self.blocked = self.wrong_passwords >= STRIKES;
        Answer::Refused { left: STRIKES - self.wrong_passwords }
    }

    pub(super) fn code(&mut self, step: u64, right: bool) -> Answer {
        if self.blocked {
            return Answer::Blocked;
        }
        if right && step > self.used_step {
            self.used_step = step;
            (self.wrong_passwords, self.wrong_codes) = (0, 0);
            return Answer::Taken;
        }
        self.wrong_codes += 1;
        self.blocked = self.wrong_codes >= STRIKES;
        Answer::Refused { left: STRIKES - self.wrong_codes }
    }

    /// A new token, and the end of the one before.
    pub(super) fn mint(&mut self) -> u64 {
        self.minted += 1;
        self.living = Some(self.minted);
        self.minted
    }

    pub(super) fn takes(&self, token: u64) -> bool {
        self.living == Some(token)
    }

    /// The owner resets the password by hand, as a blocked account demands.
    pub(super) fn reset(&mut self, password: u32) {
        let minted = self.minted;
        *self =
            Broker { password, minted, used_step: self.used_step, living: self.living, ..Broker::default() };
    }
}
