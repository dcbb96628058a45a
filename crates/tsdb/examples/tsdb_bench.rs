//! What the store costs: `tsdb_bench SERIES SCRAPES [DIR]` appends samples 15 s apart as scrapes do, and prints samples for each second of
//! processor time, memory, the time to open the folder again, bytes a sample in blocks, and the time of a query over everything.

#![expect(clippy::print_stdout, reason = "figures are printed")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use wharf_signal::{Labels, Matcher, SampleSink, SampleSource, Select, SeriesRef};
use wharf_tsdb::{Db, Options};

/// Processor seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Resident memory, in MiB.
fn rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("RssAnon")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1024.0
}

fn labels(i: usize) -> Labels {
    let (target, metric) = (i / 500, i % 500);
    let name = format!("app_requests_{}_total", metric / 10);
    let instance = format!("10.0.{}.{}:9100", target / 250, target % 250);
    let pod = format!("backend-5d8f7c9b6-{target:05x}");
    let path = format!("/api/v1/resource/{}", metric % 10);
    Labels::from_pairs([
        ("__name__", name.as_str()),
        ("instance", &instance),
        ("job", "backend"),
        ("namespace", "production"),
        ("pod", &pod),
        ("path", &path),
        ("method", "GET"),
        ("code", "200"),
    ])
}

fn main() {
    let mut args = std::env::args().skip(1);
    let series: usize = args.next().map_or(100_000, |a| a.parse().unwrap());
    let scrapes: i64 = args.next().map_or(120, |a| a.parse().unwrap());
    let given = args.next().map(PathBuf::from);
    let temporary = std::env::temp_dir().join(format!("tsdb-bench-{}", std::process::id()));
    let dir = given.clone().unwrap_or(temporary);
    run(&dir, series, scrapes);
    if given.is_none() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

fn run(dir: &Path, series: usize, scrapes: i64) {
    let options = Options {
        max_series: 10_000_000,
        ..Options::default()
    };
    let (db, _) = Db::open(dir, options.clone()).unwrap();
    let base = rss();
    let sets: Vec<Labels> = (0..series).map(labels).collect();
    let sets_mib = rss() - base;
    let mut known: Vec<Option<SeriesRef>> = vec![None; series];
    let mut values = vec![0_f64; series];
    let start = 1_700_000_000_000_i64 / 7_200_000 * 7_200_000;
    let mut random = fastrand::Rng::with_seed(1);
    let (mut first, mut append, mut maintain) = (0.0, 0.0, 0.0);
    for scrape in 0..scrapes {
        let t = start + scrape * 15_000;
        for (i, value) in values.iter_mut().enumerate() {
            match i % 4 {
                0 => {}
                1 => *value += 1.0,
                2 => *value += f64::from(random.u8(..50)),
                _ => *value = random.f64(),
            }
        }
        let before = cpu();
        for part in (0..series).collect::<Vec<_>>().chunks(5000) {
            let mut batch = db.appender();
            for i in part {
                known[*i] = Some(batch.append(known[*i], &sets[*i], t, values[*i]).unwrap());
            }
            batch.commit().unwrap();
        }
        let spent = cpu() - before;
        if scrape == 0 {
            first = spent;
        } else {
            append += spent;
        }
        if scrape % 4 == 3 {
            let before = cpu();
            db.maintain(t).unwrap();
            maintain += cpu() - before;
        }
    }
    let samples = series as f64 * (scrapes - 1) as f64;
    println!("new series: {:.0} a CPU-second", series as f64 / first);
    println!(
        "append: {:.2} M samples a CPU-second; with maintenance {:.2} M",
        samples / append / 1e6,
        samples / (append + maintain) / 1e6
    );
    let memory = rss() - base - sets_mib;
    println!(
        "memory: {memory:.0} MiB, {:.0} bytes a series ({:.0} MiB in all)",
        memory * 1048576.0 / series as f64,
        rss()
    );
    let stats = db.stats();
    println!("{stats:?}");
    if stats.blocks > 0 {
        let matchers = [Matcher::new("__name__", wharf_signal::MatchOp::Regex, ".+").unwrap()];
        let blocks = stats.block_bytes as f64;
        let end = stats.min_time.unwrap() - 1;
        let select = Select {
            matchers: &matchers,
            start: 0,
            end,
        };
        let before = cpu();
        let count: usize = db
            .select(select, &())
            .unwrap()
            .map(|s| s.unwrap().samples.len())
            .sum();
        println!(
            "blocks: {count} samples, {:.2} bytes each; read {:.1} M a CPU-second",
            blocks / count as f64,
            count as f64 / (cpu() - before) / 1e6
        );
    }
    let wal: u64 = std::fs::read_dir(dir.join("wal"))
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum();
    drop(db);
    let (before, wall) = (cpu(), Instant::now());
    let (db, recovery) = Db::open(dir, options).unwrap();
    println!(
        "open: {:.2} s CPU, {:.2} s; {} MiB of log, {} samples, {} series",
        cpu() - before,
        wall.elapsed().as_secs_f64(),
        wal >> 20,
        recovery.samples,
        recovery.series
    );
    let matchers = [
        Matcher::equal("__name__", "app_requests_7_total"),
        Matcher::equal("path", "/api/v1/resource/3"),
    ];
    let select = Select {
        matchers: &matchers,
        start: 0,
        end: i64::MAX,
    };
    let (before, wall) = (cpu(), Instant::now());
    let found: Vec<_> = db
        .select(select, &())
        .unwrap()
        .map(|s| s.unwrap().samples.len())
        .collect();
    println!(
        "query: {} series, {} samples: {:.3} s CPU, {:.3} s",
        found.len(),
        found.iter().sum::<usize>(),
        cpu() - before,
        wall.elapsed().as_secs_f64()
    );
}
