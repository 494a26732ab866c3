//! kstatus, as Flux and `kubectl wait` compute it, and the rules that every status must keep.
//! Source: `sigs.k8s.io/cli-utils/pkg/kstatus/status`.

use serde_json::Value;

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As its spec says.
    Current,
    /// On its way, as far as can be told.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// Being deleted.
    Terminating,
}

/// How an object stands, by kstatus's rules in their order.
pub(crate) fn compute(object: &Value) -> Standing {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Standing::Terminating;
    }
    let (generation, observed) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
    if !observed.is_null() && generation != observed {
        return Standing::InProgress;
    }
    for condition in conditions(object) {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return Standing::InProgress,
            (Some("Stalled"), Some("True")) => return Standing::Failed,
            _ => {}
        }
    }
    match status_of(object, "Ready") {
        Some("True") | None => Standing::Current,
        Some(_) => Standing::InProgress,
    }
}

/// An object's conditions.
pub(crate) fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"].as_array().map_or(&[], Vec::as_slice)
}

/// One of them.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    conditions(object).iter().find(|condition| condition["type"] == type_)
}

/// The status of one of them.
pub(crate) fn status_of<'a>(object: &'a Value, type_: &str) -> Option<&'a str> {
    condition(object, type_)?["status"].as_str()
}

/// Every rule that an object breaks, given how it looked before.
pub(crate) fn broken_rules(before: Option<&Value>, object: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rule = |holds: bool, rule: &str| {
        if !holds {
            broken.push(rule.to_owned());
        }
    };
    let generation = object["metadata"]["generation"].as_i64();
    let observed = object["status"]["observedGeneration"].as_i64();
    rule(observed.is_some(), "`observedGeneration` is always there, by default -1");
    rule(observed <= generation, "`observedGeneration` is never ahead");
    let conditions = conditions(object);
    let has = |type_: &str| conditions.iter().any(|condition| condition["type"] == type_);
    rule(conditions.is_empty() == (observed == Some(-1)), "conditions come with the first look");
    rule(conditions.is_empty() || has("Ready"), "`Ready` is always among the conditions");
    for type_ in ["Reconciling", "Stalled"] {
        rule(
            matches!(status_of(object, type_), None | Some("True")),
            "`Reconciling` and `Stalled` are there only while true",
        );
    }
    rule(!(has("Reconciling") && has("Stalled")), "`Reconciling` and `Stalled` are never there together");
    let is_ready = status_of(object, "Ready") == Some("True");
    rule(
        !is_ready || !(has("Reconciling") || has("Stalled")),
        "what is ready is neither reconciling nor stalled",
    );
    let suspended = condition(object, "Ready").is_some_and(|ready| ready["reason"] == "Suspended");
    rule(
        conditions.is_empty() || is_ready || suspended || has("Reconciling") || has("Stalled"),
        "what is not ready says whether it goes on",
    );
    for (index, condition) in conditions.iter().enumerate() {
        let unique = conditions.iter().take(index).all(|earlier| earlier["type"] != condition["type"]);
        rule(unique, "conditions are unique by type");
        rule(
            condition["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
            "a condition has a reason",
        );
        rule(condition["observedGeneration"].as_i64() <= observed, "a condition is not ahead of its status");
    }
    if let Some(before) = before.filter(|before| before["metadata"]["uid"] == object["metadata"]["uid"]) {
        rule(
            before["status"]["observedGeneration"].as_i64() <= observed,
            "`observedGeneration` never goes back",
        );
        for condition in conditions {
            let earlier =
                self::conditions(before).iter().find(|earlier| earlier["type"] == condition["type"]);
            rule(
                earlier.is_none_or(|earlier| {
                    earlier["status"] != condition["status"]
                        || earlier["lastTransitionTime"] == condition["lastTransitionTime"]
                }),
                "`lastTransitionTime` moves only with the status",
            );
        }
        let status_changed = before["status"] != object["status"];
        rule(
            !status_changed || before["metadata"]["generation"] == object["metadata"]["generation"],
            "a write changes the spec or the status, not both",
        );
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(observed: i64, conditions: &[(&str, &str)]) -> Value {
        let condition = |(type_, status): &(&str, &str)| json!({"type": type_, "status": status, "reason": "R", "message": "", "observedGeneration": observed});
        let conditions: Vec<_> = conditions.iter().map(condition).collect();
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": observed, "conditions": conditions}})
    }

    #[test]
    fn an_object_stands_as_kstatus_says() {
        assert_eq!(compute(&json!({"metadata": {"generation": 1}})), Standing::Current);
        assert_eq!(compute(&object(-1, &[])), Standing::InProgress);
        assert_eq!(compute(&object(1, &[("Ready", "True")])), Standing::InProgress);
        assert_eq!(compute(&object(2, &[("Ready", "True")])), Standing::Current);
        assert_eq!(compute(&object(2, &[("Ready", "False")])), Standing::InProgress);
        assert_eq!(compute(&object(2, &[("Ready", "False"), ("Stalled", "True")])), Standing::Failed);
        assert_eq!(compute(&object(2, &[("Ready", "False"), ("Reconciling", "True")])), Standing::InProgress);
    }

    #[test]
    fn a_broken_rule_is_found() {
        assert!(broken_rules(None, &object(2, &[("Ready", "True")])).is_empty());
        for wrong in [
            json!({"metadata": {"generation": 1}}),
            object(3, &[("Ready", "True")]),
            object(2, &[]),
            object(2, &[("Ready", "False")]),
            object(2, &[("Ready", "True"), ("Stalled", "True")]),
            object(2, &[("Ready", "False"), ("Stalled", "True"), ("Reconciling", "True")]),
            object(2, &[("Ready", "False"), ("Stalled", "True"), ("Reconciling", "False")]),
            object(2, &[("Ready", "True"), ("Ready", "True")]),
        ] {
            assert!(!broken_rules(None, &wrong).is_empty(), "{wrong}");
        }
    }
}
