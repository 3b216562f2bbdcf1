//! Certificates that come with a call: control makes no keys; whoever calls it asks what a call needs
//! ([`crate::ahead::certificate_of`]), has it made, and hands it over.

/// What kind of key a certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA of 2,048 bits.
    Rsa2048,
    /// ECDSA on the curve P-256.
    P256,
    /// ECDSA on the curve P-384.
    P384,
}

/// What a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A certificate of the development authority, or a placeholder where an authority is asked by ACME.
    Issued {
        /// For these names, the first of which is its common name.
        names: Vec<String>,
        /// With such a key.
        key: KeyAlgorithm,
    },
    /// A client certificate that is signed by itself.
    SelfSigned,
}

/// A certificate that was made for a call, and its key, in PEM.
#[derive(Clone)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// What is above it.
    pub chain: Option<String>,
    /// Its key.
    pub key: String,
    /// Whether it is what the call asked for.
    pub kind: CertifiedKind,
}

/// Whether a certificate is what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertifiedKind {
    /// It is.
    Issued,
    /// It stands for one that an authority is asked for by ACME: [`crate::orders`].
    Placeholder,
}

impl std::fmt::Debug for Certified {
    /// Without the key, which no log may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
