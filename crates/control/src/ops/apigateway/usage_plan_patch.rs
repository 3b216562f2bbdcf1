//! What a patch may change of a usage plan. A stage is `API:STAGE`; a method of it `/path/METHOD`, escaped as one segment and one,
//! or not at all, as Terraform writes it.

use topology::estate::StageKey;
use topology::resource::usage_plan::{PlanStage, PlanThrottle, UsagePlan};
use wire::Fault;

use super::fault;
use super::integration::written;
use super::patch::{Change, MEMBER, Op, REPLACE, Rule, Sentence, Table};
use super::usage_plan::{PERIODS, checked_method, checked_name, checked_quota, checked_throttle};

/// A plan on its way: the parts of its quota come one after the other.
pub(super) struct Wanted {
    plan: UsagePlan,
    quota: Option<WantedQuota>,
}

#[derive(Default)]
struct WantedQuota {
    limit: Option<i64>,
    offset: Option<i64>,
    period: Option<String>,
}

impl Wanted {
    pub(super) fn of(plan: &UsagePlan) -> Self {
        let quota = plan.quota.map(|quota| WantedQuota {
            limit: i64::try_from(quota.limit).ok(),
            offset: i64::try_from(quota.offset).ok(),
            period: written(&PERIODS, &quota.period),
        });
        Self { plan: plan.clone(), quota }
    }

    /// The plan, once it is whole.
    pub(super) fn checked(self) -> Result<UsagePlan, Fault> {
        let quota = self.quota.map(|quota| checked_quota(quota.limit, quota.offset, quota.period.as_deref()));
        let throttle = self.plan.throttle.map(checked_throttle);
        for (_, stage) in &self.plan.stages {
            for (method, limits) in &stage.throttle {
                checked_method(method)?;
                checked_throttle(*limits)?;
            }
        }
        Ok(UsagePlan { quota: quota.transpose()?, throttle: throttle.transpose()?, ..self.plan })
    }

    fn throttle(&mut self) -> &mut PlanThrottle {
        self.plan.throttle.get_or_insert_default()
    }

    fn quota(&mut self) -> &mut WantedQuota {
        self.quota.get_or_insert_default()
    }

    /// The stage of the plan that a path names.
    fn stage(&mut self, change: &Change<'_>) -> Result<&mut PlanStage, Fault> {
        let key = stage_key(change.key());
        let id = self.plan.id;
        let found = self.plan.stages.iter_mut().find(|(known, _)| Some(known) == key.as_ref());
        found.map(|(_, stage)| stage).ok_or_else(|| no_stage(change.key(), id))
    }

    /// The limits of the method that a path names, made when they are not there.
    fn method(&mut self, change: &Change<'_>) -> Result<&mut PlanThrottle, Fault> {
        let method = checked_method(change.second_key())?;
        Ok(self.stage(change)?.throttle.entry(method).or_default())
    }
}

/// `API:STAGE`
fn stage_key(text: &str) -> Option<StageKey> {
    let (api, name) = text.split_once(':')?;
    Some((api.parse().ok()?, name.parse().ok()?))
}

fn no_stage(text: &str, plan: topology::id::UsagePlanId) -> Fault {
    let (api, name) = text.split_once(':').unwrap_or((text, ""));
    fault::not_found(format!("Invalid API Stage {{api: {api}, stage: {name}}} specified for usageplan {plan}"))
}

const LIMIT: &[Op] = &[Op::Add, Op::Replace];
const REMOVE: &[Op] = &[Op::Remove];
const TEXT: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

pub(super) const PATHS: Table<Wanted> = Table {
    rules: &[
        Rule::new("/name", REPLACE, |_, draft, change| {
            draft.plan.name = checked_name(change.text().to_owned())?;
            Ok(())
        }),
        Rule::new("/description", TEXT, |_, draft, change| {
            draft.plan.description = change.optional().filter(|_| change.op != Op::Remove);
            Ok(())
        }),
        Rule::new("/productCode", TEXT, |_, draft, change| {
            draft.plan.product_code = change.optional().filter(|_| change.op != Op::Remove);
            Ok(())
        }),
        Rule::new("/apiStages", MEMBER, |context, draft, change| {
            let unknown = || no_stage(change.text(), draft.plan.id);
            let key = stage_key(change.text()).ok_or_else(unknown)?;
            let at = draft.plan.stages.iter().position(|(known, _)| *known == key);
            match (change.op, at) {
                (Op::Remove, Some(at)) => {
                    draft.plan.stages.remove(at);
                }
                (Op::Add, None) if context.estate().rest_stages.contains(&key) => {
                    draft.plan.stages.push((key, PlanStage::default()));
                }
                (Op::Add, Some(_)) => {}
                _ => return Err(unknown()),
            }
            Ok(())
        }),
        Rule::new("/throttle", REMOVE, |_, draft, _| {
            draft.plan.throttle = None;
            Ok(())
        }),
        Rule::new("/throttle/rateLimit", LIMIT, |_, draft, change| {
            draft.throttle().rate = change.parsed()?;
            Ok(())
        }),
        Rule::new("/throttle/burstLimit", LIMIT, |_, draft, change| {
            draft.throttle().burst = change.parsed()?;
            Ok(())
        }),
        Rule::new("/quota", REMOVE, |_, draft, _| {
            draft.quota = None;
            Ok(())
        }),
        Rule::new("/quota/limit", LIMIT, |_, draft, change| {
            draft.quota().limit = Some(change.parsed()?);
            Ok(())
        }),
        Rule::new("/quota/offset", LIMIT, |_, draft, change| {
            draft.quota().offset = Some(change.parsed()?);
            Ok(())
        }),
        Rule::new("/quota/period", LIMIT, |_, draft, change| {
            draft.quota().period = change.optional();
            Ok(())
        }),
        Rule::new("/apiStages/{stage}/throttle/{method+}/rateLimit", LIMIT, |_, draft, change| {
            draft.method(change)?.rate = change.parsed()?;
            Ok(())
        }),
        Rule::new("/apiStages/{stage}/throttle/{method+}/burstLimit", LIMIT, |_, draft, change| {
            draft.method(change)?.burst = change.parsed()?;
            Ok(())
        }),
        Rule::new("/apiStages/{stage}/throttle", REMOVE, |_, draft, change| {
            draft.stage(change)?.throttle.clear();
            Ok(())
        }),
        Rule::new("/apiStages/{stage}/throttle/{method+}", REMOVE, |_, draft, change| {
            draft.stage(change)?.throttle.remove(change.second_key());
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};
