//! Backups are removed, and what is left of those that never were.

use std::collections::BTreeSet;

use firebrick_backend::Fault;
use firebrick_vocabulary::BackupId;

use crate::names::{Container, Part, parse};
use crate::repository::Repository;

/// Removes a backup, whole or half; one that is not there is no error. The manifest goes first, and
/// durably: a crash in between leaves objects that nobody sees, not a backup with gaps.
pub async fn remove(
    repository: &dyn Repository,
    container: &Container,
    id: BackupId,
) -> Result<(), Fault> {
    let listed = repository.list(container).await?;
    let ours = |name: &&String| parse(name).is_some_and(|(of, _)| of == id);
    let (manifest, objects): (Vec<String>, Vec<String>) = (listed.iter().filter(ours))
        .cloned()
        .partition(|name| parse(name) == Some((id, Part::Manifest)));
    repository.remove(container, &manifest).await?;
    repository.remove(container, &objects).await
}

/// Removes from a container what belongs to no backup: objects without a manifest of which `wanted`
/// says that nobody writes them. It is asked once for each of these, after they were found. Returns whose
/// objects went.
pub async fn sweep<F: Future<Output = Result<bool, Fault>>>(
    repository: &dyn Repository,
    container: &Container,
    mut wanted: impl FnMut(BackupId) -> F,
) -> Result<BTreeSet<BackupId>, Fault> {
    let listed = repository.list(container).await?;
    let (mut whole, mut half) = (BTreeSet::new(), BTreeSet::new());
    for (id, part) in listed.iter().filter_map(|name| parse(name)) {
        match part {
            Part::Manifest => whole.insert(id),
            Part::Object(_) => half.insert(id),
        };
    }
    let mut swept = BTreeSet::new();
    for id in half.difference(&whole) {
        if !wanted(*id).await? {
            remove(repository, container, *id).await?;
            swept.insert(*id);
        }
    }
    Ok(swept)
}
