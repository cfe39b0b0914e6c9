//! Listens to what checkpoints say of how long they kept guests waiting.

use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static HEARD: Mutex<Vec<u64>> = Mutex::new(Vec::new());

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "firebrick_engine::checkpoint"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Listener);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Listener {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "locked_us" {
            HEARD.lock().unwrap().push(value);
        }
    }
}

pub(crate) fn listen() {
    tracing::subscriber::set_global_default(Listener).unwrap();
}

/// Says what was heard since the last time.
pub(crate) fn say(when: &str) {
    let mut heard = std::mem::take(&mut *HEARD.lock().unwrap());
    heard.sort_unstable();
    if let (Some(median), Some(longest)) = (heard.get(heard.len() / 2), heard.last()) {
        println!(
            "commit lock held by a checkpoint {when}: {} times, median {median} us, longest {longest} us",
            heard.len()
        );
    }
}
