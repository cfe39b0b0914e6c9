//! Drills: images as they would be after a failover, for guests that try, beside mirroring that goes on.
//!
//! A drill is a clone of a secondary under a name of the site's own, exported and never mirrored. A start of
//! the site removes what is left of them: nobody shall find old ones years later.

use firebrick_backend::{Access, ExportKey, Fault, FaultKind};
use firebrick_edge::{Clock as _, SystemClock};
use firebrick_engine::{ImageInfo, NewImage, NewOrigin, Store};
use firebrick_vocabulary::{ImageId, ImageName, Position, Role, Sequence};
use serde::{Deserialize, Serialize};

use super::Mirroring;
use crate::admin::{Drill, DrillRequest};
use crate::serve::exports::Exports;
use crate::serve::fault::fault;
use crate::serve::views::{DRILL, internal};

const DOING: &str = "begin a drill";
/// What a drill says of itself in its metadata; `local.`: it concerns this store alone.
const DRILL_KEY: &str = "local.drill";
/// Who holds its export.
const HOLDER: &str = "drill";

/// What is noted of a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    /// Of which image.
    of: ImageId,
    /// Up to where of its primary's log it was here; `None` for an earlier state of this site.
    position: Option<Position>,
    /// As of which record of this site.
    at: Sequence,
    /// When it began, in nanoseconds since the Unix epoch.
    began: u64,
}

impl Mirroring {
    /// Begins, lists or ends drills; those that there are then, or that began.
    pub(in crate::serve) fn drill(
        &self,
        exports: &Exports,
        request: &DrillRequest,
    ) -> Result<Vec<Drill>, Fault> {
        match request {
            DrillRequest::Begin { images, at } => self.begin_drills(exports, images, *at),
            DrillRequest::List => Ok(self.drills(exports)),
            DrillRequest::End { images } => self.end_drills(exports, images.as_deref()),
        }
    }

    fn begin_drills(
        &self,
        exports: &Exports,
        images: &[ImageId],
        at: Option<Sequence>,
    ) -> Result<Vec<Drill>, Fault> {
        let wanted = self.wanted(images)?;
        let made = match at {
            None => self.clone_now(&wanted),
            Some(at) => self.clone_at(&wanted, at),
        };
        let made = made.map_err(|error| fault(&error))?;
        for id in &made {
            let key = ExportKey(HOLDER.to_owned());
            if let Err(error) = exports.export(*id, key, Access::ReadWrite) {
                // All of a group, or nothing.
                for id in &made {
                    remove_drill(exports, *id);
                }
                return Err(error);
            }
        }
        tracing::info!(images = made.len(), "a drill began");
        let mut drills = self.drills(exports);
        drills.retain(|drill| made.contains(&drill.id));
        Ok(drills)
    }

    /// The images of a drill, and what their clones are called.
    fn wanted(&self, images: &[ImageId]) -> Result<Vec<(ImageInfo, ImageName)>, Fault> {
        let refuse = |kind, why: String| Err(Fault::new(kind, DOING, why));
        let mut wanted = Vec::new();
        for id in images {
            let info = self.store.image(*id).map_err(|error| fault(&error))?.info();
            if info.role == Role::Primary {
                let why = format!("{} is primary here; a clone of it is as good", info.name);
                return refuse(FaultKind::Invalid, why);
            }
            if !info.sync.is_consistent() {
                let why = format!("the first copy of {} is not complete", info.name);
                return refuse(FaultKind::Inconsistent, why);
            }
            let name = internal(DRILL, &info.name.as_str().replace('/', "."));
            let name = name.map_err(|error| fault(&error))?;
            if self.store.image_named(&name).is_some() {
                let why = format!("there is a drill of {} already", info.name);
                return refuse(FaultKind::Exists, why);
            }
            wanted.push((info, name));
        }
        Ok(wanted)
    }

    /// Clones what a forced promotion would make of the images now, all of them in one record: what was applied
    /// until then is a state that their primary was in, and a mirror snapshot is another.
    fn clone_now(
        &self,
        wanted: &[(ImageInfo, ImageName)],
    ) -> Result<Vec<ImageId>, firebrick_engine::Error> {
        let made = self.store.alter(DOING, |alteration| {
            let mut made = Vec::new();
            let images: Vec<ImageId> = wanted.iter().map(|(info, _)| info.id).collect();
            let returns = alteration.returns(&images)?;
            for (info, name) in wanted {
                let id = ImageId::random();
                let snapshot = returns.get(&info.id).copied();
                alteration.clone_image((info.id, snapshot), id, name.clone())?;
                let sequence = match info.upstream {
                    Some(of) => alteration.applied(of),
                    None => info.last_change,
                };
                let position = snapshot.is_none().then_some(Position {
                    epoch: info.epoch,
                    sequence,
                });
                let note = note(info.id, position, alteration.head());
                alteration.set(id, DRILL_KEY, Some(&note))?;
                made.push(id);
            }
            Ok(made)
        })?;
        self.store.flush()?;
        Ok(made)
    }

    /// Clones what the images were at one record of this site.
    fn clone_at(
        &self,
        wanted: &[(ImageInfo, ImageName)],
        at: Sequence,
    ) -> Result<Vec<ImageId>, firebrick_engine::Error> {
        let mut made = Vec::new();
        for (info, name) in wanted {
            let id = ImageId::random();
            match self.clone_one(info.id, (id, name), at) {
                Ok(()) => made.push(id),
                Err(error) => {
                    for id in made {
                        remove(&self.store, id);
                    }
                    return Err(error);
                }
            }
        }
        self.store.flush()?;
        Ok(made)
    }

    fn clone_one(
        &self,
        of: ImageId,
        (id, name): (ImageId, &ImageName),
        at: Sequence,
    ) -> Result<(), firebrick_engine::Error> {
        let size = self.store.size_at(of, at)?;
        let origin = NewOrigin {
            image: of,
            snapshot: None,
            at: Some(at),
        };
        self.store.create_image(NewImage {
            id,
            name: name.clone(),
            size,
            origin: Some(origin),
            mirrored: false,
        })?;
        let note = note(of, None, at);
        let noted = self.store.set_metadata(id, DRILL_KEY, Some(&note));
        if noted.is_err() {
            remove(&self.store, id);
        }
        noted
    }

    /// Begins the drill of one image, or finds it where no record is named.
    pub(in crate::serve) fn begin_drill(
        &self,
        exports: &Exports,
        image: ImageId,
        at: Option<Sequence>,
    ) -> Result<Drill, Fault> {
        let of = |drills: Vec<Drill>| drills.into_iter().find(|drill| drill.of == image);
        let begun = match self.begin_drills(exports, &[image], at) {
            Ok(begun) => of(begun),
            Err(fault) if fault.kind == FaultKind::Exists && at.is_none() => {
                of(self.drills(exports))
            }
            Err(fault) => return Err(fault),
        };
        begun.ok_or_else(|| Fault::new(FaultKind::NotFound, DOING, "it has ended already"))
    }

    /// Ends the drill of one image, if there is one.
    pub(in crate::serve) fn end_drill(
        &self,
        exports: &Exports,
        image: ImageId,
    ) -> Result<(), Fault> {
        match self.end_drills(exports, Some(&[image])) {
            Ok(_) => Ok(()),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Those that there are.
    pub(in crate::serve) fn drills(&self, exports: &Exports) -> Vec<Drill> {
        let exported = exports.list();
        let mut drills = Vec::new();
        for image in self.store.images() {
            let info = image.info();
            let Some(note) = read(&info) else { continue };
            let of = self.store.image(note.of).ok();
            let export = exported.iter().find(|export| export.image == info.id);
            drills.push(Drill {
                id: info.id,
                of: note.of,
                name: of.map(|of| of.info().name),
                position: note.position,
                at: note.at,
                began: note.began,
                address: export.map(|export| export.address.clone()),
                clients: export.map_or(0, |export| export.clients),
            });
        }
        drills.sort_by(|one, other| one.name.cmp(&other.name));
        drills
    }

    /// Ends the drills of these images, or all; those that ended.
    fn end_drills(
        &self,
        exports: &Exports,
        images: Option<&[ImageId]>,
    ) -> Result<Vec<Drill>, Fault> {
        let mut drills = self.drills(exports);
        if let Some(images) = images {
            drills.retain(|drill| images.contains(&drill.of));
            let missing = images
                .iter()
                .find(|image| drills.iter().all(|drill| drill.of != **image));
            if let Some(missing) = missing {
                let why = format!("there is no drill of {missing}");
                return Err(Fault::new(FaultKind::NotFound, "end a drill", why));
            }
        }
        for drill in &drills {
            remove_drill(exports, drill.id);
        }
        self.store.flush().map_err(|error| fault(&error))?;
        Ok(drills)
    }
}

/// Takes a drill from its clients, and removes it.
fn remove_drill(exports: &Exports, id: ImageId) {
    let key = ExportKey(HOLDER.to_owned());
    let ended = exports
        .unexport(id, &key)
        .and_then(|()| exports.remove_image(id));
    if let Err(error) = ended {
        tracing::warn!(image = %id, %error, "a drill stays until the next start");
    }
}

fn note(of: ImageId, position: Option<Position>, at: Sequence) -> String {
    let note = Note {
        of,
        position,
        at,
        began: SystemClock::new().now().0,
    };
    serde_json::to_string(&note).unwrap_or_default()
}

fn read(info: &ImageInfo) -> Option<Note> {
    serde_json::from_str(info.metadata.get(DRILL_KEY)?).ok()
}

fn remove(store: &Store, id: ImageId) {
    if let Err(error) = store.remove_image(id) {
        tracing::warn!(image = %id, %error, "half a drill stays until the next start");
    }
}
