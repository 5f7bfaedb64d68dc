//! The conversation with a mail server: encrypted before anything is said, each recipient asked for by itself, and the
//! server's own words left out of every fault.

use std::path::PathBuf;

use firstbell_core::secret::Secret;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::{Error, extension::ClientId};

use crate::ports::ChannelFault;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// TLS after `STARTTLS`, and nothing without it (RFC 3207).
    StartTls,
    /// None.
    None,
}

impl Protection {
    /// The usual port.
    pub(super) fn port(self) -> u16 {
        match self {
            Protection::Implicit => 465,
            Protection::StartTls => 587,
            Protection::None => 25,
        }
    }
}

/// Where letters are handed over.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) user: Option<String>,
    /// The one authority that is believed, in the place of the compiled-in ones.
    pub(super) authority: Option<PathBuf>,
}

/// The step of the conversation in which something went wrong.
#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Encrypt,
    LogIn,
    Sender,
    Letter,
}

/// Hands a letter over for all recipients. Those that the server refuses are told, and the others get it all the same.
pub(super) async fn hand_over(
    server: &Server,
    password: Option<&Secret>,
    from: &Address,
    to: &[Address],
    letter: &[u8],
) -> Result<(), ChannelFault> {
    let at = |step: Step| move |error: Error| fault(server, step, &error);
    let mut line = connect(server).await?;
    if let (Some(user), Some(password)) = (&server.user, password) {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        line.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(at(Step::LogIn))?;
    }
    line.command(Mail::new(Some(from.clone()), Vec::new())).await.map_err(at(Step::Sender))?;
    let mut refused = Vec::new();
    for (i, recipient) in to.iter().enumerate() {
        match line.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => refused.push((i, error)),
            Err(error) => return Err(fault(server, Step::Letter, &error)),
        }
    }
    if refused.len() < to.len() {
        line.command(Data).await.map_err(at(Step::Letter))?;
        line.message(letter).await.map_err(at(Step::Letter))?;
    }
    // What was handed over stays so, however the other side says goodbye.
    let _ = line.quit().await;
    if refused.is_empty() { Ok(()) } else { Err(refused_fault(to, &refused)) }
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, ChannelFault> {
    let me = ClientId::default();
    let place = (server.host.as_str(), server.port);
    let tls = match server.protection {
        Protection::None => None,
        _ => Some(parameters(server)?),
    };
    let at = |step: Step| move |error: Error| fault(server, step, &error);
    match (server.protection, tls) {
        (Protection::StartTls, Some(tls)) => {
            let mut line = AsyncSmtpConnection::connect_tokio1(place, None, &me, None, None)
                .await
                .map_err(at(Step::Connect))?;
            line.starttls(tls, &me).await.map_err(at(Step::Encrypt))?;
            Ok(line)
        }
        (_, tls) => {
            AsyncSmtpConnection::connect_tokio1(place, None, &me, tls, None).await.map_err(at(Step::Connect))
        }
    }
}

fn parameters(server: &Server) -> Result<TlsParameters, ChannelFault> {
    let cannot = |why: String| ChannelFault {
        why,
        cure: "See that authority names a certificate authority in PEM form.".into(),
        wait_s: None,
        again: false,
        partly: false,
    };
    let builder = TlsParameters::builder(server.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    let builder = match &server.authority {
        None => builder.certificate_store(CertificateStore::WebpkiRoots),
        Some(path) => {
            let pem = std::fs::read(path).map_err(|e| cannot(format!("{}: {e}", path.display())))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|_| cannot(format!("{} is no certificate", path.display())))?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate)
        }
    };
    builder.build_rustls().map_err(|_| cannot("no encrypted connection can be made ready".into()))
}

/// A fault in our own words: the error's own repeat what the server said.
fn fault(server: &Server, step: Step, error: &Error) -> ChannelFault {
    let code = error.status().map(u16::from);
    let said = code.map_or_else(String::new, |code| format!(" (SMTP {code})"));
    let host = &server.host;
    let made = |why: String, cure: &str, again: bool| ChannelFault {
        why: format!("{why}{said}"),
        cure: cure.into(),
        wait_s: None,
        again,
        partly: false,
    };
    if is_certificate(error) {
        let cure = "Something on this network opens encrypted connections, or host is not the name in the certificate, or \
            the clock is wrong. A server with an authority of its own needs authority = \"…\".";
        return made(format!("the certificate of {host} is not valid"), cure, false);
    }
    // 421 and 4xx: not now.
    let later = code.is_some_and(|code| code < 500);
    match (step, code) {
        (_, Some(_)) if later => {
            made(format!("{host} takes no letters now"), "Nothing: it is tried again.", true)
        }
        (Step::LogIn, Some(_)) => made(
            format!("{host} refused user and password"),
            "Store the password anew. Many providers want an app password, made on their security page.",
            false,
        ),
        (Step::LogIn, None) if error.is_client() => made(
            format!("{host} takes no password this way"),
            "See that host, port and tls are those for sending, or leave user away.",
            false,
        ),
        (Step::Encrypt, _) if error.is_client() || code.is_some() => made(
            format!("{host} does not offer STARTTLS, and nothing was sent without it"),
            "See that host and port are right; try tls = \"implicit\".",
            false,
        ),
        (Step::Sender, Some(_)) => {
            made(format!("{host} refused the sender"), "See that from is an address of user's.", false)
        }
        (_, Some(_)) => {
            made(format!("{host} refused the letter"), "See what the provider says about sending.", false)
        }
        (Step::Connect, None) => {
            made(format!("no conversation with {host}"), "See that host, port and tls are right.", true)
        }
        _ => made(format!("the connection with {host} broke"), "Nothing: it is tried again.", true),
    }
}

fn refused_fault(to: &[Address], refused: &[(usize, Error)]) -> ChannelFault {
    let one =
        |(i, error): &(usize, Error)| format!("{} (SMTP {})", to[*i], error.status().map_or(0, u16::from));
    let names: Vec<_> = refused.iter().map(one).collect();
    let others = match to.len() - refused.len() {
        0 => "",
        _ => "; the others got it",
    };
    ChannelFault {
        why: format!("the mail server refused {}{others}", names.join(", ")),
        cure: "See that the address is right and its mailbox takes letters.".into(),
        wait_s: None,
        again: refused.len() == to.len() && refused.iter().all(|(_, error)| error.is_transient()),
        partly: refused.len() < to.len(),
    }
}

/// Whether the encrypted connection failed for its certificate.
fn is_certificate(error: &Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref() {
            return true;
        }
        // An error of the connection carries the library's inside it, and does not name it as its source.
        let io = cause.downcast_ref::<std::io::Error>();
        let inside = io.and_then(std::io::Error::get_ref).map(|e| e as &(dyn std::error::Error + 'static));
        next = inside.or_else(|| cause.source());
    }
    false
}
