//! What the node saw in one look: components with their status, found by what they are.

use serde_json::Value;

use crate::machine::Results;

/// One look.
pub(crate) struct Seen(Value);

/// One component of it.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    /// The component: kind, label, identity, specifications.
    pub(crate) own: Value,
    /// Its status.
    pub(crate) status: Value,
    /// Field and reason of what it does not report.
    pub(crate) absences: Vec<(String, String)>,
}

impl Seen {
    /// The look of this name.
    pub(crate) fn of(results: &Results, name: &str) -> Self {
        Self(results.json(&format!("{name}.json")))
    }

    /// The looks that one command printed after each other.
    pub(crate) fn several(results: &Results, name: &str) -> Vec<Self> {
        let text = results.text(&format!("{name}.json"));
        serde_json::Deserializer::from_str(&text).into_iter().map(|one| Self(one.unwrap())).collect()
    }

    /// All components.
    pub(crate) fn components(&self) -> Vec<Component> {
        let list = |name: &str| self.0[name].as_array().cloned().unwrap_or_default();
        let units = list("units");
        let own = units.iter().flat_map(|unit| unit["components"].as_array().cloned().unwrap_or_default());
        own.map(|own| {
            let key = own["key"].clone();
            let status = list("status").into_iter().find(|status| status["component"] == key);
            let absences = list("absences").into_iter().filter(|absence| absence["component"] == key);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Component {
                status: status.unwrap_or_default(),
                absences: absences.map(|one| (text(&one["field"]), text(&one["reason"]))).collect(),
                own,
            }
        })
        .collect()
    }

    /// What is remarked of a component.
    pub(crate) fn remarks(&self, component: &Component) -> Vec<String> {
        let list = self.0["remarks"].as_array().cloned().unwrap_or_default();
        let own = list.iter().filter(|remark| remark["component"] == component.own["key"]);
        own.filter_map(|remark| remark["text"].as_str().map(str::to_owned)).collect()
    }

    /// The one component of a kind whose JSON has a text in it.
    pub(crate) fn one(&self, kind: &str, text: &str) -> Component {
        let mut found: Vec<Component> = self.all(kind, text);
        assert_eq!(found.len(), 1, "{kind} with {text}: {}", serde_json::to_string_pretty(&self.0).unwrap());
        found.remove(0)
    }

    /// All components of a kind whose JSON has a text in it.
    pub(crate) fn all(&self, kind: &str, text: &str) -> Vec<Component> {
        let fits =
            |component: &Component| component.own["kind"] == kind && component.own.to_string().contains(text);
        self.components().into_iter().filter(fits).collect()
    }
}

impl Component {
    /// A figure of its status, which must be there.
    pub(crate) fn figure(&self, field: &str) -> u64 {
        self.status[field].as_u64().unwrap_or_else(|| panic!("{field} is missing: {self:#?}"))
    }

    /// A figure of its specifications.
    pub(crate) fn spec(&self, field: &str) -> Value {
        self.own["specs"][field].clone()
    }

    /// Why a figure is absent.
    pub(crate) fn absence(&self, field: &str) -> Option<&str> {
        self.absences.iter().find(|(absent, _)| absent == field).map(|(_, reason)| reason.as_str())
    }
}
