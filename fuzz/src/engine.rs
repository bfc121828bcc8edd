//! Runs a target on inputs that it makes of those that it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use crate::{Outcome, Target, chance::Chance, mutate};

/// Larger inputs are refused before anything reads them, or cost only time here.
const MAX_BYTES: usize = 64 << 10;

/// Inputs that are gone on from.
const MAX_POOL: usize = 4_096;

/// What one input may take. On a busy machine the usual millisecond may become a hundred.
const MAX_TIME: Duration = Duration::from_secs(5);

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// So many inputs beyond those of the corpus.
    Inputs(u64),
    /// So long.
    Time(Duration),
}

/// One target with its inputs.
#[derive(Debug)]
pub struct Engine {
    target: Target,
    pool: Vec<Vec<u8>>,
    kinds: BTreeSet<Outcome>,
    chance: Chance,
    n_run: u64,
    found: BTreeMap<Outcome, Vec<u8>>,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Inputs that were run.
    pub n_run: u64,
    /// Kinds of inputs that were seen.
    pub n_kinds: usize,
    /// Inputs of kinds that the corpus does not have.
    pub found: Vec<Vec<u8>>,
}

/// An input for which a property does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// Which property, or the panic.
    pub reason: String,
}

impl Engine {
    /// With the target's seeds and its corpus, if there is one. Runs of one seed are alike.
    ///
    /// # Errors
    /// The corpus cannot be read.
    pub fn new(target: Target, seed: u64) -> io::Result<Self> {
        let mut pool = (target.seeds)();
        let folder = target.corpus();
        if folder.is_dir() {
            let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
            let mut files = entries.collect::<io::Result<Vec<_>>>()?;
            files.sort();
            for file in files {
                pool.push(fs::read(file)?);
            }
        }
        Ok(Self {
            target,
            pool,
            kinds: BTreeSet::new(),
            chance: Chance::new(seed),
            n_run: 0,
            found: BTreeMap::new(),
        })
    }

    /// Runs all that it has, and then what it makes of it.
    ///
    /// # Errors
    /// The first input for which a property does not hold.
    pub fn run(mut self, budget: Budget) -> Result<Summary, Box<Failure>> {
        for input in self.pool.clone() {
            let kind = self.try_one(&input)?;
            self.kinds.insert(kind);
        }
        let (n_given, begin) = (self.n_run, Instant::now());
        let goes_on = |n_run: u64| match budget {
            Budget::Inputs(n_inputs) => n_run - n_given < n_inputs,
            Budget::Time(time) => begin.elapsed() < time,
        };
        while goes_on(self.n_run) {
            let input = self.make();
            let kind = self.try_one(&input)?;
            if self.kinds.insert(kind) && self.pool.len() < MAX_POOL {
                self.pool.push(input.clone());
                self.found.insert(kind, input);
            }
        }
        Ok(Summary {
            n_run: self.n_run,
            n_kinds: self.kinds.len(),
            found: self.found.into_values().collect(),
        })
    }

    fn make(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        let mut input = chance.one(&self.pool).cloned().unwrap_or_default();
        let other = chance.one(&self.pool).cloned().unwrap_or_default();
        for _ in 0..=chance.below(4) {
            input = mutate::mutate(self.target.form, &input, &other, chance);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn try_one(&mut self, input: &[u8]) -> Result<Outcome, Box<Failure>> {
        self.n_run += 1;
        let begin = Instant::now();
        let run = AssertUnwindSafe(|| (self.target.run)(input));
        let outcome = panic::catch_unwind(run).unwrap_or_else(|_| Err("it panics".to_owned()));
        let took = begin.elapsed();
        let outcome = match outcome {
            Ok(_) if took > MAX_TIME => Err(format!("it takes {took:?}")),
            outcome => outcome,
        };
        outcome.map_err(|reason| {
            let input = input.to_vec();
            Box::new(Failure { input, reason })
        })
    }
}
