//! Other nodes beside the one of a world.

use firebrick_control::{Control, ControlOptions, Error, Running};
use firebrick_db::Db;

use super::World;

/// Another process on the same database and the same sites.
pub(crate) struct Node {
    db: Db,
    running: Running,
    pub(crate) control: Control,
    options: ControlOptions,
}

impl Node {
    /// Nothing of it goes on, as after `kill -9`.
    pub(crate) async fn kill(self) {
        drop(self.running);
        self.db.close().await;
    }
}

impl World {
    /// Starts a node of that name, configured as the first one but for that.
    pub(crate) async fn beside(
        &self,
        node: &str,
        change: impl FnOnce(&mut ControlOptions),
    ) -> Result<Node, Error> {
        let mut options = self.options.clone();
        node.clone_into(&mut options.node);
        change(&mut options);
        let db = self.place.open().await;
        let (control, running) = Control::start(db.clone(), options.clone()).await?;
        Ok(Node {
            db,
            running,
            control,
            options,
        })
    }

    /// The world is that of this node from here on; its former one has been killed.
    pub(crate) fn goes_on_as(&mut self, node: Node) {
        assert!(self.life.is_none());
        self.life = Some((node.db.clone(), node.running));
        self.db = node.db;
        self.control = node.control;
        self.options = node.options;
    }

    /// The same node with another configuration, after its end.
    pub(crate) async fn restart_with(
        &mut self,
        change: impl FnOnce(&mut ControlOptions),
    ) -> Result<(), Error> {
        self.kill().await;
        let name = self.options.node.clone();
        let node = self.beside(&name, change).await?;
        self.goes_on_as(node);
        Ok(())
    }
}
