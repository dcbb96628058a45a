//! The readers against a naive model: any records, in any batches, over any rotations.

use proptest::prelude::*;
use wharf_base::clock::Timestamp;

use super::format::{Kind, TEXT_MAX_BYTES};
use super::{Merge, Start, Writer, series_in};
use crate::LogTarget;

#[derive(Debug, Clone)]
struct Written {
    series: usize,
    millis: u64,
    kind: Kind,
    text: String,
    flush: bool,
}

fn written() -> impl Strategy<Value = Written> {
    let kind = prop_oneof![Just(Kind::Stdout), Just(Kind::Stderr), Just(Kind::Note)];
    // Mostly short lines, some as long as they may be, so that chunks and files end everywhere in them.
    let text = prop_oneof![
        20 => "[ -~é]{0,40}",
        4 => (0_usize..20_000).prop_map(|length| "x".repeat(length)),
        1 => Just("y".repeat(TEXT_MAX_BYTES)),
    ];
    (0_usize..3, 0_u64..3, kind, text, any::<bool>()).prop_map(
        |(series, millis, kind, text, flush)| Written {
            series,
            millis,
            kind,
            text,
            flush,
        },
    )
}

/// What a record is told apart by.
type Told = (String, u64, Kind, String);

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn readers_agree_with_the_model(mut all in prop::collection::vec(written(), 0..120), tail in 0_usize..150, since in 0_u64..250) {
        let dir = tempfile::tempdir()?;
        let mut writers = Vec::new();
        for name in ["a", "b", "c"] {
            let target = LogTarget { dir: dir.path().to_owned(), name: name.to_owned(), max_bytes: 65_536, max_files: 10_000 };
            writers.push((name, Writer::open(target)?));
        }
        let mut now = 0;
        let mut expected: Vec<(u64, usize, Told)> = Vec::new();
        for record in &mut all {
            now += record.millis;
            let (name, writer) = &mut writers[record.series];
            writer.push(record.kind, false, record.text.as_bytes(), now * 1_000_000);
            if record.flush {
                writer.flush();
            }
            expected.push((now, record.series, ((*name).to_owned(), now, record.kind, record.text.clone())));
        }
        for (_, writer) in &mut writers {
            writer.flush();
            prop_assert_eq!(writer.dropped(), 0);
        }
        // Of the same time, the first series comes first, and within it the order of writing.
        expected.sort_by_key(|(now, series, _)| (*now, *series));
        let expected: Vec<Told> = expected.into_iter().map(|(_, _, told)| told).collect();
        let read = |start| -> std::io::Result<Vec<Told>> {
            let merge = Merge::new(series_in(dir.path())?, start);
            Ok(merge.map(|record| (record.replica().to_owned(), record.at().0, record.kind, record.text)).collect())
        };
        prop_assert_eq!(&read(Start::default())?, &expected);
        prop_assert_eq!(&read(Start { tail: Some(tail), since: None })?, &expected[expected.len().saturating_sub(tail)..]);
        let recent: Vec<Told> = expected.into_iter().filter(|(_, at, _, _)| *at >= since).collect();
        prop_assert_eq!(&read(Start { tail: None, since: Some(Timestamp(since)) })?, &recent);
        prop_assert_eq!(
            &read(Start { tail: Some(tail), since: Some(Timestamp(since)) })?,
            &recent[recent.len().saturating_sub(tail)..]
        );
    }
}
