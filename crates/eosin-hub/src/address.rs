// SPDX-License-Identifier: MIT OR Apache-2.0

//! Addresses of hubs and proxies: who is asked, and whether others can listen.

use std::net::IpAddr;

use eosin_core::{Error, Result};

/// Scheme, host and port of an address, which say to whom a token goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub scheme: String,
    /// Without the brackets of IPv6, in lower case.
    pub host: String,
    pub port: Option<String>,
}

impl Origin {
    /// The origin of an address such as `https://hub.example:8443/models`.
    ///
    /// Names before the host (`https://hub.example@other.example`) are refused: whoever reads such
    /// an address takes the wrong part for the host.
    pub fn of(address: &str) -> Result<Self> {
        let refuse = || {
            Error::input(
                "model hub",
                "an address that starts with https:// and a host",
                address,
                "write the whole address, such as it stands in your browser",
            )
        };
        let (scheme, rest) = address.split_once("://").ok_or_else(refuse)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']').ok_or_else(refuse)?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        if host.is_empty() || authority.contains('@') || !is_port {
            return Err(refuse());
        }
        Ok(Self {
            scheme: scheme.to_lowercase(),
            host: host.to_lowercase(),
            port: port.map(str::to_string),
        })
    }

    /// Whether what is sent can be read on the way.
    pub fn is_open(&self) -> bool {
        self.scheme != "https"
    }

    /// Whether it is this machine, so that nothing is on the way.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Refuses to send a token where others could read it.
///
/// Encryption hides it, and so does not leaving the machine, unless a proxy elsewhere is asked to
/// pass the request on.
pub fn check_token(endpoint: &Origin, proxy: Option<&str>) -> Result<()> {
    let is_near = |proxy: &str| {
        let whole = if proxy.contains("://") { proxy.into() } else { format!("http://{proxy}") };
        Origin::of(&whole).is_ok_and(|origin| origin.is_loopback())
    };
    let stays_here = endpoint.is_loopback() && proxy.is_none_or(is_near);
    if !endpoint.is_open() || stays_here {
        return Ok(());
    }
    Err(Error::input(
        format!("token for the model hub {}", endpoint.host),
        "an address that starts with https://, since everyone on the way could read the token",
        format!("{}://", endpoint.scheme),
        "write https://, or unset HF_TOKEN for public models, or give --insecure if the network is \
         your own",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_where_clients_find_them() {
        let host = |address: &str| Origin::of(address).map(|o| (o.host, o.port)).ok();
        let some = |host: &str, port: Option<&str>| Some((host.into(), port.map(str::to_string)));
        assert_eq!(host("https://Hub.Example:8443/a"), some("hub.example", Some("8443")));
        assert_eq!(host("http://[::1]:80"), some("::1", Some("80")));
        assert_eq!(host("http://127.0.0.1"), some("127.0.0.1", None));
        for bad in ["http://localhost@evil.example", "http://localhost:80@evil.example/", "hub", ""]
        {
            assert_eq!(host(bad), None, "{bad}");
        }
        // A backslash ends the host, as it does for browsers.
        assert_eq!(host("http://evil.example\\@localhost"), some("evil.example", None));
    }

    #[test]
    fn a_token_stays_here_or_is_encrypted() {
        let check = |endpoint: &str, proxy: Option<&str>| {
            check_token(&Origin::of(endpoint).unwrap(), proxy).is_ok()
        };
        assert!(check("https://hub.example", None) && check("https://hub.example", Some("p:1")));
        assert!(check("http://localhost:8080", None) && check("http://127.0.0.1", None));
        assert!(check("http://[::1]", Some("http://127.0.0.1:3128")));
        assert!(!check("http://hub.example", None) && !check("http://127.0.0.1.example", None));
        assert!(!check("http://localhost.example", None));
        assert!(!check("http://127.0.0.1", Some("proxy:3128")));
    }
}
