//! The operations of logs, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::logs::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn create_log_group(&mut self, _input: CreateLogGroupRequest) -> Result<(), Fault> {
        Err(super::unimplemented("create_log_group"))
    }

    fn delete_log_group(&mut self, _input: DeleteLogGroupRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_log_group"))
    }

    fn delete_retention_policy(&mut self, _input: DeleteRetentionPolicyRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_retention_policy"))
    }

    fn describe_log_groups(&mut self, _input: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Fault> {
        Err(super::unimplemented("describe_log_groups"))
    }

    fn list_tags_for_resource(
        &mut self,
        _input: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Fault> {
        Err(super::unimplemented("list_tags_for_resource"))
    }

    fn put_retention_policy(&mut self, _input: PutRetentionPolicyRequest) -> Result<(), Fault> {
        Err(super::unimplemented("put_retention_policy"))
    }

    fn tag_resource(&mut self, _input: TagResourceRequest) -> Result<(), Fault> {
        Err(super::unimplemented("tag_resource"))
    }

    fn untag_resource(&mut self, _input: UntagResourceRequest) -> Result<(), Fault> {
        Err(super::unimplemented("untag_resource"))
    }
}
