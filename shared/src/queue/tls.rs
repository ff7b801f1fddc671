//! TLS towards Redis: whom it trusts, and how a certificate that it does not trust is
//! told from a Redis that is away.

use std::error::Error;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use redis::{Client, ConnectionInfo, RedisError, RedisResult, TlsCertificates};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::QueueError;

/// The largest file with certificates, in bytes: more than a system's whole list has.
const BYTES_MAX: u64 = 1024 * 1024;

/// The certificates of who may vouch for Redis, in PEM.
#[derive(Debug, Clone)]
pub struct CertificateAuthority(Arc<[u8]>);

/// Why a file holds no [`CertificateAuthority`].
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It is not there, is not to be read, or is too large.
    #[error("this one cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It holds something else.
    #[error("this one has no certificate in PEM, or one that is damaged")]
    NoCertificate,
}

impl CertificateAuthority {
    /// Reads a file of certificates in PEM, at least one and at most 1 MiB.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`] says what is wrong with the file.
    pub fn read(file: &Path) -> Result<Self, AuthorityError> {
        let mut pem = Vec::new();
        let file = std::fs::File::open(file)?;
        if file.take(BYTES_MAX + 1).read_to_end(&mut pem)? as u64 > BYTES_MAX {
            let large = format!("it is larger than {BYTES_MAX} bytes");
            return Err(io::Error::other(large).into());
        }
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| AuthorityError::NoCertificate)?;
            let added = store.add(certificate);
            added.map_err(|_| AuthorityError::NoCertificate)?;
        }
        if store.is_empty() {
            return Err(AuthorityError::NoCertificate);
        }
        Ok(Self(pem.into()))
    }
}

/// The same address, for which `authority` vouches, and the system's list without one.
pub(super) fn trusting(
    info: ConnectionInfo,
    authority: Option<&CertificateAuthority>,
) -> RedisResult<ConnectionInfo> {
    let is_tls = matches!(info.addr(), redis::ConnectionAddr::TcpTls { .. });
    if !is_tls {
        return Ok(info);
    }
    // The client would panic without a provider of cryptography.
    if CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
    {
        tracing::debug!("another thread installed the provider of cryptography first");
    }
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: authority.map(|authority| authority.0.to_vec()),
    };
    let client = Client::build_with_tls(info, certificates)?;
    Ok(client.get_connection_info().clone())
}

/// Whether Redis answered with a certificate that nobody whom this program trusts
/// vouches for, or one for another name. Asking again is of no use.
#[must_use]
pub fn is_certificate_refused(error: &QueueError) -> bool {
    let QueueError::Unavailable { source, .. } = error else {
        return false;
    };
    let cause = source.as_ref().and_then(RedisError::source);
    let cause = cause.and_then(|cause| cause.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    let cause = cause.and_then(io::Error::get_ref);
    let cause = cause.and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}
