//! The hub's side of the exchange, in memory: an authority, an intake that remembers every sample it committed, and
//! faults on demand. It notices what an honest hub would never forgive: one sequence number with two contents.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use flate2::read::GzDecoder;
use headroom_core::exchange::enrol::{Grant, Request, Token, hexadecimal};
use headroom_core::exchange::{Acknowledgement, Answer, HUB_DNS_NAME, Push, SequenceRange, node_dns_name};
use headroom_core::unit::Sample;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use uuid::Uuid;

/// A certificate with its key.
#[derive(Debug)]
pub struct Certified {
    /// The certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: KeyPair,
    /// Its serial number.
    pub serial: SerialNumber,
}

/// An authority that signs what it is told.
pub struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh one.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("the system gives keys");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("an authority signs itself");
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name, valid from so many hours from now to so many.
    pub fn certify(&self, name: &str, hours: (i64, i64)) -> Certified {
        let key = KeyPair::generate().expect("the system gives keys");
        let params = Self::params(name, hours);
        let serial = params.serial_number.clone().expect("it was set");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs").der().clone();
        Certified { certificate, key, serial }
    }

    fn params(name: &str, (from, until): (i64, i64)) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a DNS name");
        let now = time::OffsetDateTime::now_utc();
        (params.not_before, params.not_after) =
            (now + time::Duration::hours(from), now + time::Duration::hours(until));
        params.serial_number = Some(SerialNumber::from_slice(Uuid::new_v4().as_bytes()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params
    }

    /// A revocation list with these certificates.
    pub fn revoke(&self, serials: &[SerialNumber]) -> String {
        let now = time::OffsetDateTime::now_utc();
        let revoked = |serial: &SerialNumber| RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now - time::Duration::hours(1),
            next_update: now + time::Duration::days(365),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("the authority signs its list");
        list.pem().expect("it has a text form")
    }

    /// The client side that shows this certificate, or none, and trusts this authority for a node's name.
    pub fn client(&self, shown: Option<Certified>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(self.roots());
        match shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let key =
                    PrivateKeyDer::try_from(shown.key.serialize_der()).expect("a key that was just made");
                builder.with_client_auth_cert(vec![shown.certificate], key).expect("they belong together")
            }
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("an authority");
        roots
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What the hub does to those who push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Commits and acknowledges.
    #[default]
    Well,
    /// Commits, and then breaks the connection instead of acknowledging.
    Forgetful,
    /// Answers 503.
    Down,
}

/// What the hub has.
#[derive(Debug, Default)]
pub struct Kept {
    /// Every committed sample, by store and sequence.
    pub samples: BTreeMap<(Uuid, u64), Sample>,
    /// Sequence numbers that a node said it has no more.
    pub gaps: Vec<(Uuid, SequenceRange)>,
    /// The ranges in the order in which they came.
    pub order: Vec<SequenceRange>,
    /// The latest answer.
    pub answer: Option<Answer>,
    /// Numbers that came with two contents.
    pub contradictions: Vec<u64>,
    mood: Mood,
    secret: String,
    hours: (i64, i64),
    renewals: u32,
    revocations: Option<String>,
}

/// A hub that listens.
pub struct TestHub {
    /// Who signs for it.
    pub authority: Arc<Authority>,
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    fingerprint: [u8; 32],
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for TestHub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl TestHub {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> anyhow::Result<Self> {
        let authority = Arc::new(Authority::new());
        let own = authority.certify(HUB_DNS_NAME, (-1, 24));
        let fingerprint = Sha256::digest(&own.certificate).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(authority.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
        let key = PrivateKeyDer::try_from(own.key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own.certificate], key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Mutex::new(Kept { hours: (-1, 24 * 90), ..Kept::default() }));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (shared, signer) = (Arc::clone(&kept), Arc::clone(&authority));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, kept, authority) =
                    (acceptor.clone(), Arc::clone(&shared), Arc::clone(&signer));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let known = stream.get_ref().1.peer_certificates().is_some();
                    let answer = service_fn(move |request| {
                        respond(request, Arc::clone(&kept), Arc::clone(&authority), known)
                    });
                    // Breaking off is what some of these conversations are for.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        Ok(Self { authority, address, kept, fingerprint, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// How it treats those who push from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.kept().mood = mood;
    }

    /// From when to when, in hours from then, the certificates hold that it signs from now on.
    pub fn set_hours(&self, hours: (i64, i64)) {
        self.kept().hours = hours;
    }

    /// Certificates that are revoked in grants from now on.
    pub fn set_revocations(&self, list: String) {
        self.kept().revocations = Some(list);
    }

    /// Renewals that it granted.
    pub fn renewals(&self) -> u32 {
        self.kept().renewals
    }

    /// Signs a request, whoever asked.
    pub fn sign(&self, request: &Request) -> Grant {
        granted(&self.kept, &self.authority, request).expect("a request of an honest node")
    }

    /// A token for one enrolment.
    pub fn token(&self) -> String {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        self.kept().secret = hexadecimal(&secret);
        Token { secret, fingerprint: self.fingerprint }.to_string()
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

type Body = Full<Bytes>;

async fn respond(
    request: hyper::Request<Incoming>,
    kept: Arc<Mutex<Kept>>,
    authority: Arc<Authority>,
    known: bool,
) -> anyhow::Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let zipped = request.headers().get("content-encoding").is_some_and(|coding| coding == "gzip");
    let bytes = request.into_body().collect().await?.to_bytes();
    let json = if zipped { unzip(&bytes)? } else { bytes.to_vec() };
    match (path.as_str(), known) {
        ("/v1/enrol", _) => {
            let request: Request = serde_json::from_slice(&json)?;
            let wrong = {
                let mut kept = lock(&kept);
                let wrong = kept.secret.is_empty() || kept.secret != request.secret;
                // Once.
                kept.secret.clear();
                wrong
            };
            if wrong {
                return problem(StatusCode::FORBIDDEN, "this token is unknown or used");
            }
            answer(&granted(&kept, &authority, &request)?)
        }
        ("/v1/renew", true) => {
            lock(&kept).renewals += 1;
            answer(&granted(&kept, &authority, &serde_json::from_slice(&json)?)?)
        }
        ("/v1/push", true) => push(&kept, serde_json::from_slice(&json)?),
        _ => problem(StatusCode::FORBIDDEN, "a certificate of this hub's authority is needed"),
    }
}

fn unzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

fn granted(kept: &Mutex<Kept>, authority: &Authority, request: &Request) -> anyhow::Result<Grant> {
    let (hours, revocations) = {
        let kept = lock(kept);
        (kept.hours, kept.revocations.clone())
    };
    let asked = CertificateSigningRequestParams::from_pem(&request.signing_request)?;
    let params = Authority::params(&node_dns_name(request.node), hours);
    let signed = params.signed_by(&asked.public_key, &authority.issuer)?;
    Ok(Grant { certificate: signed.pem(), authority: authority.pem.clone(), hub_address: None, revocations })
}

fn push(kept: &Mutex<Kept>, push: Push) -> anyhow::Result<Response<Body>> {
    let mut kept = lock(kept);
    if kept.mood == Mood::Down {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer");
    }
    let store = push.batch.store;
    for sample in push.batch.samples {
        let sequence = sample.sequence;
        if kept.samples.get(&(store, sequence)).is_some_and(|known| *known != sample) {
            kept.contradictions.push(sequence);
        }
        kept.samples.insert((store, sequence), sample);
    }
    kept.gaps.extend(push.batch.gaps.into_iter().map(|gap| (store, gap)));
    kept.answer = Some(push.answer);
    let range = push.batch.range.unwrap_or(SequenceRange { first: 0, last: 0 });
    kept.order.push(range);
    if kept.mood == Mood::Forgetful {
        anyhow::bail!("broken off after the commit");
    }
    answer(&Acknowledgement { store, range })
}

fn answer(value: &impl serde::Serialize) -> anyhow::Result<Response<Body>> {
    Ok(Response::new(Full::new(Bytes::from(serde_json::to_vec(value)?))))
}

fn problem(status: StatusCode, detail: &str) -> anyhow::Result<Response<Body>> {
    let body = serde_json::json!({ "title": "refused", "detail": detail }).to_string();
    Response::builder().status(status).body(Full::new(Bytes::from(body))).context("an answer")
}
