//! The account settings of API Gateway (REST API reference, "Account", 2026-11). The role for logs is kept and shown; logs are
//! written without one (`docs/differences-from-aws.md`).

use topology::resource::gateway_account::GatewayAccount;
use wire::Fault;
use wire::apigateway as shapes;

use super::fault;
use super::patch::{MEMBER, REPLACE, Rule, Sentence, Table};
use crate::context::Context;

/// Requests at once and a second, over all APIs of an account in a region (REST API quotas, 2026-11).
const BURST: i64 = 5000;
const RATE: f64 = 10_000.0;
/// What an account can do, and the version of its keys.
const FEATURE: &str = "UsagePlans";
const KEY_VERSION: &str = "4";

fn kept(context: &Context<'_>) -> GatewayAccount {
    let account = context.estate().gateway_accounts.get(&context.account());
    account.map(|account| GatewayAccount::clone(account)).unwrap_or_default()
}

pub(super) fn get(context: &Context<'_>) -> shapes::Account {
    render(&kept(context))
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateAccountRequest) -> Result<shapes::Account, Fault> {
    let mut account = kept(context);
    PATHS.apply(context, &mut account, input.patch_operations)?;
    let shown = render(&account);
    let id = context.account();
    context.edit().gateway_accounts.insert(id, account);
    Ok(shown)
}

const PATHS: Table<GatewayAccount> = Table {
    rules: &[
        Rule::new("/cloudwatchRoleArn", REPLACE, |_, account, change| {
            let role = change.optional();
            if role.as_deref().is_some_and(|role| !is_role(role)) {
                return Err(fault::bad_request("Invalid ARN specified in the request"));
            }
            account.cloudwatch_role_arn = role;
            Ok(())
        }),
        // Every account has it, and keeps it.
        Rule::new("/features", MEMBER, |_, _, change| match change.text() {
            FEATURE => Ok(()),
            _ => Err(change.invalid()),
        }),
    ],
    sentence: Sentence::Listed,
};

/// `arn:aws:iam::ACCOUNT:role/NAME`
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "iam", "", account, resource] = parts[..] else { return false };
    let named = resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    named && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
}

fn render(account: &GatewayAccount) -> shapes::Account {
    shapes::Account {
        api_key_version: Some(KEY_VERSION.to_owned()),
        cloudwatch_role_arn: account.cloudwatch_role_arn.clone(),
        features: Some(vec![FEATURE.to_owned()]),
        throttle_settings: Some(shapes::ThrottleSettings { burst_limit: Some(BURST), rate_limit: Some(RATE) }),
    }
}
