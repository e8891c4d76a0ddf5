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
//! same model; who enters at the same time is read together. Memory for the whole answer is reserved when a request is accepted. Air, perception and alignment are fixed when it is decided.
//!
//! What was projected happens, so that charges add up to what was realised: `Phi` before a decision is `Phi` after the one before it. A request pays for the
//! delay of those who are there; those who come later pay for its delay. Some requests end earlier through a newcomer, because its
//! pass reads other prompts too: one charge can be less than what the request takes alone, the sum cannot.
//!
//! Who decides is told how many tokens are written, never how many will be: [`redraw`](Flight::redraw) puts other answers in their place.
//!
//! Source: MODEL 10. Batches that change with every token: Yu et al., Orca, OSDI 2022. The second edition's; the first has
//! [`queue`](super::queue).

use super::inference::{Server, Tokens};
use crate::units::{ServiceId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::{AddAssign, Sub};

/// Seconds within which requests enter at the same time: who waits for the same weights does, roundings apart.
const SAME_S: f64 = 1e-9;

/// The same for the steps of a model.
const SAME_STEP: f64 = 1e-6;

/// A request that a model of a cell answers. Times are seconds since the episode began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The service that is asked for.
    pub service: ServiceId,
    /// Who asks.
    pub user: UserId,
    /// Tokens of the new part of the prompt.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub new_tokens: f64,
    /// Tokens that the conversation had brought before.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub said_tokens: f64,
    /// When it was made.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub asked_s: f64,
    /// When it reaches the model: perceived, sent, and the weights in memory.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub enters_s: f64,
    /// After this time its answer is late.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub due_s: f64,
    /// From the last token until the answer is aligned and on the device.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub tail_s: f64,
    /// Its prompt and its answer.
    pub tokens: Tokens,
}

/// What requests take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Seconds from question to answer, over all requests.
    #[serde(deserialize_with = "crate::kept::finite")]
    pub delay_s: f64,
    /// Requests whose answer is late.
    #[serde(deserialize_with = "crate::kept::finite")]
    pub late: f64,
    /// Busy time over all GPUs.
    #[serde(deserialize_with = "crate::kept::finite")]
    pub busy_gpu_s: f64,
}

impl Totals {
    /// Whether two are equal but for rounding.
    pub(crate) fn is_near(self, other: Self) -> bool {
        let Self { delay_s, late, busy_gpu_s } = self - other;
        let most = 1e-6 * (1.0 + self.delay_s.abs() + self.busy_gpu_s.abs());
        [delay_s, late, busy_gpu_s].iter().all(|difference| difference.abs() <= most)
    }
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
    /// When its prompt has been read, if nobody comes after it.
    pub read_s: f64,
    /// When its answer is complete.
    pub complete_s: f64,
}

/// A request whose answer is complete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered<'a> {
    /// The request.
    pub request: &'a Request,
    /// When its prompt had been read.
    pub read_s: f64,
    /// When its answer is complete.
    pub complete_s: f64,
}

/// The load of a model, all of its requests taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelLoad {
    /// Requests that are on their way, wait, are read or are answered.
    pub requests: usize,
    /// Answers that are written.
    pub answers: usize,
    /// Seconds of the passes that read the prompts which wait, each by itself, and of what is left of the present one.
    pub waiting_s: f64,
    /// Seconds of a token of every answer; 0 where none is written.
    pub token_s: f64,
    /// Seconds until the last one is written, at that pace.
    pub answering_s: f64,
    /// Seconds until its requests are late, on average; 0 without requests.
    pub slack_s: f64,
}

/// An answer that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    /// The steps of its model before its first token and with its last one.
    #[serde(deserialize_with = "crate::kept::amount")]
    first_step: f64,
    #[serde(deserialize_with = "crate::kept::amount")]
    last_step: f64,
    #[serde(deserialize_with = "crate::kept::amount")]
    context_bytes: f64,
    /// When its prompt had been read.
    #[serde(deserialize_with = "crate::kept::amount")]
    read_s: f64,
    request: Request,
}

/// The requests of one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Batch {
    /// Tokens that each answer has got since the model was last idle.
    #[serde(deserialize_with = "crate::kept::amount")]
    steps: f64,
    /// By their last step, the next one to end at the back.
    answers: Vec<Answer>,
    /// Prompts that wait to be read.
    queued: VecDeque<Request>,
    /// Prompts that are being read, and the seconds that are left of the pass at full pace.
    read: Vec<Request>,
    #[serde(deserialize_with = "crate::kept::amount")]
    pass_s: f64,
}

impl Batch {
    /// Becomes equal to another one, without allocating anew.
    fn copy_from(&mut self, other: &Self) {
        let Self { steps, answers, queued, read, pass_s } = self;
        (*steps, *pass_s) = (other.steps, other.pass_s);
        answers.clone_from(&other.answers);
        queued.clone_from(&other.queued);
        read.clone_from(&other.read);
    }

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
    fn answer_read(&mut self, server: &Server, read_s: f64) {
        for request in self.read.drain(..) {
            let (first_step, last_step) = (self.steps, self.steps + request.tokens.output);
            let place = self.answers.partition_point(|answer| answer.last_step > last_step);
            let context_bytes = server.context_bytes(&request.tokens);
            self.answers.insert(place, Answer { first_step, last_step, context_bytes, read_s, request });
        }
    }

    fn redraw(&mut self, server: &Server, tokens: &mut impl FnMut(&Request, f64) -> f64) {
        for request in self.queued.iter_mut().chain(&mut self.read) {
            request.tokens.output = tokens(request, 0.0);
        }
        // The order in which they would have ended leaves no trace.
        self.answers.sort_by(|one, other| other.request.asked_s.total_cmp(&one.request.asked_s));
        for answer in &mut self.answers {
            let output = tokens(&answer.request, self.steps - answer.first_step);
            answer.request.tokens.output = output;
            answer.last_step = answer.first_step + output;
            answer.context_bytes = server.context_bytes(&answer.request.tokens);
        }
        self.answers.sort_by(|one, other| other.last_step.total_cmp(&one.last_step));
    }
}

/// The requests in flight at a cell; see the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    #[serde(deserialize_with = "crate::kept::amount")]
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

    /// Becomes equal to another one, without allocating anew.
    pub fn copy_from(&mut self, other: &Self) {
        let Self { now_s, done, coming, batches } = self;
        (*now_s, *done) = (other.now_s, other.done);
        coming.clone_from(&other.coming);
        batches.resize_with(other.batches.len(), Batch::default);
        batches.iter_mut().zip(&other.batches).for_each(|(batch, other)| batch.copy_from(other));
    }

    /// Whether its models, services and users are among so many, and its answers in their order.
    pub(crate) fn fits(&self, num_models: usize, num_services: usize, num_users: usize) -> bool {
        let is_known =
            |request: &Request| request.service.index() < num_services && request.user.index() < num_users;
        let in_order =
            |answers: &[Answer]| answers.windows(2).all(|pair| pair[0].last_step >= pair[1].last_step);
        self.batches.len() == num_models
            && self.coming.iter().all(|(model, request)| *model < num_models && is_known(request))
            && (0..num_models).all(|model| self.requests(model).all(is_known))
            && self.batches.iter().all(|batch| in_order(&batch.answers))
    }

    /// Plays on until then; `ended` is told of each answer when it is complete.
    pub fn play(&mut self, fleet: &Fleet<'_>, until_s: f64, mut ended: impl FnMut(Answered<'_>)) {
        loop {
            let mut busy_gpus = 0.0;
            // The first model to end something, in seconds at full pace.
            let mut first: Option<(f64, Event)> = None;
            for (model, (batch, server)) in self.batches.iter().zip(fleet.servers).enumerate() {
                if batch.is_idle() {
                    continue;
                }
                busy_gpus += server.num_gpus;
                let (left_s, event) = match batch.answers.last() {
                    _ if !batch.read.is_empty() => (batch.pass_s, Event::PassEnds(model)),
                    Some(answer) => {
                        let left = answer.last_step - batch.steps;
                        (left * batch.token_s(server), Event::AnswerEnds(model))
                    }
                    None => continue,
                };
                if first.is_none_or(|(least_s, _)| left_s < least_s) {
                    first = Some((left_s, event));
                }
            }
            let pace = if busy_gpus > fleet.gpus { fleet.gpus / busy_gpus } else { 1.0 };
            let mut next = self.coming.last().map(|(_, request)| (request.enters_s, Event::Enters));
            if let Some((left_s, event)) = first {
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

    fn happen(&mut self, fleet: &Fleet<'_>, event: Event, ended: &mut impl FnMut(Answered<'_>)) {
        let model = match event {
            Event::Enters => {
                while self.coming.last().is_some_and(|(_, next)| next.enters_s <= self.now_s + SAME_S)
                    && let Some((model, request)) = self.coming.pop()
                {
                    self.batches[model].queued.push_back(request);
                }
                for (batch, server) in self.batches.iter_mut().zip(fleet.servers) {
                    batch.read_queued(server, fleet.max_batch);
                }
                return;
            }
            Event::PassEnds(model) => {
                self.batches[model].answer_read(&fleet.servers[model], self.now_s);
                model
            }
            Event::AnswerEnds(model) => {
                let batch = &mut self.batches[model];
                if let Some(answer) = batch.answers.last() {
                    batch.steps = answer.last_step;
                }
                // A step ends all answers whose last one it is before a prompt is read.
                while let Some(answer) =
                    batch.answers.pop_if(|next| next.last_step <= batch.steps + SAME_STEP)
                {
                    let Request { asked_s, due_s, tail_s, .. } = answer.request;
                    let complete_s = self.now_s + tail_s;
                    self.done.delay_s += complete_s - asked_s;
                    self.done.late += f64::from(u8::from(complete_s > due_s));
                    ended(Answered { request: &answer.request, read_s: answer.read_s, complete_s });
                }
                if batch.answers.is_empty() {
                    batch.steps = 0.0;
                }
                model
            }
        };
        self.batches[model].read_queued(&fleet.servers[model], fleet.max_batch);
    }

    /// What all requests since the beginning of the episode take, if nobody comes any more: `Phi`.
    pub fn projected(&self, fleet: &Fleet<'_>) -> Totals {
        let mut future = self.clone();
        future.play(fleet, f64::INFINITY, |_| ());
        future.done
    }

    /// What a request for a model would add; `before` is [`projected`](Self::projected).
    pub fn added(&self, fleet: &Fleet<'_>, before: Totals, model: usize, request: Request) -> Added {
        let mut future = self.clone();
        let request = future.accept(model, request);
        let mut added = Added::default();
        future.play(fleet, f64::INFINITY, |answered| {
            if *answered.request == request {
                (added.read_s, added.complete_s) = (answered.read_s, answered.complete_s);
            }
        });
        Added { totals: future.done - before, ..added }
    }

    /// Accepts a request for a model; it enters when it says so, and not before now. Returns it as it enters.
    pub fn accept(&mut self, model: usize, request: Request) -> Request {
        let request = Request { enters_s: request.enters_s.max(self.now_s), ..request };
        let place = self.coming.partition_point(|(_, known)| known.enters_s > request.enters_s);
        self.coming.insert(place, (model, request));
        request
    }

    /// Puts answers of other lengths in the place of those that are not at their end: `tokens` says how long the answer to a request is of which
    /// so many tokens are written, more than those.
    pub fn redraw(&mut self, servers: &[Server], mut tokens: impl FnMut(&Request, f64) -> f64) {
        for (_, request) in &mut self.coming {
            request.tokens.output = tokens(request, 0.0);
        }
        for (batch, server) in self.batches.iter_mut().zip(servers) {
            batch.redraw(server, &mut tokens);
        }
    }

    /// Writes what each model does now; nothing where it is idle.
    pub fn loads(&self, fleet: &Fleet<'_>, loads: &mut Vec<ModelLoad>) {
        loads.clear();
        loads.resize(self.batches.len(), ModelLoad::default());
        let alone_s = |server: &Server, own: &Request| server.pass_s([&own.tokens].into_iter());
        for (model, request) in &self.coming {
            let load = &mut loads[*model];
            load.count(request, self.now_s);
            load.waiting_s += alone_s(&fleet.servers[*model], request);
        }
        for ((load, batch), server) in loads.iter_mut().zip(&self.batches).zip(fleet.servers) {
            for request in &batch.queued {
                load.count(request, self.now_s);
                load.waiting_s += alone_s(server, request);
            }
            if !batch.read.is_empty() {
                load.waiting_s += batch.pass_s;
                batch.read.iter().for_each(|request| load.count(request, self.now_s));
            }
            if let Some(last) = batch.answers.first() {
                batch.answers.iter().for_each(|answer| load.count(&answer.request, self.now_s));
                load.answers = batch.answers.len();
                load.token_s = batch.token_s(server);
                load.answering_s = (last.last_step - batch.steps) * load.token_s;
            }
            if load.requests > 0 {
                load.slack_s /= load.requests as f64;
            }
        }
    }

    /// The requests of a model that are on their way, wait, are read or are answered.
    pub fn requests(&self, model: usize) -> impl Iterator<Item = &Request> {
        let Batch { answers, queued, read, .. } = &self.batches[model];
        let coming = self.coming.iter().filter(move |(own, _)| *own == model).map(|(_, request)| request);
        coming.chain(queued).chain(read).chain(answers.iter().map(|answer| &answer.request))
    }
}

impl ModelLoad {
    fn count(&mut self, request: &Request, now_s: f64) {
        self.requests += 1;
        self.slack_s += request.due_s - now_s;
    }
}

/// Seconds for which all GPUs together have to work on these loads at their present pace.
pub fn backlog_s(fleet: &Fleet<'_>, loads: &[ModelLoad]) -> f64 {
    let gpu_s = loads.iter().zip(fleet.servers).map(|(load, server)| {
        if load.requests == 0 { 0.0 } else { (load.waiting_s + load.answering_s) * server.num_gpus }
    });
    gpu_s.sum::<f64>() / fleet.gpus
}

#[cfg(test)]
mod tests;
