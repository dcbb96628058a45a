//! TLS at the edge: certificates from PEM files, chosen by the name that the client asks for (SNI).
//!
//! TLS 1.2 and 1.3, with ring. A client that names no host, or one without a certificate, gets the first certificate:
//! its error then shows which names there are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::Certificate;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or no PEM.
    #[error("cannot read {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The chain and the key do not belong together, or rustls knows neither.
    #[error("the certificate {} and its key cannot be used", chain.display())]
    Certificate {
        /// The certificate's file.
        chain: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// rustls refuses the settings.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

#[derive(Debug)]
struct BySni {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By the part behind the `*`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let parent = || {
                name.find('.')
                    .and_then(|dot| self.wildcard.get(&name[dot..]))
            };
            self.exact.get(&name).or_else(parent)
        });
        found.or(self.first.as_ref()).map(Arc::clone)
    }
}

/// What TLS listeners serve with.
pub(crate) fn server_config(
    certificates: &[Certificate],
) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut by_sni = BySni {
        exact: HashMap::new(),
        wildcard: HashMap::new(),
        first: None,
    };
    for certificate in certificates {
        let key = Arc::new(load(certificate, &provider)?);
        by_sni.first.get_or_insert_with(|| Arc::clone(&key));
        for name in &certificate.names {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(suffix) => by_sni.wildcard.insert(suffix.to_owned(), Arc::clone(&key)),
                None => by_sni.exact.insert(name, Arc::clone(&key)),
            };
        }
    }
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(by_sni));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn load(
    certificate: &Certificate,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let pem = |path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&certificate.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(&certificate.chain))?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key).map_err(pem(&certificate.key))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Certificate {
        chain: certificate.chain.clone(),
        source,
    })
}
