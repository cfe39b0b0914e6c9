//! What a disk does wrong, and when.

use std::io;

/// Which syncs do nothing, by the name of the folder.
type Lie = Box<dyn Fn(&str) -> bool + Send>;
/// The same of files, by their names and what they hold.
type FileLie = Box<dyn Fn(&str, &[u8]) -> bool + Send>;

/// What a disk does wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// Operations that changed something, so far.
    pub(crate) operations: u64,
    pub(crate) stop_after: Option<u64>,
    pub(crate) writes: Failures,
    pub(crate) syncs: Failures,
    /// The most bytes from its start that a read finds cached.
    pub(crate) cached: Option<usize>,
    pub(crate) ignore_sync: Option<FileLie>,
    pub(crate) ignore_sync_dir: Option<Lie>,
    pub(crate) pause: Option<Pause>,
}

/// Something that happens right before a read.
pub(crate) struct Pause {
    /// How the names of the files begin of which reads count.
    pub(crate) prefix: String,
    /// Reads before that one.
    pub(crate) left: u64,
    pub(crate) act: Box<dyn FnOnce() + Send>,
}

/// A kind of operation that fails from some point on.
#[derive(Default)]
pub(crate) struct Failures(Option<(u64, io::ErrorKind)>);

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It is carried out.
    Done,
    /// The power goes out in its middle.
    Cut,
}

impl Failures {
    pub(crate) fn begin_after(&mut self, count: u64, error: io::ErrorKind) {
        self.0 = Some((count, error));
    }

    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Counts one operation; the error with which it fails.
    pub(crate) fn next(&mut self) -> Result<(), io::Error> {
        match &mut self.0 {
            None => Ok(()),
            Some((0, error)) => Err((*error).into()),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Faults {
    /// Fails where the power is off.
    pub(crate) fn powered(&self) -> io::Result<()> {
        if self.stop_after.is_some_and(|stop| self.operations > stop) {
            return Err(off());
        }
        Ok(())
    }

    /// Counts one operation that changes something; fails where the power is off.
    pub(crate) fn begin(&mut self) -> io::Result<Fate> {
        self.powered()?;
        self.operations += 1;
        Ok(match self.powered() {
            Ok(()) => Fate::Done,
            Err(_) => Fate::Cut,
        })
    }

    /// Counts a read of a file; what is to happen before it.
    pub(crate) fn before_read(&mut self, name: &str) -> Option<Pause> {
        let counts = |pause: &&mut Pause| name.starts_with(&pause.prefix);
        let pause = self.pause.as_mut().filter(counts)?;
        match pause.left.checked_sub(1) {
            Some(left) => {
                pause.left = left;
                None
            }
            None => self.pause.take(),
        }
    }

    pub(crate) fn ignores_sync(&self, name: &str, bytes: &[u8]) -> bool {
        let lie = self.ignore_sync.as_ref();
        lie.is_some_and(|lie| lie(name, bytes))
    }

    pub(crate) fn ignores_sync_dir(&self, name: &str) -> bool {
        self.ignore_sync_dir.as_ref().is_some_and(|lie| lie(name))
    }
}

impl Fate {
    /// What the program is told.
    pub(crate) fn answer(self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Cut => Err(off()),
        }
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}
