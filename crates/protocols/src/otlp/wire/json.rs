//! How JSON says what Protocol Buffers say: 64-bit numbers as texts (or numbers), ids in hexadecimal digits, enumerations as
//! numbers (or names), `NaN` and infinities as texts, one field of several as whichever is there. Null is what is not there.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::any_value::Kind;
use super::metrics::{Data, ExemplarNumber, ExponentialHistogram, Gauge, Number};
use super::{ArrayValue, Histogram, KeyValue, KeyValueList, Sum, Summary};

/// Senders disagree on padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes as JSON has them.
pub(in crate::otlp) fn base64_text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A list, or null.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number, or one as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Double(f64),
    Text(String),
}

impl Scalar {
    fn whole<T: FromStr>(self) -> Option<T> {
        match self {
            Self::Unsigned(n) => n.to_string().parse().ok(),
            Self::Signed(n) => n.to_string().parse().ok(),
            // Some senders write whole numbers as 5.0.
            Self::Double(n) if n.fract() == 0.0 => n.to_string().parse().ok(),
            Self::Double(_) => None,
            Self::Text(text) => text.parse().ok(),
        }
    }

    fn double(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "it is read as a double")]
            Self::Unsigned(n) => Some(n as f64),
            #[expect(clippy::cast_precision_loss, reason = "it is read as a double")]
            Self::Signed(n) => Some(n as f64),
            Self::Double(n) => Some(n),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// Whole numbers.
pub(super) mod number {
    use super::{Deserialize, Deserializer, Display, FromStr, Scalar, Serializer};
    use serde::de::Error as _;

    pub(in super::super) fn serialize<S: Serializer, T: Display>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>, T: FromStr + Default>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        match Option::<Scalar>::deserialize(deserializer)? {
            None => Ok(T::default()),
            Some(scalar) => scalar
                .whole()
                .ok_or_else(|| D::Error::custom("expected a whole number in range")),
        }
    }
}

/// Lists of whole numbers.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let scalars: Vec<Scalar> = list(deserializer)?;
    let numbers: Option<_> = scalars.into_iter().map(Scalar::whole).collect();
    numbers.ok_or_else(|| D::Error::custom("expected whole numbers"))
}

/// Lists of doubles.
pub(super) fn doubles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let scalars: Vec<Scalar> = list(deserializer)?;
    let numbers: Option<_> = scalars.into_iter().map(Scalar::double).collect();
    numbers.ok_or_else(|| D::Error::custom("expected numbers"))
}

/// A double that may not be there.
pub(super) fn maybe_double<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    let Some(scalar) = Option::<Scalar>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let double = scalar.double();
    double
        .ok_or_else(|| D::Error::custom("expected a number"))
        .map(Some)
}

/// A double.
pub(super) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(maybe_double(deserializer)?.unwrap_or_default())
}

fn maybe_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(scalar) = Option::<Scalar>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let number = scalar.whole();
    number
        .ok_or_else(|| D::Error::custom("expected a whole number in range"))
        .map(Some)
}

/// Ids of traces and spans.
pub(super) mod id {
    use std::fmt::Write;

    use super::{Deserialize, Deserializer, Serializer};
    use serde::de::Error as _;

    pub(in super::super) fn serialize<S: Serializer>(
        id: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut digits = String::with_capacity(2 * id.len());
        for byte in id {
            write!(digits, "{byte:02x}").expect("a string takes every text");
        }
        serializer.serialize_str(&digits)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let digits = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        let pairs = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            let digits = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(pair, 16).ok().filter(|_| digits)
        });
        let id: Option<_> = pairs.collect();
        id.ok_or_else(|| D::Error::custom("expected an id in hexadecimal digits"))
    }
}

/// An enumeration as a number, or as the name that Protocol Buffers give it.
fn enumeration<'de, D: Deserializer<'de>>(
    deserializer: D,
    prefix: &str,
    names: &[&str],
) -> Result<i32, D::Error> {
    let Some(scalar) = Option::<Scalar>::deserialize(deserializer)? else {
        return Ok(0);
    };
    if let Scalar::Text(text) = &scalar {
        let name = text.strip_prefix(prefix);
        let found = name.and_then(|name| names.iter().position(|n| *n == name));
        if let Some(number) = found.and_then(|found| i32::try_from(found).ok()) {
            return Ok(number);
        }
    }
    scalar.whole().ok_or_else(|| {
        D::Error::custom(format!(
            "expected a number or a name that begins with {prefix}"
        ))
    })
}

/// `SpanKind`, written as a number.
pub(super) mod span_kind {
    use super::{Deserializer, Serializer, enumeration};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(in super::super) fn serialize<S: Serializer>(
        kind: &i32,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(*kind)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<i32, D::Error> {
        let names = [
            "UNSPECIFIED",
            "INTERNAL",
            "SERVER",
            "CLIENT",
            "PRODUCER",
            "CONSUMER",
        ];
        enumeration(deserializer, "SPAN_KIND_", &names)
    }
}

/// `StatusCode`, written as a number.
pub(super) mod status_code {
    use super::{Deserializer, enumeration};

    pub(in super::super) use super::span_kind::serialize;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<i32, D::Error> {
        enumeration(deserializer, "STATUS_CODE_", &["UNSET", "OK", "ERROR"])
    }
}

/// `AggregationTemporality`
pub(super) fn temporality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let names = ["UNSPECIFIED", "DELTA", "CUMULATIVE"];
    enumeration(deserializer, "AGGREGATION_TEMPORALITY_", &names)
}

/// `SeverityNumber`
pub(super) fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let names = [
        "UNSPECIFIED",
        "TRACE",
        "TRACE2",
        "TRACE3",
        "TRACE4",
        "DEBUG",
        "DEBUG2",
        "DEBUG3",
        "DEBUG4",
        "INFO",
        "INFO2",
        "INFO3",
        "INFO4",
        "WARN",
        "WARN2",
        "WARN3",
        "WARN4",
        "ERROR",
        "ERROR2",
        "ERROR3",
        "ERROR4",
        "FATAL",
        "FATAL2",
        "FATAL3",
        "FATAL4",
    ];
    enumeration(deserializer, "SEVERITY_NUMBER_", &names)
}

/// A value, of which at most one field is there.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    #[serde(deserialize_with = "maybe_number")]
    int_value: Option<i64>,
    #[serde(deserialize_with = "maybe_double")]
    double_value: Option<f64>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValueList>,
    #[serde(deserialize_with = "maybe_bytes")]
    bytes_value: Option<Vec<u8>>,
}

fn maybe_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let bytes = BASE64.decode(text);
    bytes
        .map_err(|_| D::Error::custom("expected bytes in base64"))
        .map(Some)
}

impl From<AnyValue> for super::AnyValue {
    fn from(json: AnyValue) -> Self {
        let kind = json.string_value.map(Kind::Text);
        let kind = kind.or(json.bool_value.map(Kind::Bool));
        let kind = kind.or(json.int_value.map(Kind::Int));
        let kind = kind.or(json.double_value.map(Kind::Double));
        let kind = kind.or(json.array_value.map(Kind::Array));
        let kind = kind.or(json.kvlist_value.map(Kind::Map));
        let kind = kind.or(json.bytes_value.map(Kind::Bytes));
        Self { kind }
    }
}

impl Serialize for super::AnyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.kind {
            None => {}
            Some(Kind::Text(text)) => map.serialize_entry("stringValue", text)?,
            Some(Kind::Bool(value)) => map.serialize_entry("boolValue", value)?,
            Some(Kind::Int(value)) => map.serialize_entry("intValue", &value.to_string())?,
            Some(Kind::Double(value)) => match double_name(*value) {
                Some(name) => map.serialize_entry("doubleValue", name)?,
                None => map.serialize_entry("doubleValue", value)?,
            },
            Some(Kind::Array(array)) => map.serialize_entry("arrayValue", array)?,
            Some(Kind::Map(list)) => map.serialize_entry("kvlistValue", list)?,
            Some(Kind::Bytes(bytes)) => map.serialize_entry("bytesValue", &base64_text(bytes))?,
        }
        map.end()
    }
}

/// What JSON has no number for.
pub(in crate::otlp) fn double_name(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        value if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// A metric, of which one kind of data is there.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metric {
    name: String,
    description: String,
    unit: String,
    gauge: Option<Gauge>,
    sum: Option<Sum>,
    histogram: Option<Histogram>,
    exponential_histogram: Option<ExponentialHistogram>,
    summary: Option<Summary>,
}

impl From<Metric> for super::Metric {
    fn from(json: Metric) -> Self {
        let data = json.gauge.map(Data::Gauge);
        let data = data.or(json.sum.map(Data::Sum));
        let data = data.or(json.histogram.map(Data::Histogram));
        let data = data.or(json.exponential_histogram.map(Data::ExponentialHistogram));
        Self {
            name: json.name,
            description: json.description,
            unit: json.unit,
            data: data.or(json.summary.map(Data::Summary)),
        }
    }
}

/// A data point that has one number.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NumberPoint {
    #[serde(deserialize_with = "list")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "number::deserialize")]
    time_unix_nano: u64,
    #[serde(deserialize_with = "maybe_double")]
    as_double: Option<f64>,
    #[serde(deserialize_with = "maybe_number")]
    as_int: Option<i64>,
    #[serde(deserialize_with = "list")]
    exemplars: Vec<super::Exemplar>,
    #[serde(deserialize_with = "number::deserialize")]
    flags: u32,
}

impl From<NumberPoint> for super::NumberPoint {
    fn from(json: NumberPoint) -> Self {
        let value = json.as_double.map(Number::AsDouble);
        Self {
            attributes: json.attributes,
            time_unix_nano: json.time_unix_nano,
            value: value.or(json.as_int.map(Number::AsInt)),
            exemplars: json.exemplars,
            flags: json.flags,
        }
    }
}

/// An exemplar, which has one number.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exemplar {
    #[serde(deserialize_with = "list")]
    filtered_attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "number::deserialize")]
    time_unix_nano: u64,
    #[serde(deserialize_with = "maybe_double")]
    as_double: Option<f64>,
    #[serde(deserialize_with = "maybe_number")]
    as_int: Option<i64>,
    #[serde(with = "id")]
    span_id: Vec<u8>,
    #[serde(with = "id")]
    trace_id: Vec<u8>,
}

impl From<Exemplar> for super::Exemplar {
    fn from(json: Exemplar) -> Self {
        let value = json.as_double.map(ExemplarNumber::AsDouble);
        Self {
            filtered_attributes: json.filtered_attributes,
            time_unix_nano: json.time_unix_nano,
            value: value.or(json.as_int.map(ExemplarNumber::AsInt)),
            span_id: json.span_id,
            trace_id: json.trace_id,
        }
    }
}
