//! Too little of what the system gives: descriptors, room on the disk. What is served goes on, what cannot be done says so, and
//! both end when there is enough again.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;

use crate::support::{PATIENCE, Server, after, text};

/// What the system grants this process.
fn soft_limit(server: &Server) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let server = Server::started_after("ulimit -Sn 64 && ulimit -Hn 2048", &["--ephemeral"]);
    assert_eq!(soft_limit(&server), 2048);
}

#[test]
fn silent_clients_of_the_public_port_leave_descriptors_for_everything_else() {
    let server = Server::started_after("ulimit -n 256", &["--ephemeral", "--public-tls", "127.0.0.1:0"]);
    let authority = |name: &str| {
        let url = server.ready[name].as_str().unwrap();
        url.split_once("://").unwrap().1.to_owned()
    };
    let mut silent = Vec::new();
    for port in [authority("public"), authority("public_tls")] {
        // Those that are not accepted wait in the system's queue, which is bounded too.
        silent.extend((0..150).map(|_| TcpStream::connect_timeout(&port.parse().unwrap(), PATIENCE)));
    }
    let vpc = server.ec2("CreateVpc&CidrBlock=10.8.0.0/16").succeeded();
    assert!(vpc.body.contains("10.8.0.0/16"));
    let open = fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    assert!(open < 200, "{open} descriptors are open, of 256");
    let log = fs::read_to_string(&server.log).unwrap();
    assert!(log.contains("the limit of open files is low"), "{log}");
    drop(silent);
}

/// A disk of this many KiB at a directory that only the server sees.
fn disk(directory: &str, kib: u32) -> String {
    format!("mount -t tmpfs -o size={kib}k tidegate-test {directory}")
}

#[test]
fn a_full_disk_makes_writes_unavailable_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let server = Server::started_after(&disk(path, 1024), &["--data-dir", path, "--log", "info"]);
    server.ec2("CreateVpc&CidrBlock=10.251.0.0/16").succeeded();
    // Through the server's own view of the file system.
    let filler = PathBuf::from(format!("/proc/{}/root{path}/filler", server.child.id()));
    fs::write(&filler, vec![b'x'; 64 * 1024]).unwrap();
    while fs::OpenOptions::new().append(true).open(&filler).and_then(|mut file| fill(&mut file)).is_ok() {}

    let mut refused = None;
    for number in 0..200 {
        let reply = server.ec2(&format!("CreateVpc&CidrBlock=10.{number}.0.0/16"));
        if reply.status != 200 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("a full disk takes no write");
    assert_eq!((refused.status, refused.element("Code")), (503, "Unavailable"), "{refused:?}");
    let before = server.ec2("DescribeVpcs").succeeded().body;
    assert_eq!(server.elb("CreateTargetGroup&Name=a&Protocol=HTTP&Port=80&VpcId=vpc-0").status, 400);
    let log = fs::read_to_string(&server.log).unwrap();
    assert!(log.contains("state.db"), "the log names the file: {log}");

    fs::remove_file(&filler).unwrap();
    server.ec2("CreateVpc&CidrBlock=10.250.0.0/16").succeeded();
    let after = server.ec2("DescribeVpcs").succeeded().body;
    let count = |body: &str| body.matches("<vpcId>").count();
    assert_eq!(count(&after), count(&before) + 1, "the refused write left nothing behind");
}

fn fill(file: &mut fs::File) -> std::io::Result<()> {
    std::io::Write::write_all(file, &[b'x'; 512])
}

fn start(words: &str, directory: &str) -> Output {
    let ports = ["--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--data-dir", directory];
    after(words).arg("up").args(ports).output().unwrap()
}

#[test]
fn a_start_on_a_full_disk_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let words = format!("{} && (head -c 1M /dev/zero > {path}/filler || true)", disk(path, 64));
    let ended = start(&words, path);
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains(path) && (said.contains("full") || said.contains("No space left")), "{said}");
}

#[test]
fn a_start_on_a_damaged_file_names_it() {
    for name in ["state.db", "logs.db"] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), "this is no database, whatever its name says".repeat(100)).unwrap();
        let ended = start("true", directory.path().to_str().unwrap());
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains(name) && said.contains("damaged"), "{said}");
    }
}
