//! Signs deliveries, so that a receiver knows whose they are.
//!
//! The scheme is that of the Standard Webhooks specification ("Signature scheme",
//! symmetric): HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`, in base64, with
//! `v1,` before it. While secrets are rotated there is one signature of each, and a
//! receiver takes any that it knows.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderValue;
use sha2::Sha256;

/// What a secret begins with, so that it is known for one wherever it turns up.
const PREFIX: &str = "whsec_";
/// How long a secret is, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How many secrets sign at once: more than one or two are a mistake, and each makes the
/// header longer.
const SECRETS_MAX: usize = 5;

/// What a list of secrets must be, in words for whoever set it.
pub const EXPECTED: &str = "1 to 5 different secrets with commas between, each whsec_ and 24 to 64 random bytes in base64, as in whsec_$(openssl rand -base64 32)";

/// Signs with each current secret. `Debug` shows how many there are.
#[derive(Clone)]
pub struct Signer {
    /// Each with its secret taken in, ready for a message.
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// Reads secrets with commas between; `None` if they are not as [`EXPECTED`] says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut secrets: Vec<Vec<u8>> = text
            .split(',')
            .map(|secret| read(secret.trim()))
            .collect::<Option<_>>()?;
        let given = secrets.len();
        let keys = secrets
            .iter()
            .filter_map(|secret| Hmac::new_from_slice(secret).ok());
        let keys: Vec<_> = keys.collect();
        secrets.sort_unstable();
        secrets.dedup();
        let fits = given <= SECRETS_MAX && secrets.len() == given && keys.len() == given;
        fits.then_some(Self { keys })
    }

    /// The value of `webhook-signature`: one signature of each secret, in the order in
    /// which they were given, with spaces between.
    ///
    /// - `id`: the value of `webhook-id`.
    /// - `timestamp`: the value of `webhook-timestamp`, seconds since the Unix epoch.
    #[must_use]
    pub fn sign(&self, id: &HeaderValue, timestamp: u64, body: &[u8]) -> Option<HeaderValue> {
        let timestamp = timestamp.to_string();
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let signatures = self.keys.iter().map(|key| {
            let mut mac = key.clone();
            for part in message {
                mac.update(part);
            }
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        });
        HeaderValue::from_str(&signatures.collect::<Vec<_>>().join(" ")).ok()
    }
}

/// The bytes of one secret.
fn read(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signer({} secrets)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(secrets: &str, id: &'static str, timestamp: u64, body: &str) -> String {
        let signer = Signer::parse(secrets).unwrap();
        let id = HeaderValue::from_static(id);
        let header = signer.sign(&id, timestamp, body.as_bytes()).unwrap();
        header.to_str().unwrap().to_owned()
    }

    fn secret(bytes: usize, filled_with: u8) -> String {
        format!("{PREFIX}{}", STANDARD.encode(vec![filled_with; bytes]))
    }

    #[test]
    fn the_published_examples_are_signed_as_published() {
        // From the documentation and the libraries of the Standard Webhooks project.
        assert_eq!(
            signature(
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#
            ),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
        assert_eq!(
            signature(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn each_secret_gives_a_signature_of_its_own_in_the_order_given() {
        let (new, old) = (secret(32, 1), secret(24, 2));
        let of = |secrets: &str| signature(secrets, "id", 1, "{}");
        assert_eq!(
            of(&format!("{new}, {old}")),
            format!("{} {}", of(&new), of(&old))
        );
    }

    #[test]
    fn what_is_no_list_of_good_secrets_is_refused() {
        let good = secret(24, 7);
        for list in [
            good.clone(),
            secret(64, 7),
            format!("{good} , {}", secret(32, 7)),
        ] {
            assert!(Signer::parse(&list).is_some(), "{list}");
        }
        let six: Vec<_> = (0..6).map(|number| secret(32, number)).collect();
        for list in [
            String::new(),
            format!("{good},"),
            format!("{good},{good}"),
            good.trim_start_matches(PREFIX).to_owned(),
            secret(23, 7),
            secret(65, 7),
            "whsec_not base64".to_owned(),
            good.replace("whsec_", "WHSEC_"),
            six.join(","),
        ] {
            assert!(Signer::parse(&list).is_none(), "{list}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", Signer::parse(&secret(24, b'c')));
        assert_eq!(shown, "Some(Signer(1 secrets))");
    }
}
