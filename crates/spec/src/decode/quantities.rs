//! Figures: percentages, money, weights of any size.

use serde_json::{Value, json};
use wharf_base::units::{Millicores, Percent};

use super::{FromText, Refusal};

impl FromText for Percent {
    fn wording() -> String {
        "a percentage such as 70% or 99.9%".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            let meant = format!("{text}%");
            let near = meant.parse::<Self>().is_ok();
            Refusal::unexpected().help(near.then(|| format!("did you mean `{meant}`?")))
        })
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,3})?%$" })
    }
}

impl FromText for Millicores {
    fn wording() -> String {
        "CPU such as 250m, 0.5 or 2".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| Refusal::unexpected())
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "number"], "pattern": "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)$" })
    }
}

/// US dollars a month: `250/month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money(pub u32);

impl FromText for Money {
    fn wording() -> String {
        "US dollars a month such as 250/month".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let amount = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits
                .then(|| text.parse::<u32>().ok())
                .flatten()
                .filter(|amount| *amount > 0)
        };
        if let Some(amount) = text.strip_suffix("/month").and_then(amount) {
            return Ok(Self(amount));
        }
        let plain: String = text.chars().filter(char::is_ascii_digit).collect();
        let near = text
            .trim_end_matches("/month")
            .chars()
            .all(|c| c.is_ascii_digit() || "$ USD".contains(c));
        let help = amount(&plain)
            .filter(|_| near)
            .map(|amount| format!("did you mean `{amount}/month`?"));
        Err(Refusal::unexpected().help(help))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9]+/month$" })
    }
}

/// A figure above zero: `10`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure(pub f64);

impl FromText for Figure {
    fn wording() -> String {
        "a figure above 0 such as 10 or 0.5".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match text.parse::<f64>() {
            // Above a million million nothing is a figure for one replica.
            Ok(figure) if plain && figure > 0.0 && figure <= 1e12 => Ok(Self(figure)),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1e12 })
    }
}
