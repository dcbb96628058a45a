//! Prometheus remote write 1.0: `prometheus.WriteRequest`, packed with Snappy.
//!
//! [`visit`] walks a request without copying it. A series whose labels are known by the bytes that carry them
//! ([`SeriesView::key`]) costs no allocation; that is how a store takes many samples. [`decode`] gives all of a request at
//! once. Native histograms are recognised and not taken.

mod message;

use std::ops::ControlFlow;

use wharf_signal::{Exemplar, Labels, Metadata, MetricKind, NAME, Sample};

use crate::snappy::{self, UnpackError};
use crate::wire::{Field, Fields, WireError};

pub use message::encode;

/// What a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How large it may be when it is unpacked.
    pub unpacked_bytes: usize,
    /// How many labels a series may have.
    pub labels: usize,
    /// How long a label's name or value may be.
    pub label_bytes: usize,
}

impl Default for Limits {
    /// What any sender of Prometheus stays far below: 2,000 samples a request.
    fn default() -> Self {
        Self {
            unpacked_bytes: 32 << 20,
            labels: 128,
            label_bytes: 16 << 10,
        }
    }
}

/// Why a request or a series of it was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It is no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A series' labels are none: which, and why.
    #[error("{0}")]
    Labels(String),
    /// A native histogram.
    #[error(
        "native histograms are not stored (series {0}); let the sender write classic histograms"
    )]
    Histogram(Labels),
}

/// Something in a request.
#[derive(Debug, Clone)]
pub enum WriteItem<'a> {
    /// A series with its samples.
    Series(SeriesView<'a>),
    /// What is said of a metric family.
    Metadata {
        /// Which one.
        family: &'a str,
        /// What.
        metadata: Metadata,
    },
}

/// A series within a request.
#[derive(Debug, Clone)]
pub struct SeriesView<'a> {
    message: &'a [u8],
    key: Option<&'a [u8]>,
    histograms: usize,
    exemplars: usize,
}

/// Unpacks a request's body.
///
/// # Errors
/// It is too large, or not packed.
pub fn unpack(body: &[u8], limits: Limits) -> Result<Vec<u8>, WriteError> {
    Ok(snappy::unpack(body, limits.unpacked_bytes)?)
}

/// Walks an unpacked request.
///
/// # Errors
/// It is no message. What was given before is good by itself.
pub fn visit<'a>(
    request: &'a [u8],
    visit: &mut dyn FnMut(WriteItem<'a>) -> ControlFlow<()>,
) -> Result<(), WriteError> {
    let mut fields = Fields::new(request);
    while let Some((number, field)) = fields.next()? {
        let item = match number {
            1 => WriteItem::Series(SeriesView::new(field.bytes()?)?),
            3 => metadata(field.bytes()?)?,
            _ => continue,
        };
        if visit(item).is_break() {
            break;
        }
    }
    Ok(())
}

fn metadata(message: &[u8]) -> Result<WriteItem<'_>, WireError> {
    let mut family = "";
    let mut metadata = Metadata::default();
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => {
                metadata.kind = match field.int()? {
                    1 => MetricKind::Counter,
                    2 => MetricKind::Gauge,
                    3 => MetricKind::Histogram,
                    4 => MetricKind::GaugeHistogram,
                    5 => MetricKind::Summary,
                    6 => MetricKind::Info,
                    7 => MetricKind::StateSet,
                    _ => MetricKind::Unknown,
                }
            }
            2 => family = field.text()?,
            4 => metadata.help = field.text()?.to_owned(),
            5 => metadata.unit = field.text()?.to_owned(),
            _ => {}
        }
    }
    Ok(WriteItem::Metadata { family, metadata })
}

impl<'a> SeriesView<'a> {
    /// Finds out where its labels are; nothing of them is looked at yet.
    fn new(message: &'a [u8]) -> Result<Self, WireError> {
        let mut series = Self {
            message,
            key: None,
            histograms: 0,
            exemplars: 0,
        };
        let mut fields = Fields::new(message);
        // Labels come first, by their number; how long they are is known when something else comes.
        let (mut end, mut leading, mut together) = (0, true, true);
        while let Some((number, _)) = fields.next()? {
            match number {
                1 if leading => end = message.len() - fields.left(),
                1 => together = false,
                3 => series.exemplars += 1,
                4 => series.histograms += 1,
                _ => {}
            }
            leading &= number == 1;
        }
        series.key = together.then(|| &message[..end]);
        Ok(series)
    }

    /// The bytes that carry the labels, the same for the same labels of one sender: under them what [`Self::labels`] gave
    /// may be kept. None if the sender writes fields in an order of its own.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// How many native histograms it has, none of which are given.
    #[must_use]
    pub fn histograms(&self) -> usize {
        self.histograms
    }

    /// Its labels.
    ///
    /// # Errors
    /// They have no name, a label twice, one without a name, too many or too long ones, or are not UTF-8.
    pub fn labels(&self, limits: Limits) -> Result<Labels, WriteError> {
        let mut pairs = Vec::with_capacity(16);
        let mut fields = Fields::new(self.key.unwrap_or(self.message));
        while let Some((number, field)) = fields.next()? {
            if number == 1 {
                pairs.push(label(field.bytes()?)?);
                if pairs.len() > limits.labels {
                    let limit = limits.labels;
                    return Err(WriteError::Labels(format!(
                        "a series has more than {limit} labels; drop some at the sender"
                    )));
                }
            }
        }
        let labels = set(pairs, limits)?;
        if labels.get(NAME).is_none() {
            return Err(WriteError::Labels(format!(
                "a series without `__name__`: {labels}"
            )));
        }
        Ok(labels)
    }

    /// Its samples, in their order.
    pub fn samples(&self) -> impl Iterator<Item = Result<Sample, WriteError>> + 'a {
        let mut fields = Fields::new(
            self.message
                .get(self.key.map_or(0, <[u8]>::len)..)
                .unwrap_or_default(),
        );
        std::iter::from_fn(move || {
            next_of(&mut fields, 2)
                .map(|found| found.and_then(|message| sample(message).map_err(Into::into)))
        })
    }

    /// Its exemplars.
    pub fn exemplars(
        &self,
        limits: Limits,
    ) -> impl Iterator<Item = Result<Exemplar, WriteError>> + 'a {
        let message = if self.exemplars == 0 {
            &[]
        } else {
            self.message
        };
        let mut fields = Fields::new(message);
        std::iter::from_fn(move || {
            next_of(&mut fields, 3).map(|found| found.and_then(|message| exemplar(message, limits)))
        })
    }
}

/// The next message of this number. Behind an error there is nothing.
fn next_of<'a>(fields: &mut Fields<'a>, wanted: u32) -> Option<Result<&'a [u8], WriteError>> {
    loop {
        match fields.next() {
            Ok(None) => return None,
            Ok(Some((number, field))) if number == wanted => {
                return Some(field.bytes().map_err(Into::into));
            }
            Ok(Some(_)) => {}
            Err(error) => {
                *fields = Fields::new(&[]);
                return Some(Err(error.into()));
            }
        }
    }
}

fn label(message: &[u8]) -> Result<(&str, &str), WireError> {
    let (mut name, mut value) = ("", "");
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn set(mut pairs: Vec<(&str, &str)>, limits: Limits) -> Result<Labels, WriteError> {
    // Senders have to sort.
    if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
        pairs.sort_unstable();
    }
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(WriteError::Labels(format!(
            "the label {:?} is there twice",
            pair[0].0
        )));
    }
    if pairs.first().is_some_and(|(name, _)| name.is_empty()) {
        return Err(WriteError::Labels("a label without a name".to_owned()));
    }
    let limit = limits.label_bytes;
    if let Some((name, _)) = pairs.iter().find(|(n, v)| n.len().max(v.len()) > limit) {
        let name: String = name.chars().take(60).collect();
        return Err(WriteError::Labels(format!(
            "the label {name:?} is longer than {limit} bytes; shorten or drop it at the sender"
        )));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    Ok(Labels::from_sorted(pairs))
}

#[inline]
fn sample(message: &[u8]) -> Result<Sample, WireError> {
    let mut sample = Sample { t: 0, v: 0.0 };
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, field) => sample.v = field.double()?,
            (2, Field::Varint(t)) => sample.t = t.cast_signed(),
            (2, _) => return Err(WireError("a varint")),
            _ => {}
        }
    }
    Ok(sample)
}

fn exemplar(message: &[u8], limits: Limits) -> Result<Exemplar, WriteError> {
    let (mut pairs, mut value, mut t) = (Vec::new(), 0.0, None);
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 if pairs.len() < limits.labels => pairs.push(label(field.bytes()?)?),
            2 => value = field.double()?,
            3 => t = Some(field.int()?).filter(|t| *t != 0),
            _ => {}
        }
    }
    let labels = set(pairs, limits)?;
    Ok(Exemplar { labels, value, t })
}

/// A series as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeSeries {
    /// With its name.
    pub labels: Labels,
    /// In the sender's order, which has to be that of time.
    pub samples: Vec<Sample>,
    /// Examples of it.
    pub exemplars: Vec<Exemplar>,
}

/// A request as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteRequest {
    /// Its series.
    pub series: Vec<TimeSeries>,
    /// What is said of families.
    pub metadata: Vec<(String, Metadata)>,
}

/// A request's body as a whole.
///
/// # Errors
/// It is too large, not packed, no message, or has labels that are none or native histograms.
pub fn decode(body: &[u8], limits: Limits) -> Result<WriteRequest, WriteError> {
    let unpacked = unpack(body, limits)?;
    let mut request = WriteRequest::default();
    let mut wrong = None;
    visit(
        &unpacked,
        &mut |item| match take(&mut request, item, limits) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                wrong = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    wrong.map_or(Ok(request), Err)
}

fn take(request: &mut WriteRequest, item: WriteItem<'_>, limits: Limits) -> Result<(), WriteError> {
    match item {
        WriteItem::Metadata { family, metadata } => {
            request.metadata.push((family.to_owned(), metadata));
        }
        WriteItem::Series(series) => {
            let labels = series.labels(limits)?;
            if series.histograms() > 0 {
                return Err(WriteError::Histogram(labels));
            }
            request.series.push(TimeSeries {
                labels,
                samples: series.samples().collect::<Result<_, _>>()?,
                exemplars: series.exemplars(limits).collect::<Result<_, _>>()?,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
