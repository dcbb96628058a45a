//! SCRAM-SHA-256 (RFC 5802, RFC 7677): the client's side of a login, and the verifier that a server keeps.
//!
//! No channel binding: the connection is on loopback and not encrypted. Passwords made here are hexadecimal digits, on
//! which SASLprep (RFC 4013) changes nothing; others are used as they are, as PostgreSQL's own client does when
//! SASLprep fails.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The most rounds a server may ask for, so that a hostile one cannot keep the processor busy; PostgreSQL asks for 4096.
const ROUNDS_MAX: u32 = 1_000_000;

/// The rounds of a verifier made here: PostgreSQL's own default.
const ROUNDS: u32 = 4096;

/// SHA-256's block, which HMAC pads its key to (RFC 2104).
const BLOCK_BYTES: usize = 64;

type Hash = [u8; 32];

/// A login under way.
pub(crate) struct Login {
    nonce: String,
    server_signature: Option<Hash>,
}

impl Login {
    /// Begins a login. `random` must be fresh.
    pub(crate) fn new(random: [u8; 18]) -> Self {
        Self {
            nonce: STANDARD.encode(random),
            server_signature: None,
        }
    }

    /// The first message. PostgreSQL takes the user from the connection's start, so the name is left empty.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The answer to the server's first message; none where that message is malformed or not for this login.
    pub(crate) fn last(&mut self, password: &str, server_first: &str) -> Option<String> {
        let nonce = attribute(server_first, "r")?;
        let salt = STANDARD.decode(attribute(server_first, "s")?).ok()?;
        let rounds: u32 = attribute(server_first, "i")?.parse().ok()?;
        if !nonce.starts_with(&self.nonce)
            || nonce.len() == self.nonce.len()
            || !(1..=ROUNDS_MAX).contains(&rounds)
        {
            return None;
        }
        let salted = salted_password(password, &salt, rounds);
        let client_key = hmac(&salted, b"Client Key");
        // "biws" is the encoded header "n,,": no channel binding.
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = hmac(&hash(&client_key), message.as_bytes());
        let mut proof = client_key;
        for (byte, other) in proof.iter_mut().zip(signature) {
            *byte ^= other;
        }
        self.server_signature = Some(hmac(&hmac(&salted, b"Server Key"), message.as_bytes()));
        Some(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Whether the server's last message proves that it knows the password too.
    pub(crate) fn proven(&self, server_last: &str) -> bool {
        let proof = attribute(server_last, "v").and_then(|text| STANDARD.decode(text).ok());
        matches!((proof, self.server_signature), (Some(proof), Some(expected)) if proof == expected)
    }
}

/// What PostgreSQL keeps of a password (`pg_authid.rolpassword`), so that the password itself is never in a statement
/// that the server might log.
pub(crate) fn verifier(password: &str, salt: [u8; 16]) -> String {
    let salted = salted_password(password, &salt, ROUNDS);
    let stored = STANDARD.encode(hash(&hmac(&salted, b"Client Key")));
    let server = STANDARD.encode(hmac(&salted, b"Server Key"));
    format!(
        "SCRAM-SHA-256${ROUNDS}:{}${stored}:{server}",
        STANDARD.encode(salt)
    )
}

/// Whether a kept verifier is one of `password`.
pub(crate) fn verifies(verifier: &str, password: &str) -> bool {
    let check = || -> Option<bool> {
        let (rounds, rest) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
        let (salt, keys) = rest.split_once('$')?;
        let (stored, _) = keys.split_once(':')?;
        let rounds: u32 = rounds
            .parse()
            .ok()
            .filter(|rounds| (1..=ROUNDS_MAX).contains(rounds))?;
        let salted = salted_password(password, &STANDARD.decode(salt).ok()?, rounds);
        Some(STANDARD.decode(stored).ok()? == hash(&hmac(&salted, b"Client Key")))
    };
    check().unwrap_or(false)
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message
        .split(',')
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// HMAC (RFC 2104) with SHA-256; every key used here is shorter than a block or is hashed first.
fn hmac(key: &[u8], message: &[u8]) -> Hash {
    let (inner, outer) = hmac_keyed(key);
    finish(&inner, &outer, message)
}

/// The two states of HMAC with the key taken in: the rounds of [`salted_password`] share them.
fn hmac_keyed(key: &[u8]) -> (Sha256, Sha256) {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&hash(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8| Sha256::new().chain_update(block.map(|byte| byte ^ pad));
    (keyed(0x36), keyed(0x5c))
}

fn finish(inner: &Sha256, outer: &Sha256, message: &[u8]) -> Hash {
    let digest = inner.clone().chain_update(message).finalize();
    outer.clone().chain_update(digest).finalize().into()
}

/// `Hi` of RFC 5802: one block of PBKDF2.
fn salted_password(password: &str, salt: &[u8], rounds: u32) -> Hash {
    let (inner, outer) = hmac_keyed(password.as_bytes());
    let mut last = finish(&inner, &outer, &[salt, &1_u32.to_be_bytes()[..]].concat());
    let mut sum = last;
    for _ in 1..rounds {
        last = finish(&inner, &outer, &last);
        for (byte, other) in sum.iter_mut().zip(last) {
            *byte ^= other;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3, which names its user; PostgreSQL's messages do not.
    #[test]
    fn hi_and_hmac_agree_with_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = salted_password("pencil", &salt, 4096);
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
                       r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                       c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac(&hmac(&salted, b"Server Key"), message.as_bytes());
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn a_verifier_knows_its_password() {
        let kept = verifier("secret", [7; 16]);
        assert!(verifies(&kept, "secret"));
        assert!(!verifies(&kept, "Secret"));
        for broken in [
            "",
            "md5abc",
            "SCRAM-SHA-256$0:x$y:z",
            "SCRAM-SHA-256$99999999999:AA==$AA==:AA==",
        ] {
            assert!(!verifies(broken, "secret"), "{broken}");
        }
    }

    #[test]
    fn a_malformed_server_is_refused() {
        #[track_caller]
        fn check(server_first: &str) {
            assert_eq!(
                Login::new([1; 18]).last("x", server_first),
                None,
                "{server_first}"
            );
        }
        let nonce = STANDARD.encode([1; 18]);
        check("");
        check("r=other,s=AA==,i=4096");
        check(&format!("r={nonce},s=AA==,i=4096"));
        check(&format!("r={nonce}more,s=!,i=4096"));
        check(&format!("r={nonce}more,s=AA==,i=0"));
        check(&format!("r={nonce}more,s=AA==,i=4000000000"));
        assert!(
            Login::new([1; 18])
                .last("x", &format!("r={nonce}more,s=AA==,i=4096"))
                .is_some()
        );
        assert!(!Login::new([1; 18]).proven("v="));
    }
}
