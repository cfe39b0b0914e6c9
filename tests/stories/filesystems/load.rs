//! Random work on a file system, from a seed, that knows what it was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

const FOLDERS: u32 = 6;
const NAMES: u32 = 24;
const LARGEST: usize = 256 << 10;

/// What a path held: the bytes of a file, or `None` for no file.
pub(super) type Content = Option<Arc<Vec<u8>>>;

/// Work on one file system, and what is to be found there.
pub(super) struct Load {
    root: PathBuf,
    dice: StdRng,
    /// What is there as long as nothing crashes.
    live: BTreeMap<PathBuf, Arc<Vec<u8>>>,
    /// What must be there after a crash too. A path that was changed since is not in it.
    durable: BTreeMap<PathBuf, Content>,
    /// Paths that were worked on since [`Load::forget_touched`].
    touched: BTreeSet<PathBuf>,
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap())?.sync_all()
}

impl Load {
    /// Work in the empty file system at `root`.
    pub(super) fn new(root: &Path, seed: u64) -> Self {
        for folder in 0..FOLDERS {
            fs::create_dir(root.join(format!("d{folder}"))).unwrap();
        }
        File::open(root).unwrap().sync_all().unwrap();
        Self {
            root: root.to_owned(),
            dice: StdRng::seed_from_u64(seed),
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// The same work goes on where the file system is mounted now.
    pub(super) fn go_on_at(&mut self, root: &Path) {
        root.clone_into(&mut self.root);
    }

    pub(super) fn live(&self) -> BTreeMap<PathBuf, Arc<Vec<u8>>> {
        self.live.clone()
    }

    pub(super) fn durable(&self) -> BTreeMap<PathBuf, Content> {
        self.durable.clone()
    }

    pub(super) fn forget_touched(&mut self) {
        self.touched.clear();
    }

    pub(super) fn touched(&self) -> &BTreeSet<PathBuf> {
        &self.touched
    }

    fn any_path(&mut self) -> PathBuf {
        let folder = self.dice.random_range(0..FOLDERS);
        PathBuf::from(format!("d{folder}/f{}", self.dice.random_range(0..NAMES)))
    }

    fn bytes(&mut self) -> Vec<u8> {
        // Odd lengths and some tiny files, which file systems keep in places of their own.
        let most = if self.dice.random_ratio(1, 3) {
            600
        } else {
            LARGEST
        };
        let mut bytes = vec![0; self.dice.random_range(0..most)];
        self.dice.fill_bytes(&mut bytes);
        bytes
    }

    /// From here on nothing is promised about the path until it is synced again.
    fn touch(&mut self, path: &Path) {
        self.durable.remove(path);
        self.touched.insert(path.to_owned());
    }

    /// One random piece of work; an error ends the load, as what was done is not known then.
    pub(super) fn step(&mut self) -> io::Result<()> {
        let path = self.any_path();
        match self.dice.random_range(0..10) {
            0..=3 => self.write_anew(&path),
            4 | 5 => self.write_into(&path),
            6 => self.truncate(&path),
            7 => self.rename(&path),
            8 => self.unlink(&path),
            _ => self.sync(&path),
        }
    }

    fn write_anew(&mut self, path: &Path) -> io::Result<()> {
        let bytes = self.bytes();
        self.touch(path);
        fs::write(self.root.join(path), &bytes)?;
        self.live.insert(path.to_owned(), Arc::new(bytes));
        self.maybe_sync(path)
    }

    fn write_into(&mut self, path: &Path) -> io::Result<()> {
        let Some(old) = self.live.get(path).cloned() else {
            return Ok(());
        };
        let piece = self.bytes();
        // Past the end now and then, so that there are holes.
        let at = self.dice.random_range(0..=old.len() + 8192);
        self.touch(path);
        let mut file = File::options().write(true).open(self.root.join(path))?;
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(&piece)?;
        let mut bytes = old.to_vec();
        if !piece.is_empty() {
            bytes.resize(bytes.len().max(at + piece.len()), 0);
            bytes[at..at + piece.len()].copy_from_slice(&piece);
        }
        self.live.insert(path.to_owned(), Arc::new(bytes));
        self.maybe_sync(path)
    }

    fn truncate(&mut self, path: &Path) -> io::Result<()> {
        let Some(old) = self.live.get(path).cloned() else {
            return Ok(());
        };
        let length = self.dice.random_range(0..=old.len() + 4096);
        self.touch(path);
        let file = File::options().write(true).open(self.root.join(path))?;
        file.set_len(length as u64)?;
        let mut bytes = old.to_vec();
        bytes.resize(length, 0);
        self.live.insert(path.to_owned(), Arc::new(bytes));
        self.maybe_sync(path)
    }

    fn rename(&mut self, path: &Path) -> io::Result<()> {
        let to = self.any_path();
        if to == path || !self.live.contains_key(path) {
            return Ok(());
        }
        self.touch(path);
        self.touch(&to);
        fs::rename(self.root.join(path), self.root.join(&to))?;
        let content = self.live.remove(path).unwrap();
        self.live.insert(to.clone(), content);
        if self.dice.random_ratio(1, 2) {
            self.sync(&to)?;
            self.sync(path)?;
        }
        Ok(())
    }

    fn unlink(&mut self, path: &Path) -> io::Result<()> {
        if !self.live.contains_key(path) {
            return Ok(());
        }
        self.touch(path);
        fs::remove_file(self.root.join(path))?;
        self.live.remove(path);
        self.maybe_sync(path)
    }

    fn maybe_sync(&mut self, path: &Path) -> io::Result<()> {
        if self.dice.random_ratio(1, 3) {
            self.sync(path)?;
        }
        Ok(())
    }

    /// Syncs the file and its name, from when on both are promised.
    fn sync(&mut self, path: &Path) -> io::Result<()> {
        let whole = self.root.join(path);
        let content = self.live.get(path).cloned();
        if content.is_some() {
            File::open(&whole)?.sync_all()?;
        }
        sync_folder_of(&whole)?;
        self.durable.insert(path.to_owned(), content);
        Ok(())
    }

    /// Writes until the file system is full, which must be said as such, and makes room again.
    /// Returns how many bytes went in.
    pub(super) fn fill(&mut self) -> u64 {
        let folder = self.root.join("fill");
        fs::create_dir(&folder).unwrap();
        let mut chunk = vec![0; 1 << 20];
        let mut held = 0;
        let error = (0u64..)
            .find_map(|number| {
                self.dice.fill_bytes(&mut chunk);
                let one = File::create(folder.join(number.to_string()))
                    .and_then(|mut file| file.write_all(&chunk));
                held += chunk.len() as u64;
                one.err()
            })
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
        // What was taken before the end must be on the disk, not only in memory.
        rustix::fs::syncfs(File::open(&self.root).unwrap()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        rustix::fs::syncfs(File::open(&self.root).unwrap()).unwrap();
        held
    }
}

/// What the file system at `root` has in the place of `path`.
pub(super) fn found(root: &Path, path: &Path) -> Content {
    match fs::read(root.join(path)) {
        Ok(bytes) => Some(Arc::new(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Fails unless every path holds what was promised.
pub(super) fn assert_holds<'a>(
    context: &str,
    root: &Path,
    promised: impl IntoIterator<Item = (&'a PathBuf, &'a Content)>,
) {
    for (path, content) in promised {
        let there = found(root, path);
        let length = |content: &Content| content.as_ref().map(|bytes| bytes.len());
        assert!(
            there == *content,
            "{context}: {} has {:?} bytes, promised were {:?}, first difference at {:?}",
            path.display(),
            length(&there),
            length(content),
            there
                .as_ref()
                .zip(content.as_ref())
                .and_then(|(a, b)| { a.iter().zip(b.iter()).position(|(a, b)| a != b) })
        );
    }
}

/// Fails unless exactly these files are there.
pub(super) fn assert_is(context: &str, root: &Path, files: &BTreeMap<PathBuf, Arc<Vec<u8>>>) {
    let mut there = BTreeSet::new();
    for folder in 0..FOLDERS {
        let folder = PathBuf::from(format!("d{folder}"));
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            there.insert(folder.join(entry.unwrap().file_name()));
        }
    }
    assert_eq!(there, files.keys().cloned().collect(), "{context}");
    for (path, bytes) in files {
        assert_holds(context, root, [(path, &Some(bytes.clone()))]);
    }
}
