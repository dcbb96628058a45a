//! A local certificate authority: makes the certificates that TLS routes serve on this machine.
//!
//! Files, all in one directory of the state directory, keys with mode 0600:
//!
//! | file | what |
//! | --- | --- |
//! | `authority.pem`, `authority.key` | the authority's certificate, for people to trust, and its key |
//! | `<name>-<hash>.pem`, `.key` | a certificate chain and its key |
//! | `*.json` | what the certificate beside it is for: `{"version":1,"names":[…],"authority":"…","expires":millis}` |
//!
//! A certificate whose description is missing, of another version, of another authority or soon over is made again.
//! Everything is written to a new file that then takes the old one's place.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;

use crate::config::Certificate;

const DAY: Duration = Duration::from_secs(86_400);

/// How long the authority is valid: people trust it by hand, and do not want to do so again.
const AUTHORITY_DAYS: u32 = 3650;

/// How long a certificate is valid. Browsers take at most 398 days; a short life keeps the renewal in use.
const CERTIFICATE_DAYS: u32 = 90;

/// A certificate that ends within this is made again.
const RENEW_DAYS: u32 = 30;

/// The version of the description.
const VERSION: u8 = 1;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The authority's key is damaged. Removing both its files makes a new authority, which has to be trusted anew.
    #[error("{} is not a private key; remove it and authority.pem to make a new authority", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// A name cannot be in a certificate.
    #[error("cannot make a certificate for {}", names.join(", "))]
    Issue {
        /// The names.
        names: Vec<String>,
        /// Why.
        source: rcgen::Error,
    },
    /// A certificate for nothing was asked for.
    #[error("a certificate needs at least one name")]
    NoNames,
}

/// What a certificate is for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    version: u8,
    names: Vec<String>,
    /// The common name of the authority that signed it.
    authority: String,
    /// Unix milliseconds.
    expires: u64,
}

/// A certificate authority in a directory.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `directory`, or makes one there. `now` decides whether it is still valid.
    ///
    /// # Errors
    /// The directory cannot be used, or the key in it is damaged.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| AuthorityError::File { path, source }
        };
        fs::create_dir_all(directory).map_err(file(directory))?;
        let (certificate, key_path) = (
            directory.join("authority.pem"),
            directory.join("authority.key"),
        );
        let key = match fs::read_to_string(&key_path) {
            Ok(text) => KeyPair::from_pem(&text).map_err(|source| AuthorityError::Key {
                path: key_path.clone(),
                source,
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(|source| AuthorityError::Key {
                    path: key_path.clone(),
                    source,
                })?;
                replace(&key_path, key.serialize_pem().as_bytes(), 0o600)
                    .map_err(file(&key_path))?;
                key
            }
            Err(source) => return Err(file(&key_path)(source)),
        };
        let mut params = CertificateParams::default();
        let id = params.key_identifier(&key);
        let id: String = id
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // The name follows from the key, so that the issuer can be made again without reading the certificate.
        let name = format!("Wharf local authority {id}");
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let description = Description {
            version: VERSION,
            names: Vec::new(),
            authority: name.clone(),
            expires: now.after(DAY * AUTHORITY_DAYS).0,
        };
        if !is_current(&certificate, &description, now) {
            set_validity(&mut params, now, AUTHORITY_DAYS);
            let issued = params.self_signed(&key);
            let issued = issued.map_err(|source| AuthorityError::Issue {
                names: vec![name.clone()],
                source,
            })?;
            write_described(&certificate, issued.pem().as_bytes(), &description)
                .map_err(file(&certificate))?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            name,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority's certificate, for those who are to trust it.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// The certificate for `names` (host names, `*.` ones among them, or IP addresses): the one that is there, or a
    /// new one if it is missing or ends soon. To be asked for once a day.
    ///
    /// # Errors
    /// There is no name, one cannot be in a certificate, or the directory cannot be used.
    pub fn issue(&self, names: &[String], now: Timestamp) -> Result<Certificate, AuthorityError> {
        let first = names.first().ok_or(AuthorityError::NoNames)?;
        let stem = format!(
            "{}-{:08x}",
            first.replace('*', "_").replace(['/', ':'], "-"),
            hash(names)
        );
        let (chain, key_path) = (
            self.directory.join(format!("{stem}.pem")),
            self.directory.join(format!("{stem}.key")),
        );
        let certificate = Certificate {
            names: names.to_vec(),
            chain,
            key: key_path,
        };
        let description = Description {
            version: VERSION,
            names: names.to_vec(),
            authority: self.name.clone(),
            expires: now.after(DAY * CERTIFICATE_DAYS).0,
        };
        if certificate.key.exists() && is_current(&certificate.chain, &description, now) {
            return Ok(certificate);
        }
        let failed = |source| AuthorityError::Issue {
            names: names.to_vec(),
            source,
        };
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, first.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, CERTIFICATE_DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let issued = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let file = |path: &PathBuf| {
            let path = path.clone();
            move |source| AuthorityError::File { path, source }
        };
        replace(&certificate.key, key.serialize_pem().as_bytes(), 0o600)
            .map_err(file(&certificate.key))?;
        write_described(&certificate.chain, issued.pem().as_bytes(), &description)
            .map_err(file(&certificate.chain))?;
        Ok(certificate)
    }
}

/// Valid from yesterday on, because clocks differ.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: u32) {
    let date = |millis: u64| {
        let time = i64::try_from(millis)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        let date = time
            .unwrap_or_default()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        let small = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(
            i32::from(date.year()),
            small(date.month()),
            small(date.day()),
        )
    };
    params.not_before = date(now.0.saturating_sub(86_400_000));
    params.not_after = date(now.after(DAY * days).0);
}

/// Whether the certificate at `path` is what `wanted` describes, and for a while yet.
fn is_current(path: &Path, wanted: &Description, now: Timestamp) -> bool {
    let description = fs::read(path.with_extension("json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<Description>(&text).ok());
    description.is_some_and(|found| {
        found.version == VERSION
            && found.names == wanted.names
            && found.authority == wanted.authority
            && found.expires > now.after(DAY * RENEW_DAYS).0
            && path.exists()
    })
}

fn write_described(path: &Path, pem: &[u8], description: &Description) -> io::Result<()> {
    replace(path, pem, 0o644)?;
    // Last: without it the certificate is made again.
    replace(
        &path.with_extension("json"),
        &serde_json::to_vec(description)?,
        0o644,
    )
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut staged = path.as_os_str().to_owned();
    staged.push(".new");
    let staged = PathBuf::from(staged);
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(mode)
        .open(&staged)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&staged, path)
}

/// FNV-1a, so that different lists of names have different files.
fn hash(names: &[String]) -> u32 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_780_000_000_000);

    #[test]
    fn certificates_are_kept_until_they_end_soon() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = [
            "app.localhost".to_owned(),
            "*.app.localhost".to_owned(),
            "127.0.0.1".to_owned(),
        ];
        let read = |days: u32| {
            let now = NOW.after(DAY * days);
            let authority = Authority::open(folder.path(), now).expect("an authority");
            let certificate = authority.issue(&names, now).expect("a certificate");
            let read = |path: &Path| fs::read_to_string(path).expect("a file");
            (
                read(&authority.certificate_path()),
                read(&certificate.chain),
                read(&certificate.key),
            )
        };
        let first = read(0);
        assert_eq!(read(59), first);
        let renewed = read(61);
        assert_eq!(renewed.0, first.0, "the same authority");
        assert_ne!(renewed.1, first.1);
        assert_ne!(renewed.2, first.2);
    }

    #[test]
    fn keys_are_for_their_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(folder.path(), NOW).expect("an authority");
        let certificate = authority
            .issue(&["a".to_owned()], NOW)
            .expect("a certificate");
        for key in [folder.path().join("authority.key"), certificate.key] {
            assert_eq!(
                fs::metadata(&key).expect("a file").permissions().mode() & 0o777,
                0o600
            );
        }
        assert!(authority.issue(&[], NOW).is_err());
    }
}
