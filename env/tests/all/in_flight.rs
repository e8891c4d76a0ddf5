//! Requests in flight at one GPU, played by the simplest rules: each keeps what it has left to do, and the world goes from one event to the next.

use std::ops::ControlFlow;

/// A request of a model, in seconds since the episode began.
#[derive(Clone, Debug)]
pub(crate) struct Flown {
    pub(crate) service: usize,
    pub(crate) user: u32,
    /// Tokens that the conversation had brought before.
    pub(crate) said: f64,
    pub(crate) model: usize,
    pub(crate) asked_s: f64,
    pub(crate) enters_s: f64,
    pub(crate) due_s: f64,
    pub(crate) tail_s: f64,
    /// Tokens of the prompt that are computed, operations for them, and bytes of context while the answer is written.
    pub(crate) computed: f64,
    pub(crate) flop: f64,
    pub(crate) bytes: f64,
    /// Tokens of the answer that are missing.
    pub(crate) left: f64,
    pub(crate) stage: Stage,
    /// Whether its answer has been told of.
    pub(crate) is_taken: bool,
    pub(crate) read_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    Coming,
    Waiting,
    Reading,
    Writing,
    Done(f64),
}

/// How long models take.
pub(crate) trait Paces {
    /// To read prompts of so many tokens and operations, so many together.
    fn pass_s(&self, model: usize, computed: f64, flop: f64, prompts: usize) -> f64;
    /// To write a token of so many answers with so many bytes of context.
    fn token_s(&self, model: usize, answers: usize, bytes: f64) -> f64;
}

/// Two models that share a GPU and answer at most two requests each at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight {
    pub(crate) now_s: f64,
    pub(crate) busy_s: f64,
    /// All requests of the episode, by entry.
    pub(crate) all: Vec<Flown>,
    pass_s: [f64; 2],
}

impl InFlight {
    fn of(&self, model: usize, stage: Stage) -> Vec<&Flown> {
        self.all.iter().filter(|own| own.model == model && own.stage == stage).collect()
    }

    /// Requests of a model that are not complete.
    pub(crate) fn count(&self, model: usize) -> usize {
        self.all.iter().filter(|own| own.model == model && !matches!(own.stage, Stage::Done(_))).count()
    }

    pub(crate) fn serves(&self, service: usize) -> bool {
        self.all.iter().any(|own| own.service == service && !matches!(own.stage, Stage::Done(_)))
    }

    pub(crate) fn accept(&mut self, request: Flown) {
        let place = self.all.iter().position(|own| own.enters_s > request.enters_s).unwrap_or(self.all.len());
        self.all.insert(place, request);
    }

    fn begin_passes(&mut self, paces: &impl Paces) {
        for model in 0..2 {
            if !self.of(model, Stage::Reading).is_empty() {
                continue;
            }
            let room = 2 - self.of(model, Stage::Writing).len();
            let next = self.all.iter_mut().filter(|own| own.model == model && own.stage == Stage::Waiting);
            next.take(room).for_each(|own| own.stage = Stage::Reading);
            let read = self.of(model, Stage::Reading);
            if !read.is_empty() {
                let sum = |of: fn(&Flown) -> f64| read.iter().map(|own| of(own)).sum();
                let pass_s = paces.pass_s(model, sum(|own| own.computed), sum(|own| own.flop), read.len());
                self.pass_s[model] = pass_s;
            }
        }
    }

    pub(crate) fn play(&mut self, until_s: f64, paces: &impl Paces) {
        while self.next_event(until_s, paces).is_continue() {}
    }

    fn next_event(&mut self, until_s: f64, paces: &impl Paces) -> ControlFlow<()> {
        self.begin_passes(paces);
        let works = |own: &&Flown| !matches!(own.stage, Stage::Coming | Stage::Done(_));
        let working = [0, 1].map(|model| self.all.iter().filter(works).any(|own| own.model == model));
        let busy = working.iter().filter(|works| **works).count() as f64;
        let pace = if busy > 1.0 { 1.0 / busy } else { 1.0 };
        let token_s = [0, 1].map(|model| {
            let writing = self.of(model, Stage::Writing);
            let is_reading = !self.of(model, Stage::Reading).is_empty();
            let bytes = writing.iter().map(|own| own.bytes).sum();
            (!is_reading && !writing.is_empty()).then(|| paces.token_s(model, writing.len(), bytes))
        });
        let ends_s = |own: &Flown| match own.stage {
            Stage::Coming => own.enters_s - self.now_s,
            Stage::Reading => self.pass_s[own.model] / pace,
            Stage::Writing => token_s[own.model].map_or(f64::INFINITY, |token_s| own.left * token_s / pace),
            Stage::Waiting | Stage::Done(_) => f64::INFINITY,
        };
        let times: Vec<f64> = self.all.iter().map(ends_s).collect();
        let first_s = times.iter().copied().fold(f64::INFINITY, f64::min);
        let seconds = first_s.min(until_s - self.now_s);
        if seconds.is_infinite() {
            return ControlFlow::Break(());
        }
        self.now_s += seconds;
        self.busy_s += seconds * pace * busy;
        self.pass_s = self.pass_s.map(|left_s| (left_s - seconds * pace).max(0.0));
        for own in self.all.iter_mut().filter(|own| own.stage == Stage::Writing) {
            own.left -= token_s[own.model].map_or(0.0, |token_s| seconds * pace / token_s);
        }
        if first_s > seconds {
            return ControlFlow::Break(());
        }
        let now_s = self.now_s;
        for (own, at_s) in self.all.iter_mut().zip(times) {
            // Those who wait for the same weights enter together, and answers of one length end together, roundings apart.
            if at_s <= first_s + 1e-9 && own.stage != Stage::Waiting {
                own.stage = match own.stage {
                    Stage::Coming => Stage::Waiting,
                    Stage::Reading => Stage::Writing,
                    Stage::Writing => Stage::Done(now_s + own.tail_s),
                    stage => stage,
                };
                if own.stage == Stage::Writing {
                    own.read_s = now_s;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Those that are answered since the last time, in order.
    pub(crate) fn take_answered(&mut self) -> Vec<Flown> {
        let answered_s = |own: &Flown| match own.stage {
            Stage::Done(at_s) if !own.is_taken => Some(at_s - own.tail_s),
            _ => None,
        };
        let mut answered: Vec<Flown> =
            self.all.iter().filter(|own| answered_s(own).is_some()).cloned().collect();
        answered.sort_by(|one, other| answered_s(one).partial_cmp(&answered_s(other)).unwrap());
        for own in &mut self.all {
            own.is_taken |= matches!(own.stage, Stage::Done(_));
        }
        answered
    }

    /// Seconds until all are answered, how many are late, busy time, if nobody comes any more.
    pub(crate) fn totals(&self, paces: &impl Paces) -> [f64; 3] {
        let mut future = self.clone();
        future.play(f64::INFINITY, paces);
        let mut totals = [0.0, 0.0, future.busy_s];
        for own in &future.all {
            if let Stage::Done(at_s) = own.stage {
                totals[0] += at_s - own.asked_s;
                totals[1] += f64::from(u8::from(at_s > own.due_s));
            }
        }
        totals
    }
}
