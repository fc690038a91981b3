//! Cases, labels and balances as JSON and CSV spell them: the shapes alone.

use flow_core::Amount;
use schemars::JsonSchema;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A case, as the case file and the topic of cases carry it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    /// Its id, unique among the cases.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The kind of crime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Where its tainted units come from.
    pub sources: Vec<SourceRecord>,
    /// Arrivals of fewer tainted base units are dust.
    #[serde(default)]
    pub min_units: Units,
    /// Units further from a source than this are no longer followed; null: no limit.
    #[serde(default)]
    pub max_hops: Option<u32>,
}

/// A source of a case: a wallet (`address`, `since_block`) or a transfer (`tx`,
/// `log_index`).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRecord {
    /// `ethereum` or `tron`.
    pub chain: String,
    /// The wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The wallet is a source from this block on; 0, the default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_block: Option<u64>,
    /// The transaction of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<String>,
    /// The log index of the transfer, as the input numbers logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u32>,
}

/// A label, as the label file and the topic of labels carry it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRecord {
    /// `ethereum` or `tron`.
    pub chain: String,
    /// The account.
    pub address: String,
    /// Who runs it.
    #[schemars(length(min = 1))]
    pub entity: String,
    /// What it is: `exchange`, `deposit`, `bridge`, `mixer`…
    pub kind: String,
    /// Whether tracing ends there.
    pub stop: bool,
}

/// An opening balance.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalanceRecord {
    /// `ethereum` or `tron`.
    pub chain: String,
    /// The account.
    pub address: String,
    /// Base units before the first event.
    pub balance: Units,
}

/// Base units: a JSON number, or a string of decimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "UnitsShape")]
pub struct Units(pub Amount);

/// What [`Units`] looks like in a schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read by the schema generator alone")]
enum UnitsShape {
    /// Up to 2^53, above which many readers of JSON lose digits.
    Number(u64),
    /// Decimal digits.
    Text(#[schemars(regex(pattern = "^[0-9]+$"))] String),
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Above 2^53 many readers of JSON lose digits of a number.
        if self.0 <= 1 << 53 {
            serializer.serialize_u64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UnitsVisitor;
        impl Visitor<'_> for UnitsVisitor {
            type Value = Units;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("base units: a whole number from 0 to 2^64 - 1")
            }

            fn visit_u64<E>(self, units: u64) -> Result<Units, E> {
                Ok(Units(units))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Units, E> {
                crate::field::parse_amount("units", text).map(Units).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(UnitsVisitor)
    }
}
