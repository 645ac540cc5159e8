//! What came out: medians, ratios and whether the goals are met.

use std::fmt;
use std::time::Duration;

use crate::load::Measured;
use crate::probe::CpuUse;

/// Below this part of a goal it is missed: a shared machine is not better than that.
const TOLERANCE: f64 = 0.85;
/// A reference that spreads more than this says nothing about what is compared with it.
const LARGEST_SPREAD: f64 = 0.25;
/// Cores that others may use beside the benchmark.
const LARGEST_FOREIGN: f64 = 0.3;

/// One figure of each round.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds a round.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle of the rounds.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[length / 2],
            length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
        }
    }

    /// The smallest and the largest.
    pub fn range(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), figure| {
            (least.min(*figure), most.max(*figure))
        })
    }

    /// Distance between the quartiles, as a part of the median.
    pub fn spread(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
        let at = |part: f64| sorted[(last as f64 * part).round() as usize];
        (at(0.75) - at(0.25)) / self.median()
    }

    /// Round by round, this divided by another.
    pub fn over(&self, other: &Series) -> Series {
        Series(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }
}

/// What a workload's rounds measured.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Answers a second.
    pub rate: Series,
    /// Median latency, ms.
    pub p50: Series,
    /// 99th percentile of the latency, ms.
    pub p99: Series,
    /// Answers for each second of CPU time of the server and its database.
    pub per_cpu: Series,
    /// Cores that the server used.
    pub cores: Series,
    /// Cores that Postgres used.
    pub postgres: Series,
    /// Cores that the load generator used.
    pub generator: Series,
    /// Cores that others used.
    pub foreign: Series,
}

impl Rows {
    /// Adds a window of the load generator.
    pub fn push(&mut self, measured: &Measured) {
        self.p50.push(measured.latency_ms(0.5));
        self.p99.push(measured.latency_ms(0.99));
        self.push_rate(measured.rate(), &measured.cpu, measured.length);
    }

    /// Adds a window of which only the rate is known.
    pub fn push_rate(&mut self, rate: f64, used: &CpuUse, length: Duration) {
        let seconds = length.as_secs_f64();
        self.rate.push(rate);
        self.per_cpu.push(rate * seconds / (used.server + used.postgres).max(1e-9));
        self.cores.push(used.server / seconds);
        self.postgres.push(used.postgres / seconds);
        self.generator.push(used.generator / seconds);
        self.foreign.push(used.foreign);
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.rate.range();
        write!(f, "{:>8.0} /s [{least:.0}-{most:.0}]", self.rate.median())?;
        if !self.p99.0.is_empty() {
            write!(f, "   p50 {:.2} p99 {:.2} ms", self.p50.median(), self.p99.median())?;
        }
        write!(
            f,
            "   {:.0} per CPU-s   cores: server {:.2}",
            self.per_cpu.median(),
            self.cores.median()
        )?;
        if self.postgres.median() > 0.0 {
            write!(f, ", postgres {:.2}", self.postgres.median())?;
        }
        write!(f, ", generator {:.2}, others {:.2}", self.generator.median(), self.foreign.median(),)
    }
}

/// How a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Reached.
    Met,
    /// Below the goal, but not by more than a shared machine explains.
    Close,
    /// Missed.
    Missed,
    /// The machine was too noisy to tell.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Met => "met",
            Verdict::Close => "close (within 15 %)",
            Verdict::Missed => "MISSED",
            Verdict::Inconclusive => "inconclusive: the machine is noisy",
        })
    }
}

/// A goal, and what was measured.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What is compared.
    pub name: String,
    /// What was measured and what it should be, as text.
    pub found: String,
    /// Whether it is met.
    pub verdict: Verdict,
}

impl Goal {
    /// A ratio of the medians of latencies of the same rounds that should be `most` or less.
    pub fn slower(name: &str, most: f64, measured: &Rows, reference: &Rows) -> Goal {
        let ratio = measured.p50.over(&reference.p50);
        let (from, to) = ratio.range();
        let noisy = reference.p50.spread() > LARGEST_SPREAD
            || measured.foreign.median().max(reference.foreign.median()) > LARGEST_FOREIGN;
        let verdict = match ratio.median() {
            _ if noisy => Verdict::Inconclusive,
            found if found <= most => Verdict::Met,
            found if found * TOLERANCE <= most => Verdict::Close,
            _ => Verdict::Missed,
        };
        let found = format!("{:.2} [{from:.2}-{to:.2}], goal <= {most}", ratio.median());
        Goal { name: name.to_owned(), found, verdict }
    }

    /// A latency in ms that should be below `limit`: the 99th percentile.
    pub fn p99(name: &str, limit: f64, measured: &Rows) -> Goal {
        let goal = Goal::below(name, limit, "ms", &measured.p99);
        let noisy = measured.foreign.median() > LARGEST_FOREIGN && goal.verdict != Verdict::Met;
        Goal { verdict: if noisy { Verdict::Inconclusive } else { goal.verdict }, ..goal }
    }

    /// A ratio of two workloads of the same rounds that should be `least` or more. The same ratio
    /// by CPU time is shown beside it: others on the machine change that one least.
    pub fn ratio(name: &str, least: f64, measured: &Rows, reference: &Rows) -> Goal {
        let ratio = measured.rate.over(&reference.rate);
        let (from, to) = ratio.range();
        let noisy = reference.rate.spread() > LARGEST_SPREAD
            || measured.foreign.median().max(reference.foreign.median()) > LARGEST_FOREIGN;
        let verdict = match ratio.median() {
            _ if noisy => Verdict::Inconclusive,
            found if found >= least => Verdict::Met,
            found if found >= TOLERANCE * least => Verdict::Close,
            _ => Verdict::Missed,
        };
        let found = format!(
            "{:.2} [{from:.2}-{to:.2}], by CPU {:.2}, goal >= {least}",
            ratio.median(),
            measured.per_cpu.over(&reference.per_cpu).median(),
        );
        Goal { name: name.to_owned(), found, verdict }
    }

    /// A figure that should be below `limit`. Noise only makes it larger: one that is met is met.
    pub fn below(name: &str, limit: f64, unit: &str, measured: &Series) -> Goal {
        let (from, to) = measured.range();
        let verdict = match measured.median() {
            found if found < limit => Verdict::Met,
            _ if measured.spread() > LARGEST_SPREAD => Verdict::Inconclusive,
            found if found * TOLERANCE < limit => Verdict::Close,
            _ => Verdict::Missed,
        };
        let found =
            format!("{:.1} [{from:.1}-{to:.1}] {unit}, goal < {limit} {unit}", measured.median());
        Goal { name: name.to_owned(), found, verdict }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<46} {:<54} {}", self.name, self.found, self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rates: &[f64], foreign: f64) -> Rows {
        let mut rows = Rows::default();
        for rate in rates {
            rows.rate.push(*rate);
            rows.per_cpu.push(rate / 2.0);
            rows.foreign.push(foreign);
        }
        rows
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let goal =
            Goal::ratio("x", 2.0, &rows(&[38.0, 44.0, 44.1], 0.0), &rows(&[19.0, 20.0, 21.0], 0.0));
        assert_eq!(goal.found, "2.10 [2.00-2.20], by CPU 2.10, goal >= 2");
        assert_eq!(goal.verdict, Verdict::Met);
    }

    #[test]
    fn a_verdict_wants_a_quiet_machine() {
        let reference = rows(&[10.0, 10.0, 10.0], 0.0);
        let verdict = |measured: &[f64], foreign, reference: &Rows| {
            Goal::ratio("x", 2.0, &rows(measured, foreign), reference).verdict
        };
        assert_eq!(verdict(&[18.0; 3], 0.0, &reference), Verdict::Close);
        assert_eq!(verdict(&[10.0; 3], 0.0, &reference), Verdict::Missed);
        let spread = rows(&[5.0, 10.0, 15.0], 0.0);
        for measured in [[10.0; 3], [30.0; 3]] {
            assert_eq!(verdict(&measured, 0.5, &reference), Verdict::Inconclusive);
            assert_eq!(verdict(&measured, 0.0, &spread), Verdict::Inconclusive);
        }
    }
}
