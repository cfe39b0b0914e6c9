//! The rules of the mirror that correctness leans on, and how each is taken away.

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// How it is called on the command line.
    pub(super) name: &'static str,
    /// Where it is held, and by what: once in that file.
    pub(super) file: &'static str,
    pub(super) text: &'static str,
    /// The same, where `WITHOUT` is true if the rule is to be taken away.
    pub(super) mutant: &'static str,
    /// The test that must fail then.
    pub(super) test: &'static str,
}

const TWO: &str = "two_sites_agree_whatever_happens_to_them";
const THREE: &str = "three_sites_agree_whatever_happens_to_them";
const SYNC: &str = "what_a_flush_in_sync_mode_acknowledged_is_at_the_peers";
const SNAPSHOTS: &str = "sites_agree_on_images_in_snapshot_mode";

pub(super) const RULES: [Rule; 23] = [
    Rule {
        name: "flush-before-confirm",
        file: "crates/mirror/src/follow.rs",
        text: "        self.shared.store.flush()?;\n        for image in std::mem::take(&mut self.synced)",
        mutant: "        if !WITHOUT {\n            self.shared.store.flush()?;\n        }\n        for image in std::mem::take(&mut self.synced)",
        test: TWO,
    },
    Rule {
        name: "send-what-is-durable",
        file: "crates/mirror/src/durable.rs",
        text: "        frame.position.sequence <= self.store.durable().sequence",
        mutant: "        WITHOUT || frame.position.sequence <= self.store.durable().sequence",
        test: TWO,
    },
    Rule {
        name: "await-the-demotion",
        file: "crates/engine/src/switch.rs",
        text: "Some(meta) if !forced && !meta.primary_demoted =>",
        mutant: "Some(meta) if !forced && !meta.primary_demoted && !WITHOUT =>",
        test: TWO,
    },
    Rule {
        name: "refuse-a-lower-epoch",
        file: "crates/engine/src/admission.rs",
        text: "if (promotion.epoch, Some(peer)) <= (known.epoch, known.leader) {",
        mutant: "if (promotion.epoch, Some(peer)) <= (known.epoch, known.leader) && !(WITHOUT) {",
        test: TWO,
    },
    Rule {
        name: "one-leader-of-an-epoch",
        file: "crates/engine/src/admission.rs",
        text: "            // Two sites that did not hear of each other may have given themselves the same epoch",
        mutant: "            if WITHOUT && promotion.epoch <= known.epoch {\n                continue;\n            }\n            // Two sites that did not hear of each other may have given themselves the same epoch",
        test: TWO,
    },
    Rule {
        name: "return-to-the-origin",
        file: "crates/engine/src/admission.rs",
        text: "Some(origin) if last_own <= origin.sequence => self.follow(promotion),",
        mutant: "Some(origin) if WITHOUT || last_own <= origin.sequence => self.follow(promotion),",
        test: TWO,
    },
    Rule {
        name: "go-on-from-the-same-place",
        file: "crates/engine/src/admission.rs",
        text: "_ if !goes_on => self.yield_to(promotion),",
        mutant: "_ if !goes_on && !(WITHOUT) => self.yield_to(promotion),",
        test: THREE,
    },
    Rule {
        name: "begin-with-the-leader",
        file: "crates/engine/src/admission.rs",
        text: "if epoch.is_none() && elsewhere.is_some() && !handed_on {",
        mutant: "if epoch.is_none() && elsewhere.is_some() && !handed_on && !(WITHOUT) {",
        test: THREE,
    },
    Rule {
        name: "give-way",
        file: "crates/engine/src/stage.rs",
        text: "let common = origin.filter(|origin| alone && meta.last_own <= origin.sequence);",
        mutant: "let common = origin.filter(|origin| WITHOUT || (alone && meta.last_own <= origin.sequence));",
        test: TWO,
    },
    Rule {
        name: "adopt-what-is-complete",
        file: "crates/mirror/src/catch_up.rs",
        text: "        for served in &difference.images {",
        mutant: "        for served in &difference.images {\n            if WITHOUT {\n                break;\n            }",
        test: TWO,
    },
    Rule {
        name: "leave-a-copy-out-of-the-stream",
        file: "crates/engine/src/admission.rs",
        text: "            Stream::Main => !known.copying,",
        mutant: "            Stream::Main => WITHOUT || !known.copying,",
        test: TWO,
    },
    Rule {
        name: "promote-together",
        file: "crates/engine/src/switch.rs",
        text: "        if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {",
        mutant: "        if WITHOUT {\n            for promotion in plan.images {\n                let (images, returns) = (vec![promotion], plan.returns.clone());\n                self.promote_these(&mut state, Plan { images, returns })?;\n            }\n        } else if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {",
        test: TWO,
    },
    Rule {
        name: "one-point-of-a-group",
        file: "crates/engine/src/mirror_snapshots/returns.rs",
        text: "        sets.entry(set_of(state, meta)).or_default().push(*id);",
        mutant: "        let set = if WITHOUT { *id } else { set_of(state, meta) };\n        sets.entry(set).or_default().push(*id);",
        test: SNAPSHOTS,
    },
    Rule {
        name: "clone-of-the-same-origin",
        file: "crates/mirror/src/stream.rs",
        text: "            && !self.store.sends(origin.image, sequence)",
        mutant: "            && !self.store.sends(origin.image, sequence)\n            && !(WITHOUT)",
        test: THREE,
    },
    Rule {
        name: "serve-what-is-not-forgotten",
        file: "crates/engine/src/keep.rs",
        text: "(begins || from > state.ended_to)",
        mutant: "(WITHOUT || begins || from > state.ended_to)",
        test: THREE,
    },
    Rule {
        name: "return-to-what-is-known",
        file: "crates/engine/src/state.rs",
        text: "        at < self.sparse_to && !known",
        mutant: "        at < self.sparse_to && !known && !(WITHOUT)",
        test: TWO,
    },
    Rule {
        name: "give-way-when-adopting",
        file: "crates/engine/src/stage.rs",
        text: "        let mut changes = self.giving_way(&state, peer, (targets, ended));",
        mutant: "        let giving = if WITHOUT { &[] } else { targets };\n        let mut changes = self.giving_way(&state, peer, (giving, ended));",
        test: THREE,
    },
    Rule {
        name: "tell-what-has-ended",
        file: "crates/engine/src/difference.rs",
        text: "                None => state.ended_behind(self.id(), has),",
        mutant: "                None if WITHOUT => Vec::new(),\n                None => state.ended_behind(self.id(), has),",
        test: TWO,
    },
    Rule {
        name: "say-what-was-passed-over",
        file: "crates/mirror/src/follow.rs",
        text: "        self.passed_over.extend(followed.passed_over);",
        mutant: "        if !WITHOUT {\n            self.passed_over.extend(followed.passed_over);\n        }",
        test: SYNC,
    },
    Rule {
        name: "count-who-turned-as-whole",
        file: "crates/mirror/src/follow.rs",
        text: "passed_over.filter(|image| !self.has(*image))",
        mutant: "passed_over.filter(|image| WITHOUT || !self.has(*image))",
        test: SYNC,
    },
    Rule {
        name: "ask-again-in-another-epoch",
        file: "crates/mirror/src/follow/request.rs",
        text: "if before != Some(epoch) && (before",
        mutant: "if before != Some(epoch) && (!WITHOUT || before.is_none()) && (before",
        test: THREE,
    },
    Rule {
        name: "tell-newcomers-of-promotions",
        file: "crates/mirror/src/newcomer.rs",
        text: "        message::put_change(&mut batch, &Change::Promote { images });",
        mutant: "        let enabled = Change::Mirroring {\n            image: info.id,\n            enabled: true,\n        };\n        let promoted = Change::Promote { images };\n        message::put_change(&mut batch, if WITHOUT { &enabled } else { &promoted });",
        test: SNAPSHOTS,
    },
    Rule {
        name: "wait-for-the-line",
        file: "crates/mirror/src/copies.rs",
        text: "                Pending::Comparing(of, compared) if of == image => {",
        mutant: "                Pending::Comparing(of, _) if WITHOUT && of == image => {}\n                Pending::Comparing(of, compared) if of == image => {",
        test: THREE,
    },
];
