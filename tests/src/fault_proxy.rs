//! A line between two programs: a proxy hop that delays, limits and breaks off, from one seed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What the line does to those on it.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// One way, for each piece that is passed on.
    pub delay: Duration,
    /// Bits a second in each direction; 0 for no limit.
    pub bits_per_second: u64,
    /// Of 1,000 pieces, after how many the connection breaks off.
    pub resets_per_mille: u64,
    /// The seed of chance.
    pub seed: u64,
}

/// A proxy that listens on loopback.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    resets: Arc<AtomicU64>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FaultProxy {
    /// A proxy in front of an address.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(to: SocketAddr, line: Line) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (chance, resets) = (Arc::new(AtomicU64::new(line.seed | 1)), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&resets);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (chance, counted) = (Arc::clone(&chance), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(to).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    // When one direction breaks off, both halves of both are dropped.
                    tokio::select! {
                        () = pass(near_in, far_out, line, &chance, &counted) => {}
                        () = pass(far_in, near_out, line, &chance, &counted) => {}
                    }
                });
            }
        });
        Ok(Self { address, resets, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it broke off.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: Line,
    chance: &AtomicU64,
    resets: &AtomicU64,
) {
    let mut piece = [0; 1_400];
    loop {
        let length = match from.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        tokio::time::sleep(line.delay).await;
        if let Some(milliseconds) = (length as u64 * 8 * 1_000).checked_div(line.bits_per_second) {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        if draw(chance) % 1_000 < line.resets_per_mille {
            resets.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

/// xorshift: chance that is the same for the same seed.
fn draw(state: &AtomicU64) -> u64 {
    let mut value = state.load(Ordering::Relaxed);
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
    state.store(value, Ordering::Relaxed);
    value
}
