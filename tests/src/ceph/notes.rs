//! What a pool notes of the mirroring of its images, taken away for a while: so it is while rbd-mirror makes a copy, for a
//! moment that no test could meet otherwise.

use serde_json::Value;

use super::Ceph;
use crate::tools::run;

/// Where librbd notes which images are mirrored.
const MIRRORING: &str = "rbd_mirroring";

impl Ceph {
    /// Does something while the pool has no note that the image is mirrored.
    pub async fn without_mirroring_note<T>(&self, image: &str, work: impl Future<Output = T>) -> T {
        let key = format!("image_{}", self.image_id(image));
        let (kept, file) = (self.path("note"), self.path("note").display().to_string());
        self.rados(&["getomapval", MIRRORING, &key, &file]);
        self.rados(&["rmomapkey", MIRRORING, &key]);
        let done = work.await;
        self.rados(&["setomapval", MIRRORING, &key, "--input-file", &file]);
        std::fs::remove_file(kept).unwrap();
        done
    }

    /// Does something while the image has no journal.
    pub async fn without_journal<T>(&self, image: &str, work: impl Future<Output = T>) -> T {
        let journal = format!("journal.{}", self.image_id(image));
        self.rados(&["cp", &journal, "kept-journal"]);
        self.rados(&["rm", &journal]);
        let done = work.await;
        self.rados(&["cp", "kept-journal", &journal]);
        self.rados(&["rm", "kept-journal"]);
        done
    }

    /// librbd's own id of an image.
    fn image_id(&self, image: &str) -> String {
        let info = ["info", "--format", "json", &format!("volumes/{image}")];
        let found: Value = serde_json::from_str(&self.rbd(&info).ok().stdout).unwrap();
        found["id"].as_str().unwrap().to_owned()
    }

    fn rados(&self, args: &[&str]) {
        let all = [&["-p", "volumes"], args].concat();
        let _ = run(&mut self.program("rados", &all)).ok();
    }
}
