//! A manifest with places for Helm, as text.
//!
//! The places are put into the tree as characters of Unicode's private use area, which no plan holds; here they become
//! Go template actions.

use crate::yaml::{self, Map, Yaml};

use super::merge::NAMESPACE;

/// A line of its own: the key of an entry, with the action's number.
const ACTION: char = '\u{e000}';
/// The whole value behind a key, as YAML of its own.
const BLOCK: char = '\u{e001}';
/// `{{` of the plan.
const BRACES: char = '\u{e003}';

/// Actions that stand on lines of their own, by their number.
#[derive(Debug, Default)]
pub(super) struct Actions {
    actions: Vec<String>,
}

impl Actions {
    /// A line `{{- action }}` at this place of the map.
    pub(super) fn line(&mut self, map: &mut Map, action: impl Into<String>) {
        self.actions.push(action.into());
        map.set(format!("{ACTION}{}", self.actions.len() - 1), Yaml::Null);
    }

    /// What `expression` gives, as the value of a key.
    pub(super) fn block(&mut self, expression: impl Into<String>) -> Yaml {
        self.actions.push(expression.into());
        Yaml::Raw(format!("{BLOCK}{}", self.actions.len() - 1))
    }

    /// A key with the value that `expression` gives, left out where that is empty.
    pub(super) fn with(&mut self, map: &mut Map, key: &str, expression: &str) {
        self.line(map, format!("with {expression}"));
        let block = self.block("toYaml .");
        map.set(key, block);
        self.line(map, "end");
    }

    /// The template of one object, behind `condition` if there is one.
    pub(super) fn to_text(&self, condition: Option<&str>, object: Yaml) -> String {
        let text = yaml::to_text("", &[escaped(object)]);
        let mut out = String::new();
        if let Some(condition) = condition {
            out.push_str(&format!("{{{{- if {condition} }}}}\n"));
        }
        for line in text.lines() {
            out.push_str(&self.written(line));
            out.push('\n');
        }
        if condition.is_some() {
            out.push_str("{{- end }}\n");
        }
        out
    }

    fn written(&self, line: &str) -> String {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if let Some(number) = body.strip_prefix(ACTION) {
            let action = self.action(number.trim_end_matches(':'));
            return format!("{:indent$}{{{{- {action} }}}}", "");
        }
        if let Some((key, number)) = line.split_once(BLOCK) {
            // The key's column, behind the `- ` of a list.
            let column = key.len() - key.trim_start_matches([' ', '-']).len() + 2;
            let expression = self.action(number);
            return format!(
                "{}\n{:column$}{{{{- {expression} | nindent {column} }}}}",
                key.trim_end(),
                ""
            );
        }
        line.replace(NAMESPACE, "{{ $.Release.Namespace }}")
            .replace(BRACES, "{{ `{{` }}")
    }

    fn action(&self, number: &str) -> &str {
        let number = number.trim().parse::<usize>().ok();
        number
            .and_then(|number| self.actions.get(number))
            .map_or("", String::as_str)
    }
}

/// `{{` of a text is no action.
fn escaped(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Text(text) => Yaml::Text(text.replace("{{", &BRACES.to_string())),
        Yaml::List(items) => Yaml::List(items.into_iter().map(escaped).collect()),
        Yaml::Inline(items) => Yaml::Inline(items.into_iter().map(escaped).collect()),
        Yaml::Map(mut map) => {
            for value in map.values_mut() {
                *value = escaped(std::mem::replace(value, Yaml::Null));
            }
            Yaml::Map(map)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, map};

    #[test]
    fn places_become_actions() {
        let mut actions = Actions::default();
        let mut container = map! { "name" => "web", "text" => "{{ x }}" };
        container.set("resources", actions.block("toYaml $.Values.r"));
        actions.with(&mut container, "tolerations", "$.Values.t");
        let object =
            map! { "host" => format!("db.{NAMESPACE}.svc"), "containers" => list![container] };
        let expected = "\
{{- if $.Values.on }}
host: db.{{ $.Release.Namespace }}.svc
containers:
  - name: web
    text: {{ `{{` }} x }}
    resources:
      {{- toYaml $.Values.r | nindent 6 }}
    {{- with $.Values.t }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
";
        let text = actions.to_text(Some("$.Values.on"), object.into());
        assert_eq!(text, expected);
    }
}
