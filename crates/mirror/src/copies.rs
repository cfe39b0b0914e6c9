//! The copies that a reader has asked for, one behind the other.

use firebrick_vocabulary::ImageId;
use tokio::sync::oneshot;

use crate::catch_up::{Ended, Line};
use crate::copy::Copy;
use crate::message::Request;

/// What a comparison leads to, and the line that it needed.
pub(crate) type Compared = oneshot::Receiver<(Line, Result<Option<Copy>, Ended>)>;

/// A copy.
pub(crate) enum Pending {
    Waiting(Request),
    /// What differs is on its way.
    Comparing(Request, Compared),
    Running(Box<Copy>),
}

impl Pending {
    pub(crate) fn image(&self) -> ImageId {
        match self {
            Self::Waiting(request) | Self::Comparing(request, _) => request.image,
            Self::Running(copy) => copy.image(),
        }
    }
}

/// Copies in the order of the requests; the first one runs.
#[derive(Default)]
pub(crate) struct Copies {
    pub(crate) pending: Vec<Pending>,
    /// Comparisons whose outcome nobody wants any more, and which have the line.
    abandoned: Vec<(ImageId, Compared)>,
}

impl Copies {
    /// Nothing goes on with the copy of an image. A comparison ends by itself, as the reader is asked something.
    pub(crate) fn forget(&mut self, image: ImageId) {
        for copy in std::mem::take(&mut self.pending) {
            match copy {
                Pending::Comparing(of, compared) if of.image == image => {
                    self.abandoned.push((image, compared));
                }
                copy if copy.image() == image => {}
                copy => self.pending.push(copy),
            }
        }
    }

    /// Whether the reader may still be told to become what a comparison of the image leads to.
    pub(crate) fn is_compared(&self, image: ImageId) -> bool {
        let comparing =
            |copy: &Pending| matches!(copy, Pending::Comparing(of, _) if of.image == image);
        self.pending.iter().any(comparing) || self.abandoned.iter().any(|(of, _)| *of == image)
    }

    /// Whether a comparison goes on that nobody wants any more: the reader takes one copy at a time.
    pub(crate) const fn is_busy(&self) -> bool {
        !self.abandoned.is_empty()
    }

    /// The line of a comparison that has ended in vain.
    pub(crate) fn regained(&mut self) -> Option<Line> {
        let mut line = None;
        self.abandoned
            .retain_mut(|(_, compared)| match compared.try_recv() {
                Ok((regained, _)) => {
                    line = Some(regained);
                    false
                }
                Err(_) => true,
            });
        line
    }
}
