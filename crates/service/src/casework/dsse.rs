//! Signatures in a DSSE envelope, by Ed25519.
//!
//! Follows the DSSE specification of secure-systems-lab (protocol 1.0.2): what
//! is signed is the pre-authentication encoding of payload and payload type, so
//! that a signature for one type cannot be taken for another's. The id of a key
//! is the SHA-256 of its public key's DER, a hint that nothing rests on. Keys
//! are PEM as openssl writes them: PKCS#8 and SubjectPublicKeyInfo.

use std::path::Path;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};

use super::inputs::sha256;
use crate::config::read_file;
use crate::report::Explain;

/// What stands before an Ed25519 public key in its DER (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

const KEY_HINT: &str = "openssl genpkey -algorithm ed25519 -out key.pem makes one";
const PUBLIC_HINT: &str = "openssl pkey -in key.pem -pubout -out public.pem takes it from a key";

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A signed payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload in base64.
    pub payload: String,
    /// What the payload is.
    pub payload_type: String,
    /// By whom it is signed; one is enough.
    pub signatures: Vec<Signature>,
}

/// A signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key it was made with: a hint.
    #[serde(default)]
    pub keyid: String,
    /// The signature in base64.
    pub sig: String,
}

/// Why an envelope is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The payload is no base64.
    #[error("its payload is not base64")]
    Payload,
    /// It holds something else than was expected.
    #[error("its payload type is {told:?}, and {expected:?} was expected")]
    Type {
        /// What it says.
        told: String,
        /// What ought to be there.
        expected: &'static str,
    },
    /// It is not signed at all.
    #[error("it holds no signature")]
    Unsigned,
    /// No signature was made with the key for this payload and type.
    #[error(
        "none of its signatures (by the keys {told}) is right for this payload under the public \
         key {key}: another key signed it, or it was altered since"
    )]
    Signature {
        /// The ids of keys that it names.
        told: String,
        /// The id of ours.
        key: String,
    },
}

/// A key to sign with.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

/// A key to check signatures with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// What is signed: type and payload, each with its length.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (kind, length) = (payload_type.len(), payload.len());
    let mut bytes = format!("DSSEv1 {kind} {payload_type} {length} ").into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl SigningKey {
    /// Reads a private key: PEM with PKCS#8.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no Ed25519 key.
    pub fn read(path: &Path) -> anyhow::Result<SigningKey> {
        let failed = || format!("cannot sign with {}", path.display());
        let pem = read_file(path).explain(failed(), KEY_HINT)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .map_err(|error| anyhow::anyhow!("it holds no private key in PEM (PKCS#8): {error}"))
            .explain(failed(), KEY_HINT)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|error| anyhow::anyhow!("its key is none of Ed25519: {error}"));
        Ok(SigningKey(pair.explain(failed(), KEY_HINT)?))
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().try_into().expect("a public key has 32 bytes"))
    }

    /// The payload, signed.
    pub fn sign(&self, payload_type: &str, payload: &[u8]) -> Envelope {
        let signature = self.0.sign(&pae(payload_type, payload));
        let (keyid, sig) = (self.public().id(), STANDARD.encode(signature.as_ref()));
        Envelope {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![Signature { keyid, sig }],
        }
    }
}

impl PublicKey {
    /// Reads a public key: PEM with SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no Ed25519 key.
    pub fn read(path: &Path) -> anyhow::Result<PublicKey> {
        let failed = || format!("cannot check signatures with {}", path.display());
        let pem = read_file(path).explain(failed(), PUBLIC_HINT)?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem)
            .map_err(|error| anyhow::anyhow!("it holds no public key in PEM: {error}"))
            .explain(failed(), PUBLIC_HINT)?;
        let key = der.strip_prefix(&SPKI[..]).and_then(|key| key.try_into().ok());
        let missing = anyhow::anyhow!("its key is none of Ed25519");
        Ok(PublicKey(key.ok_or(missing).explain(failed(), PUBLIC_HINT)?))
    }

    /// SHA-256 of its DER, in hex.
    pub fn id(&self) -> String {
        sha256(&[&SPKI[..], &self.0].concat())
    }

    fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        decoded(&signature.sig).is_some_and(|sig| key.verify(message, &sig).is_ok())
    }
}

impl Envelope {
    /// What it holds, whoever signed it.
    ///
    /// # Errors
    /// If it holds no payload of that type.
    pub fn payload(&self, expected: &'static str) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != expected {
            return Err(EnvelopeError::Type { told: self.payload_type.clone(), expected });
        }
        decoded(&self.payload).ok_or(EnvelopeError::Payload)
    }

    /// What it holds, if one of its signatures was made with that key.
    ///
    /// # Errors
    /// If it holds no payload of that type, or is not signed with that key.
    pub fn verified(
        &self,
        expected: &'static str,
        key: &PublicKey,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let payload = self.payload(expected)?;
        if self.signatures.is_empty() {
            return Err(EnvelopeError::Unsigned);
        }
        let message = pae(&self.payload_type, &payload);
        if self.signatures.iter().any(|signature| key.signed(&message, signature)) {
            return Ok(payload);
        }
        let told = self.signatures.iter().map(|signature| match signature.keyid.as_str() {
            "" => "not named",
            id => id,
        });
        let told = told.collect::<Vec<_>>().join(", ");
        Err(EnvelopeError::Signature { told, key: key.id() })
    }
}

/// Base64 in either alphabet, as the specification asks of readers.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret key of RFC 8032, section 7.1, test 1, as PKCS#8.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";

    fn key() -> SigningKey {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), KEY).unwrap();
        SigningKey::read(file.path()).unwrap()
    }

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let told = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(told, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        // Lengths are those of bytes.
        assert_eq!(pae("é", "é\n".as_bytes()), "DSSEv1 2 é 3 é\n".as_bytes());
    }

    #[test]
    fn the_key_is_that_of_the_rfc() {
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(hex::encode(key().public().0), public);
    }

    #[test]
    fn an_envelope_of_the_specification_is_read() {
        let json = r#"{"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld",
            "signatures": [{"sig": "Zm9v"}], "more": 1}"#;
        let envelope: Envelope = serde_json::from_str(json).unwrap();
        assert_eq!(envelope.payload("http://example.com/HelloWorld").unwrap(), b"hello world");
        let refused = envelope.verified("http://example.com/HelloWorld", &key().public());
        assert!(refused.unwrap_err().to_string().contains("(by the keys not named)"));
    }

    #[test]
    fn what_was_signed_is_accepted_and_nothing_else() {
        let key = key();
        let envelope = key.sign("a/b", b"payload?>");
        assert_eq!(envelope.verified("a/b", &key.public()).unwrap(), b"payload?>");
        // The other alphabet, without padding.
        let other = Envelope {
            payload: envelope.payload.replace('/', "_").replace('+', "-").replace('=', ""),
            ..envelope.clone()
        };
        assert_eq!(other.verified("a/b", &key.public()).unwrap(), b"payload?>");

        let error = |envelope: &Envelope, key: &PublicKey| {
            envelope.verified("a/b", key).unwrap_err().to_string()
        };
        let altered = Envelope { payload: STANDARD.encode(b"payload!>"), ..envelope.clone() };
        assert!(error(&altered, &key.public()).contains("it was altered since"));
        assert!(error(&envelope, &PublicKey([7; 32])).contains("another key signed it"));
        let typed = Envelope { payload_type: "a/c".to_owned(), ..envelope.clone() };
        assert_eq!(
            error(&typed, &key.public()),
            "its payload type is \"a/c\", and \"a/b\" was expected"
        );
        let retyped = typed.verified("a/c", &key.public());
        assert!(matches!(retyped, Err(EnvelopeError::Signature { .. })));
        let unsigned = Envelope { signatures: vec![], ..envelope.clone() };
        assert_eq!(error(&unsigned, &key.public()), "it holds no signature");
        let broken = Envelope { payload: "*".to_owned(), ..envelope };
        assert_eq!(error(&broken, &key.public()), "its payload is not base64");
    }
}
