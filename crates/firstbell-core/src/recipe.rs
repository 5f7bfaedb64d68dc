//! Secrets where people kept them before: what in an environment file, a script or a list is which secret, by its name and shape.

use crate::secret::Secret;
use crate::totp::Seed;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The password of the broker's account.
    Password,
    /// The key of the external TOTP.
    TotpSeed,
    /// The secret that belongs to the API key.
    ApiSecret,
    /// The app's key.
    ApiKey,
    /// The client id.
    UserId,
}

/// One value that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The line on which it stands, counted from 1.
    pub line: usize,
    /// What it is called there, if it is called anything.
    pub name: Option<String>,
    /// What it is.
    pub part: Part,
    /// The value.
    pub value: Secret,
}

/// Longer, and a name is something else than a name.
const NAME_MAX: usize = 40;

/// Finds secrets in a text: `KEY=VALUE` with or without `export`, assignments and named arguments of scripts, JSON, YAML and INI.
/// A text without any of these is taken for a list with one value on each line. What stands in it twice is found once.
pub fn read(text: &Secret) -> Vec<Found> {
    let lines = || text.expose().lines().enumerate().filter(|(_, line)| !is_comment(line));
    let mut found: Vec<Found> = Vec::new();
    for (at, line) in lines() {
        for (name, value) in named(line) {
            if let Some(part) = part(&name, &value) {
                found.push(Found { line: at + 1, name: Some(name), part, value });
            }
        }
    }
    if found.is_empty() {
        found = list(lines());
    }
    let mut once: Vec<Found> = Vec::new();
    for one in found {
        let same = |other: &Found| other.part == one.part && other.value.expose() == one.value.expose();
        if !one.value.is_blank() && !once.iter().any(same) {
            once.push(one);
        }
    }
    once
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || ["#", ";", "//", "--"].iter().any(|mark| line.starts_with(mark))
}

/// Name and value of whatever a line gives a name to.
fn named(line: &str) -> Vec<(String, Secret)> {
    let strings = strings(line);
    let starts: Vec<usize> = strings.iter().map(|(start, _)| *start).collect();
    if let Some(names) = several(line, &starts) {
        return names.into_iter().zip(strings).map(|(name, (_, value))| (name, value)).collect();
    }
    let of_string = |(start, value): (usize, Secret)| Some((name_before(&line[..start])?, value));
    let found: Vec<_> = strings.into_iter().filter_map(of_string).collect();
    if found.is_empty() { bare(line).into_iter().collect() } else { found }
}

/// The names of `a, b = "x", "y"`.
fn several(line: &str, starts: &[usize]) -> Option<Vec<String>> {
    let (left, _) = line[..*starts.first()?].split_once('=')?;
    let names: Vec<String> = left.split(',').filter_map(last_name).collect();
    (names.len() > 1 && names.len() == starts.len()).then_some(names)
}

/// Where each string in quotes begins, and what is in it.
fn strings(line: &str) -> Vec<(usize, Secret)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = line[from..].find(['"', '\'']).map(|at| from + at) {
        let quote = line[start..].chars().next().expect("one was found");
        let Some((value, len)) = string(&line[start + 1..], quote) else { break };
        found.push((start, value));
        from = start + 1 + len;
    }
    found
}

/// What is in quotes up to the closing one, and how long that is with it.
fn string(text: &str, quote: char) -> Option<(Secret, usize)> {
    // As long as it can get: it never grows, and so leaves no copy behind.
    let mut value = String::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((Secret::new(value), at + quote.len_utf8()));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        match chars.next()?.1 {
            same @ ('\\' | '"' | '\'') => value.push(same),
            '/' if quote == '"' => value.push('/'),
            'u' if quote == '"' => {
                let digits: Option<u32> =
                    (0..4).try_fold(0, |number, _| Some(number * 16 + chars.next()?.1.to_digit(16)?));
                value.push(digits.and_then(char::from_u32)?);
            }
            other => value.extend(['\\', other]),
        }
    }
    drop(Secret::new(value));
    None
}

/// The name that a string is given by what stands before it.
fn name_before(before: &str) -> Option<String> {
    // Python's prefixes of strings.
    let bytes = before.as_bytes();
    let prefixed =
        matches!(bytes, [.., b, b'r' | b'b' | b'u' | b'f'] if !b.is_ascii_alphanumeric() && *b != b'_');
    let before = if prefixed { &before[..before.len() - 1] } else { before };
    if before.trim_end().ends_with("TOTP(") {
        return Some("TOTP".into());
    }
    let before = before.trim_end();
    match before.strip_suffix(':') {
        Some(left) => last_name(left),
        None => {
            let left = before.strip_suffix('=')?;
            if left.ends_with(['=', '!', '<', '>', '+']) {
                return None;
            }
            let left = left.trim_end().trim_end_matches(':');
            // With the type between: password: str = "…"
            let typed = left.rsplit_once(':').filter(|(_, kind)| kind.trim().chars().all(is_in_name));
            last_name(typed.map_or(left, |(name, _)| name))
        }
    }
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// The last name in a text such as `self.password`, `"password"` or `os.environ["PASSWORD"]`.
fn last_name(text: &str) -> Option<String> {
    let text = text.trim_end().trim_end_matches(['"', '\'', ']']);
    let start = text
        .rfind(|c| !is_in_name(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let name = &text[start..];
    (!name.is_empty() && name.len() <= NAME_MAX).then(|| name.to_owned())
}

/// A value without quotes, to the end of its line.
fn bare(line: &str) -> Option<(String, Secret)> {
    let line = line.trim();
    let line = ["export ", "set ", "- "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    let at = line.find(['=', ':'])?;
    let (name, value) = (line[..at].trim(), line[at + 1..].trim());
    let is_name = !name.is_empty() && name.chars().all(|c| is_in_name(c) || c == '.');
    let value = value.split_once(" #").map_or(value, |(value, _)| value.trim_end());
    (is_name && !is_expression(value)).then(|| Some((last_name(name)?, Secret::new(value.to_owned()))))?
}

/// What a program works out, and does not hold: `os.environ["X"]`, `getpass()`, `$X`.
fn is_expression(value: &str) -> bool {
    let called = value.ends_with([')', ']']) && value.starts_with(|c: char| c.is_ascii_alphabetic());
    let names = value.split(['(', '[']).next().unwrap_or_default();
    let is_call = called && names.len() < value.len() && names.chars().all(|c| is_in_name(c) || c == '.');
    is_call || value.starts_with(['"', '\'', '$', '{', '[', '`']) || value.contains("environ")
}

/// What a value of this name is.
fn part(name: &str, value: &Secret) -> Option<Part> {
    let name: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    let otp =
        ["otpsecret", "otpkey", "2fa", "2fakey", "2fasecret", "twofa", "twofakey", "mfakey", "mfasecret"];
    if name.contains("totp") || ends(&otp) {
        Some(Part::TotpSeed)
    } else if ends(&["apisecret", "appsecret", "consumersecret", "secretkey", "apisecretkey"]) {
        Some(Part::ApiSecret)
    } else if ends(&["secret"]) {
        shape(value).filter(|part| [Part::TotpSeed, Part::ApiSecret].contains(part))
    } else if ends(&["apikey", "appkey", "consumerkey"]) {
        Some(Part::ApiKey)
    } else if ends(&["password", "passwd", "pwd", "pass", "passwort"]) {
        Some(Part::Password)
    } else if ends(&["userid", "username", "clientid", "clientcode", "loginid", "kiteid", "zerodhaid"])
        || name == "user"
    {
        Some(Part::UserId)
    } else {
        None
    }
}

/// What a value is by its form alone. Keys and secrets of apps are small letters and digits, 16 and 32 of them; client ids are two
/// or three letters and some digits.
fn shape(value: &Secret) -> Option<Part> {
    let text = value.expose();
    let small = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let letters = text.chars().take_while(char::is_ascii_uppercase).count();
    let digits = text[letters..].chars().all(|c| c.is_ascii_digit());
    match text.len() {
        16 if small => Some(Part::ApiKey),
        32 if small => Some(Part::ApiSecret),
        5..=7 if (2..=3).contains(&letters) && digits => Some(Part::UserId),
        _ => (text == text.to_uppercase() && Seed::parse(value).is_ok()).then_some(Part::TotpSeed),
    }
}

/// One value on each line, each known by its form; the one that has none is the password.
fn list<'t>(lines: impl Iterator<Item = (usize, &'t str)>) -> Vec<Found> {
    let lines: Vec<_> = lines.map(|(at, line)| (at + 1, Secret::new(line.trim().to_owned()))).collect();
    let known: Vec<_> = lines.iter().map(|(_, value)| shape(value)).collect();
    let unknown = known.iter().filter(|part| part.is_none()).count();
    let is_list = lines.len() >= 2 && lines.len() <= 8 && unknown <= 1 && known.len() > unknown;
    if !is_list {
        return Vec::new();
    }
    let found = lines.into_iter().zip(known);
    let found = found.map(|((line, value), part)| Found {
        line,
        name: None,
        part: part.unwrap_or(Part::Password),
        value,
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    const API_SECRET: &str = "abcdefgh01234567abcdefgh01234567";

    fn all(text: &str) -> Vec<(Part, String, usize)> {
        let found = read(&Secret::new(text.into()));
        found.iter().map(|one| (one.part, one.value.expose().to_owned(), one.line)).collect()
    }

    fn one(text: &str) -> Option<(Part, String)> {
        let mut found = all(text);
        assert!(found.len() <= 1, "{found:?}");
        found.pop().map(|(part, value, _)| (part, value))
    }

    #[test]
    fn a_value_is_known_by_its_name_in_every_usual_notation() {
        for text in [
            "KITE_PASSWORD=a b#c=d",
            "export PASSWORD=\"a b#c=d\" # of main",
            "set ZERODHA_PWD=a b#c=d",
            "password: 'a b#c=d'",
            "  password = a b#c=d   # comment",
            "self.password = \"a b#c=d\"",
            "password: str = r'a b#c=d'",
            "creds[\"password\"] = 'a b#c=d'",
            "os.environ['KITE_PASSWORD']=\"a b#c=d\"",
            "{\"user\": 7, \"password\": \"a b#c=d\"}",
            "login(retries=3, password='a b#c=d')",
            "const password = \"a b#c=d\";",
            "user_password=a b#c=d",
        ] {
            assert_eq!(one(text), Some((Part::Password, "a b#c=d".into())), "{text}");
        }
        for (text, value) in [
            ("PASSWORD=\"a\\\"b\\\\c\\u00e9\"", "a\"b\\cé"),
            ("PASSWORD='a\\nb\"c'", "a\\nb\"c"),
            ("PASSWORD=ab\"cd\"e;", "ab\"cd\"e;"),
        ] {
            assert_eq!(one(text), Some((Part::Password, value.into())), "{text}");
        }
    }

    #[test]
    fn what_is_not_held_is_not_found() {
        for text in [
            "# PASSWORD=x",
            "// password = \"x\"",
            "password = os.environ[\"KITE_PASSWORD\"]",
            "password = getpass.getpass(\"Password: \")",
            "PASSWORD=$OTHER",
            "password = config['password']",
            "if password == \"x\":",
            "PASSWORD=\"unfinished",
            "PASSWORD=",
            "access_token = \"abc\"",
            "url = \"https://kite.zerodha.com/connect/login?v=3\"",
            "print(\"password:\", \"x\")",
        ] {
            assert_eq!(one(text), None, "{text}");
        }
    }

    #[test]
    fn the_several_parts_are_told_apart() {
        for (name, part) in [
            ("TOTP_SECRET", Part::TotpSeed),
            ("totp_key", Part::TotpSeed),
            ("KITE_2FA", Part::TotpSeed),
            ("API_SECRET", Part::ApiSecret),
            ("kite_secret_key", Part::ApiSecret),
            ("api-key", Part::ApiKey),
            ("USER_ID", Part::UserId),
            ("zerodhaClientId", Part::UserId),
        ] {
            assert_eq!(one(&format!("{name}=x1")), Some((part, "x1".into())), "{name}");
        }
        assert_eq!(one(&format!("secret = \"{SEED}\"")), Some((Part::TotpSeed, SEED.into())));
        assert_eq!(one(&format!("secret = \"{API_SECRET}\"")), Some((Part::ApiSecret, API_SECRET.into())));
        assert_eq!(one("secret = \"whatever\""), None);
        assert_eq!(one(&format!("code = pyotp.TOTP(\"{SEED}\").now()")), Some((Part::TotpSeed, SEED.into())));
        let two = all("user_id, password = \"AB1234\", \"pw\"");
        assert_eq!(two, [(Part::UserId, "AB1234".into(), 1), (Part::Password, "pw".into(), 1)]);
    }

    #[test]
    fn a_list_without_names_is_known_by_its_forms() {
        let text = format!("abcdefgh01234567\n{API_SECRET}\n\nAB1234\nmy pass!\n{SEED}\n");
        let parts = [Part::ApiKey, Part::ApiSecret, Part::UserId, Part::Password, Part::TotpSeed];
        assert_eq!(all(&text).iter().map(|(part, ..)| *part).collect::<Vec<_>>(), parts);
        assert_eq!(all("what\nis\nthis"), []);
        assert_eq!(all("a letter\nAB1234\nto somebody"), []);
        // Umlauts cut nothing in two.
        assert_eq!(all("pässwörd\nAB1234").len(), 2);
    }

    #[test]
    fn what_stands_there_twice_is_found_once_and_two_values_are_two() {
        assert_eq!(all("A_PASSWORD=x\npassword = 'x'").len(), 1);
        assert_eq!(all("A_PASSWORD=x\nB_PASSWORD=y").len(), 2);
    }
}
