use super::read::Fault;
use super::*;

fn read_all(path: &Path) -> (Vec<Vec<u8>>, Vec<Fault>) {
    let mut reader = Reader::open(path).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        records.push(record.to_vec());
    }
    (records, reader.faults().to_vec())
}

fn record(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + seed * 7 + 1) as u8).collect()
}

#[test]
fn records_of_every_length_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = Wal::open(dir.path(), 8 << 20).unwrap();
    let lengths = [
        1,
        100,
        PAGE - HEAD,
        PAGE - HEAD - 107 - 8,
        PAGE,
        3 * PAGE + 5,
        7,
        PAGE - 20,
    ];
    let mut wanted = Vec::new();
    for (seed, length) in lengths.into_iter().cycle().take(60).enumerate() {
        let record = record(length, seed);
        wal.write(&[&record]).unwrap();
        wanted.push(record);
    }
    let (records, faults) = read_all(&segment_path(dir.path(), 0));
    assert_eq!(faults, []);
    assert!(records == wanted);
}

#[test]
fn segments_end_before_they_are_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = Wal::open(dir.path(), 2 * PAGE as u64).unwrap();
    for seed in 0..20 {
        wal.write(&[&record(10_000, seed)]).unwrap();
    }
    let mut count = 0;
    for index in segments(dir.path()).unwrap() {
        let path = segment_path(dir.path(), index);
        assert!(fs::metadata(&path).unwrap().len() <= 2 * PAGE as u64);
        count += read_all(&path).0.len();
    }
    assert_eq!(count, 20);
    let next = Wal::open(dir.path(), 2 * PAGE as u64).unwrap();
    assert_eq!(next.index(), wal.index() + 1);
}

#[test]
fn damage_is_said_and_nothing_wrong_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = Wal::open(dir.path(), 8 << 20).unwrap();
    let wanted: Vec<_> = (0..40).map(|seed| record(3_000, seed)).collect();
    for record in &wanted {
        wal.write(&[record]).unwrap();
    }
    let path = segment_path(dir.path(), 0);
    let bytes = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        let at = random.usize(..bytes.len());
        let cut = random.bool();
        if cut {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << random.u8(..8);
        }
        fs::write(&path, &damaged).unwrap();
        let (records, faults) = read_all(&path);
        assert!(records.iter().all(|record| wanted.contains(record)));
        let lost = wanted.len() - records.len();
        let whole = records == wanted[..records.len()];
        assert!(!faults.is_empty() || (cut && whole) || lost == 0);
        if cut {
            assert!(faults.iter().all(|fault| fault.torn), "{faults:?}");
        } else {
            assert!(lost <= 12, "{lost} records are lost");
        }
    }
}
