//! The ids of a request: `X-Request-ID`, and the trace as W3C Trace Context has it (`traceparent`, level 1).
//!
//! `X-Trace-ID` is the trace id of `traceparent`, the same 128 bits, written as a UUID.

use http::HeaderValue;
use wharf_base::units::Percent;

/// The longest request id that is kept from a client.
const REQUEST_ID_MAX_BYTES: usize = 128;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The trace that a request belongs to, and the ingress's own span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) id: u128,
    span: u64,
    /// The caller's span; zero: the ingress began the trace.
    parent: u64,
    flags: u8,
    /// Whether the client had begun it, so that its `tracestate` belongs to it.
    pub(crate) continued: bool,
}

/// Whether it is recorded: the first of the flags.
const SAMPLED: u8 = 1;
/// The flags that are passed on: those of level 2, the second of which says that the id is random. Others are zero, as the
/// specification wants.
const FLAGS_KNOWN: u8 = 0b11;

/// Which part of the traces that the ingress begins is recorded. It is decided by the last 56 bits of the id, as OpenTelemetry does, so
/// that it costs no random number and whoever has the id comes to the same decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sampling {
    /// Recorded from here on.
    from: u64,
}

impl Sampling {
    const BITS: u32 = 56;

    /// This part of them.
    pub(crate) fn of(part: Percent) -> Self {
        let rest = u64::from(ALL - part.thousandths.min(ALL));
        let from = (u128::from(rest) << Self::BITS) / u128::from(ALL);
        Self {
            from: u64::try_from(from).unwrap_or(u64::MAX),
        }
    }

    fn flags(self, id: u128) -> u8 {
        let random = id & ((1 << Self::BITS) - 1);
        if random >= u128::from(self.from) {
            SAMPLED
        } else {
            0
        }
    }
}

/// All of them, in thousandths of a percent.
const ALL: u32 = 100_000;

impl Trace {
    /// Continues the trace of `traceparent`, or begins one whose id is a version 4 UUID.
    pub(crate) fn new(
        traceparent: Option<&HeaderValue>,
        sampling: Sampling,
        random: &mut fastrand::Rng,
    ) -> Self {
        let span = random.u64(1..);
        match traceparent.and_then(|value| parse(value.as_bytes())) {
            Some((id, parent, flags)) => Self {
                id,
                span,
                parent,
                flags: flags & FLAGS_KNOWN,
                continued: true,
            },
            None => {
                let id = random.u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
                Self {
                    id,
                    span,
                    parent: 0,
                    flags: sampling.flags(id),
                    continued: false,
                }
            }
        }
    }

    /// Whether it is recorded.
    pub(crate) fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The ingress's own span.
    pub(crate) fn span(&self) -> [u8; 16] {
        span_text(self.span)
    }

    /// The span of whoever called, if it said so.
    pub(crate) fn parent(&self) -> Option<[u8; 16]> {
        (self.parent != 0).then(|| span_text(self.parent))
    }

    /// The header for the replica: the same trace, the ingress's span as the parent.
    pub(crate) fn traceparent(&self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&self.id.to_be_bytes(), &mut text[3..35]);
        hex(&self.span.to_be_bytes(), &mut text[36..52]);
        hex(&[self.flags], &mut text[53..55]);
        text
    }

    /// The trace id as a UUID.
    pub(crate) fn uuid(&self) -> [u8; 36] {
        let mut digits = [0; 32];
        hex(&self.id.to_be_bytes(), &mut digits);
        let mut text = [b'-'; 36];
        for (to, from) in [
            (0..8, 0..8),
            (9..13, 8..12),
            (14..18, 12..16),
            (19..23, 16..20),
            (24..36, 20..32),
        ] {
            text[to].copy_from_slice(&digits[from]);
        }
        text
    }
}

fn span_text(span: u64) -> [u8; 16] {
    let mut text = [0; 16];
    hex(&span.to_be_bytes(), &mut text);
    text
}

/// The trace id, the caller's span and the flags of `version-traceid-parentid-flags`. Later versions may have more behind that.
fn parse(text: &[u8]) -> Option<(u128, u64, u8)> {
    let version = number(text.get(..2)?)?;
    let known = if version == 0 {
        text.len() == 55
    } else {
        text.len() == 55 || text.get(55) == Some(&b'-')
    };
    if version == 0xff || !known || text[2] != b'-' || text[35] != b'-' || text[52] != b'-' {
        return None;
    }
    let id = number(&text[3..35])?;
    let parent = u64::try_from(number(&text[36..52])?).ok()?;
    let flags = number(&text[53..55])?;
    (id != 0 && parent != 0).then_some((id, parent, u8::try_from(flags).ok()?))
}

fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |sum, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u128::from(digit))
    })
}

fn hex(bytes: &[u8], into: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(into.chunks_exact_mut(2)) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 0xf)];
    }
}

/// The client's request id if it is one that may stand in a log and a header, else a new one.
pub(crate) fn request_id(given: Option<&HeaderValue>, random: &mut fastrand::Rng) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_MAX_BYTES).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:+/=@".contains(byte))
    };
    given
        .filter(sane)
        .cloned()
        .unwrap_or_else(|| new_request_id(random))
}

/// A new request id: 128 random bits.
pub(crate) fn new_request_id(random: &mut fastrand::Rng) -> HeaderValue {
    let mut digits = [0; 32];
    hex(&random.u128(..).to_be_bytes(), &mut digits);
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Sampling = Sampling { from: 1 << 55 };

    #[track_caller]
    fn check(traceparent: &str, continued: bool) {
        let mut random = fastrand::Rng::with_seed(1);
        let value = HeaderValue::from_str(traceparent).expect("a header");
        let trace = Trace::new(Some(&value), SOME, &mut random);
        assert_eq!(trace.continued, continued, "{traceparent}");
        let sent = String::from_utf8(trace.traceparent().to_vec()).expect("ASCII");
        assert_eq!(
            sent[..35] == traceparent[..35.min(traceparent.len())],
            continued,
            "{sent}"
        );
        assert_ne!(sent.get(36..52), traceparent.get(36..52), "a new parent");
        let uuid = String::from_utf8(trace.uuid().to_vec()).expect("ASCII");
        assert_eq!(uuid.replace('-', ""), sent[3..35], "the same 128 bits");
    }

    #[test]
    fn continues_or_begins_a_trace() {
        check(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            true,
        );
        for bad in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn a_new_trace_is_a_version_4_uuid() {
        let uuid = Trace::new(None, SOME, &mut fastrand::Rng::with_seed(7)).uuid();
        assert_eq!(uuid[14], b'4');
        assert!(b"89ab".contains(&uuid[19]));
    }

    #[test]
    fn the_callers_decision_stands() {
        let mut random = fastrand::Rng::with_seed(1);
        for (flags, sent, sampled) in [
            ("00", "00", false),
            ("01", "01", true),
            ("02", "02", false),
            ("03", "03", true),
            ("ff", "03", true),
        ] {
            let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            let value = HeaderValue::from_str(&text).expect("a header");
            let none = Sampling::of(Percent::whole(0));
            let trace = Trace::new(Some(&value), none, &mut random);
            assert_eq!(&trace.traceparent()[53..], sent.as_bytes());
            assert_eq!(trace.sampled(), sampled, "{flags}");
            assert_eq!(trace.parent().as_ref(), Some(b"b7ad6b7169203331"));
            assert_eq!(trace.span(), trace.traceparent()[36..52]);
        }
    }

    #[test]
    fn a_part_of_the_new_traces_is_sampled() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut sampled = |part| {
            let sampling = Sampling::of(part);
            let traces = (0..20_000).map(|_| Trace::new(None, sampling, &mut random));
            traces.filter(Trace::sampled).count()
        };
        assert_eq!(sampled(Percent::whole(0)), 0);
        assert_eq!(sampled(Percent::whole(100)), 20_000);
        let tenth = sampled(Percent::whole(10));
        assert!((1_800..2_200).contains(&tenth), "{tenth} of 20000");
    }

    #[test]
    fn keeps_only_sane_request_ids() {
        let mut random = fastrand::Rng::with_seed(1);
        for (given, kept) in [
            ("abc-1", true),
            ("a b", false),
            ("", false),
            (&*"x".repeat(200), false),
            ("a\"b", false),
        ] {
            let value = HeaderValue::from_str(given).expect("a header");
            assert_eq!(
                request_id(Some(&value), &mut random) == value,
                kept,
                "{given}"
            );
        }
    }
}
