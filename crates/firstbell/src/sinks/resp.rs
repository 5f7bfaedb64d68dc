//! One connection to a Redis server: commands out, replies in (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use std::path::PathBuf;
use std::sync::Arc;

use firstbell_core::secret::Secret;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::kind::{Fault, REACH};
use crate::tls;

/// No reply that we ask for comes near this.
const REPLY_BYTES: usize = 4096;

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A Unix socket.
    Socket(PathBuf),
    /// Host and port without encryption: on this machine only.
    Near(String, u16),
    /// Host and port over TLS, and the authority that signed its certificate.
    Far(String, u16, Option<PathBuf>),
}

/// What it answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Said,
    Number(i64),
    Refused(String),
}

trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Wire for S {}

/// A connection, gone with this value.
pub(super) struct Line(BufReader<Box<dyn Wire>>);

impl Line {
    pub(super) async fn open(place: &Place) -> Result<Line, Fault> {
        let away = |e: std::io::Error| Fault::new(format!("cannot be reached: {}", e.kind()), REACH);
        let wire: Box<dyn Wire> = match place {
            Place::Socket(path) => Box::new(UnixStream::connect(path).await.map_err(away)?),
            Place::Near(host, port) => {
                Box::new(TcpStream::connect((host.as_str(), *port)).await.map_err(away)?)
            }
            Place::Far(host, port, authority) => {
                let config = authority.as_deref().map_or_else(|| Ok(tls::public()), tls::trusting);
                let config = config.map_err(|why| {
                    let cure = "Name a PEM file with the certificate that signed the server's.";
                    Fault::new(format!("its authority cannot be used: {why}"), cure)
                })?;
                let name = ServerName::try_from(host.clone()).expect("checked when it was read");
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(away)?;
                let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|_| {
                    let cure = "Name the authority that signed its certificate: authority = \"/path\" in the sink's table.";
                    Fault::new("its encrypted connection is not good", cure)
                })?;
                Box::new(stream)
            }
        };
        Ok(Line(BufReader::new(wire)))
    }

    /// One command, and its reply.
    pub(super) async fn ask(&mut self, words: &[&Secret]) -> Result<Reply, Fault> {
        let mut text = Zeroizing::new(format!("*{}\r\n", words.len()).into_bytes());
        for word in words.iter().map(|word| word.expose()) {
            text.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            text.extend_from_slice(word.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        let broke = |e: std::io::Error| Fault::new(format!("broke off: {}", e.kind()), REACH);
        self.0.write_all(&text).await.map_err(broke)?;
        self.0.flush().await.map_err(broke)?;
        let line = self.line().await.map_err(broke)?;
        let strange = || Fault::new("gave an answer that is not Redis'", "See what listens at its address.");
        let (kind, rest) = line.split_at_checked(1).ok_or_else(strange)?;
        match kind {
            "+" => Ok(Reply::Said),
            ":" => rest.parse().map(Reply::Number).map_err(|_| strange()),
            // Its first word is a code; what follows may quote us.
            "-" => {
                let code = rest.split(' ').next().unwrap_or("");
                let plain =
                    !code.is_empty() && code.len() <= 20 && code.bytes().all(|b| b.is_ascii_uppercase());
                Ok(Reply::Refused(if plain { code.to_owned() } else { "ERR".to_owned() }))
            }
            "$" => {
                let len: i64 = rest.parse().map_err(|_| strange())?;
                let len = usize::try_from(len).unwrap_or(0);
                if len > REPLY_BYTES {
                    return Err(strange());
                }
                let mut bytes = Zeroizing::new(vec![0; len + 2]);
                self.0.read_exact(&mut bytes).await.map_err(broke)?;
                Ok(Reply::Said)
            }
            _ => Err(strange()),
        }
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        (&mut self.0).take(REPLY_BYTES as u64).read_line(&mut line).await?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
