//! What a first run says at length: the beginning, where each answer is found, and who should log in.

pub(super) const BEGINNING: &str = "\
Setting up firstbell. Each answer is kept at once: leave with Ctrl-C whenever
you like, and firstbell setup goes on from there.
Type ? at any question to read where its answer is found.
";

pub(super) const USER_ID: &str = "\
The id with which you log in at kite.zerodha.com, such as AB1234: at the
top right of its pages. No e-mail address, no telephone number. Small
letters are fine.";

pub(super) const WHO: &str = "
Who logs in each morning?
  1  you, by one tap on a link (assisted). firstbell then holds neither your
     password nor your TOTP key. This is the login that Kite Connect documents;
     without you there is no token.
  2  firstbell (automatic): it types user id, password and code in a browser,
     as you would.
Zerodha's staff say that a person should log in by hand once a day, and do not
recommend automating it; there is no login API. We know of no account that was
punished for it, and of many that were blocked by scripts which tried a wrong
password again and again, which firstbell never does. It is your account, your
choice and your risk.";

pub(super) const WHO_HELP: &str = "\
Type 1 or 2. It can be changed later: assisted = \"only\" or false in the
configuration, or by firstbell setup.";

pub(super) const APP: &str = "
Now your app on the Kite developer console. Open https://developers.kite.trade,
log in with a developer account, and open your app, or press \"Create new
app\": type Connect or Personal, your client id, and as Redirect URL
http://127.0.0.1:5000/back, if you have none yet.";

pub(super) const REDIRECT: &str = "\
Where Kite sends your browser after a login. It stands on the app's page,
and must be the same here to the letter: localhost is not 127.0.0.1, and
/back is not /back/. Nothing of yours needs to listen there; in an assisted
login firstbell does, where it is an http address of this machine. Nobody
can try it without a login: the one at the end proves it.";

pub(super) const API_KEY: &str = "\
On the app's page at developers.kite.trade: 16 letters and digits under
\"API key\". It is no secret, but its neighbour is: so neither is shown
while you type.";

pub(super) const KEY_PLACE: &str = "
Secrets are sealed in a vault in the state folder. Where shall the key be that
opens it?";

pub(super) const KEY_PLACE_HELP: &str = "\
Type its number. Where firstbell runs as a service that must start by itself,
1 or 4. It can be moved later: README.md, \"Where secrets live\", which also
tells of other places, and of a passphrase that a service gets from elsewhere.";

pub(super) const PASSPHRASE: &str = "\
Four or more words that nobody would put together but you. It is kept nowhere:
who forgets it has lost the vault, and stores the secrets anew.";

pub(super) const API_SECRET: &str = "\
On the app's page at developers.kite.trade, under the API key: press \"Show
API secret\". 32 letters and digits.";

pub(super) const PASSWORD: &str = "\
The password with which you log in at kite.zerodha.com. It is asked for
twice, because a wrong one costs an attempt, and Zerodha blocks an account
after five.";

pub(super) const SEED: &str = "
The TOTP key is what your authenticator makes its codes from. Kite shows it
once, when external TOTP is set up: My profile → Password & security → External
TOTP, as a QR picture, and as letters under \"Can't scan? Copy the key\". If it
was not kept, disable external TOTP there and set it up again, with your phone
and with this.";

pub(super) const SEED_HELP: &str = "\
Any of these: the 32 letters and digits (spaces and small letters are
fine); the whole otpauth://… address; or the path of a picture of the QR
code, PNG or JPEG, such as ~/qr.png. Delete the picture afterwards: whoever
has it has the key. The six digits of your phone are not the key.";

pub(super) const PROOF_HELP: &str = "\
Open the authenticator in which you set up Zerodha, and type the six digits
that it shows at this moment. They go nowhere: firstbell compares them with
its own.";

pub(super) const CHANNEL: &str = "
When something is wrong, how shall firstbell tell you?
  1  Telegram, by a bot of your own        2  e-mail        3  ntfy        Enter: not now";

pub(super) const CHANNEL_HELP: &str = "\
There are more, such as Slack, SMS and any program of yours: README.md,
\"Being told\". You can add them any time.";

pub(super) const TOKEN: &str = "\
Write to @BotFather in Telegram: /newbot, then a name. It answers with a
token such as 123456789:AAF… of the new bot.";

pub(super) const TOPIC: &str = "\
The whole address of a topic, such as
https://ntfy.sh/a-name-that-nobody-guesses. Whoever knows the name can read
it, so it is not shown here. Subscribe to it in the ntfy app.";

pub(super) const MAIL_PASSWORD: &str = "\
Of your mailbox at that server. Gmail and many others want an app password,
made on their security page.";

/// Columns of a terminal that nobody made wider.
const COLUMNS: usize = 80;

/// A long line in several, between words; all but the first are set in.
pub(super) fn folded(line: &str, set_in: usize) -> String {
    let mut folded = String::new();
    let mut column = 0;
    for word in line.split_inclusive(' ') {
        if column + word.trim_end().chars().count() > COLUMNS {
            folded.truncate(folded.trim_end().len());
            folded.push('\n');
            folded.extend(std::iter::repeat_n(' ', set_in));
            column = set_in;
        }
        folded.push_str(word);
        column += word.chars().count();
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_between_words() {
        let line = format!("  1  {}", ["seven", "é"].repeat(30).join(" "));
        let folded = folded(&line, 5);
        assert!(folded.lines().count() > 2 && folded.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(folded.lines().all(|line| line.trim_end() == line), "{folded}");
        assert!(folded.lines().skip(1).all(|line| line.starts_with("     s") || line.starts_with("     é")));
        assert_eq!(
            folded.split_whitespace().collect::<Vec<_>>(),
            line.split_whitespace().collect::<Vec<_>>()
        );
        assert_eq!(super::folded("  2  short", 5), "  2  short");
    }
}
