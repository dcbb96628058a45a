//! Series with all that is hard about series: resets, gaps, ends, numbers that are none.

use fastrand::Rng;
use wharf_signal::{Labels, NAME, STALE, Sample, Series};

/// When the samples begin, in milliseconds: a whole hour, long ago.
pub(crate) const START: i64 = 1_699_999_200_000;
/// When they end.
pub(crate) const END: i64 = START + 45 * 60_000;
/// Milliseconds between two.
const STEP: i64 = 15_000;

fn series(
    rng: &mut Rng,
    labels: &[(&str, &str)],
    mut value: impl FnMut(&mut Rng, usize) -> Option<f64>,
) -> Series {
    let mut samples = Vec::new();
    // Each scrape has a moment of its own, as targets have.
    let offset = rng.i64(0..STEP);
    let count = usize::try_from((END - START) / STEP).unwrap();
    for index in 0..count {
        if let Some(v) = value(rng, index) {
            let t = START + offset + i64::try_from(index).unwrap() * STEP;
            samples.push(Sample { t, v });
        }
    }
    let labels = Labels::from_pairs(labels.iter().copied());
    Series { labels, samples }
}

/// The series of a seed, ordered by labels.
pub(crate) fn generate(seed: u64) -> Vec<Series> {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let mut all = Vec::new();
    for (job, instance) in [
        ("api", "a:1"),
        ("api", "b:2"),
        ("web", "a:1"),
        ("web", "c:3"),
        ("db", "c:3"),
    ] {
        for code in ["200", "404", "500"] {
            let name = (NAME, "requests_total");
            let mut count = 0.0;
            let labels = [name, ("job", job), ("instance", instance), ("code", code)];
            all.push(series(rng, &labels, |rng, _| {
                count += f64::from(rng.u32(..20));
                if rng.u32(..60) == 0 {
                    count = f64::from(rng.u32(..5));
                }
                (rng.u32(..25) > 0).then_some(count)
            }));
        }
        let mut count = 0.0;
        let labels = [(NAME, "errors_total"), ("job", job), ("instance", instance)];
        all.push(series(rng, &labels, |rng, index| {
            count += f64::from(rng.u32(..3));
            match index % 60 {
                40 => Some(STALE),
                41..50 => None,
                _ => Some(count),
            }
        }));
        let labels = [(NAME, "temperature"), ("job", job), ("instance", instance)];
        all.push(series(rng, &labels, |rng, _| {
            Some(match rng.u32(..40) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                _ => f64::from(rng.i32(-80..80)) / 4.0,
            })
        }));
        let labels = [(NAME, "queue"), ("job", job), ("instance", instance)];
        all.push(series(rng, &labels, |rng, index| {
            (index % 50 < 30).then(|| f64::from(rng.u32(..6)))
        }));
        let labels = [(NAME, "up"), ("job", job), ("instance", instance)];
        all.push(series(rng, &labels, |rng, _| {
            Some(f64::from(rng.u32(..4).min(1)))
        }));
        let version = rng.choice(["1", "2"]).unwrap();
        let labels = [
            (NAME, "build_info"),
            ("job", job),
            ("instance", instance),
            ("version", version),
            ("extra", version),
        ];
        all.push(series(rng, &labels, |_, _| Some(1.0)));
    }
    for job in ["api", "web"] {
        let mut counts = [0.0; 5];
        let bounds = ["0.1", "0.5", "1", "5", "+Inf"];
        let mut buckets: Vec<Series> = Vec::new();
        for le in bounds {
            let labels = [(NAME, "latency_seconds_bucket"), ("job", job), ("le", le)];
            buckets.push(series(rng, &labels, |_, _| None));
        }
        for index in 0..170 {
            for _ in 0..rng.u32(..10) {
                let from = rng.usize(..counts.len());
                counts[from..].iter_mut().for_each(|count| *count += 1.0);
            }
            for (bucket, count) in buckets.iter_mut().zip(counts) {
                let t = START + 3_000 + index * STEP;
                // Seldom a bucket is behind the others.
                let behind = if rng.u32(..80) == 0 { 3.0 } else { 0.0 };
                bucket.samples.push(Sample {
                    t,
                    v: f64::max(count - behind, 0.0),
                });
            }
        }
        all.append(&mut buckets);
        let mut sum = 0.0;
        let labels = [(NAME, "latency_seconds_sum"), ("job", job)];
        all.push(series(rng, &labels, |rng, _| {
            sum += f64::from(rng.u32(..40)) / 8.0;
            Some(sum)
        }));
    }
    // Within the first slice that is sent, as all others begin: series are selected in the order in which they came.
    let labels = [(NAME, "lonely")];
    all.push(series(rng, &labels, |_, index| {
        (index == 20).then_some(42.0)
    }));
    all.retain(|series| !series.samples.is_empty());
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all
}
