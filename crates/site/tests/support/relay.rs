//! A link between two sites that a test can cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to wherever it leads now; changing that breaks those there are.
pub struct Relay {
    address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
}

impl Relay {
    /// A link that leads nowhere yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, leads) = watch::channel(None);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, leads.clone()));
            }
        });
        Self { address, target }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn lead_to(&self, target: Option<SocketAddr>) {
        self.target.send_replace(target);
    }
}

async fn pass(mut near: TcpStream, mut leads: watch::Receiver<Option<SocketAddr>>) {
    let Some(target) = *leads.borrow_and_update() else {
        return;
    };
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = leads.changed() => {}
    }
}
