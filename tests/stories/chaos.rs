//! Everything dies at any moment, and the backend moves there and back meanwhile: what a guest finds
//! is always a beginning of what it wrote, with all that was flushed unless a site was given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use firebrick_tests::{Api, Dev, Guest, until, until_some};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

const SLOTS: u64 = 1024;
/// More for a night: each takes about two seconds.
const ROUNDS: &str = "FIREBRICK_CHAOS_ROUNDS";

/// What a guest wrote: numbers that never come twice, in order.
#[derive(Default)]
struct Written {
    numbers: Vec<u64>,
    next: u64,
    flushed: usize,
}

fn block(number: u64) -> Vec<u8> {
    let mut block = vec![(number % 251) as u8; 4096];
    block[..8].copy_from_slice(&number.to_le_bytes());
    block
}

impl Written {
    /// Writes and flushes until told or until the connection breaks.
    fn go_on(&mut self, uri: &str, stop: &AtomicBool, dice: &mut StdRng) {
        let Ok(mut disk) = Guest::open(uri) else {
            return;
        };
        while !stop.load(Ordering::SeqCst) {
            self.next += 1;
            self.numbers.push(self.next);
            let offset = (self.next % SLOTS) * 4096;
            if disk.write(offset, &block(self.next)).is_err() {
                return;
            }
            if dice.random_ratio(1, 32) {
                if disk.flush().is_err() {
                    return;
                }
                self.flushed = self.numbers.len();
            }
        }
    }

    /// Reads the disk: it must be as after some write, and that is from now on the last one.
    fn check(&mut self, uri: &str, context: &str) {
        let mut disk = until_some("the export is there", 60, || Guest::open(uri).ok());
        let found: Vec<u64> = (0..SLOTS)
            .map(|slot| {
                let bytes = disk.read(slot * 4096, 4096).unwrap();
                let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                assert!(
                    number == 0 || bytes == block(number),
                    "{context}: slot {slot}"
                );
                number
            })
            .collect();
        disk.close();
        let newest = found.iter().copied().max().unwrap();
        let held = self.numbers.partition_point(|number| *number <= newest);
        let mut expected = vec![0; SLOTS as usize];
        for number in &self.numbers[..held] {
            expected[(number % SLOTS) as usize] = *number;
        }
        assert_eq!(found, expected, "{context}: not the first {held} writes");
        self.numbers.truncate(held);
    }
}

/// What happens in a round.
#[derive(Clone, Copy, Debug)]
enum Event {
    ControlPlaneDies,
    SecondaryDies,
    PrimaryDiesAndReturns,
    Planned,
    PlannedWithoutControlPlane,
    Forced,
    ForcedWithoutControlPlane,
    EverythingDies,
}

const EVENTS: [Event; 8] = [
    Event::ControlPlaneDies,
    Event::SecondaryDies,
    Event::PrimaryDiesAndReturns,
    Event::Planned,
    Event::PlannedWithoutControlPlane,
    Event::Forced,
    Event::ForcedWithoutControlPlane,
    Event::EverythingDies,
];

struct Stage {
    dev: Dev,
    api: Api,
    attachment: String,
    uri: String,
    primary: &'static str,
}

impl Stage {
    fn secondary(&self) -> &'static str {
        if self.primary == "site-a" {
            "site-b"
        } else {
            "site-a"
        }
    }

    fn order_move(&mut self, lost: bool) -> &'static str {
        let (target, status) = match self.primary {
            "site-a" => ("site-b", "failed-over"),
            // By its name the first site takes over from a lost one.
            _ if lost => ("site-a", "enabled"),
            _ => ("default", "enabled"),
        };
        let host = self.api.volume_service()["host"]
            .as_str()
            .unwrap()
            .to_owned();
        let body = json!({"host": host, "backend_id": target});
        let _ = self
            .api
            .put("/os-services/failover_host", &body)
            .expect(202);
        self.primary = self.secondary();
        status
    }

    fn moved(&mut self, status: &str) {
        let api = &self.api;
        until(&format!("the backend becomes {status}"), 90, || {
            api.volume_service()["replication_status"] == status
        });
        let connector = json!({"attachment": {"connector": {"host": "guest", "ip": "127.0.0.1"}}});
        let path = format!("/attachments/{}", self.attachment);
        let updated = self.api.put(&path, &connector).expect(200);
        let uri = &updated.body["attachment"]["connection_info"]["uri"];
        uri.as_str().unwrap().clone_into(&mut self.uri);
    }

    /// Waits until both sites run and the secondary has everything.
    fn settle(&self) {
        for name in ["site-a", "site-b"] {
            if !self.dev.sites().iter().any(|site| site.name == name) {
                self.dev.start_site(name);
            }
        }
        // The look that is under way may have begun before the last event, and says nothing about it.
        let mut looks = Vec::new();
        until("the secondary has everything", 60, || {
            let pools = self.api.get("/scheduler-stats/get_pools?detail=true");
            let shown = &pools.body["pools"][0]["capabilities"];
            if looks.last() != Some(&shown["timestamp"]) {
                looks.push(shown["timestamp"].clone());
            }
            looks.len() > 2
                && shown["replication_lag_records"] == 0
                && shown["replication_connected"] == true
        });
    }

    /// Lets the event happen; whether a site was given up.
    fn let_happen(&mut self, event: Event, dice: &mut StdRng) -> bool {
        let pause = Duration::from_millis(dice.random_range(0..60));
        match event {
            Event::ControlPlaneDies => self.dev.kill_control_plane(),
            Event::SecondaryDies => {
                self.dev.kill_site(self.secondary());
                thread::sleep(pause);
                self.dev.start_site(self.secondary());
            }
            Event::PrimaryDiesAndReturns => {
                self.dev.kill_site(self.primary);
                thread::sleep(pause);
                self.dev.start_site(self.primary);
            }
            Event::EverythingDies => {
                self.dev.kill_everything();
                self.dev.launch();
            }
            Event::Planned | Event::PlannedWithoutControlPlane => {
                let status = self.order_move(false);
                if matches!(event, Event::PlannedWithoutControlPlane) {
                    thread::sleep(pause);
                    self.dev.kill_control_plane();
                }
                self.moved(status);
            }
            Event::Forced | Event::ForcedWithoutControlPlane => {
                self.dev.kill_site(self.primary);
                let status = self.order_move(true);
                if matches!(event, Event::ForcedWithoutControlPlane) {
                    thread::sleep(pause);
                    self.dev.kill_control_plane();
                }
                self.moved(status);
                return true;
            }
        }
        false
    }
}

#[test]
fn whatever_dies_a_guest_finds_a_beginning_of_what_it_wrote() {
    let seed: u64 = rand::rng().random();
    let mut dice = StdRng::seed_from_u64(seed);
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (attachment, uri) = api.attach(&id);
    let mut stage = Stage {
        dev,
        api,
        attachment,
        uri,
        primary: "site-a",
    };
    let rounds = std::env::var(ROUNDS).map_or(16, |rounds| rounds.parse().unwrap());
    let mut written = Written::default();
    for round in 0..rounds {
        // Each event at least once, then by chance.
        let chosen = dice.random_range(0..EVENTS.len());
        let event = EVENTS[if round < EVENTS.len() { round } else { chosen }];
        let context = format!("round {round}, {event:?}, seed {seed}");
        println!("{context}");
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (uri, stop) = (stage.uri.clone(), Arc::clone(&stop));
            let mut own = StdRng::seed_from_u64(dice.random());
            let mut written = std::mem::take(&mut written);
            thread::spawn(move || {
                written.go_on(&uri, &stop, &mut own);
                written
            })
        };
        thread::sleep(Duration::from_millis(dice.random_range(50..600)));
        let given_up = stage.let_happen(event, &mut dice);
        stop.store(true, Ordering::SeqCst);
        written = writer.join().unwrap();
        let flushed = written.flushed;
        written.check(&stage.uri, &context);
        assert!(
            given_up || written.numbers.len() >= flushed,
            "{context}: {} left of {flushed} flushed",
            written.numbers.len()
        );
        written.flushed = written.flushed.min(written.numbers.len());
        stage.settle();
        let volume = stage.api.volume(&id);
        assert_eq!(volume["status"], "in-use", "{context}: {volume}");
    }
}
