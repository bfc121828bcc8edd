//! The program against an API server of a few lines: what a cluster says and what files say come to the same report.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cluster/certificates.rs"]
mod certificates;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use wakegate_cli::migrate::objects::Kind;

/// Answers the path of a request.
type Answer = Box<dyn Fn(&str) -> (u16, Value) + Send>;

/// The Secrets that are looked into.
const SECRETS: [&str; 3] = [
    "wakegate-control-plane-tls",
    "wakegate-scaler-tls",
    "by-hand",
];

/// Serves one request on each connection; the first waits.
fn serve(answer: Answer, wait: Duration) -> NamedTempFile {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut wait = wait;
        for stream in listener.incoming() {
            // A client that has enough leaves.
            drop(exchange(&mut stream.unwrap(), &answer, &mut wait));
        }
    });
    let mut file = NamedTempFile::new().unwrap();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "c", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    file.write_all(config.to_string().as_bytes()).unwrap();
    file
}

fn exchange(stream: &mut TcpStream, answer: &Answer, wait: &mut Duration) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    thread::sleep(std::mem::take(wait));
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ');
    assert_eq!(words.next(), Some("GET"), "nothing is ever written: {head}");
    let url = words.next().unwrap();
    let secret = url.split_once("/secrets").map(|(_, name)| name);
    let is_listed = head.contains("PartialObjectMetadataList");
    let is_ours = |name: &str| SECRETS.contains(&name.trim_start_matches('/'));
    assert!(
        secret.is_none_or(|name| is_listed || is_ours(name)),
        "what is in other Secrets is nobody's business: {head}"
    );
    let (code, body) = answer(url);
    let body = body.to_string();
    let n = body.len();
    write!(
        stream,
        "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {n}\r\n\r\n{body}"
    )
}

fn status(code: u16, message: &str) -> (u16, Value) {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code });
    (code, body)
}

fn wakegate(config: &NamedTempFile, args: &[&str]) -> Output {
    run(config, "migrate", args)
}

fn run(config: &NamedTempFile, command: &str, args: &[&str]) -> Output {
    let mut wakegate = Command::new(env!("CARGO_BIN_EXE_wakegate"));
    let command = wakegate.arg(command).args(args).env_clear();
    command.env("KUBECONFIG", config.path()).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// All objects of a fixture.
fn objects(fixture: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for entry in fs::read_dir(format!("tests/fixtures/{fixture}")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml")
        {
            let file = fs::read_to_string(path).unwrap();
            let documents: Vec<Value> = serde_saphyr::from_multiple(&file).unwrap();
            for mut document in documents {
                match document.get_mut("items").map(Value::take) {
                    Some(Value::Array(items)) => all.extend(items),
                    _ => all.push(document),
                }
            }
        }
    }
    all
}

/// Lists a kind in two pages, in the version that an object has it in and in no other.
fn listed(objects: &[Value], url: &str) -> (u16, Value) {
    let (path, query) = url.split_once('?').unwrap();
    let (version, plural) = path.rsplit_once('/').unwrap();
    let version = version
        .trim_start_matches("/apis/")
        .trim_start_matches("/api/");
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.plural() == plural)
        .unwrap();
    let is_it = |it: &&Value| it["kind"] == kind.as_str() && it["apiVersion"] == version;
    let mut items: Vec<Value> = objects.iter().filter(is_it).cloned().collect();
    if items.is_empty() {
        return status(404, "the server could not find the requested resource");
    }
    for item in &mut items {
        let fields = item.as_object_mut().unwrap();
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    let (page, next) = if query.contains("continue=") {
        (items.split_off(1), "")
    } else {
        let more = if items.len() > 1 { "more" } else { "" };
        (vec![items.swap_remove(0)], more)
    };
    let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": { "continue": next }, "items": page });
    (200, list)
}

fn without_files(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(file) = fields.get_mut("file") {
                *file = Value::Null;
            }
            fields.values_mut().for_each(without_files);
        }
        Value::Array(items) => items.iter_mut().for_each(without_files),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_cluster_and_its_files_come_to_the_same() {
    let fixture = "http-scaled-object";
    let objects = objects(fixture);
    let config = serve(Box::new(move |url| listed(&objects, url)), Duration::ZERO);
    let output = wakegate(&config, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of_files = wakegate(
        &config,
        &["-f", &format!("tests/fixtures/{fixture}"), "-o", "json"],
    );
    let mut of_files: Value = serde_json::from_slice(&of_files.stdout).unwrap();
    without_files(&mut of_files);
    for part in ["summary", "everywhere", "objects", "steps", "unread"] {
        assert_eq!(report[part], of_files[part], "{part}");
    }
}

#[test]
fn a_cluster_that_takes_its_time_is_waited_for_aloud() {
    let answer = Box::new(|_: &str| status(404, "no such kind"));
    let config = serve(answer, Duration::from_millis(2_500));
    let output = wakegate(&config, &[]);
    let told = text(output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(
        told,
        "wakegate: waiting for interceptorroutes of all namespaces\n"
    );
    assert_eq!(
        text(output.stdout),
        "Nothing of the KEDA HTTP add-on is here.\n"
    );
}

#[test]
fn what_may_not_be_listed_is_named_and_not_missed() {
    let objects = objects("moved");
    let answer = move |url: &str| {
        if url.contains("/services") {
            return status(403, "you may not list services");
        }
        listed(&objects, &url.replace("/namespaces/shop", ""))
    };
    let config = serve(Box::new(answer), Duration::ZERO);
    let output = wakegate(&config, &["-n", "shop", "--context", "c"]);
    let report = text(output.stdout);
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert!(
        report.contains("Not read: services of namespace shop: you may not list services\n"),
        "{report}"
    );
    assert!(report.contains("[service-not-checked]"), "{report}");
    assert!(!report.contains("[no-service]"), "{report}");
}

#[test]
fn who_is_not_let_in_gets_no_report() {
    let config = serve(
        Box::new(|_: &str| status(401, "Unauthorized")),
        Duration::ZERO,
    );
    let output = wakegate(&config, &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let told = text(output.stderr);
    assert!(
        told.starts_with("wakegate: list interceptorroutes of all namespaces: "),
        "{told}"
    );
}
