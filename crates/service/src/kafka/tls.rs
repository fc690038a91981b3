//! Looks at the certificate that a broker shows, when a handshake has failed:
//! rustls says what is wrong with it, with the dates.

use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use crate::config::KafkaConfig;

/// How long a broker may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with the certificate of the first broker that is named;
/// `None` if nothing is found. Only authorities of `kafka.ssl_ca_file` are
/// looked at.
pub(super) fn complaint(kafka: &KafkaConfig) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let file = kafka.security.ca_file.as_ref()?;
    let found = CertificateDer::pem_file_iter(file).ok()?;
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    if roots.is_empty() {
        return Some(format!("{} holds no certificate in PEM", file.display()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = kafka.bootstrap_servers.split(',').next()?.trim();
    let (host, _) = server.rsplit_once(':')?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let address = server.to_socket_addrs().ok()?.next()?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    let shaken = Stream::new(&mut connection, &mut socket).flush();
    shaken.err().map(|error| format!("the certificate of {server}: {error}"))
}
