//! Good files with random damage, and the corpus of the fuzz target.

use std::path::Path;

use proptest::prelude::*;

use crate::invariants;

/// What is put into files: the words of the model, and what YAML finds special.
const TOKENS: &[&str] = &[
    "services",
    "web",
    "build",
    "image",
    "command",
    "port",
    "ports",
    "environment",
    "needs",
    "probes",
    "http",
    "tcp",
    "exec",
    "volumes",
    "schedule",
    "release",
    "metrics",
    "rollout",
    "surge",
    "routes",
    "host",
    "paths",
    "redirect",
    "limits",
    "rate",
    "stores",
    "db",
    "engine",
    "postgres",
    "url",
    "environments",
    "prod",
    "patches",
    "scale",
    "expose",
    "secrets",
    "kubernetes",
    "cloud",
    "network",
    "zones",
    "us-east-1a",
    "us-east-1",
    "databases",
    "buckets",
    "telemetry",
    "objectives",
    "alerts",
    "notify",
    "pipeline",
    "load",
    "versions",
    "target",
    "ec2",
    "10.0.1.0/24",
    "250/month",
    "99.9%",
    "20Gi..40Gi",
    "sum(rate(a[5m]))",
    "singleton",
    "true",
    "false",
    "null",
    "~",
    "0",
    "1",
    "-1",
    "65536",
    "1e9",
    "30s",
    "25%",
    "128Mi..256Mi",
    "100/s",
    "*/5 * * * *",
    "${db.url}",
    "${web.port}",
    "${env.A:-b}",
    "${",
    "}",
    "$$",
    "${secret.x}",
    "${volume.media}",
    "media:/media:ro",
    "./a:b",
    "10.0.0.0/8",
    "*.example.com",
    "/",
    "/api/",
    "200..399",
    "<<",
    "*a",
    "&a ",
    "!!str ",
    "---\n",
    "...\n",
    ": ",
    "- ",
    "? ",
    "{ ",
    " }",
    "[",
    "]",
    ", ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\\",
    "#",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "%",
    "\u{feff}",
    "é",
    "日本",
    "\u{202e}",
    "\0",
    "\u{1b}[31m",
    "x-a",
];

#[derive(Debug, Clone)]
enum Damage {
    Remove {
        at: prop::sample::Index,
        len: usize,
    },
    Insert {
        at: prop::sample::Index,
        token: usize,
    },
    Copy {
        from: prop::sample::Index,
        len: usize,
        to: prop::sample::Index,
    },
    Byte {
        at: prop::sample::Index,
        byte: u8,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..40_usize).prop_map(|(at, len)| Damage::Remove { at, len }),
        (index(), 0..TOKENS.len()).prop_map(|(at, token)| Damage::Insert { at, token }),
        (index(), 1..120_usize, index()).prop_map(|(from, len, to)| Damage::Copy { from, len, to }),
        (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte { at, byte }),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let len = bytes.len() + 1;
        match damage {
            Damage::Remove { at, len: count } => {
                let at = at.index(len);
                bytes.drain(at..(at + count).min(len - 1));
            }
            Damage::Insert { at, token } => {
                let at = at.index(len);
                bytes.splice(at..at, TOKENS[*token].bytes());
            }
            Damage::Copy {
                from,
                len: count,
                to,
            } => {
                let from = from.index(len);
                let copied = bytes[from..(from + count).min(len - 1)].to_vec();
                let to = to.index(len);
                bytes.splice(to..to, copied);
            }
            Damage::Byte { at, byte } => {
                if let Some(target) = bytes.get_mut(at.index(len)) {
                    *target = *byte;
                }
            }
        }
    }
    bytes
}

fn good_files() -> Vec<Vec<u8>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let examples = std::fs::read_dir(examples).unwrap();
    let examples = examples.map(|entry| entry.unwrap().path());
    let cases = crate::fixtures::cases("plan").into_iter().chain(examples);
    let files = cases.map(|case| case.join("wharf.yaml"));
    let mut files: Vec<_> = files.filter(|file| file.is_file()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files(file in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..8)) {
        let files = good_files();
        let file = files[file.index(files.len())].clone();
        invariants::hold_for(&damaged(file, &damages));
    }

    #[test]
    fn damaged_compose_files(file in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..8)) {
        let cases = crate::fixtures::cases("compose");
        let file = std::fs::read(cases[file.index(cases.len())].join("docker-compose.yml")).unwrap();
        if let Ok(imported) = wharf_spec::compose::import(&damaged(file, &damages), "app") {
            let (_, diagnostics) = wharf_plan::resolve(imported.text.as_bytes(), None);
            // What an import writes may mean nothing sensible, but it is YAML, and none of its keys is unknown.
            for code in ["W003", "W004", "W005", "W006", "W010", "W012"] {
                prop_assert!(diagnostics.iter().all(|d| d.code != code), "{diagnostics:?} in\n{}", imported.text);
            }
            invariants::hold_for(imported.text.as_bytes());
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        invariants::hold_for(&bytes);
    }

    #[test]
    fn any_text(text in "[ -~\n:{}\\[\\],\"'|>*&!%#?$-]{0,300}") {
        invariants::hold_for(text.as_bytes());
    }
}

#[test]
fn good_files_hold() {
    for file in good_files() {
        invariants::hold_for(&file);
    }
}

#[test]
fn corpus_of_the_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/wharf_yaml");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        invariants::hold_for(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10, "only {count} files in {}", folder.display());
}
