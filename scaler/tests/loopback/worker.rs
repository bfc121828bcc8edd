//! One filter VM, as far as the scaler sees it.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use wakegate_core::{Key, KeyReport, Report};
use wakegate_wire::v1::{self, ReportRequest, ReportResponse, demand_client::DemandClient};

use crate::harness::{Scaler, channel, soon};

/// When workers boot, by their own clock.
const BOOT_MS: u64 = 1_800_000_000_000;

/// One filter VM.
pub(crate) struct Worker {
    requests: mpsc::Sender<ReportRequest>,
    pub(crate) acks: Streaming<ReportResponse>,
    sequence: u64,
    number: u32,
    boot_ms: u64,
    booted: Instant,
    table: Vec<Key>,
}

impl Worker {
    /// A worker that boots now, and whose first report will have this number.
    pub(crate) async fn connect(scaler: &Scaler, sequence: u64) -> Self {
        let (requests, acks) = Self::open(scaler).await;
        let table = vec![Key::service("shop", "web")];
        let (boot_ms, booted) = (BOOT_MS, Instant::now());
        Self {
            requests,
            acks,
            sequence: sequence - 1,
            number: 0,
            boot_ms,
            booted,
            table,
        }
    }

    /// The same worker on a new stream.
    pub(crate) async fn reconnect(self, scaler: &Scaler) -> Self {
        let (requests, acks) = Self::open(scaler).await;
        Self {
            requests,
            acks,
            ..self
        }
    }

    async fn open(scaler: &Scaler) -> (mpsc::Sender<ReportRequest>, Streaming<ReportResponse>) {
        let (requests, receiver) = mpsc::channel(4);
        let mut client = DemandClient::new(channel(scaler.addresses.grpc).await);
        let acks = client.report(ReceiverStream::new(receiver)).await.unwrap();
        (requests, acks.into_inner())
    }

    /// Makes it a worker that has lived for an hour.
    pub(crate) fn aged(mut self) -> Self {
        self.boot_ms -= 3_600_000;
        self
    }

    /// Makes it another worker of its proxy.
    pub(crate) fn numbered(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    /// A new life in its place.
    pub(crate) async fn reboot(self, scaler: &Scaler) -> Self {
        let lived = u64::try_from(self.booted.elapsed().as_millis()).unwrap();
        Self {
            sequence: 0,
            boot_ms: BOOT_MS + lived,
            ..self.reconnect(scaler).await
        }
    }

    /// Lives for so many seconds without news, though nobody waits for them.
    pub(crate) async fn live(&mut self, secs: u64) {
        for _ in 0..secs {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::time::resume();
            self.report(false, &[]).await;
        }
    }

    /// Gives it another table than that of the control plane.
    pub(crate) fn know(&mut self, keys: &[&str]) {
        self.table = keys.iter().map(|key| Key::from(*key)).collect();
    }

    /// Reports, and waits for the ack.
    pub(crate) async fn report(&mut self, full: bool, keys: &[KeyReport]) -> ReportResponse {
        self.sequence += 1;
        let ack = self.send(full, keys, false).await;
        if ack.wants_keys {
            self.sequence += 1;
            self.send(false, &[], true).await;
        }
        ack
    }

    pub(crate) async fn send(
        &mut self,
        full: bool,
        keys: &[KeyReport],
        names_keys: bool,
    ) -> ReportResponse {
        self.say(self.request(full, keys, names_keys)).await;
        let sequence = self.sequence;
        loop {
            let ack = self.ack().await.unwrap().expect("an ack");
            if ack.acked >= sequence {
                return ack;
            }
        }
    }

    pub(crate) fn request(
        &self,
        full: bool,
        keys: &[KeyReport],
        names_keys: bool,
    ) -> ReportRequest {
        let report = Report {
            sequence: self.sequence,
            full,
            now: Duration::from_millis(BOOT_MS) + self.booted.elapsed(),
            known_digest: self
                .table
                .iter()
                .fold(0, |sum, key| sum.wrapping_add(key.digest())),
            known_keys: names_keys.then(|| self.table.clone()),
            keys: keys.to_vec(),
        };
        let instance = v1::Instance {
            proxy: "edge-1".to_owned(),
            worker: self.number,
            boot_id: self.boot_ms,
            ..v1::Instance::default()
        };
        ReportRequest {
            instance: Some(instance),
            ..ReportRequest::from(&report)
        }
    }

    pub(crate) async fn say(&self, request: ReportRequest) {
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn ack(&mut self) -> Result<Option<ReportResponse>, Status> {
        soon("an ack", self.acks.message()).await
    }
}
