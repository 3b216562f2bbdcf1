//! Settings that the command line gives: which flag is which.

use super::{Given, Origin, Raw};
use crate::cli::UpArgs;

impl Raw {
    /// Takes them over what was read before.
    pub(super) fn read_flags(&mut self, flags: &UpArgs) {
        let texts = [
            ("listen.api", &flags.listen_api),
            ("listen.api_tls", &flags.listen_api_tls),
            ("listen.metrics", &flags.listen_metrics),
            ("listen.redirect", &flags.listen_redirect),
            ("tls.api_certificate", &flags.api_certificate),
            ("tls.api_key", &flags.api_key),
            ("listen.public", &flags.listen_public),
            ("listen.public_tls", &flags.listen_public_tls),
            ("listen.balancers", &flags.listen_balancers),
            ("listen.link", &flags.listen_link),
            ("data_dir", &flags.data_dir),
            ("s3.root", &flags.s3_root),
            ("account_id", &flags.account_id),
            ("region", &flags.region),
            ("fabric", &flags.fabric),
            ("delays", &flags.delays),
            ("quotas", &flags.quotas),
            ("unsupported", &flags.unsupported),
            ("timeouts.blocked_connect", &flags.blocked_connect),
            ("access_log", &flags.access_log),
            ("otel.endpoint", &flags.otel_endpoint),
            ("egress.allow", &flags.egress_allow),
            ("cognito.endpoint", &flags.cognito_endpoint),
            ("tls.extra_roots", &flags.extra_roots),
            ("acme.directory", &flags.acme.directory),
            ("acme.contact", &flags.acme.contact),
            ("acme.ca_file", &flags.acme.ca_file),
            ("acme.names", &flags.acme.names),
            ("acme.challenges", &flags.acme.challenges),
            ("log", &flags.log),
            ("output", &flags.output),
        ];
        for (setting, text) in texts {
            if let Some(text) = text {
                self.settings.insert(setting, Given::Text(text.clone(), Origin::Flag));
            }
        }
        let truths = [
            ("ephemeral", flags.ephemeral),
            ("egress.nat", flags.egress_nat),
            ("strict_wire", flags.strict_wire),
            ("allow_remote", flags.allow_remote),
            ("acme.terms_agreed", flags.acme.terms_agreed),
        ];
        for (setting, is_given) in truths {
            if is_given {
                self.settings.insert(setting, Given::Truth(true, Origin::Flag));
            }
        }
    }
}
