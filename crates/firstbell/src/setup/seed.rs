//! The TOTP key, from whatever its owner has of it: letters, an `otpauth://` address, or the picture of a QR code.

use std::path::{Path, PathBuf};

use firstbell_core::secret::Secret;
use firstbell_core::totp::{Seed, SeedFault};
use url::{Url, form_urlencoded};

use super::look::Look;
use super::picture;

/// A key that was found in an answer.
#[derive(Debug)]
pub struct Found {
    /// What goes into the vault.
    pub text: Secret,
    /// The key.
    pub seed: Seed,
    /// Whether it came out of a picture.
    pub from_picture: bool,
}

/// Finds the key in an answer; `home` stands for `~` in a path.
pub fn read_seed(answer: &Secret, home: Option<&str>) -> Look<Found> {
    match picture_path(answer.expose().trim(), home) {
        Some(path) => match picture::read(&path) {
            Ok(text) => of(text, true),
            Err(why) => Look::Wrong(why),
        },
        None => of(Secret::new(answer.expose().trim().to_owned()), false),
    }
}

fn of(text: Secret, from_picture: bool) -> Look<Found> {
    if from_picture && !is_address(text.expose()) {
        return Look::Wrong("The QR code in the picture is none for an authenticator: it holds something else than an otpauth:// address.".into());
    }
    let seed = match Seed::parse(&text) {
        Ok(seed) => seed,
        Err(SeedFault::IsCode) => {
            return Look::Wrong(format!("It was not taken: {}.", SeedFault::IsCode));
        }
        Err(fault) => return Look::Wrong(format!("It was not taken: {fault}.")),
    };
    let stranger = stranger(text.expose());
    let found = Found { text, seed, from_picture };
    match stranger {
        Some(whose) => Look::Doubtful(found, format!("This key says that it is {whose}, and not Zerodha's.")),
        None => Look::Good(found),
    }
}

fn is_address(text: &str) -> bool {
    text.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("otpauth://"))
}

/// Whose an address says that it is, where it names somebody else. The name is a stranger's words: letters and digits of it only.
fn stranger(text: &str) -> Option<String> {
    let (place, query) = text.split_once('?').filter(|_| is_address(text))?;
    let url = Url::parse(place).ok()?;
    let mut parts = form_urlencoded::parse(query.as_bytes());
    let issuer = parts.find(|(name, _)| name == "issuer").map(|(_, value)| value.into_owned());
    // Without an issuer the label may begin with one: `Issuer:account` (the Key Uri Format of Google Authenticator).
    let label = url.path().trim_start_matches('/').replace("%3A", ":").replace("%3a", ":");
    let named = issuer.or_else(|| label.split_once(':').map(|(issuer, _)| issuer.to_owned()))?;
    let lower = named.to_ascii_lowercase();
    if lower.contains("zerodha") || lower.contains("kite") {
        return None;
    }
    let words: String = named.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').take(24).collect();
    Some(if words.trim().is_empty() { "somebody else's".into() } else { format!("{}'s", words.trim()) })
}

/// The path of a picture, where the answer is one. A key of base32 has no dot and no slash.
fn picture_path(text: &str, home: Option<&str>) -> Option<PathBuf> {
    if is_address(text) {
        return None;
    }
    let text = text.strip_prefix("file://").unwrap_or(text).trim_matches(['\'', '"']);
    let named = [".png", ".jpg", ".jpeg"].iter().any(|end| text.to_ascii_lowercase().ends_with(end));
    if !named && !text.contains('/') {
        return None;
    }
    Some(match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => PathBuf::from(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Look<Found> {
        read_seed(&Secret::new(text.into()), Some("/h"))
    }

    #[test]
    fn a_key_is_taken_as_it_is_pasted_and_a_code_is_not() {
        let good = [
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "otpauth://totp/Zerodha:AB1234?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Zerodha",
        ];
        for text in good {
            assert!(matches!(read(text), Look::Good(_)), "{text}");
        }
        let Look::Wrong(why) = read("123 456") else { panic!() };
        assert!(why.contains("a code that changes every 30 seconds"), "{why}");
        assert!(matches!(read("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), Look::Good(_)));
    }

    #[test]
    fn a_key_of_another_service_is_asked_about() {
        for text in [
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=GitHub%1b[2J",
            "otpauth://totp/GitHub:me?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "otpauth://totp/GitHub%3Ame?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        ] {
            let Look::Doubtful(_, why) = read(text) else { panic!("{text}") };
            assert!(why.contains("it is GitHub") && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn paths_of_pictures_are_told_from_keys() {
        let path = |text| picture_path(text, Some("/h"));
        assert_eq!(path("~/qr.png"), Some(PathBuf::from("/h/qr.png")));
        assert_eq!(path("'/tmp/a b.JPG'"), Some(PathBuf::from("/tmp/a b.JPG")));
        assert_eq!(path("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), None);
        assert!(
            matches!(read("/nonexistent/qr.png"), Look::Wrong(why) if why.contains("no picture can be read"))
        );
        // A password that was pasted here is no path, and is not shown.
        assert!(matches!(read("tr0ub4/dor.png"), Look::Wrong(why) if !why.contains("tr0ub4")));
    }
}
