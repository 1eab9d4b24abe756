//! The closed set of signing schemes.

/// How a provider proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sha256=` and the hex HMAC-SHA256 of the body.
    MetaHmacSha256,
    /// Base64 HMAC-SHA1 of the public URL and the sorted form, or of the URL with the body's SHA-256 in it.
    TwilioHmacSha1,
    /// Standard Webhooks: base64 HMAC-SHA256 of `id.timestamp.body`.
    StandardWebhooks,
}
