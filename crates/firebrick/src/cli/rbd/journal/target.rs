//! Whose journal a command is about.

use firebrick_site::admin::{JournalSettings, ToolGroup, ToolImage};
use firebrick_vocabulary::{ImageId, ImageName};

use super::args::JournalArgs;
use crate::cli::rbd::error::{EINVAL, ENOENT, failed, fault, refuse};
use crate::cli::rbd::look::short_id;
use crate::cli::rbd::site::Rbd;
use crate::cli::rbd::spec::{Place, Words, image as full};
use crate::exit::Failure;

/// A journal, and the images whose it is.
pub(super) struct Target {
    /// Its id.
    pub(super) id: String,
    /// By name.
    pub(super) images: Vec<(ImageId, ImageName)>,
    /// What was said of it.
    pub(super) settings: JournalSettings,
    /// Whether it is that of a group.
    pub(super) of_group: bool,
}

/// How a command line names a journal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Named<'a> {
    pub(super) image: Option<&'a str>,
    pub(super) journal: Option<&'a str>,
    pub(super) group: Option<&'a str>,
}

impl Target {
    /// What a command without other words is about.
    pub(super) async fn of(rbd: &mut Rbd, args: &JournalArgs) -> Result<Self, Failure> {
        let mut words = Words::new(&args.words);
        let named = args.named(&mut words);
        words.end()?;
        Self::find(rbd, named).await
    }

    /// The journal that is named so.
    pub(super) async fn find(rbd: &mut Rbd, named: Named<'_>) -> Result<Self, Failure> {
        let place = (rbd.common.pool.clone(), rbd.common.namespace.clone());
        let place = Place {
            pool: place.0.as_deref(),
            namespace: place.1.as_deref(),
        };
        Self::within(rbd, named, place).await
    }

    /// The journal that is named so, where names that do not say so are in `place`.
    pub(super) async fn within(
        rbd: &mut Rbd,
        named: Named<'_>,
        place: Place<'_>,
    ) -> Result<Self, Failure> {
        if let Some(group) = named.group {
            let name = full(place, group)?;
            let doing = format!("error opening group {}", name.base());
            return Ok(rbd.group(&name, &doing).await?.into());
        }
        let missing = || refuse(EINVAL, "rbd: journal was not specified");
        let name = match (named.journal, named.image) {
            (Some(id), _) => return Self::by_id(rbd, &full(place, id)?).await,
            (None, Some(image)) => full(place, image)?,
            (None, None) => return Err(missing()),
        };
        let found = rbd.find(&name).await;
        let doing = format!("error opening image {}", name.base());
        match found.map_err(|error| fault(&doing, &error))? {
            Some(image) => Ok(image.into()),
            None => Self::by_id(rbd, &name).await,
        }
    }

    async fn by_id(rbd: &mut Rbd, name: &ImageName) -> Result<Self, Failure> {
        let id = name.base();
        let images = rbd.images_in(name.namespace()).await?;
        let image = images.into_iter().find(|image| short_id(image.id) == id);
        if let Some(image) = image {
            return Ok(image.into());
        }
        let groups = rbd.groups().await?;
        let group = groups.into_iter().find(|group| short_id(group.id) == id);
        let missing = || failed(&format!("error opening image {id}"), ENOENT);
        group.map(Self::from).ok_or_else(missing)
    }

    /// The images.
    pub(super) fn ids(&self) -> Vec<ImageId> {
        self.images.iter().map(|(id, _)| *id).collect()
    }

    /// The name of one of the images.
    pub(super) fn name_of(&self, id: ImageId) -> String {
        let found = self.images.iter().find(|(image, _)| *image == id);
        found.map_or_else(|| short_id(id), |(_, name)| name.to_string())
    }
}

impl JournalArgs {
    /// What it names; takes a word where no option says it.
    pub(super) fn named<'a>(&'a self, words: &mut Words<'a>) -> Named<'a> {
        let (journal, group) = (self.journal.as_deref(), self.group.as_deref());
        let image = match journal.or(group) {
            Some(_) => self.image.as_deref(),
            None => words.or_next(self.image.as_deref()),
        };
        Named {
            image,
            journal,
            group,
        }
    }
}

impl From<ToolImage> for Target {
    fn from(image: ToolImage) -> Self {
        Self {
            id: short_id(image.id),
            images: vec![(image.id, image.name)],
            settings: image.journal,
            of_group: false,
        }
    }
}

impl From<ToolGroup> for Target {
    fn from(group: ToolGroup) -> Self {
        Self {
            id: short_id(group.id),
            images: group.images,
            settings: group.journal.unwrap_or_default(),
            of_group: true,
        }
    }
}
