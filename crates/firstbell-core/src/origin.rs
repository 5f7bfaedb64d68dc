//! Scheme, host and port as one comparable value: the only thing that decides where a secret may go.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::{Host, Url};

/// An origin that firstbell may speak to: `https` anywhere, `http` on a loopback address only. Compared as a parsed
/// tuple, never as a prefix, so that `https://kite.zerodha.com.evil.example` and `https://kite.zerodha.com@evil.example`
/// are simply other origins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

/// Why a text is not an origin that firstbell will use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFault {
    /// It is not a URL at all.
    NotUrl,
    /// It is neither `https` nor `http` on a loopback address.
    NotSecure,
    /// It has something behind or before the host and port: a path, a query, a user name.
    NotBare,
}

impl fmt::Display for OriginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OriginFault::NotUrl => "is not an address of the form https://host",
            OriginFault::NotSecure => "must be https (plain http is for loopback addresses only)",
            OriginFault::NotBare => {
                "must be scheme, host and port only, without a path, a query or a user name"
            }
        })
    }
}

impl Origin {
    /// Reads `https://host[:port]`.
    ///
    /// # Errors
    /// Says which of the three rules of [`OriginFault`] the text breaks.
    pub fn parse(text: &str) -> Result<Origin, OriginFault> {
        let url = Url::parse(text).map_err(|_| OriginFault::NotUrl)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(OriginFault::NotBare);
        }
        Origin::of(&url).ok_or(OriginFault::NotSecure)
    }

    /// The origin of an address, or none where it is one that firstbell would never type or send a secret to.
    pub fn of(url: &Url) -> Option<Origin> {
        let host = url.host_str()?.to_owned();
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        let port = url.port_or_known_default()?;
        secure.then(|| Origin { scheme: url.scheme().to_owned(), host, port })
    }

    /// Whether the host is a loopback address written as a number. A name is never taken for loopback: whoever
    /// answers for names decides where it leads.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.to_string()).is_ok_and(|url| is_loopback(&url))
    }

    /// The port, the usual one of its scheme too.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether what is sent there is encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The host as a URL writes it (an IPv6 address in brackets).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// An address below this origin. The path begins with `/` and may carry a query.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
        Origin::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = if self.scheme == "https" { 443 } else { 80 };
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_other_origins() {
        let kite = Origin::parse("https://kite.zerodha.com").unwrap();
        for other in [
            "https://kite.zerodha.com.evil.example/",
            "https://kite.zerodha.com@evil.example/",
            "https://kite.zerodha.com:8443/",
            "https://kíte.zerodha.com/",
            "https://zerodha.com/",
        ] {
            assert_ne!(Origin::of(&Url::parse(other).unwrap()), Some(kite.clone()), "{other}");
        }
        assert_eq!(Origin::of(&Url::parse("https://KITE.zerodha.com:443/x?y").unwrap()), Some(kite));
    }

    #[test]
    fn plain_http_is_for_loopback_numbers_only() {
        assert!(Origin::parse("http://127.0.0.1:8080").unwrap().is_loopback());
        assert!(Origin::parse("http://[::1]:8080").unwrap().is_loopback());
        for text in ["http://kite.zerodha.com", "http://localhost:8080", "ftp://127.0.0.1"] {
            assert_eq!(Origin::parse(text), Err(OriginFault::NotSecure), "{text}");
        }
        assert_eq!(Origin::parse("https://a.example/x"), Err(OriginFault::NotBare));
        for text in ["https://u:p@a.example", "https://u@a.example", "https://:p@a.example"] {
            assert_eq!(Origin::parse(text), Err(OriginFault::NotBare), "{text}");
        }
        assert_eq!(Origin::parse("kite"), Err(OriginFault::NotUrl));
    }

    #[test]
    fn its_parts_are_those_of_the_address_with_the_usual_port_where_none_is_written() {
        for (text, host, port, is_https) in [
            ("https://kite.zerodha.com", "kite.zerodha.com", 443, true),
            ("https://kite.zerodha.com:8443", "kite.zerodha.com", 8443, true),
            ("http://127.0.0.1", "127.0.0.1", 80, false),
            ("http://[::1]:9", "[::1]", 9, false),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!((origin.host(), origin.port(), origin.is_https()), (host, port, is_https), "{text}");
        }
    }

    #[test]
    fn each_fault_says_what_an_address_must_be() {
        for (text, word) in [("kite", "form"), ("http://a.example", "https"), ("https://a.example/x", "path")]
        {
            let told = Origin::parse(text).unwrap_err().to_string();
            assert!(told.contains(word), "{text}: {told}");
        }
    }

    #[test]
    fn writes_what_it_read() {
        for text in ["https://kite.zerodha.com", "http://127.0.0.1:8080", "http://[::1]:9"] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text);
            let written = serde_json::to_string(&Origin::parse(text).unwrap()).unwrap();
            assert_eq!(serde_json::from_str::<Origin>(&written).unwrap().to_string(), text);
        }
        for text in ["http://kite.zerodha.com", "https://a.example/x"] {
            assert!(serde_json::from_str::<Origin>(&format!("{text:?}")).is_err(), "{text}");
        }
    }
}
