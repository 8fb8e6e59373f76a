//! A real `headroom-node`, with a data folder of its own, gone when dropped.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use headroom_core::exchange::node_dns_name;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::{Hub, built};

/// A node under test.
#[derive(Debug)]
pub struct NodeProcess {
    folder: TempDir,
    listen: SocketAddr,
    child: Option<Child>,
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl NodeProcess {
    /// A node that does not run yet, with these settings beside a data folder, a free address and one second between
    /// rounds.
    ///
    /// # Errors
    /// When no folder or port is to be had.
    pub fn new(settings: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("headroom-node-").tempdir()?;
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = format!(
            "data_dir = {:?}\ninterval_seconds = 1\nlisten = \"{listen}\"\n{settings}",
            folder.path().join("data")
        );
        fs::write(folder.path().join("node.toml"), text)?;
        Ok(Self { folder, listen, child: None })
    }

    /// Where its read API listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its folder, with the data folder, the settings and the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its id.
    ///
    /// # Errors
    /// Before it has run or was enrolled.
    pub fn id(&self) -> anyhow::Result<Uuid> {
        let text = fs::read(self.data().join("node.json"))?;
        let json: serde_json::Value = serde_json::from_slice(&text)?;
        Ok(json["node"].as_str().context("node.json names the node")?.parse()?)
    }

    /// Runs one of its commands to its end.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let program = built::program("headroom-node")?;
        let configuration = self.folder.path().join("node.toml");
        Ok(Command::new(program).arg("--config").arg(configuration).args(arguments).output()?)
    }

    /// The same, for a command that must succeed; gives what it printed.
    ///
    /// # Errors
    /// When it does not.
    pub fn must(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments)?;
        ensure!(
            output.status.success(),
            "headroom-node {arguments:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Enrols it by files that a person carries, with a hub whose service need not run.
    ///
    /// # Errors
    /// When one of the two refuses.
    pub fn enrol_by_files(&self, hub: &Hub) -> anyhow::Result<()> {
        let file = |name: &str| self.folder().join(name).display().to_string();
        let (request, grant) = (file("request.json"), file("grant.json"));
        self.must(&["enrol", "--request", &request])?;
        let signed = hub.run(&["node", "sign", &request, "--grant", &grant]);
        ensure!(signed.code == 0, "headroom node sign: {}", signed.err);
        self.must(&["enrol", "--grant", &grant])?;
        Ok(())
    }

    /// Starts `run`, appending to its log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_in(&[])
    }

    /// The same, by another program that is told to run it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_in(&mut self, wrapper: &[&str]) -> anyhow::Result<()> {
        let program = built::program("headroom-node")?;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let configuration = self.folder.path().join("node.toml");
        let mut command = match wrapper.split_first() {
            None => Command::new(program),
            Some((wrapping, arguments)) => {
                let mut command = Command::new(wrapping);
                command.args(arguments).arg(program);
                command
            }
        };
        let child = command
            .arg("--config")
            .arg(configuration)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Its process id, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let read = fs::File::open(self.log_path()).and_then(|mut file| file.read_to_string(&mut text));
        if read.is_err() { String::new() } else { text }
    }

    /// Asks its read API.
    ///
    /// # Errors
    /// When the two do not accept each other, or the line breaks off.
    pub async fn ask(
        &self,
        config: &ClientConfig,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        ask(self.listen, self.id()?, config, method, path, body).await
    }
}

/// Asks a node's read API at an address, which may be a proxy's.
///
/// # Errors
/// When the two do not accept each other, or the line breaks off.
pub async fn ask(
    address: SocketAddr,
    node: Uuid,
    config: &ClientConfig,
    method: Method,
    path: &str,
    body: &[u8],
) -> anyhow::Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.clone()));
    let stream = connector.connect(ServerName::try_from(node_dns_name(node))?, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "node")
        .body(Full::new(Bytes::copy_from_slice(body)))?;
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => {
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        }
        Err(error) => Err(error.into()),
    };
    driver.abort();
    answer
}

/// Waits until something holds, looking every 50 ms, for at most a minute.
///
/// # Errors
/// When it never holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > Duration::from_secs(60) {
            bail!("it never came to this: {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
