//! A signer of its own, so that verification is not tested by itself: Signature Version 4 for one form call to STS, now.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// The headers that sign this body.
pub(crate) fn headers(host: &str, key: (&str, &str), body: &str) -> Vec<(&'static str, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = timestamp(now);
    let scope = format!("{}/us-east-1/sts/aws4_request", &time[..8]);
    let hash = hex(&Sha256::digest(body));
    let canonical = format!("POST\n/\n\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n{hash}");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut secret = format!("AWS4{}", key.1).into_bytes();
    for part in scope.split('/') {
        secret = mac(&secret, part);
    }
    let signature = hex(&mac(&secret, &text));
    let signed = format!("Credential={}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}", key.0);
    vec![("authorization", format!("AWS4-HMAC-SHA256 {signed}")), ("x-amz-date", time)]
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// `20261123T210000Z`: the days are counted from 0000-03-01, where leap days come last.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}
