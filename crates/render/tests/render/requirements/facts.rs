//! Facts in a sentence: what can be looked for in a file.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// One of the five systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    DjangoEks,
    DjangoEc2,
    Chat,
    Items,
    ItemsRedis,
}

impl System {
    pub(super) const ALL: [Self; 5] = [
        Self::DjangoEks,
        Self::DjangoEc2,
        Self::Chat,
        Self::Items,
        Self::ItemsRedis,
    ];

    /// `DE`
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.as_str() == word)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::DjangoEks => "DE",
            Self::DjangoEc2 => "DV",
            Self::Chat => "CH",
            Self::Items => "IT",
            Self::ItemsRedis => "AP",
        }
    }

    pub(super) fn of_example(example: &str) -> Self {
        match example {
            "django-eks" => Self::DjangoEks,
            "django-ec2" => Self::DjangoEc2,
            "chat" => Self::Chat,
            "items" => Self::Items,
            _ => Self::ItemsRedis,
        }
    }
}

/// Something that a file has to say.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// As it stands in the requirements.
    pub(super) shown: String,
    /// Of which system; none: of any of the row's.
    pub(super) system: Option<System>,
    /// Any of these in a line, as words of their own and in any case.
    needles: Vec<String>,
}

impl Fact {
    /// Nothing but `text` says it.
    pub(super) fn is_said(&mut self, text: &str) {
        self.needles = vec![text.to_lowercase()];
    }

    /// Whether a line says it.
    pub(super) fn is_in(&self, line: &str) -> bool {
        // `terraform fmt` aligns what belongs together.
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = words.join(" ").to_lowercase();
        self.needles.iter().any(|needle| {
            let word = |c: char| c.is_alphanumeric();
            line.match_indices(needle.as_str()).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + needle.len()..].chars().next();
                let opens = needle.starts_with(word) && before.is_some_and(word);
                let closes = needle.ends_with(word) && after.is_some_and(word);
                // `10.0.1.0` is not in `110.0.1.0`, and `5.2` not in `15.2`.
                let digits = needle.starts_with(|c: char| c.is_ascii_digit());
                let point = digits && before == Some('.') && needle.len() < 4;
                !opens && !closes && !point
            })
        })
    }
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).unwrap());
    };
}

pattern!(QUOTED, r"`([^`]+)`");
pattern!(CIDR, r"\b(\d+\.\d+\.)(\d+)(?:-(\d+))?(\.\d+/\d+)");
pattern!(QUANTITY, r"\b(\d+)(m|Mi|Gi)\b");
pattern!(INSTANCE, r"\b(?:db\.|cache\.)?t\d\.[a-z]+\b");
pattern!(ZONES, r"\bus-[a-z]+-\d([a-z](?:/[a-z])*)");
pattern!(PERCENT, r"\b(\d+(?:\.\d+)?)%");
pattern!(DURATION, r"\b(\d+) ?(s|min|ms|days|day)\b");
pattern!(DAYS_BEFORE, r"\b(\d+)-day\b");
pattern!(VERSION, r"\b\d+\.\d+(?:\.\d+)?\b");
pattern!(RANGE, r"\b(?:web|worker|DV|IT|AP) (\d+)-(\d+)\b");
pattern!(COUNT, r"\bx(\d)\b");
pattern!(SIZES, r"\b(\d)/(\d)/(\d)\b");
pattern!(NUMBER, r"\b(?:\d{1,3}(?:,\d{3})+|\d{2,})\b");
pattern!(
    WORD,
    r"\b[A-Z][A-Za-z0-9]*(?:[A-Z][a-z]+|[A-Z]{2,})[A-Za-z0-9]*\b"
);
pattern!(ACRONYM, r"\b[A-Z]{3,}\b");

/// What another tool calls it.
const ALSO: [(&str, &[&str]); 20] = [
    ("gitops", &["argoproj.io", "fluxcd.io"]),
    ("azs", &["availability_zone"]),
    ("oci", &["registry"]),
    ("hpa", &["horizontalpodautoscaler"]),
    ("pvcs", &["persistentvolumeclaim"]),
    ("pvc", &["persistentvolumeclaim"]),
    ("alb", &["aws_lb", "elasticloadbalancingv2"]),
    ("rbac", &["role"]),
    ("irsa", &["eks.amazonaws.com/role-arn"]),
    ("crd", &["customresourcedefinition"]),
    ("asg", &["aws_autoscaling_group", "autoscalinggroup"]),
    ("acm", &["aws_acm_certificate", "certificatearn"]),
    ("ntp", &["chrony"]),
    ("sast", &["bandit", "semgrep"]),
    ("dast", &["zap"]),
    ("iam", &["aws_iam_role"]),
    ("efs", &["efs.csi.aws.com", "efs"]),
    ("ebs", &["ebs.csi.aws.com", "ebs"]),
    ("waf", &["wafv2"]),
    ("vpc", &["aws_vpc"]),
];

/// Every fact of a row, each once, in the order of the text. `of` are the row's systems.
pub(super) fn of(text: &str, of: &[System]) -> Vec<Fact> {
    let mut facts = vec![];
    let mut seen = BTreeSet::new();
    for clause in clauses(text) {
        for (at, shown, needles) in in_clause(&clause) {
            let system = system_at(&clause, at).or_else(|| (of.len() == 1).then(|| of[0]));
            if seen.insert((shown.clone(), system)) {
                facts.push(Fact {
                    shown,
                    system,
                    needles,
                });
            }
        }
    }
    facts
}

/// Parts of the text that speak of one thing; a system's name holds until the end of its clause.
fn clauses(text: &str) -> Vec<String> {
    text.replace(". ", "; ")
        .split(';')
        .map(|clause| format!(" {} ", clause.trim().trim_end_matches('.')))
        .collect()
}

/// The system whose name stands last before `at`.
fn system_at(clause: &str, at: usize) -> Option<System> {
    clause[..at]
        .split(|c: char| !c.is_alphanumeric())
        .rev()
        .find_map(System::parse)
}

/// `(where, as shown, what to look for)`.
type Found = (usize, String, Vec<String>);

fn in_clause(clause: &str) -> Vec<Found> {
    let mut found: Vec<Found> = vec![];
    // What one pattern has taken, the later and weaker ones do not take again.
    let mut rest = clause.to_owned();
    let mut stem = String::new();
    for quoted in QUOTED.captures_iter(clause) {
        let whole = quoted.get(0).unwrap();
        for one in expanded(&quoted[1]) {
            let one = match one.strip_prefix('-') {
                // `chat-app-dev`, `-staging`
                Some(end) => format!("{stem}-{end}"),
                None => one,
            };
            stem = one
                .rsplit_once('-')
                .map_or(String::new(), |(stem, _)| stem.to_owned());
            found.push((whole.start(), one.clone(), needles(&one)));
        }
        blank(&mut rest, whole.range());
    }
    take(&mut rest, &CIDR, &mut found, |c| {
        let (from, to) = (
            c[2].parse::<u32>().unwrap(),
            c.get(3).map(|to| to.as_str().parse::<u32>().unwrap()),
        );
        (from..=to.unwrap_or(from))
            .map(|n| one(&format!("{}{n}{}", &c[1], &c[4])))
            .collect()
    });
    take(&mut rest, &INSTANCE, &mut found, |c| vec![one(&c[0])]);
    take(&mut rest, &ZONES, &mut found, |c| {
        let letters: Vec<&str> = c[1].split('/').collect();
        let region = c[0].trim_end_matches(&c[1]);
        letters
            .iter()
            .map(|letter| one(&format!("{region}{letter}")))
            .collect()
    });
    take(&mut rest, &QUANTITY, &mut found, |c| {
        let mut needles = vec![c[0].to_lowercase()];
        if let Some(cores) = c[0].strip_suffix("000m") {
            needles.push(format!("cpu: \"{cores}\""));
            needles.push(format!("cpu: {cores}"));
        }
        vec![(c[0].to_owned(), needles)]
    });
    take(&mut rest, &RANGE, &mut found, |c| {
        vec![
            (
                format!("min {}", &c[1]),
                vec![
                    format!("minreplicas: {}", &c[1]),
                    format!("minreplicacount: {}", &c[1]),
                ],
            ),
            (
                format!("max {}", &c[2]),
                vec![
                    format!("maxreplicas: {}", &c[2]),
                    format!("maxreplicacount: {}", &c[2]),
                ],
            ),
        ]
    });
    take(&mut rest, &SIZES, &mut found, |c| {
        ["min", "desired", "max"]
            .iter()
            .zip([&c[1], &c[2], &c[3]])
            .map(|(what, n)| {
                let needles = [
                    format!("{what}_size = {n}"),
                    format!("{what}_nodes = {n}"),
                    format!("{what}_capacity = {n}"),
                    format!("{what}size: \"{n}\""),
                ];
                (format!("{what} {n}"), needles.to_vec())
            })
            .collect()
    });
    take(&mut rest, &COUNT, &mut found, |c| {
        vec![(
            c[0].to_owned(),
            vec![
                format!("replicas: {}", &c[1]),
                format!("replicacount: {}", &c[1]),
                format!("count = {}", &c[1]),
            ],
        )]
    });
    take(&mut rest, &PERCENT, &mut found, |c| {
        let number = c[1].to_owned();
        let mut needles = vec![number.clone()];
        if let Ok(percent) = number.parse::<f64>() {
            needles.push(format!("{}", percent / 100.0));
        }
        vec![(c[0].to_owned(), needles)]
    });
    take(&mut rest, &DURATION, &mut found, |c| {
        vec![(c[0].to_owned(), duration(&c[1], &c[2]))]
    });
    take(&mut rest, &DAYS_BEFORE, &mut found, |c| {
        vec![(c[0].to_owned(), duration(&c[1], "days"))]
    });
    take(&mut rest, &VERSION, &mut found, |c| {
        // TLS 1.2 is written TLSv1.2, and 1-2 in the name of a policy.
        vec![(
            c[0].to_owned(),
            vec![
                c[0].to_owned(),
                format!("tlsv{}", &c[0]),
                c[0].replace('.', "-"),
            ],
        )]
    });
    take(&mut rest, &NUMBER, &mut found, |c| vec![one(&c[0])]);
    for words in [&WORD, &ACRONYM] {
        take(&mut rest, words, &mut found, |c| {
            if System::parse(&c[0]).is_some() {
                return vec![];
            }
            let mut needles = vec![c[0].to_lowercase()];
            if let Some((_, also)) = ALSO.iter().find(|(word, _)| *word == needles[0]) {
                needles.extend(also.iter().map(|also| (*also).to_owned()));
            }
            vec![(c[0].to_owned(), needles)]
        });
    }
    found.sort_by_key(|(at, ..)| *at);
    found
}

fn one(text: &str) -> (String, Vec<String>) {
    (text.to_owned(), vec![text.to_lowercase()])
}

/// What a quoted text is in a file: a request is its path, and what is in braces is filled in.
fn needles(quoted: &str) -> Vec<String> {
    let text = quoted.to_lowercase();
    let mut needles = vec![text.clone()];
    if let Some(path) = text.strip_prefix("get ") {
        needles.push(path.to_owned());
    }
    if let (Some(open), Some(close)) = (text.find('}'), text.rfind('{'))
        && open < close
    {
        needles.push(text[open + 1..close].to_owned());
    }
    needles
}

fn duration(number: &str, unit: &str) -> Vec<String> {
    let n: u64 = number.parse().unwrap();
    match unit {
        "s" => vec![format!("{n}s"), number.to_owned()],
        "ms" => vec![
            format!("{n}ms"),
            number.to_owned(),
            format!("{}", n as f64 / 1000.0),
        ],
        "min" => vec![
            format!("{n}m"),
            format!("{}", n * 60),
            format!("{}s", n * 60),
        ],
        _ => vec![format!("{n}d"), format!("{}h", n * 24), number.to_owned()],
    }
}

/// `a/{b,c}` is `a/b` and `a/c`; `{environment}-x` is left as it is.
fn expanded(text: &str) -> Vec<String> {
    let braces = text.split_once('{').and_then(|(before, rest)| {
        let (inner, after) = rest.split_once('}')?;
        inner.contains(',').then_some((before, inner, after))
    });
    match braces {
        Some((before, inner, after)) => inner
            .split(',')
            .map(|one| format!("{before}{}{after}", one.trim()))
            .collect(),
        None => vec![text.to_owned()],
    }
}

fn take(
    rest: &mut String,
    pattern: &Regex,
    found: &mut Vec<Found>,
    facts: impl Fn(&regex::Captures<'_>) -> Vec<(String, Vec<String>)>,
) {
    let text = rest.clone();
    for captures in pattern.captures_iter(&text) {
        let whole = captures.get(0).unwrap();
        for (shown, needles) in facts(&captures) {
            found.push((whole.start(), shown, needles));
        }
        blank(rest, whole.range());
    }
}

fn blank(text: &mut String, range: std::ops::Range<usize>) {
    let spaces = " ".repeat(range.len());
    text.replace_range(range, &spaces);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_taken_out_of_a_sentence() {
        let text = "DE: web 250m-1000m; CH `a/{b,c}`, 10.0.1-2.0/24, us-east-1a/b, 30 s, HPA";
        let shown: Vec<(String, Option<System>)> = of(text, &[])
            .into_iter()
            .map(|fact| (fact.shown, fact.system))
            .collect();
        let (de, ch) = (Some(System::DjangoEks), Some(System::Chat));
        let expected = [
            ("250m", de),
            ("1000m", de),
            ("a/b", ch),
            ("a/c", ch),
            ("10.0.1.0/24", ch),
            ("10.0.2.0/24", ch),
            ("us-east-1a", ch),
            ("us-east-1b", ch),
            ("30 s", ch),
            ("HPA", ch),
        ];
        assert_eq!(
            shown,
            expected.map(|(fact, system)| (fact.to_owned(), system))
        );
    }
}
