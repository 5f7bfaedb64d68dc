//! Whether a TOTP key is the one in the owner's phone: the code that it shows now is this step's, a near one's, or none's.

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use jiff::{SignedDuration, Timestamp};

/// A step is 30 s. Further off, a clock is not wrong but set to another zone or year.
const STEP: SignedDuration = SignedDuration::from_secs(30);
const STEPS: i32 = 20;

/// What a code says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is this step's, or the one's before or after: somebody typed it.
    Right,
    /// The key is right, and phone and machine differ by about so many minutes; more than none where the phone is ahead.
    Off(i32),
    /// It belongs to another key, or to a clock that is far off.
    Other,
    /// It is not six digits.
    NoCode,
}

/// Compares the code that a phone shows at this moment.
pub fn prove(seed: &Seed, shown: &Secret, now: Timestamp) -> Proof {
    let shown: String = shown.expose().chars().filter(|c| !c.is_whitespace()).collect();
    let shown = Secret::new(shown);
    if !(6..=8).contains(&shown.expose().len()) || !shown.expose().bytes().all(|b| b.is_ascii_digit()) {
        return Proof::NoCode;
    }
    let fits = |step: i32| seed.code(now + STEP * step).digits.expose() == shown.expose();
    let near = (0..=STEPS).flat_map(|far| [far, -far]).find(|step| fits(*step));
    match near {
        Some(-1..=1) => Proof::Right,
        // Half a minute is rounded away from nothing: a difference of two steps is a minute.
        Some(step) => Proof::Off((step + step.signum()) / 2),
        None => Proof::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_this_step_s_a_near_one_s_or_none_s() {
        let seed = Seed::parse(&Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into())).unwrap();
        let now = Timestamp::from_second(1_111_111_111).unwrap();
        let after = |s: i64| {
            let code = seed.code(now + SignedDuration::from_secs(s));
            prove(&seed, &code.digits, now)
        };
        assert_eq!([after(0), after(-30), after(30)], [Proof::Right; 3]);
        assert_eq!((after(300), after(-300), after(60)), (Proof::Off(5), Proof::Off(-5), Proof::Off(1)));
        assert_eq!(after(3600), Proof::Other);
        let of = |text: &str| prove(&seed, &Secret::new(text.into()), now);
        assert_eq!((of("12345"), of("abcdef"), of("")), (Proof::NoCode, Proof::NoCode, Proof::NoCode));
        assert_eq!(of("050 471"), Proof::Right, "as phones show it");
    }
}
