#!/usr/bin/env bash
# Takes away the one rule that lets the link into the load balancer. The next request answers 503; `tidegate explain` says why.
set -euo pipefail
source "${STATE:-stack.env}"
aws ec2 revoke-security-group-ingress --group-id "$ALB_SG" \
    --ip-permissions "IpProtocol=tcp,FromPort=80,ToPort=80,UserIdGroupPairs=[{GroupId=$LINK_SG}]" >/dev/null
echo "curl -i ${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}/_aws/execute-api/$API/hello"
echo "tidegate explain REQUEST_ID        # the answer's apigw-requestid header"
