//! What a hub and a node say to each other, with the real node: enrolment from both sides, certificates, consent,
//! lines that break.

use std::process::{Command, Stdio};
use std::time::Duration;

use headroom_core::exchange::enrol::{Grant, Opening, Request, Token, hexadecimal};
use headroom_core::exchange::{Acknowledgement, Answer, Batch, HUB_DNS_NAME, Placement, bundle};
use headroom_peer::certificate::{first_certificate, is_signed_by};
use headroom_tests::node_process::{ask, until};
use headroom_tests::{Authority, FaultProxy, Line, Mood, NodeProcess, TestHub, built};
use hyper::{Method, StatusCode};
use rustls::ClientConfig;

/// A node that is enrolled with this hub and does not run yet.
fn enrolled(hub: &TestHub, settings: &str) -> NodeProcess {
    let node =
        NodeProcess::new(&format!("hub = \"{}\"\n{settings}", hub.address())).expect("a folder and a port");
    node.must(&["enrol", "--token", &hub.token()]).expect("the hub grants a certificate");
    node
}

fn as_hub(hub: &TestHub) -> ClientConfig {
    hub.authority.client(Some(hub.authority.certify(HUB_DNS_NAME, (-1, 1))))
}

async fn answers(node: &NodeProcess, config: &ClientConfig) -> bool {
    matches!(node.ask(config, Method::GET, "/v1/answer", b"").await, Ok((StatusCode::OK, _)))
}

async fn is_up(node: &NodeProcess, config: &ClientConfig) {
    for _ in 0..200 {
        if answers(node, config).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the node does not answer; its log:\n{}", node.log());
}

/// Rounds that the node has stored so far.
fn rounds(node: &NodeProcess) -> usize {
    // Before its first round there is no store.
    let stored = node.must(&["store", "export"]).unwrap_or_default();
    let moments = stored.lines().map(|line| {
        let sample: headroom_core::unit::Sample = serde_json::from_str(line).expect("a sample");
        sample.at
    });
    moments.collect::<std::collections::BTreeSet<_>>().len()
}

/// Waits until the node has measured and stored so many rounds more: in each it had an occasion to push.
async fn measures(node: &NodeProcess, more: usize) {
    let wanted = rounds(node) + more;
    until("it measures", || rounds(node) >= wanted).await.expect("it measures every second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_gets_specifications_user_information_and_status() {
    let hub = TestHub::start().await.expect("it listens");
    let settings = "consent = [\"advice\"]\norganisation = \"Ada Ltd\"\nplacement = \"peripheral\"";
    let mut node = enrolled(&hub, settings);
    node.start().expect("it starts");
    let config = as_hub(&hub);
    is_up(&node, &config).await;
    let read = async |method, path: &str, body: &[u8]| {
        let (status, bytes) = node.ask(&config, method, path, body).await.expect("an answer");
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        bytes
    };
    let answer: Answer =
        serde_json::from_slice(&read(Method::POST, "/v1/measure", b"").await).expect("an answer");
    assert_eq!(answer.description.placement, Placement::Peripheral);
    assert_eq!(answer.user.organisation, "Ada Ltd");
    let components = answer.units.iter().flat_map(|unit| &unit.components).count();
    assert!(components > 0 && answer.status.len() == components, "{components} {}", answer.status.len());
    assert!(
        answer.units.iter().flat_map(|unit| &unit.components).all(|part| part.label.is_none()),
        "names stay"
    );
    assert!(answer.status.iter().all(|sample| sample.sequence > 0), "what was measured was kept");

    until("three rounds are stored", || {
        node.must(&["store", "check", "--json"]).is_ok_and(|text| {
            let check: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            check["samples"].as_u64() >= Some(3 * components as u64)
        })
    })
    .await
    .expect("it measures every second");
    let batch: Batch =
        serde_json::from_slice(&read(Method::GET, "/v1/samples?newest=2", b"").await).expect("a batch");
    let range = batch.range.expect("there are samples");
    assert_eq!((batch.samples.len(), batch.more), (2, false));
    let all: Batch = serde_json::from_slice(&read(Method::GET, "/v1/samples?after=0&limit=3", b"").await)
        .expect("a batch");
    assert_eq!(all.samples.iter().map(|sample| sample.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let acknowledgement = Acknowledgement { store: batch.store, range };
    read(Method::POST, "/v1/acknowledge", &serde_json::to_vec(&acknowledgement).expect("JSON")).await;
    let next: Batch =
        serde_json::from_slice(&read(Method::GET, "/v1/samples?newest=1000", b"").await).expect("a batch");
    assert!(next.samples.iter().all(|sample| !(range.first..=range.last).contains(&sample.sequence)));

    for (method, path, body, expected) in [
        (Method::GET, "/v1/samples", &b""[..], StatusCode::BAD_REQUEST),
        (Method::GET, "/v1/samples?after=-1", b"", StatusCode::BAD_REQUEST),
        (Method::GET, "/v1/samples?newest=1&drop=all", b"", StatusCode::BAD_REQUEST),
        (Method::GET, "/v1/everything", b"", StatusCode::NOT_FOUND),
        (Method::POST, "/v1/acknowledge", b"{", StatusCode::BAD_REQUEST),
        (
            Method::POST,
            "/v1/renew/grant",
            b"{\"certificate\":\"x\",\"authority\":\"y\"}",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let (status, body) = node.ask(&config, method, path, body).await.expect("an answer");
        assert_eq!(status, expected, "{path}");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
    }
    let future = Acknowledgement {
        store: batch.store,
        range: headroom_core::exchange::SequenceRange { first: 1, last: u64::MAX },
    };
    let body = serde_json::to_vec(&future).expect("JSON");
    let (status, _) = node.ask(&config, Method::POST, "/v1/acknowledge", &body).await.expect("an answer");
    assert_eq!(status, StatusCode::CONFLICT, "nobody acknowledges what was never measured");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_certificate_there_is_nothing_and_a_line_in_the_log() {
    let hub = TestHub::start().await.expect("it listens");
    let revoked = hub.authority.certify(HUB_DNS_NAME, (-1, 1));
    hub.set_revocations(hub.authority.revoke(std::slice::from_ref(&revoked.serial)));
    let mut node = enrolled(&hub, "consent = [\"support\"]");
    node.start().expect("it starts");
    is_up(&node, &as_hub(&hub)).await;
    let stranger = Authority::new();
    let foreign = stranger.certify(HUB_DNS_NAME, (-1, 1));
    let other_node =
        hub.authority.certify(&headroom_core::exchange::node_dns_name(uuid::Uuid::new_v4()), (-1, 1));
    let cases = [
        ("none", None),
        ("of another authority", Some(foreign)),
        ("expired", Some(hub.authority.certify(HUB_DNS_NAME, (-48, -24)))),
        ("not yet valid", Some(hub.authority.certify(HUB_DNS_NAME, (24, 48)))),
        ("another node's", Some(other_node)),
        ("of no name", Some(hub.authority.certify("example.org", (-1, 1)))),
        ("revoked", Some(revoked)),
    ];
    let before = node.log().matches("refused a connection").count();
    for (refusals, (what, shown)) in (before + 1..).zip(cases) {
        let config = hub.authority.client(shown);
        let answer = node.ask(&config, Method::GET, "/v1/answer", b"").await;
        assert!(answer.is_err(), "{what}: {answer:?}");
        until(&format!("{what}: it is in the log"), || {
            node.log().matches("refused a connection").count() == refusals
        })
        .await
        .expect("logged");
    }
    assert!(answers(&node, &as_hub(&hub)).await, "the right one still gets in");
    let check = node.must(&["store", "check"]).expect("whole");
    assert!(check.contains("refused 127.0.0.1"), "it is in the journal: {check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_until_its_owner_says_so_and_a_withdrawal_holds_at_once() {
    let hub = TestHub::start().await.expect("it listens");
    let mut node = enrolled(&hub, "push = true");
    node.start().expect("it starts");
    measures(&node, 3).await;
    let config = as_hub(&hub);
    for path in ["/v1/answer", "/v1/samples?newest=5"] {
        let (status, body) = node.ask(&config, Method::GET, path, b"").await.expect("an answer");
        assert_eq!(status, StatusCode::FORBIDDEN, "{path} {}", String::from_utf8_lossy(&body));
    }
    assert!(hub.kept().answer.is_none(), "nothing was pushed");

    let preview: serde_json::Value =
        serde_json::from_str(&node.must(&["preview"]).expect("it prints")).expect("JSON");
    node.must(&["user", "set", "organisation", "Ada Ltd"]).expect("set");
    node.must(&["user", "grant", "advice"]).expect("granted");
    until("it pushes", || hub.kept().samples.len() > 5).await.expect("pushed");
    let told = serde_json::to_value(hub.kept().answer.clone()).expect("JSON");
    assert_eq!(told["units"], preview["answer"]["units"], "what left is what the preview showed");
    assert_eq!(told["user"]["organisation"], "Ada Ltd");

    node.must(&["user", "withdraw"]).expect("withdrawn");
    until("the hub learns of it", || {
        hub.kept().answer.as_ref().is_some_and(|answer| !answer.user.consent.any())
    })
    .await
    .expect("told");
    {
        let kept = hub.kept();
        let last = kept.answer.as_ref().expect("told");
        assert!(
            last.units.is_empty() && last.status.is_empty() && last.user.organisation.is_empty(),
            "{last:?}"
        );
    }
    let samples = hub.kept().samples.len();
    measures(&node, 3).await;
    assert_eq!(hub.kept().samples.len(), samples, "nothing after the withdrawal");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_starts_an_enrolment_and_only_the_token_opens_it() {
    let hub = TestHub::start().await.expect("it listens");
    let node = NodeProcess::new("").expect("a folder and a port");
    let place =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let mut enrolling = Command::new(built::program("headroom-node").expect("built"))
        .arg("--config")
        .arg(node.folder().join("node.toml"))
        .args(["enrol", "--listen", &place.to_string(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(enrolling.stdout.take().expect("piped")));
    let token: Token = lines.next().expect("a line").expect("text").parse().expect("a token");
    let config = headroom_peer::fingerprint::client_config(token.fingerprint).expect("TLS");
    let id = node.id().expect("made before it listens");
    let post = async |path: &str, body: Vec<u8>| {
        ask(place, id, &config, Method::POST, path, &body).await.expect("an answer")
    };

    let wrong = Opening { secret: hexadecimal(&[1; 32]) };
    let (status, _) = post("/v1/enrol/request", serde_json::to_vec(&wrong).expect("JSON")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let opening = Opening { secret: hexadecimal(&token.secret) };
    let (status, body) = post("/v1/enrol/request", serde_json::to_vec(&opening).expect("JSON")).await;
    assert_eq!(status, StatusCode::OK);
    let request: Request = serde_json::from_slice(&body).expect("a request");
    assert_eq!(request.node, id);
    assert_eq!(request.address.as_deref(), Some(node.listen().to_string().as_str()), "where its read API is");
    // Another node's certificate is of no use to it.
    let other = Request { node: uuid::Uuid::new_v4(), ..request.clone() };
    let (status, _) = post("/v1/enrol/grant", serde_json::to_vec(&hub.sign(&other)).expect("JSON")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, body) = post("/v1/enrol/request", serde_json::to_vec(&opening).expect("JSON")).await;
    let request: Request = serde_json::from_slice(&body).expect("a request");
    let grant: Grant = hub.sign(&request);
    let (status, body) = post("/v1/enrol/grant", serde_json::to_vec(&grant).expect("JSON")).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{}", String::from_utf8_lossy(&body));
    assert!(enrolling.wait().expect("it ends").success());

    // The same without a network, after it was enrolled: the id stays.
    let (request, granted) = (node.folder().join("request.json"), node.folder().join("grant.json"));
    node.must(&["enrol", "--request", &request.display().to_string()]).expect("written");
    let carried: Request =
        serde_json::from_slice(&std::fs::read(&request).expect("written")).expect("a request");
    assert_eq!(carried.node, id);
    std::fs::write(&granted, serde_json::to_vec(&hub.sign(&carried)).expect("JSON")).expect("written");
    node.must(&["enrol", "--grant", &granted.display().to_string()]).expect("taken");
    let again = node.command(&["enrol", "--grant", &granted.display().to_string()]).expect("it runs");
    assert_eq!(again.status.code(), Some(66), "a grant is taken once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_in_time_and_a_token_works_once() {
    let hub = TestHub::start().await.expect("it listens");
    // Two thirds of its time are over: it is renewed at once.
    hub.set_hours((-2, 1));
    let mut node = enrolled(&hub, "consent = [\"support\"]");
    let token = hub.token();
    node.must(&["enrol", "--token", &token]).expect("again, with a new token");
    let twice = node.command(&["enrol", "--token", &token]).expect("it runs");
    assert_eq!(twice.status.code(), Some(77), "{}", String::from_utf8_lossy(&twice.stderr));
    hub.set_hours((-1, 24 * 90));
    node.start().expect("it starts");
    until("it renews", || hub.renewals() == 1).await.expect("renewed");
    let config = as_hub(&hub);
    is_up(&node, &config).await;
    until("it is written down", || {
        node.must(&["store", "check"]).is_ok_and(|text| text.contains("was renewed"))
    })
    .await
    .expect("in the journal");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(hub.renewals(), 1, "the new one is good for long");

    // A long absence: it ended. The node says so, measures on, and comes back with a token and its old id.
    let id = node.id().expect("an id");
    node.kill();
    hub.set_hours((-48, -24));
    node.must(&["enrol", "--token", &hub.token()]).expect("granted, and over already");
    node.start().expect("it starts");
    until("it says so", || node.log().contains("enrol this node again")).await.expect("logged");
    hub.set_hours((-1, 24));
    node.must(&["enrol", "--token", &hub.token()]).expect("granted");
    is_up(&node, &config).await;
    assert_eq!(node.id().expect("an id"), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_arrives_once_through_a_slow_line_that_breaks_off() {
    let hub = TestHub::start().await.expect("it listens");
    let line = Line {
        delay: Duration::from_millis(100),
        bits_per_second: 256_000,
        resets_per_mille: 60,
        seed: 0x5eed,
    };
    let proxy = FaultProxy::start(hub.address(), line).await.expect("it listens");
    let settings = format!("consent = [\"support\"]\npush = true\nhub = \"{}\"", proxy.address());
    let mut node = NodeProcess::new(&settings).expect("a folder and a port");
    for attempt in 0.. {
        // The line may break the enrolment off too: a new token then.
        if node.command(&["enrol", "--token", &hub.token()]).expect("it runs").status.success() {
            break;
        }
        assert!(attempt < 20, "it never got through");
    }
    hub.set_mood(Mood::Forgetful);
    node.start().expect("it starts");
    until("the hub commits without acknowledging", || hub.kept().order.len() >= 2).await.expect("pushed");
    hub.set_mood(Mood::Down);
    tokio::time::sleep(Duration::from_secs(6)).await;
    node.kill();
    node.start().expect("it starts again");
    hub.set_mood(Mood::Well);
    until("everything is acknowledged, after breaks", || {
        proxy.resets() >= 3
            && node.must(&["store", "check", "--json"]).is_ok_and(|text| {
                let check: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                // One round may be on its way.
                check["waiting"].as_u64() <= Some(12)
                    && check["acknowledged"].as_array().is_some_and(|ranges| ranges.len() == 1)
            })
    })
    .await
    .expect("it gets through");
    node.kill();
    let stored = node.must(&["store", "export"]).expect("it prints");
    let kept = hub.kept();
    assert!(kept.contradictions.is_empty(), "{:?}", kept.contradictions);
    let check: serde_json::Value =
        serde_json::from_str(&node.must(&["store", "check", "--json"]).expect("whole")).expect("JSON");
    let acknowledged = check["acknowledged"][0]["last"].as_u64().expect("a range");
    let store: uuid::Uuid = check["store"].as_str().expect("an id").parse().expect("an id");
    assert!(acknowledged > 10);
    for line in stored.lines() {
        let sample: headroom_core::unit::Sample = serde_json::from_str(line).expect("a sample");
        if sample.sequence <= acknowledged {
            assert_eq!(kept.samples.get(&(store, sample.sequence)), Some(&sample), "{}", sample.sequence);
        }
    }
    assert_eq!(stored.lines().count() as u64, check["samples"].as_u64().expect("a count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_carries_what_a_push_would_and_its_acknowledgement_comes_back() {
    let hub = TestHub::start().await.expect("it listens");
    let mut node = enrolled(&hub, "");
    node.start().expect("it starts");
    until("it has measured", || {
        node.must(&["store", "check", "--json"]).is_ok_and(|text| {
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["samples"].as_u64() > Some(5)
        })
    })
    .await
    .expect("stored");
    node.kill();
    let file = node.folder().join("carried.bundle");
    let path = file.display().to_string();
    let refused = node.command(&["bundle", "export", &path]).expect("it runs");
    assert_eq!(refused.status.code(), Some(77), "no purpose is granted");
    assert!(!file.exists());
    node.must(&["user", "grant", "support"]).expect("granted");
    node.must(&["bundle", "export", &path]).expect("written");
    assert_eq!(
        node.command(&["bundle", "export", &path]).expect("it runs").status.code(),
        Some(73),
        "never over another file"
    );

    let mut plain = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(std::fs::File::open(&file).expect("there")),
        &mut plain,
    )
    .expect("gzip");
    let parts = bundle::take_apart(&plain).expect("a bundle");
    assert_eq!(parts.header.node, node.id().expect("an id"));
    let certificate = first_certificate(&parts.header.certificate).expect("a certificate");
    assert!(is_signed_by(&certificate, parts.signed, &parts.signature));
    let mut forged = parts.signed.to_vec();
    let place = forged.len() / 2;
    forged[place] ^= 1;
    assert!(!is_signed_by(&certificate, &forged, &parts.signature));
    let push: headroom_core::exchange::Push = serde_json::from_slice(parts.pushes[0]).expect("a push");
    let range = push.batch.range.expect("samples");
    assert_eq!(range.first, 1);
    assert_eq!(push.batch.samples.len() as u64, range.last);

    let back = node.folder().join("acknowledged.json");
    let acknowledged = vec![Acknowledgement { store: push.batch.store, range }];
    std::fs::write(&back, serde_json::to_vec(&acknowledged).expect("JSON")).expect("written");
    let said = node.must(&["bundle", "acknowledge", &back.display().to_string()]).expect("taken");
    assert!(said.contains("0 samples wait"), "{said}");
    let next = node.folder().join("next.bundle");
    let counted = node.must(&["bundle", "export", "--json", &next.display().to_string()]).expect("written");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&counted).expect("JSON")["samples"], 0);
}
