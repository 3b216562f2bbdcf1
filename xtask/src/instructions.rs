//! How many instructions a request costs in user space, counted by valgrind's callgrind: a figure that a busy machine does not change.
//! CI counts them for the dev build against a bound, so that a feature that costs is seen; the bench for the build that ships.
//!
//! One client asks over one kept connection, one request after another, of a server with one worker; the backend is a thread here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use crate::bench_stack::{self, Posted, Server, Stack};
use crate::{Outcome, codegen, conformance, shell};

/// Requests before the count and within it.
const WARMING: usize = 100;
const COUNTED: usize = 300;

/// Kinds of requests, each with the most instructions that one of it may cost in the dev build: what it cost when the row was last
/// written, and 6 % for another machine's libraries. A feature that is worth more raises its row in the same commit.
const BOUNDS: [(&str, u64); 4] = [
    ("HTTP API, GET through link and load balancer", 201_700),
    ("REST API, POST of 1 KiB checked by a model", 674_600),
    ("the same GET over HTTP/2", 257_500),
    ("the same GET past 1,000 rules of the listener", 212_500),
];

/// Rules that the last kind passes.
const RULES: usize = 1_000;

/// Which kind that is.
const PAST_RULES: usize = BOUNDS.len() - 1;

/// One kind of request, as bytes.
struct Asked {
    name: &'static str,
    bound: u64,
    how: How,
}

/// How it is asked, the same each time.
enum How {
    /// With these bytes.
    Http1(Vec<u8>),
    /// With these headers (RFC 7541), each time on a stream of its own.
    Http2(Vec<u8>),
}

/// `cargo xtask instructions`: counts for the dev build, and judges.
pub(crate) fn run() -> Outcome {
    let root = codegen::root();
    shell::run(shell::cargo().args(["build", "--locked", "--package", "tidegate"]).current_dir(&root))?;
    let binary = conformance::target(&root).join("debug/tidegate");
    let mut over = Vec::new();
    for (asked, counted) in count(&root, &binary)? {
        eprintln!("{}: {counted} instructions, at most {}", asked.name, asked.bound);
        if counted > asked.bound {
            over.push(format!("{}: {counted} instructions, {} may be", asked.name, asked.bound));
        }
    }
    if over.is_empty() { Ok(()) } else { Err(over.join("; ")) }
}

/// The lines of the bench.
pub(crate) fn lines(root: &Path, binary: &Path) -> Result<String, String> {
    let counted = count(root, binary)?.into_iter();
    Ok(counted.map(|(asked, counted)| format!("{}: {counted} instructions in user space\n", asked.name)).collect())
}

fn count(root: &Path, binary: &Path) -> Result<Vec<(Asked, u64)>, String> {
    if !shell::on_path("callgrind_control") {
        return Err("instructions are counted by valgrind (Debian: valgrind)".to_owned());
    }
    let python = conformance::python(root)?;
    bench_stack::in_scratch("instructions", |dir| count_in(root, (binary, &python), dir))
}

fn count_in(root: &Path, (binary, python): (&Path, &Path), dir: &Path) -> Result<Vec<(Asked, u64)>, String> {
    let backend = backend()?;
    let out = format!("--callgrind-out-file={}", dir.join("out").display());
    let prefix = format!("--vgdb-prefix={}", dir.join("vgdb").display());
    let under = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", &out, &prefix];
    let server = Server::start_under(&under, binary, dir)?;
    let stack = bench_stack::build(root, (binary, python), &server, (&backend, dir))?;
    let posted = bench_stack::rest(root, python, &server, dir)?;
    let control = |what: &[&str]| {
        shell::output(Command::new("callgrind_control").arg(&prefix).args(what).arg(server.pid().to_string()))
    };
    let mut counts = Vec::new();
    for (at, asked) in kinds(&stack, &posted).into_iter().enumerate() {
        if at == PAST_RULES {
            control(&["--instr=off"])?;
            bench_stack::rules(root, python, &server, (dir, RULES))?;
        }
        control(&["--instr=on"])?;
        let mut connection = connect(server.url("public"))?;
        if matches!(asked.how, How::Http2(_)) {
            connection.write_all(PREFACE).map_err(|e| e.to_string())?;
        }
        ask(&mut connection, &asked, 0..WARMING)?;
        control(&["--zero"])?;
        ask(&mut connection, &asked, WARMING..WARMING + COUNTED)?;
        control(&["--dump"])?;
        // Dumps are numbered from 1.
        let total = total(&dir.join(format!("out.{}", at + 1)))?;
        counts.push((asked, total / COUNTED as u64));
    }
    Ok(counts)
}

fn kinds(stack: &Stack, posted: &Posted) -> Vec<Asked> {
    let [(plain, plain_bound), (checked, checked_bound), (http2, http2_bound), (past_rules, rules_bound)] = BOUNDS;
    let get = format!("GET /hello HTTP/1.1\r\nHost: {}\r\n\r\n", stack.host);
    let (host, body) = (&posted.host, &posted.body);
    let head = format!("POST /live/checked HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
    let post = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    vec![
        Asked { name: plain, bound: plain_bound, how: How::Http1(get.clone().into_bytes()) },
        Asked { name: checked, bound: checked_bound, how: How::Http1(post.into_bytes()) },
        Asked { name: http2, bound: http2_bound, how: How::Http2(headers(&stack.host)) },
        Asked { name: past_rules, bound: rules_bound, how: How::Http1(get.into_bytes()) },
    ]
}

/// The headers of that GET: `GET` and `http` by their numbers in the static table, path and authority by their names' (RFC 7541, appendix A).
fn headers(host: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(4, "/hello"), (1, host)] {
        // A host and a path of the stack are shorter than 127 bytes.
        block.extend_from_slice(&[name, value.len() as u8]);
        block.extend_from_slice(value.as_bytes());
    }
    block
}

fn connect(url: &str) -> Result<TcpStream, String> {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    Ok(stream)
}

/// What the backend says to everything.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nhello";

/// Asks the requests of these numbers.
fn ask(connection: &mut TcpStream, asked: &Asked, numbers: Range<usize>) -> Outcome {
    for number in numbers {
        let bytes = match &asked.how {
            How::Http1(bytes) => bytes,
            How::Http2(block) => {
                ask_framed(connection, block, number).map_err(|e| format!("{}: {e}", asked.name))?;
                continue;
            }
        };
        connection.write_all(bytes).map_err(|e| e.to_string())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            let mut piece = [0; 4096];
            let read = connection.read(&mut piece).map_err(|e| e.to_string())?;
            answer.extend_from_slice(piece.get(..read).filter(|piece| !piece.is_empty()).ok_or("the server hung up")?);
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("{}: {}", asked.name, String::from_utf8_lossy(&answer)));
        }
    }
    Ok(())
}

/// What a client's connection over HTTP/2 begins with, and settings that set nothing (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Asks with these headers on the stream of this number, and reads frames to the end of its answer (RFC 9113, section 4.1).
fn ask_framed(connection: &mut TcpStream, block: &[u8], number: usize) -> std::io::Result<()> {
    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    /// Status 200 by its number in the static table.
    const OK: u8 = 0x88;
    let stream = 2 * number as u32 + 1;
    let head = [&(block.len() as u32).to_be_bytes()[1..], &[HEADERS, END_STREAM | END_HEADERS], &stream.to_be_bytes()];
    connection.write_all(&[&head.concat(), block].concat())?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        connection.read_exact(&mut payload)?;
        if u32::from_be_bytes(id) != stream {
            continue;
        }
        if kind == HEADERS && payload.first() != Some(&OK) {
            return Err(std::io::Error::other("the status is not 200"));
        }
        if kind <= HEADERS && flags & END_STREAM != 0 {
            return Ok(());
        }
    }
}

/// A backend of any number of connections, each served by a thread until its client goes.
fn backend() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(address.to_string())
}

/// Answers each head; of a body it reads what `Content-Length` announces.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut read, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let got = stream.read(&mut piece)?;
        if got == 0 {
            return Ok(());
        }
        read.extend_from_slice(&piece[..got]);
        while let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let whole = end + 4 + length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0);
            if read.len() < whole {
                break;
            }
            read.drain(..whole);
            stream.write_all(ANSWER)?;
        }
    }
}

/// The count that a dump of callgrind's ends with.
fn total(dump: &Path) -> Result<u64, String> {
    let text = std::fs::read_to_string(dump).map_err(|e| format!("{}: {e}", dump.display()))?;
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|total| total.trim().parse().ok()).ok_or_else(|| format!("{}: no totals", dump.display()))
}
