//! Takes an image of the engine while blocks go on being applied, and makes an
//! engine of one (see [`crate::image`]).

use std::sync::Arc;

use super::{Engine, OpenCase};
use crate::graph::TransferGraph;
use crate::history::{Archive, History};
use crate::image::{self, EngineImage, Large, RestoreError, Restored, SegmentRef};
use crate::{Alert, AlertId, Case, EngineConfig, Image, Label};

impl Engine {
    /// Begins an image of the state as it is now, in place of one under way.
    /// What is small is copied at once; holdings, taints and the unsealed past
    /// page by page by [`continue_image`](Self::continue_image), while blocks
    /// go on being applied: whatever a block is about to change is copied first.
    pub fn begin_image(&mut self) {
        self.ledger.accounts.all.begin_copy();
        self.tracer.taints.lists.begin_copy();
        let tail = &mut self.history.tail;
        tail.blocks.begin_copy();
        tail.transfers.begin_copy();
        tail.others.begin_copy();
        self.imaging = Some(Box::new(self.small_parts()));
    }

    fn small_parts(&self) -> EngineImage {
        let told = self.slots.iter().map(|(id, slot)| (id.clone(), self.told[*slot].clone()));
        EngineImage {
            config: Arc::clone(&self.config),
            segments: segments(&self.history),
            introduced: self.history.introduced(),
            large: Large::default(),
            labels: Arc::clone(&self.labels),
            lanes: self.tracer.lanes().map(|(ix, lane)| (ix, lane.clone())).collect(),
            pending: self.tracer.pending.clone(),
            woken: self.tracer.woken.clone(),
            cases: self.cases.values().cloned().collect(),
            told: told.collect(),
            desk: self.desk.clone(),
            journal: self.journal.clone(),
            heads: self.heads,
            finals: self.finals,
            stats: self.stats,
            opening_units: self.ledger.opening_units,
        }
    }

    /// Copies up to `pages` more pages of 4096 items. The image once it is
    /// whole; `None` before, and when none was begun.
    pub fn continue_image(&mut self, pages: usize) -> Option<EngineImage> {
        let mut image = self.imaging.take()?;
        for _ in 0..pages {
            if !self.copy_page() {
                break;
            }
        }
        if !self.is_copied() {
            self.imaging = Some(image);
            return None;
        }
        let tail = &mut self.history.tail;
        image.large = Large {
            accounts: self.ledger.accounts.all.take_copy(),
            taints: self.tracer.taints.lists.take_copy(),
            blocks: tail.blocks.take_copy(),
            transfers: tail.transfers.take_copy(),
            others: tail.others.take_copy(),
        };
        Some(*image)
    }

    fn copy_page(&mut self) -> bool {
        let tail = &mut self.history.tail;
        self.ledger.accounts.all.copy_page()
            || self.tracer.taints.lists.copy_page()
            || tail.blocks.copy_page()
            || tail.transfers.copy_page()
            || tail.others.copy_page()
    }

    fn is_copied(&self) -> bool {
        let tail = &self.history.tail;
        self.ledger.accounts.all.is_copied()
            && self.tracer.taints.lists.is_copied()
            && tail.blocks.is_copied()
            && tail.transfers.is_copied()
            && tail.others.is_copied()
    }

    /// Gives up an image that was begun.
    pub fn drop_image(&mut self) {
        self.imaging = None;
        self.ledger.accounts.all.drop_copy();
        self.tracer.taints.lists.drop_copy();
        let tail = &mut self.history.tail;
        tail.blocks.drop_copy();
        tail.transfers.drop_copy();
        tail.others.drop_copy();
    }

    /// Whether an image was begun and is not whole yet.
    pub fn is_imaging(&self) -> bool {
        self.imaging.is_some()
    }

    /// An engine as it was when the image was begun. `segments`: the sealed
    /// past, in order, as [`EngineImage::segments`] named them. How many
    /// transfers are sealed together, the size of the graph and whether late
    /// cases are deferred may differ from the settings of then.
    ///
    /// Cases that waited for a late trace are handed out again by
    /// [`take_late`](Self::take_late); where late cases are not deferred, they
    /// are traced before the next event applies.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(
        config: EngineConfig,
        archive: Box<dyn Archive>,
        segments: Vec<Arc<dyn Image>>,
        bytes: &[u8],
    ) -> Result<Engine, RestoreError> {
        let config = config.normal();
        let restored = image::restore(&config, archive, segments, bytes)?;
        let Restored { history, ledger, labels, tracer, cases, told, slots, .. } = restored;
        let mut engine = Engine {
            graph: TransferGraph::of(&config),
            config: Arc::new(config),
            ledger,
            history,
            labels: Arc::new(labels),
            tracer,
            cases,
            told,
            slots,
            next_lane: restored.next_lane,
            next_trace: restored.next_trace,
            desk: restored.desk,
            journal: restored.journal,
            heads: restored.heads,
            finals: restored.finals,
            stats: restored.stats,
            ..Engine::default()
        };
        let malformed = |_| RestoreError::Malformed("more accounts than ids can name");
        engine.resume_late().map_err(malformed)?;
        match engine.misfit() {
            Some(case) => Err(RestoreError::NotConserved(case.to_owned())),
            None => Ok(engine),
        }
    }

    /// The open cases, by id.
    pub fn open_cases(&self) -> Vec<Case> {
        self.cases.values().map(|OpenCase { case, .. }| (**case).clone()).collect()
    }

    /// Whether a case of that id is open.
    pub fn is_open(&self, case: &str) -> bool {
        self.cases.contains_key(case)
    }

    /// The labels, by account.
    pub fn labels(&self) -> Vec<Label> {
        let mut labels: Vec<Label> = self.labels.values().cloned().collect();
        labels.sort_unstable_by_key(|label| label.account);
        labels
    }

    /// Whether that alert of the case is live: told and not retracted.
    pub fn is_live(&self, case: &str, id: AlertId) -> bool {
        let told = self.slots.get(case).and_then(|slot| self.told[*slot].get(&id));
        told.is_some_and(|told| told.live)
    }

    /// The alerts of blocks that can still be reverted, in the order of blocks.
    pub fn provisional_alerts(&self) -> Vec<Alert> {
        self.journal.alerts().cloned().collect()
    }
}

fn segments(history: &History) -> Vec<SegmentRef> {
    let segments = history.segments().iter().enumerate();
    segments
        .map(|(number, segment)| {
            let (bytes, check) = segment.identity();
            SegmentRef { number, bytes, check, image: segment.image() }
        })
        .collect()
}
