//! TLS to targets, with the authorities that this machine trusts.

use std::io;
use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Read once: some hundred certificates.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(config);

fn config() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (known, _) = roots.add_parsable_certificates(found.certs);
    if known == 0 {
        return Err(
            "this machine trusts no authority: install its certificates (package ca-certificates)"
                .to_owned(),
        );
    }
    trusting(roots).map_err(|error| error.to_string())
}

fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, tokio_rustls::rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Shakes hands with `host`.
pub(crate) async fn connect(stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let config = CONFIG
        .as_ref()
        .map_err(|error| io::Error::other(error.as_str()))?;
    shake(Arc::clone(config), stream, host).await
}

async fn shake(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    host: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;

    #[tokio::test]
    async fn only_who_is_trusted_is_talked_to() {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    stream.write_all(b"hello").await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let trusted = trusting(roots).unwrap();
        let connect = || TcpStream::connect(address);
        let stream = connect().await.unwrap();
        let mut stream = shake(Arc::clone(&trusted), stream, "127.0.0.1")
            .await
            .unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "hello");
        let other = shake(trusted, connect().await.unwrap(), "localhost").await;
        assert!(other.unwrap_err().to_string().contains("certificate"));
        let stranger = trusting(RootCertStore::empty()).unwrap();
        let refused = shake(stranger, connect().await.unwrap(), "127.0.0.1").await;
        assert!(refused.unwrap_err().to_string().contains("certificate"));
        serve.abort();
    }
}
