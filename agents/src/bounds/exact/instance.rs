//! Tiny worlds from a table: one row of numbers is one world.
//!
//! The columns are `instance, n_models, sizes, load_cost, local_cost, cloud_cost, popularity_by_phase, phase_stay_prob,
//! capacity`; lists are JSON in quotes, one number a model. Columns after them that begin with `opt_discounted_` (and end with
//! the discount), or are called `opt_average_cost`, `n_feasible_sets` or `all_cloud_avg`, are what the world is known to have.
//! Others are not read.

use std::fmt::Write as _;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::ConfigError;

/// Slots of an episode of such a world.
const HORIZON_SLOTS: u32 = 1_000;

/// A tiny world by its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What each model takes of the capacity.
    pub sizes: Vec<f64>,
    /// What a load of each model costs.
    pub load_cost: Vec<f64>,
    /// What a request costs at the edge.
    pub local_cost: Vec<f64>,
    /// What a request costs in the cloud.
    pub cloud_cost: Vec<f64>,
    /// One list a phase: the probability of a request for each model.
    pub popularity_by_phase: Vec<Vec<f64>>,
    /// The probability that a phase lasts another slot.
    pub phase_stay_prob: f64,
    /// What fits into memory together.
    pub capacity: f64,
    /// A discount, and the least discounted cost under it.
    pub opt_discounted: Option<(f64, f64)>,
    /// The least average cost.
    pub opt_average_cost: Option<f64>,
    /// How many sets of models fit.
    pub num_feasible_sets: Option<usize>,
    /// The average cost without any load.
    pub all_cloud_cost: Option<f64>,
}

/// What is wrong with a table or a world of it: the place, what stands there, and what may.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InstanceError(String);

/// Cuts a line at its commas; those within quotes belong to a field.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut is_quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => fields.last_mut().expect("there is always a field").push(letter),
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// Reads the worlds of a table.
///
/// # Errors
/// [`InstanceError`]: a column is missing, or a field cannot be read.
pub fn read_csv(text: &str) -> Result<Vec<Instance>, InstanceError> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let head = lines.next().map(|(_, head)| fields(head)).unwrap_or_default();
    lines.map(|(line, text)| Row { line, head: &head, fields: fields(text) }.instance()).collect()
}

struct Row<'a> {
    line: usize,
    head: &'a [String],
    fields: Vec<String>,
}

impl Row<'_> {
    fn instance(&self) -> Result<Instance, InstanceError> {
        let num_models: usize = self.read("n_models", "a whole number")?;
        let list = |column: &str| -> Result<Vec<f64>, InstanceError> {
            let allowed = format!("a list of n_models = {num_models} numbers");
            let list: Vec<f64> = self.read(column, &allowed)?;
            if list.len() == num_models { Ok(list) } else { Err(self.refuse(column, &allowed)) }
        };
        let discounted = self.head.iter().find_map(|column| {
            let gamma = column.strip_prefix("opt_discounted_")?.parse().ok()?;
            Some((gamma, column))
        });
        let opt_discounted = match discounted {
            Some((gamma, column)) => self.known(column)?.map(|value| (gamma, value)),
            None => None,
        };
        Ok(Instance {
            name: self.text("instance")?.to_owned(),
            sizes: list("sizes")?,
            load_cost: list("load_cost")?,
            local_cost: list("local_cost")?,
            cloud_cost: list("cloud_cost")?,
            popularity_by_phase: self.read("popularity_by_phase", "a list of lists of numbers")?,
            phase_stay_prob: self.read("phase_stay_prob", "a number")?,
            capacity: self.read("capacity", "a number")?,
            opt_discounted,
            opt_average_cost: self.known("opt_average_cost")?,
            num_feasible_sets: self.known("n_feasible_sets")?,
            all_cloud_cost: self.known("all_cloud_avg")?,
        })
    }

    fn text(&self, column: &str) -> Result<&str, InstanceError> {
        let position = self.head.iter().position(|known| known == column);
        let position = position.ok_or_else(|| {
            InstanceError(format!("the head has no column {column}; there are {}", self.head.join(", ")))
        })?;
        Ok(self.fields.get(position).map_or("", String::as_str))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, column: &str, allowed: &str) -> Result<T, InstanceError> {
        serde_json::from_str(self.text(column)?).map_err(|_| self.refuse(column, allowed))
    }

    /// A column that need not be there, nor filled.
    fn known<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<Option<T>, InstanceError> {
        match self.text(column) {
            Err(_) | Ok("") => Ok(None),
            Ok(_) => self.read(column, "a number").map(Some),
        }
    }

    fn refuse(&self, column: &str, allowed: &str) -> InstanceError {
        let value = self.text(column).unwrap_or_default();
        InstanceError(format!("line {}: {column} = {value}: {allowed}", self.line))
    }
}

impl Instance {
    /// The world as the text of a scenario, with episodes of so many slots; sizes are GB.
    pub fn scenario_text(&self, horizon_slots: u32) -> String {
        let Self { name, phase_stay_prob, capacity, popularity_by_phase, .. } = self;
        let stay_prob = match popularity_by_phase.len() {
            0 | 1 => String::new(),
            _ => format!("stay_prob = {phase_stay_prob:?}\n"),
        };
        let mut text = format!(
            "name = {name:?}\n\
             horizon_slots = {horizon_slots}\n\
             slot_s = 1.0\n\
             cell = {{ count = 1, memory_gb = {capacity:?} }}\n\
             thought = {{ tokens = 1.0, paths = 1, consensus_factor = 1.0, vanishing_thoughts_per_slot = 0.0 }}\n\
             memory = {{ refresh = \"evict\" }}\n\
             quality.logarithmic = {{ base = 1.0, gain = 0.0, exponent = 1.0, max_accuracy = 1.0 }}\n\
             observation = {{ popularity_phase = true }}\n\
             decision = {{ granularity = \"service\", placements = [\"edge\", \"cloud\"] }}\n\
             [workload.phased]\n\
             popularity = {popularity_by_phase:?}\n\
             {stay_prob}\
             [cost]\n\
             edge_per_request = 0.0\n\
             cloud_per_request = 0.0\n\
             accuracy_weight = 0.0\n\
             compute_weight = 0.0\n\
             switching.per_load.weight = 0.0\n"
        );
        let costs = self.load_cost.iter().zip(&self.local_cost).zip(&self.cloud_cost);
        for (model, (size, ((load, local), cloud))) in self.sizes.iter().zip(costs).enumerate() {
            // Writing into a String never fails.
            let _ = write!(
                text,
                "[[models]]\nname = \"model-{model}\"\nmemory_gb = {size:?}\n\
                 [[services]]\nmodel = \"model-{model}\"\nload_cost = {load:?}\nedge_per_request = {local:?}\n\
                 cloud_per_request = {cloud:?}\n"
            );
        }
        text
    }

    /// The world, ready to be played in episodes of 1,000 slots.
    ///
    /// # Errors
    /// [`InstanceError`]: the numbers cannot be meant.
    pub fn scenario(&self) -> Result<Arc<Scenario>, InstanceError> {
        self.scenario_with_horizon(HORIZON_SLOTS)
    }

    /// Returns the world in episodes of so many slots.
    ///
    /// # Errors
    /// [`InstanceError`]: the numbers cannot be meant.
    pub fn scenario_with_horizon(&self, horizon_slots: u32) -> Result<Arc<Scenario>, InstanceError> {
        let world = |message: String| InstanceError(format!("{}: {message}", self.name));
        if self.popularity_by_phase.len() == 1 && self.phase_stay_prob < 1.0 {
            return Err(world(format!("phase_stay_prob = {}: 1, there is one phase", self.phase_stay_prob)));
        }
        let text = self.scenario_text(horizon_slots);
        let loaded = Scenario::load(&self.name, &text, &[], |path| Err(format!("no recording {path}")));
        loaded.map(|(_, scenario)| Arc::new(scenario)).map_err(|error| match error {
            // The line would be that of a text that nobody has typed.
            ConfigError::Value { key, value, allowed, .. } => world(format!("{key} = {value}: {allowed}")),
            error => world(error.to_string()),
        })
    }
}
