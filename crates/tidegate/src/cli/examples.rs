//! Examples for the foot of each `--help`: lines that a person may type as they stand. A test reads every one of them by the command line.

/// Of `up`.
pub(super) const UP: &str = "Examples:
  tidegate up
  tidegate up --api 127.0.0.1:0 --public 127.0.0.1:0 --ephemeral --output json
  tidegate up --detach
  tidegate up --config tidegate.toml --delays realistic";
/// Of `down`.
pub(super) const DOWN: &str = "Examples:
  tidegate down
  tidegate down --data-dir state --timeout 10s";
/// Of `logs`.
pub(super) const LOGS: &str = "Examples:
  tidegate logs
  tidegate logs access --follow
  tidegate logs control --since 1m --output json";
/// Of `env`.
pub(super) const ENV: &str = "Examples:
  eval \"$(tidegate env)\"
  eval \"$(tidegate env --unset)\"
  tidegate env --shell fish | source
  tidegate env --shell powershell | Invoke-Expression";
/// Of `attach`.
pub(super) const ATTACH: &str = "Examples:
  tidegate attach 10.0.10.11:8080 127.0.0.1:9000
  tidegate attach --security-group sg-0123456789abcdef0 10.0.10.11 localhost:9000
  tidegate attach --listen LISTENER_ARN 127.0.0.1:8081";
/// Of `detach`.
pub(super) const DETACH: &str = "Examples:
  tidegate detach 10.0.10.11:8080
  tidegate detach --all";
/// Of `attachments`.
pub(super) const ATTACHMENTS: &str = "Examples:
  tidegate attachments
  tidegate attachments --output json";
/// Of `run`.
pub(super) const RUN: &str = "Examples:
  tidegate run --subnet subnet-0123456789abcdef0 --port 8080 -- python3 app.py";
/// Of `netns`.
pub(super) const NETNS: &str = "Examples:
  tidegate netns exec eni-0123456789abcdef0 -- curl http://10.0.1.11/";
/// Of `status`.
pub(super) const STATUS: &str = "Examples:
  tidegate status
  tidegate status --region eu-west-1 --output json";
/// Of `wait`.
pub(super) const WAIT: &str = "Examples:
  tidegate wait
  tidegate wait --healthy --timeout 2m";
/// Of `open`.
pub(super) const OPEN: &str = "Examples:
  tidegate open
  tidegate open orders --print";
/// Of `tick`.
pub(super) const TICK: &str = "Examples:
  tidegate tick 3600";
/// Of `reset`.
pub(super) const RESET: &str = "Examples:
  tidegate reset
  tidegate reset --yes";
/// Of `explain`.
pub(super) const EXPLAIN: &str = "Examples:
  tidegate explain JKJaXmPLvHcESHA=
  tidegate explain GET http://a1b2c3d4e5.execute-api.us-east-1.localhost:8080/orders
  tidegate explain POST http://127.0.0.1:8080/ --header 'Host: api.example.com' --data '{}'";
/// Of `doctor`.
pub(super) const DOCTOR: &str = "Examples:
  tidegate doctor
  tidegate doctor --output json
  tidegate doctor --link --data-dir /var/lib/tidegate-agent";
/// Of `agent`.
pub(super) const AGENT: &str = "Examples:
  tidegate agent token --vpc vpc-00000000000000001 --zone us-east-1a
  tidegate agent token --vpc vpc-00000000000000001 --ttl 1h --output json
  tidegate agent --join - --gateway gateway.example.com:7443 --data-dir /var/lib/tidegate-agent
  tidegate agent --data-dir /var/lib/tidegate-agent
  tidegate agent revoke agent-00000000000000001
  tidegate agent rotate-authority
  tidegate agent forget agent-00000000000000001";
/// Of `agents`.
pub(super) const AGENTS: &str = "Examples:
  tidegate agents
  tidegate agents --output json";
/// Of `demo`.
pub(super) const DEMO: &str = "Examples:
  tidegate demo
  tidegate demo --once
  tidegate demo --fabric kernel";
/// Of `ca`.
pub(super) const CA: &str = "Examples:
  tidegate ca > ca.pem
  tidegate ca issue api.example.com --dir certs";
/// Of `completion`.
pub(super) const COMPLETION: &str = "Examples:
  source <(tidegate completion bash)
  tidegate completion fish | source";
/// Of `publish`.
pub(super) const PUBLISH: &str = "Examples:
  tidegate publish svc.example.com --to 127.0.0.1:9000
  tidegate publish svc.example.com --to 10.1.2.3:8080 --path /v1 --rate 10 --burst 20
  tidegate publish svc.example.com --to 10.1.2.3:8080 --jwt-issuer https://id.example.com --audience svc --scope read
  tidegate publish svc.example.com --to 10.1.2.3:8080 --api-key --cert svc.crt --key svc.key
  tidegate publish -f services.yaml --yes";
/// Of `unpublish`.
pub(super) const UNPUBLISH: &str = "Examples:
  tidegate unpublish svc.example.com";
/// Of `published`.
pub(super) const PUBLISHED: &str = "Examples:
  tidegate published
  tidegate published --output json";
