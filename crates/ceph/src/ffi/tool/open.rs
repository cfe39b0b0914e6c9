//! A cluster, a pool and an image, as the command line names them.

use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;

use super::super::cluster::Cluster;
use super::super::image::{Image, Opening};
use super::super::load::Missing;
use super::super::pool::Pool;
use super::super::shapes::ImageT;
use super::super::text::given;
use super::calls;
use super::texts::text;
use super::{Trouble, check};

/// Who asks which cluster.
#[derive(Clone, Debug)]
pub struct Access {
    /// The cluster's name, for what `$cluster` stands for in its configuration.
    pub cluster: String,
    /// Its configuration.
    pub conf: PathBuf,
    /// The user, without `client.`.
    pub user: String,
    /// Options that count more than those of the configuration.
    pub settings: Vec<(&'static str, String)>,
}

/// A connection to a cluster.
pub struct Connection {
    pub(in super::super) cluster: Arc<Cluster>,
}

/// A pool, or a namespace of it.
pub struct OpenPool {
    pub(in super::super) pool: Arc<Pool>,
    name: String,
    namespace: String,
    connection: Arc<Connection>,
}

/// By what an image is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImageAt<'a> {
    /// Its name.
    Name(&'a str),
    /// librbd's own id, which it has in the trash too.
    Id(&'a str),
}

/// An open image.
pub struct OpenImage {
    pub(in super::super) image: Image,
    pool: Arc<OpenPool>,
}

impl Access {
    /// Refuses where this machine has no librbd; else connects.
    pub fn connect(&self) -> Result<Result<Arc<Connection>, Trouble>, Missing> {
        super::super::present()?;
        let conf = self.conf.display().to_string();
        let names = (self.cluster.as_str(), self.user.as_str(), conf.as_str());
        let cluster = Cluster::connect(names, &self.settings);
        let connected = cluster.map(|cluster| Arc::new(Connection { cluster }));
        Ok(connected.map_err(Trouble::from))
    }
}

impl Connection {
    /// A pool, or where the text is not empty a namespace of it, which is not looked for.
    pub fn pool(self: &Arc<Self>, name: &str, namespace: &str) -> Result<Arc<OpenPool>, Trouble> {
        let pool = self.cluster.pool(name)?;
        if !namespace.is_empty() {
            let text = given(namespace)?;
            // SAFETY: the pool is a handle, nobody else has it yet, and the text ends with a zero.
            unsafe { calls::rados_ioctx_set_namespace()?(pool.handle(), text.as_ptr()) };
        }
        Ok(Arc::new(OpenPool {
            pool,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            connection: Arc::clone(self),
        }))
    }

    /// The name of the pool of that number.
    pub fn pool_name(&self, id: i64) -> Result<String, Trouble> {
        let call = calls::rados_pool_reverse_lookup()?;
        // SAFETY: the cluster is a handle, and the buffer has the room that is given.
        text(|buffer, room| unsafe { call(self.cluster.handle, id, buffer, room) })
    }
}

impl OpenPool {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace; empty for the one without a name.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The cluster that it belongs to.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Opens an image to look at it: nobody is told of it, and what it says is as of now.
    pub fn look(self: &Arc<Self>, at: ImageAt<'_>) -> Result<OpenImage, Trouble> {
        self.open(at, Opening::Looking)
    }

    /// Opens an image to change it.
    pub fn change(self: &Arc<Self>, at: ImageAt<'_>) -> Result<OpenImage, Trouble> {
        self.open(at, Opening::Changing)
    }

    fn open(self: &Arc<Self>, at: ImageAt<'_>, how: Opening) -> Result<OpenImage, Trouble> {
        let image = match at {
            ImageAt::Name(name) => Image::open(&self.pool, name, how)?,
            ImageAt::Id(id) => {
                let id = given(id)?;
                let open = match how {
                    Opening::Changing => calls::rbd_open_by_id()?,
                    Opening::Looking => calls::rbd_open_by_id_read_only()?,
                };
                let mut handle: ImageT = ptr::null_mut();
                // SAFETY: the pool is a handle, the id ends with a zero, and no snapshot is asked for.
                check(unsafe {
                    open(
                        self.pool.handle(),
                        id.as_ptr(),
                        &raw mut handle,
                        ptr::null(),
                    )
                })?;
                Image::opened(handle, &self.pool)
            }
        };
        let pool = Arc::clone(self);
        Ok(OpenImage { image, pool })
    }
}

impl OpenImage {
    /// The pool that it is in.
    pub fn pool(&self) -> &Arc<OpenPool> {
        &self.pool
    }

    pub(in super::super) fn handle(&self) -> ImageT {
        self.image.handle
    }
}
