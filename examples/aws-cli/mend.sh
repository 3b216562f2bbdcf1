#!/usr/bin/env bash
# Gives back the rule that break.sh took.
set -euo pipefail
source "${STATE:-stack.env}"
aws ec2 authorize-security-group-ingress --group-id "$ALB_SG" \
    --ip-permissions "IpProtocol=tcp,FromPort=80,ToPort=80,UserIdGroupPairs=[{GroupId=$LINK_SG}]" >/dev/null
echo "curl -i ${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}/_aws/execute-api/$API/hello"
