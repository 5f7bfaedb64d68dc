//! What an answer looks like: good, doubtful, or not what was asked for, with the sentence that mends it.

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use url::Url;
use zeroize::Zeroizing;

/// How an answer looks.
#[derive(Debug)]
pub enum Look<T> {
    /// As it should.
    Good(T),
    /// It may be right all the same: the owner is asked.
    Doubtful(T, String),
    /// It is something else.
    Wrong(String),
}

/// All public examples of API keys have this many letters and digits, and of API secrets twice as many (KITE.md's samples, the
/// official clients' README files). Nothing says that they must.
const KEY_LEN: usize = 16;
const SECRET_LEN: usize = 32;

/// Whether the owner asks what is meant.
pub fn is_help(answer: &Secret) -> bool {
    matches!(answer.expose().trim(), "?" | "help")
}

/// A yes.
pub fn is_yes(answer: &Secret) -> bool {
    matches!(answer.expose().trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A no.
pub fn is_no(answer: &Secret) -> bool {
    matches!(answer.expose().trim().to_ascii_lowercase().as_str(), "n" | "no")
}

/// Whether two answers are the same.
pub fn same(one: &Secret, other: &Secret) -> bool {
    one.expose() == other.expose()
}

/// Whether it is text that somebody typed: no arrow and no other key that sends control characters.
pub fn is_clean(answer: &Secret) -> bool {
    !answer.expose().chars().any(char::is_control)
}

/// A number that was chosen.
pub fn number(answer: &Secret) -> Option<u8> {
    answer.expose().trim().parse().ok()
}

/// Whether it is this name, however it is written.
pub fn names(answer: &Secret, name: &str) -> bool {
    answer.expose().trim().replace(['_', '-'], " ").eq_ignore_ascii_case(name)
}

/// Any secret that is not blank; what is around it does not belong to it.
pub fn any_secret(answer: &Secret) -> Look<Secret> {
    if answer.is_blank() {
        Look::Wrong("Nothing was given.".into())
    } else {
        Look::Good(without_edges(answer))
    }
}

/// An e-mail address.
pub fn mail_address(answer: &Secret) -> Look<String> {
    let text = answer.expose().trim();
    let whole = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    if whole && !text.contains(char::is_whitespace) {
        Look::Good(text.to_owned())
    } else {
        Look::Wrong("An e-mail address looks like me@example.com.".into())
    }
}

/// The name of a mail server.
pub fn mail_server(answer: &Secret) -> Look<String> {
    let text = answer.expose().trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if text.contains('.') && text.chars().all(plain) {
        Look::Good(text.to_owned())
    } else {
        Look::Wrong(
            "A server's name looks like smtp.example.com: no address with //, no number behind a colon."
                .into(),
        )
    }
}

/// A client id.
pub fn user_id(answer: &Secret) -> Look<String> {
    let text = answer.expose().trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if text.contains('@') {
        return Look::Wrong(
            "This is an e-mail address. Kite knows you by a client id, such as AB1234: it stands at the top right of \
             kite.zerodha.com, and in every contract note."
                .into(),
        );
    }
    if digits >= 10 && text.chars().all(|c| c.is_ascii_digit() || "+- ".contains(c)) {
        return Look::Wrong(
            "This is a telephone number. Kite knows you by a client id, such as AB1234: it stands at the top right of \
             kite.zerodha.com."
                .into(),
        );
    }
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Look::Wrong(
            "A client id has letters and digits only, such as AB1234; it stands at the top right of kite.zerodha.com."
                .into(),
        );
    }
    let id = text.to_ascii_uppercase();
    let usual = id.len() == 6 && id.starts_with(|c: char| c.is_ascii_uppercase()) && digits > 0;
    if usual {
        Look::Good(id)
    } else {
        let why = format!(
            "{id} does not look like a client id: most have two or three letters and then digits, six in all."
        );
        Look::Doubtful(id, why)
    }
}

/// An API key.
pub fn api_key(answer: &Secret) -> Look<String> {
    let text = answer.expose().trim();
    if !is_word(text, 6, 64) {
        return Look::Wrong("An API key has 16 letters and digits, and nothing else. Copy it from the app's page at developers.kite.trade.".into());
    }
    match text.len() {
        KEY_LEN => Look::Good(text.to_owned()),
        SECRET_LEN => Look::Doubtful(
            text.to_owned(),
            "This has 32 letters and digits, as an API secret has; an API key has 16. Did you copy the one for the other?".into(),
        ),
        len => Look::Doubtful(text.to_owned(), format!("This has {len} letters and digits; every API key that we have heard of has 16.")),
    }
}

/// The secret that belongs to this API key.
pub fn api_secret(answer: &Secret, api_key: &str) -> Look<Secret> {
    let text = answer.expose().trim();
    let given = || Secret::new(text.to_owned());
    if text == api_key {
        return Look::Wrong("This is the API key once more. The API secret stands below it: press \"Show API secret\" on the app's page.".into());
    }
    if !is_word(text, 6, 128) {
        return Look::Wrong("An API secret has 32 letters and digits, and nothing else. Copy it from the app's page at developers.kite.trade.".into());
    }
    match text.len() {
        SECRET_LEN => Look::Good(given()),
        KEY_LEN => Look::Doubtful(given(), "This has 16 letters and digits, as an API key has; an API secret has 32. Did you copy the one for the other?".into()),
        len => Look::Doubtful(given(), format!("This has {len} letters and digits; every API secret that we have heard of has 32.")),
    }
}

/// The password of the account.
pub fn password(answer: &Secret) -> Look<Secret> {
    let text = answer.expose();
    if answer.is_blank() {
        return Look::Wrong("Nothing was given.".into());
    }
    let bare = text.trim();
    // A key is shown in capitals, or typed in small letters; a long password of letters has both.
    let is_mixed = bare.contains(char::is_lowercase) && bare.contains(char::is_uppercase);
    if Seed::parse(answer).is_ok() && bare.len() >= SECRET_LEN && !is_mixed {
        return Look::Doubtful(
            answer.clone(),
            "This looks like the TOTP key, not like a password. The TOTP key is asked for next.".into(),
        );
    }
    if bare.len() == 6 && bare.bytes().all(|b| b.is_ascii_digit()) {
        return Look::Doubtful(
            answer.clone(),
            "Six digits look like the code of your authenticator, not like a password.".into(),
        );
    }
    Look::Good(answer.clone())
}

/// Whether it begins or ends with a space, as what is copied sometimes does.
pub fn has_edges(answer: &Secret) -> bool {
    answer.expose().trim() != answer.expose()
}

/// The same without them.
pub fn without_edges(answer: &Secret) -> Secret {
    Secret::new(answer.expose().trim().to_owned())
}

/// A redirect address.
pub fn redirect(answer: &Secret) -> Look<String> {
    let text = Zeroizing::new(answer.expose().trim().to_owned());
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Look::Wrong(
            "A redirect URL begins with http:// or https://, such as http://127.0.0.1:5000/back. Copy it whole from the app's \
             page at developers.kite.trade."
                .into(),
        );
    }
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(e) => {
            return Look::Wrong(format!(
                "This is no address ({e}). Copy it whole from the app's page at developers.kite.trade."
            ));
        }
    };
    if text.contains("request_token=") {
        return Look::Wrong(
            "This is where a login came back to, with its request token. What is registered ends before the question mark."
                .into(),
        );
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    if ["zerodha.com", "kite.trade"].iter().any(|own| host == *own || host.ends_with(&format!(".{own}"))) {
        return Look::Wrong(
            "This is an address of Zerodha's. The redirect URL is the one that you typed when you made the app: where the browser \
             goes after the login."
                .into(),
        );
    }
    if url.fragment().is_some() || !url.username().is_empty() {
        return Look::Wrong("A redirect URL has no # and no user name in it.".into());
    }
    let here = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    if here && url.scheme() == "http" && url.port().is_none() {
        return Look::Doubtful(text.to_string(), "This leads to port 80 of this machine, which only root may use. Is there no number such as :5000 in it?".into());
    }
    let near = [
        "loaclhost",
        "locahost",
        "localhos",
        "localost",
        "127.0.0.0",
        "127.0.1",
        "127.0.01",
        "172.0.0.1",
        "0.0.0.0",
    ];
    if near.contains(&host.as_str()) {
        return Look::Doubtful(
            text.to_string(),
            format!(
                "{host} is a strange host: 127.0.0.1 and localhost are the usual ones, and they are not the same to Kite."
            ),
        );
    }
    Look::Good(text.to_string())
}

fn is_word(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn wrong<T>(look: Look<T>) -> String {
        match look {
            Look::Wrong(why) => why,
            _ => panic!("taken"),
        }
    }

    fn doubt<T>(look: Look<T>) -> String {
        match look {
            Look::Doubtful(_, why) => why,
            _ => panic!("taken or refused"),
        }
    }

    #[test]
    fn a_client_id_is_taken_in_any_case_and_nothing_else_is() {
        assert!(matches!(user_id(&of(" ab1234 ")), Look::Good(id) if id == "AB1234"));
        assert!(wrong(user_id(&of("me@example.com"))).contains("e-mail"));
        assert!(wrong(user_id(&of("+91 98450 12345"))).contains("telephone"));
        assert!(wrong(user_id(&of("AB 12"))).contains("letters and digits only"));
        assert!(doubt(user_id(&of("trader"))).contains("does not look like"));
    }

    #[test]
    fn a_long_password_of_letters_is_no_totp_key() {
        assert!(matches!(password(&of("two words pW-abcdefghijkmnpqrstuvwxyz")), Look::Good(_)));
        for key in ["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp"] {
            assert!(doubt(password(&of(key))).contains("looks like the TOTP key"), "{key}");
        }
    }

    #[test]
    fn key_and_secret_are_told_apart() {
        let (key, secret) = ("abcdefgh12345678", "abcdefgh12345678abcdefgh12345678");
        assert!(matches!(api_key(&of(key)), Look::Good(_)));
        assert!(doubt(api_key(&of(secret))).contains("as an API secret has"));
        assert!(matches!(api_secret(&of(secret), key), Look::Good(_)));
        assert!(wrong(api_secret(&of(key), key)).contains("the API key once more"));
        assert!(doubt(api_secret(&of("zzzzzzzz12345678"), key)).contains("as an API key has"));
        assert!(wrong(api_key(&of("a b"))).contains("16 letters"));
    }

    #[test]
    fn a_password_may_be_anything_but_nothing() {
        assert!(matches!(password(&of("two words here")), Look::Good(_)));
        assert!(wrong(password(&of("  "))).contains("Nothing"));
        assert!(doubt(password(&of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))).contains("TOTP key"));
        assert!(doubt(password(&of("123456"))).contains("Six digits"));
        assert!(has_edges(&of("x ")) && !has_edges(&of("x y")) && without_edges(&of(" x ")).expose() == "x");
    }

    #[test]
    fn a_redirect_url_is_somebody_s_own_and_whole() {
        assert!(matches!(redirect(&of("http://127.0.0.1:5000/back")), Look::Good(_)));
        assert!(wrong(redirect(&of("127.0.0.1:5000/back"))).contains("begins with http"));
        assert!(
            wrong(redirect(&of("http://127.0.0.1:5000/back?status=success&request_token=x")))
                .contains("came back")
        );
        assert!(wrong(redirect(&of("https://kite.zerodha.com/connect/login"))).contains("Zerodha's"));
        assert!(wrong(redirect(&of("http://"))).contains("no address"));
        assert!(doubt(redirect(&of("http://localhost/back"))).contains("port 80"));
        assert!(doubt(redirect(&of("http://loaclhost:5000/"))).contains("strange host"));
    }
}
