//! Who acts on a QoS spec.

use crate::text::texts;

texts!(
    /// Who acts on a QoS spec.
    QosConsumer, "consumer of QoS specs", {
        /// The site that keeps the volume.
        BackEnd = "back-end",
        /// The host that a volume is attached to.
        FrontEnd = "front-end",
        /// Each of them.
        Both = "both",
    }
);

impl QosConsumer {
    /// Whether sites act on it.
    pub const fn has_back_end(self) -> bool {
        match self {
            Self::BackEnd | Self::Both => true,
            Self::FrontEnd => false,
        }
    }

    /// Whether hosts act on it.
    pub const fn has_front_end(self) -> bool {
        match self {
            Self::FrontEnd | Self::Both => true,
            Self::BackEnd => false,
        }
    }
}
