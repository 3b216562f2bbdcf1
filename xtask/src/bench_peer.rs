//! What the bench compares with, and what is behind all of them: nginx and HAProxy with configurations of their own, each one process
//! on one core.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench_stack::{Guard, certificate_in};
use crate::shell;

/// nginx or HAProxy, ended by its process id when dropped.
pub(crate) struct Peer {
    pub(crate) port: u16,
    child: Child,
}

impl Peer {
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process and its workers.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Answers everything with 1 KiB.
    pub(crate) fn nginx_backend(dir: &Path) -> Result<Self, String> {
        Self::nginx(dir, ("backend", "1"), &Self::answering())
    }

    /// The same over TLS with this certificate and key.
    pub(crate) fn tls_backend(dir: &Path, certificate: &(PathBuf, PathBuf)) -> Result<Self, String> {
        Self::nginx_on(dir, ("backend-tls", "1"), "ssl", &(presenting(certificate) + &Self::answering()))
    }

    /// The same over HTTP/2 without TLS.
    pub(crate) fn http2_backend(dir: &Path) -> Result<Self, String> {
        Self::nginx_on(dir, ("backend-http2", "1"), "http2", &Self::answering())
    }

    fn answering() -> String {
        format!("location / {{ return 200 '{}'; }}", "x".repeat(1024))
    }

    /// A front that forwards to a second one that forwards to the backend.
    pub(crate) fn pair(kind: &str, dir: &Path, backend: &str) -> Result<[Self; 2], String> {
        let start = |name: &str, to: &str| match kind {
            "nginx" => Self::nginx(dir, (name, "0"), &Self::forwarding("proxy_pass http://up", to)),
            _ => Self::haproxy(dir, name, (to, "")),
        };
        let back = start(&format!("{kind}-back"), backend)?;
        let front = start(&format!("{kind}-front"), &back.address())?;
        Ok([front, back])
    }

    /// One nginx in front of the backend, with this certificate and key where clients speak TLS.
    pub(crate) fn single(dir: &Path, backend: &str, certificate: Option<&(PathBuf, PathBuf)>) -> Result<Self, String> {
        let (name, listen) = match certificate {
            None => ("nginx-single", String::new()),
            Some(certificate) => ("nginx-tls", presenting(certificate)),
        };
        Self::nginx_on(
            dir,
            (name, "0"),
            certificate.map_or("", |_| "ssl http2"),
            &(listen + &Self::forwarding("proxy_pass http://up", backend)),
        )
    }

    /// One nginx in front of a backend that speaks TLS.
    pub(crate) fn towards_tls(dir: &Path, backend: &str) -> Result<Self, String> {
        Self::nginx_on(dir, ("nginx-https", "0"), "", &Self::forwarding("proxy_pass https://up", backend))
    }

    /// One nginx that speaks HTTP/2 within TLS to clients, and HTTP/2 to the backend, which it can as a gateway of gRPC.
    pub(crate) fn towards_http2(dir: &Path, backend: &str, certificate: &(PathBuf, PathBuf)) -> Result<Self, String> {
        let body = presenting(certificate) + &Self::forwarding("grpc_pass grpc://up", backend);
        Self::nginx_on(dir, ("nginx-http2", "0"), "ssl http2", &body)
    }

    fn forwarding(pass: &str, to: &str) -> String {
        format!(
            "location / {{ {pass}; proxy_http_version 1.1; proxy_set_header Connection ''; \
             proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0; }}\n}}\n\
             upstream up {{ server {to}; keepalive 128;"
        )
    }

    /// HAProxy that verifies tokens and counts requests, in front of one that does not.
    pub(crate) fn guarded_pair(dir: &Path, backend: &str, guard: &Guard) -> Result<[Self; 2], String> {
        let back = Self::haproxy(dir, "haproxy-guarded-back", (backend, ""))?;
        let rules = format!(
            "  stick-table type integer size 1k expire 10s store http_req_rate(1s)\n\
             \x20 http-request track-sc0 int(1)\n\
             \x20 http-request deny deny_status 429 if {{ sc0_http_req_rate gt 1000000 }}\n\
             \x20 http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')\n\
             \x20 http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')\n\
             \x20 http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')\n\
             \x20 http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')\n\
             \x20 http-request set-var(txn.scope) http_auth_bearer,jwt_payload_query('$.scope')\n\
             \x20 http-request set-var(txn.now) date()\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.iss) -m str {issuer} }}\n\
             \x20 http-request deny deny_status 401 unless {{ var(txn.aud) -m str {audience} }}\n\
             \x20 http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,\"{pem}\") -m int 1 }}\n\
             \x20 http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}\n\
             \x20 http-request deny deny_status 403 unless {{ var(txn.scope) -m sub {scope} }}\n",
            issuer = guard.told("issuer"),
            audience = guard.told("audience"),
            scope = guard.told("scope"),
            pem = guard.pem.display(),
        );
        let front = Self::haproxy(dir, "haproxy-guarded-front", (&back.address(), &rules))?;
        Ok([front, back])
    }

    fn nginx(dir: &Path, named: (&str, &str), body: &str) -> Result<Self, String> {
        Self::nginx_on(dir, named, "", body)
    }

    fn nginx_on(dir: &Path, (name, core): (&str, &str), how: &str, body: &str) -> Result<Self, String> {
        let port = free_port()?;
        let home = dir.join(name);
        std::fs::create_dir_all(&home).map_err(|e| e.to_string())?;
        let file = home.join("nginx.conf");
        let text = format!(
            "worker_processes 1;\ndaemon off;\npid {home}/pid;\nerror_log {home}/error.log;\nevents {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; \
             fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n\
             server {{ listen 127.0.0.1:{port} {how} backlog=1024; {body} }}\n}}\n",
            home = home.display()
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        let peer = Self::spawn(port, Command::new("taskset").args(["-c", core, "nginx", "-c"]).arg(&file))?;
        // It listens before there is a worker, whose time is what counts.
        let start = Instant::now();
        while peer.pids().len() < 2 {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name} has no worker"));
            }
            std::thread::yield_now();
        }
        Ok(peer)
    }

    fn haproxy(dir: &Path, name: &str, (to, rules): (&str, &str)) -> Result<Self, String> {
        let port = free_port()?;
        let file = dir.join(format!("{name}.cfg"));
        let text = format!(
            "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             \x20 option forwardfor\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:{port}\n{rules}  default_backend b\n\
             backend b\n  server s {to} pool-max-conn 256\n"
        );
        std::fs::write(&file, text).map_err(|e| e.to_string())?;
        Self::spawn(port, Command::new("taskset").args(["-c", "0", "haproxy", "-f"]).arg(&file))
    }

    fn spawn(port: u16, command: &mut Command) -> Result<Self, String> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
        let peer = Self { port, child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("{command:?} does not listen"));
            }
            std::thread::yield_now();
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's master ends its workers on SIGTERM, but would leave them on SIGKILL.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// How nginx is told to present a certificate.
fn presenting((certificate, key): &(PathBuf, PathBuf)) -> String {
    format!("ssl_certificate {}; ssl_certificate_key {};", certificate.display(), key.display())
}

/// A certificate for nginx, of the same kind of key as the development authority's.
pub(crate) fn certificate(dir: &Path) -> Result<(PathBuf, PathBuf), String> {
    let [certificate, key] = certificate_in(dir);
    shell::run(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=bench", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null()),
    )?;
    Ok((certificate, key))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}
