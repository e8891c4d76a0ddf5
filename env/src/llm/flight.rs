//! Continuous batching: the requests that are in flight at a cell, and what one more adds to what all of them take.
//!
//! Models: every model of a cell reads prompts and writes answers on the GPUs that the models share; a request joins those that are being
//! answered as soon as it has been read, and leaves them with its last token.
//!
//! Equation:
//! ```text
//! phi    = min(1, G / sum of tp over the models with work)
//! read   all queued prompts for which there is room, in one pass; the model writes nothing meanwhile
//! write  every answer of a model gets a token each tau / phi
//! tau    = t_step + max((W(B) + sum of c_j) / (eta bw tp), 2 N B / (mfu peak tp)) + X(B)
//! c_j    = kv (n_in + n_out / 2)
//! Phi    = sum over all requests of (C_j - a_j), and of those with C_j > d_j, and busy GPU-seconds:
//!          what happens if nobody comes any more
//! charge = Phi with the request - Phi without it
//! ```
//! Symbols: `G` GPUs, `tp` those of a model, `B` answers that are written, `a` when a request was made, `d` when its answer is late, `C` when
//! it is complete; `W`, `N`, `kv`, `eta`, `mfu`, `bw`, `peak`, `t_step`, `X`: see [`inference`](super::inference).
//!
//! Assumptions: between two events all paces are constant: a request enters, a pass ends, or an answer ends. Nothing is interrupted but for a pass of the
//! same model. Memory for the whole answer is reserved when a request is accepted. Air, perception and alignment are fixed when it is decided.
//!
//! What was projected happens, so that charges add up to what was realised: `Phi` before a decision is `Phi` after the one before it. A request pays for the
//! delay of those who are there; those who come later pay for its delay. Some requests end earlier through a newcomer, because its
//! pass reads other prompts too: one charge can be less than what the request takes alone, the sum cannot.
//!
//! Source: MODEL 10. Batches that change with every token: Yu et al., Orca, OSDI 2022. No world plays it yet: it is to take the place of
//! [`queue`](super::queue) in the second edition (`docs/decisions/0029-second-edition.md`).

use super::inference::{Server, Tokens};
use crate::units::ServiceId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::{AddAssign, Sub};

/// A request that a model of a cell answers. Times are seconds since the episode began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The service that is asked for.
    pub service: ServiceId,
    /// When it was made.
    pub asked_s: f64,
    /// When it reaches the model: perceived, sent, and the weights in memory.
    pub enters_s: f64,
    /// After this time its answer is late.
    pub due_s: f64,
    /// From the last token until the answer is aligned and on the device.
    pub tail_s: f64,
    /// Its prompt and its answer.
    pub tokens: Tokens,
}

/// What requests take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Seconds from question to answer, over all requests.
    pub delay_s: f64,
    /// Requests whose answer is late.
    pub late: f64,
    /// Busy time over all GPUs.
    pub busy_gpu_s: f64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.delay_s += other.delay_s;
        self.late += other.late;
        self.busy_gpu_s += other.busy_gpu_s;
    }
}

impl Sub for Totals {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            delay_s: self.delay_s - other.delay_s,
            late: self.late - other.late,
            busy_gpu_s: self.busy_gpu_s - other.busy_gpu_s,
        }
    }
}

/// The models of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// Each on its GPUs.
    pub servers: &'a [Server],
    /// How many GPUs they share.
    pub gpus: f64,
    /// The most requests that one of them reads and answers at a time.
    pub max_batch: usize,
}

/// What a request would add, were it accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Added {
    /// To all, itself included.
    pub totals: Totals,
    /// When its own answer is complete, if nobody comes after it.
    pub complete_s: f64,
}

/// An answer that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    /// The step of its model that is its last one.
    last_step: f64,
    context_bytes: f64,
    request: Request,
}

/// The requests of one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Batch {
    /// Tokens that each answer has got since the model was last idle.
    steps: f64,
    /// By their last step, the next one to end at the back.
    answers: Vec<Answer>,
    /// Prompts that wait to be read.
    queued: VecDeque<Request>,
    /// Prompts that are being read, and the seconds that are left of the pass at full pace.
    read: Vec<Request>,
    pass_s: f64,
}

impl Batch {
    fn is_idle(&self) -> bool {
        self.answers.is_empty() && self.read.is_empty() && self.queued.is_empty()
    }

    /// Seconds of a token of every answer, at full pace.
    fn token_s(&self, server: &Server) -> f64 {
        let context_bytes = self.answers.iter().map(|answer| answer.context_bytes).sum();
        server.token_s(self.answers.len() as f64, context_bytes)
    }

    /// Begins a pass where nothing is read, a prompt waits and there is room.
    fn read_queued(&mut self, server: &Server, max_batch: usize) {
        let room = max_batch.saturating_sub(self.answers.len());
        if !self.read.is_empty() || self.queued.is_empty() || room == 0 {
            return;
        }
        self.read.extend(self.queued.drain(..room.min(self.queued.len())));
        self.pass_s = server.pass_s(self.read.iter().map(|request| &request.tokens));
    }

    /// Ends the pass: what was read is answered from now on.
    fn answer_read(&mut self, server: &Server) {
        for request in self.read.drain(..) {
            let last_step = self.steps + request.tokens.output;
            let place = self.answers.partition_point(|answer| answer.last_step > last_step);
            let context_bytes = server.context_bytes(&request.tokens);
            self.answers.insert(place, Answer { last_step, context_bytes, request });
        }
    }
}

/// The requests in flight at a cell; see the [module](self).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    now_s: f64,
    /// Of the requests that are complete, and of the work that is done.
    done: Totals,
    /// Requests that are on their way, the next one to enter at the back, and their models.
    coming: Vec<(usize, Request)>,
    batches: Vec<Batch>,
}

/// What happens next at a cell.
#[derive(Clone, Copy, Debug)]
enum Event {
    Enters,
    PassEnds(usize),
    AnswerEnds(usize),
}

impl Flight {
    /// Nothing is in flight at the beginning of an episode.
    pub fn new(num_models: usize) -> Self {
        let batches = vec![Batch::default(); num_models];
        Self { now_s: 0.0, done: Totals::default(), coming: Vec::new(), batches }
    }

    /// The time that it has been played to.
    pub fn now_s(&self) -> f64 {
        self.now_s
    }

    /// Plays on until then; `ended` is told of each answer when it is complete.
    pub fn play(&mut self, fleet: &Fleet<'_>, until_s: f64, mut ended: impl FnMut(&Request, f64)) {
        loop {
            let working = self.batches.iter().zip(fleet.servers).filter(|(batch, _)| !batch.is_idle());
            let busy_gpus: f64 = working.map(|(_, server)| server.num_gpus).sum();
            let pace = if busy_gpus > fleet.gpus { fleet.gpus / busy_gpus } else { 1.0 };
            let mut next = self.coming.last().map(|(_, request)| (request.enters_s, Event::Enters));
            for (model, (batch, server)) in self.batches.iter().zip(fleet.servers).enumerate() {
                let (left_s, event) = match batch.answers.last() {
                    _ if !batch.read.is_empty() => (batch.pass_s, Event::PassEnds(model)),
                    Some(answer) => {
                        let left = answer.last_step - batch.steps;
                        (left * batch.token_s(server), Event::AnswerEnds(model))
                    }
                    None => continue,
                };
                let at_s = self.now_s + left_s / pace;
                if next.is_none_or(|(first_s, _)| at_s < first_s) {
                    next = Some((at_s, event));
                }
            }
            let Some((at_s, event)) = next.filter(|(at_s, _)| *at_s <= until_s) else {
                if until_s.is_finite() {
                    self.work(fleet, pace, busy_gpus, until_s);
                }
                return;
            };
            self.work(fleet, pace, busy_gpus, at_s.max(self.now_s));
            self.happen(fleet, event, &mut ended);
        }
    }

    /// Everybody works until then, at this share of the full pace.
    fn work(&mut self, fleet: &Fleet<'_>, pace: f64, busy_gpus: f64, until_s: f64) {
        let seconds = until_s - self.now_s;
        self.now_s = until_s;
        self.done.busy_gpu_s += seconds * pace * busy_gpus;
        for (batch, server) in self.batches.iter_mut().zip(fleet.servers) {
            if !batch.read.is_empty() {
                batch.pass_s = (batch.pass_s - seconds * pace).max(0.0);
            } else if let Some(last_step) = batch.answers.last().map(|answer| answer.last_step) {
                batch.steps = (batch.steps + seconds * pace / batch.token_s(server)).min(last_step);
            }
        }
    }

    fn happen(&mut self, fleet: &Fleet<'_>, event: Event, ended: &mut impl FnMut(&Request, f64)) {
        let model = match event {
            Event::Enters => {
                let Some((model, request)) = self.coming.pop() else { return };
                self.batches[model].queued.push_back(request);
                model
            }
            Event::PassEnds(model) => {
                self.batches[model].answer_read(&fleet.servers[model]);
                model
            }
            Event::AnswerEnds(model) => {
                let batch = &mut self.batches[model];
                let Some(answer) = batch.answers.pop() else { return };
                batch.steps = if batch.answers.is_empty() { 0.0 } else { answer.last_step };
                let Request { asked_s, due_s, tail_s, .. } = answer.request;
                let complete_s = self.now_s + tail_s;
                self.done.delay_s += complete_s - asked_s;
                self.done.late += f64::from(u8::from(complete_s > due_s));
                ended(&answer.request, complete_s);
                model
            }
        };
        self.batches[model].read_queued(&fleet.servers[model], fleet.max_batch);
    }

    /// What all requests since the beginning of the episode take, if nobody comes any more: `Phi`.
    pub fn projected(&self, fleet: &Fleet<'_>) -> Totals {
        let mut future = self.clone();
        future.play(fleet, f64::INFINITY, |_, _| ());
        future.done
    }

    /// What a request for a model would add; `before` is [`projected`](Self::projected).
    pub fn added(&self, fleet: &Fleet<'_>, before: Totals, model: usize, request: Request) -> Added {
        let mut future = self.clone();
        future.accept(model, request);
        let mut complete_s = f64::NAN;
        future.play(fleet, f64::INFINITY, |ended, at_s| {
            if *ended == request {
                complete_s = at_s;
            }
        });
        Added { totals: future.done - before, complete_s }
    }

    /// Accepts a request for a model; it enters when it says so, and not before now.
    pub fn accept(&mut self, model: usize, request: Request) {
        let request = Request { enters_s: request.enters_s.max(self.now_s), ..request };
        let place = self.coming.partition_point(|(_, known)| known.enters_s > request.enters_s);
        self.coming.insert(place, (model, request));
    }

    /// The requests of a model that are on their way, wait, are read or are answered.
    pub fn requests(&self, model: usize) -> impl Iterator<Item = &Request> {
        let Batch { answers, queued, read, .. } = &self.batches[model];
        let coming = self.coming.iter().filter(move |(own, _)| *own == model).map(|(_, request)| request);
        coming.chain(queued).chain(read).chain(answers.iter().map(|answer| &answer.request))
    }
}

#[cfg(test)]
mod tests;
