//! The store against a map: whatever is done, in whatever order, both answer the same.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use wharf_signal::{Labels, Matcher, SampleSink};
use wharf_tsdb::{Db, Options};

use crate::store::{everything, labels, open};

#[derive(Debug, Clone)]
enum Step {
    /// A batch: series, how far from the newest time, value.
    Append(Vec<(u8, i64, u8)>),
    Pass(i64),
    Delete(u8, i64, i64),
    Clean,
    Maintain,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0..6_u8, -50_i64..4, any::<u8>());
    prop_oneof![
        12 => prop::collection::vec(sample, 1..30).prop_map(Step::Append),
        8 => (1..40_i64).prop_map(Step::Pass),
        1 => (0..6_u8, 0..600_i64, 0..300_i64).prop_map(|(s, a, b)| Step::Delete(s, a, a + b)),
        1 => Just(Step::Clean),
        3 => Just(Step::Maintain),
        2 => Just(Step::Reopen),
    ]
}

fn options() -> Options {
    Options {
        block_range: Duration::from_secs(30),
        late: Duration::from_secs(60),
        segment_bytes: 32 << 10,
        retention: Duration::from_secs(3000),
        ..Options::default()
    }
}

fn series(number: u8) -> Labels {
    labels("m", &[("s", &number.to_string())])
}

type Model = BTreeMap<Labels, BTreeMap<i64, u64>>;

#[track_caller]
fn check(db: &Db, model: &Model) {
    let found = everything(db);
    let found: Model = found
        .into_iter()
        .map(|s| {
            (
                s.labels,
                s.samples.iter().map(|s| (s.t, s.v.to_bits())).collect(),
            )
        })
        .collect();
    let wanted: Model = model
        .iter()
        .filter(|(_, s)| !s.is_empty())
        .map(|(l, s)| (l.clone(), s.clone()))
        .collect();
    assert_eq!(found, wanted);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut db, _) = open(dir.path(), options());
        let mut model = Model::new();
        let mut now = 100_000;
        // Late samples into deleted ranges are deleted or not, depending on compactions: none are made.
        let mut deleted: BTreeMap<u8, i64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Append(samples) => {
                    let mut batch = db.appender();
                    let mut taken = Vec::new();
                    for (number, offset, value) in samples {
                        let t = now + offset * 1000 + i64::from(number);
                        if deleted.get(&number).is_some_and(|end| t <= *end) {
                            continue;
                        }
                        let labels = series(number);
                        if batch.append(None, &labels, t, f64::from(value)).is_ok() {
                            taken.push((labels, t, f64::from(value)));
                        }
                    }
                    batch.commit().unwrap();
                    for (labels, t, v) in taken {
                        model.entry(labels).or_default().entry(t).or_insert(v.to_bits());
                    }
                }
                Step::Pass(seconds) => now += seconds * 1000,
                Step::Delete(number, from, to) => {
                    let (from, to) = (from * 1000, to * 1000);
                    db.delete(&[Matcher::equal("s", number.to_string())], from, to).unwrap();
                    let end = deleted.entry(number).or_insert(i64::MIN);
                    *end = to.max(*end);
                    if let Some(samples) = model.get_mut(&series(number)) {
                        samples.retain(|t, _| *t < from || *t > to);
                    }
                }
                Step::Clean => db.clean_tombstones(now).unwrap(),
                Step::Maintain => db.maintain(now).unwrap(),
                Step::Reopen => {
                    drop(db);
                    let (again, recovery) = open(dir.path(), options());
                    prop_assert_eq!(recovery.damage, []);
                    db = again;
                }
            }
            check(&db, &model);
        }
    }
}
