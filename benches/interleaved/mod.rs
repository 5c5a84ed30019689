//! Many contenders in one run, a batch of each in turn, so that what disturbs the machine disturbs
//! them alike.

use core::time::Duration;
use std::time::Instant;

/// Long beside reading the clock, short beside what disturbs a machine.
pub(crate) const BATCH: Duration = Duration::from_micros(20);

/// Makes so many calls, and says how many nanoseconds one of them took.
pub(crate) type Batch = Box<dyn FnMut(u32) -> f64>;

/// A batch of calls that need nothing made ready.
pub(crate) fn repeated(mut call: impl FnMut() + 'static) -> Batch {
    Box::new(move |calls| timed(calls, &mut call))
}

pub(crate) fn timed(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

#[derive(Default)]
pub(crate) struct Run {
    contenders: Vec<Contender>,
}

struct Contender {
    batch: Batch,
    calls: u32,
    /// Nanoseconds a call, round by round.
    seen: Vec<f64>,
}

/// A place in the run.
#[derive(Clone, Copy)]
pub(crate) struct Entry(usize);

impl Run {
    pub(crate) fn enter(&mut self, mut batch: Batch) -> Entry {
        let quickest = (0..10).map(|_| batch(10)).fold(f64::MAX, f64::min);
        let calls = BATCH.as_secs_f64() * 1e9 / quickest;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and it saturates"
        )]
        self.contenders.push(Contender {
            batch,
            calls: calls.ceil() as u32,
            seen: Vec::new(),
        });
        Entry(self.contenders.len() - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.contenders.len()
    }

    /// Each round begins with another contender; before each batch a short one that does not count.
    pub(crate) fn take(&mut self, rounds: usize) {
        let count = self.contenders.len();
        for round in 0..rounds {
            for turn in 0..count {
                let contender = &mut self.contenders[(round + turn) % count];
                (contender.batch)(contender.calls.div_ceil(8));
                contender.seen.push((contender.batch)(contender.calls));
            }
        }
    }

    /// Nanoseconds a call: the median of the rounds.
    pub(crate) fn ns(&self, Entry(entry): Entry) -> f64 {
        median(self.contenders[entry].seen.iter().copied())
    }

    /// How many times as long `one` takes as `other`: the median of the ratios within each round.
    pub(crate) fn ratio(&self, Entry(one): Entry, Entry(other): Entry) -> f64 {
        let (one, other) = (&self.contenders[one].seen, &self.contenders[other].seen);
        median(one.iter().zip(other).map(|(one, other)| one / other))
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
