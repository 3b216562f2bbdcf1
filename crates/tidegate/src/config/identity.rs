//! The settings of the certificate that the API port presents.

use std::path::PathBuf;

use super::Raw;
use super::value::directory;

impl Raw {
    /// The files of the API port's certificate and key: both or neither, and for a port that speaks TLS.
    pub(super) fn judge_api_identity(&mut self, is_served: bool) -> Option<(PathBuf, PathBuf)> {
        const PAIR: [&str; 2] = ["tls.api_certificate", "tls.api_key"];
        let given = PAIR.map(|key| self.settings.contains_key(key));
        let [certificate, private] = PAIR;
        match given {
            [false, false] => None,
            [true, true] if !is_served => {
                self.note(certificate, "is presented by listen.api_tls, which is not set");
                None
            }
            [true, true] => self.take(certificate, directory).zip(self.take(private, directory)),
            [true, false] => {
                self.note(certificate, "needs tls.api_key beside it");
                None
            }
            [false, true] => {
                self.note(private, "needs tls.api_certificate beside it");
                None
            }
        }
    }
}
