//! Which exports there are, and who is connected to each.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;
use crate::device::Device;
use crate::fields::NAME_MAX;
use crate::flush::FlushGate;
use crate::wire::{ReplyStyle, export_flag as flag};

/// Something that clients can choose.
pub(crate) struct Export {
    pub(crate) device: Arc<dyn Device>,
    pub(crate) gate: FlushGate,
    read_only: bool,
    clients: Mutex<Clients>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Clients {
    ended: bool,
    connections: HashMap<u64, Arc<Connection>>,
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Export {
    pub(crate) fn new(device: Arc<dyn Device>, read_only: bool) -> Arc<Self> {
        Arc::new(Self {
            device,
            gate: FlushGate::default(),
            read_only,
            clients: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// What people are told about it; at most as long as texts of the protocol may be.
    pub(crate) fn description(&self) -> String {
        let mut description = self.device.description();
        let end = (0..=NAME_MAX)
            .rev()
            .find(|at| description.is_char_boundary(*at));
        description.truncate(end.unwrap_or(0));
        description
    }

    /// The size in bytes and the transmission flags, as a client is told them now; `contexts`: it has
    /// chosen a metadata context.
    pub(crate) fn describe(&self, style: ReplyStyle, contexts: bool) -> (u64, u16) {
        let mut flags = flag::HAS_FLAGS
            | flag::SEND_FLUSH
            | flag::SEND_FUA
            | flag::SEND_TRIM
            | flag::SEND_WRITE_ZEROES
            | flag::SEND_CACHE
            | flag::SEND_FAST_ZERO
            | flag::CAN_MULTI_CONN;
        if style.has_chunks() {
            flags |= flag::SEND_DF;
        }
        if style == ReplyStyle::Extended && contexts {
            flags |= flag::STATUS_PAYLOAD;
        }
        if self.read_only || !self.device.is_writable() {
            flags |= flag::READ_ONLY;
        }
        (self.device.size().get(), flags)
    }

    /// Counts a client in; not once the export has ended.
    pub(crate) fn join(&self, id: u64, connection: &Arc<Connection>) -> bool {
        let mut clients = self.clients.lock();
        if !clients.ended {
            clients.connections.insert(id, Arc::clone(connection));
        }
        !clients.ended
    }

    /// Counts a client out; none of its requests may be running.
    pub(crate) fn leave(&self, id: u64) {
        let connection = self.clients.lock().connections.remove(&id);
        self.left.notify_all();
        drop(connection);
    }

    /// Drops all clients and lets none in; returns once no request of theirs is running.
    fn end(&self) {
        let mut clients = self.clients.lock();
        clients.ended = true;
        let connections: Vec<_> = clients.connections.values().map(Arc::clone).collect();
        drop(clients);
        for connection in connections {
            connection.outbox.close();
        }
        self.gate.end();
        let mut clients = self.clients.lock();
        while !clients.connections.is_empty() {
            self.left.wait(&mut clients);
        }
    }
}

/// The exports by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    exports: Mutex<BTreeMap<String, Arc<Export>>>,
}

impl Registry {
    /// Puts an export in the place of the one of that name, whose clients are dropped.
    pub(crate) fn add(&self, name: &str, export: Arc<Export>) {
        let replaced = self.exports.lock().insert(name.to_owned(), export);
        if let Some(replaced) = replaced {
            replaced.end();
        }
    }

    /// Ends an export, if there is one of that name.
    pub(crate) fn remove(&self, name: &str) {
        let removed = self.exports.lock().remove(name);
        if let Some(removed) = removed {
            removed.end();
        }
    }

    /// Nobody who waits for others to have what was flushed is answered any more.
    pub(crate) fn end_gates(&self) {
        for (_, export) in self.all() {
            export.gate.end();
        }
    }

    /// How many clients an export has.
    pub(crate) fn clients(&self, name: &str) -> usize {
        let export = self.exports.lock().get(name).map(Arc::clone);
        export.map_or(0, |export| export.clients.lock().connections.len())
    }

    /// The clients of an export: their numbers, and where they are.
    pub(crate) fn watchers(&self, name: &str) -> Vec<(u64, String)> {
        let export = self.exports.lock().get(name).map(Arc::clone);
        let Some(export) = export else {
            return Vec::new();
        };
        let clients = export.clients.lock();
        let all = clients.connections.iter();
        let mut watchers: Vec<(u64, String)> = all
            .map(|(id, connection)| (*id, connection.link.peer()))
            .collect();
        watchers.sort_unstable();
        watchers
    }

    /// The export of that name; the empty name means the only one there is.
    pub(crate) fn find(&self, name: &str) -> Option<(String, Arc<Export>)> {
        let exports = self.exports.lock();
        let found = exports.get_key_value(name).or_else(|| {
            let mut all = exports.iter();
            match (name, all.next(), all.next()) {
                ("", Some(only), None) => Some(only),
                (_, _, _) => None,
            }
        });
        found.map(|(name, export)| (name.clone(), Arc::clone(export)))
    }

    /// All exports with their names.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Export>)> {
        let exports = self.exports.lock();
        let all = exports.iter();
        all.map(|(name, export)| (name.clone(), Arc::clone(export)))
            .collect()
    }
}
