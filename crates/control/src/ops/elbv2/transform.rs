//! Transforms of rules (ALB user guide, "Transforms", 2026-11).

use topology::resource::pattern::{Rewrite, Transforms};
use wire::Fault;
use wire::elbv2 as shapes;

use super::{condition, fault};

/// Characters of an expression and of what replaces it.
const CHARS_MAX: usize = 1024;
const HOST: &str = "host-header-rewrite";
const URL: &str = "url-rewrite";

/// Parses the transforms of a rule: each type once at most.
pub(super) fn parse(wanted: Vec<shapes::RuleTransform>) -> Result<Transforms, Fault> {
    let mut transforms = Transforms::default();
    for one in wanted {
        let (host, url) = (one.host_header_rewrite_config, one.url_rewrite_config);
        let (place, rewrites) = match (one.type_.as_str(), host, url) {
            (HOST, Some(config), None) => (&mut transforms.host, config.rewrites),
            (URL, None, Some(config)) => (&mut transforms.url, config.rewrites),
            (HOST | URL, ..) => {
                return Err(fault::validation(format!("A transform of type '{}' takes its own config", one.type_)));
            }
            (other, ..) => {
                return Err(fault::validation(format!("Transform type '{other}' must be one of '[{HOST},{URL}]'")));
            }
        };
        if place.is_some() {
            return Err(fault::validation(format!("A rule can only have one '{}' transform", one.type_)));
        }
        *place = Some(rewrite(&one.type_, rewrites.unwrap_or_default())?);
    }
    Ok(transforms)
}

fn rewrite(kind: &str, wanted: Vec<shapes::RewriteConfig>) -> Result<Rewrite, Fault> {
    let [shapes::RewriteConfig { regex, replace }] = <[_; 1]>::try_from(wanted)
        .map_err(|_| fault::validation(format!("A transform of type '{kind}' must have exactly one rewrite")))?;
    if [&regex, &replace].into_iter().any(|text| text.chars().count() > CHARS_MAX) {
        return Err(fault::validation(format!("Regex and replacement of '{kind}' have a limit of '{CHARS_MAX}'")));
    }
    let compiled = regex.parse().map_err(|error| condition::regex_fault(&regex, &error))?;
    Ok(Rewrite { regex: compiled, replace })
}

pub(super) fn render(transforms: &Transforms) -> Vec<shapes::RuleTransform> {
    let rewrites = |one: &Rewrite| {
        Some(vec![shapes::RewriteConfig { regex: one.regex.to_string(), replace: one.replace.clone() }])
    };
    let host = transforms.host.iter().map(|one| shapes::RuleTransform {
        type_: HOST.to_owned(),
        host_header_rewrite_config: Some(shapes::HostHeaderRewriteConfig { rewrites: rewrites(one) }),
        url_rewrite_config: None,
    });
    let url = transforms.url.iter().map(|one| shapes::RuleTransform {
        type_: URL.to_owned(),
        host_header_rewrite_config: None,
        url_rewrite_config: Some(shapes::UrlRewriteConfig { rewrites: rewrites(one) }),
    });
    host.chain(url).collect()
}
