//! Operators of two versions that take turns: this one, and the next, which remembers otherwise what this one would misread.
//!
//! The next one is made of this one: whatever goes between it and the API server is put into its own form on the way, statuses
//! and the record of writes. Its definitions are applied before it, as is told to whoever upgrades.

use std::io;

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, request::Parts};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use serde_json::{Map, Value, json};

use crate::server::{self, Entry, Server};

/// The format that the next version writes.
const FORMAT: i32 = countersign::api::FORMAT + 1;
/// What it calls otherwise in a status.
const STATUS: [(&str, &str); 3] =
    [("unconfirmedWrite", "sentWrite"), ("items", "heldItems"), ("setFields", "fieldsOfSpec")];
/// And in what it has announced.
const ANNOUNCED: [(&str, &str); 1] = [("write", "sends")];
/// The kinds whose statuses remember something.
const KINDS: [&str; 2] = ["billingcontracts", "contractpackages"];

/// Which version an operator is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The one that is tested.
    This,
    /// One that comes after it.
    Next,
}

/// The definitions of the next version: their statuses have more members.
pub(crate) fn widen(definitions: &mut [Value]) {
    for definition in definitions {
        if KINDS.iter().any(|kind| definition["spec"]["names"]["plural"] == *kind) {
            let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
        }
    }
}

/// A client through which an operator of a version speaks.
pub(crate) fn client(server: &Server, who: usize, version: Version) -> kube::Client {
    if version == Version::This {
        return server.client(who);
    }
    let server = server.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let body = Body::from(restated(&body, |value| write(&parts, value)));
            let answer = server.serve(who, Request::from_parts(parts, body)).await?;
            let read = |bytes: Bytes| restated(&bytes, read);
            let of_frame = move |frame: io::Result<Frame<Bytes>>| frame.map(|frame| frame.map_data(read));
            Ok::<_, io::Error>(answer.map(|body| StreamBody::new(body.map(of_frame))))
        }
    });
    kube::Client::new(service, server::NAMESPACE)
}

/// Whether the next version has something on record of a contract that this one cannot read: in its status, or announced.
pub(crate) fn remembers(server: &Server, contract: &Value) -> bool {
    let announced = server.get(&server::Id::within("configmaps", server::NAMESPACE, server::RECORD));
    let text = contract["metadata"]["uid"].as_str().and_then(|uid| announced.as_ref()?["data"][uid].as_str());
    let announced = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    contract["status"]["format"] == FORMAT || announced.is_some_and(|announced| announced["format"] == FORMAT)
}

/// Whether a write takes away what the next version remembers, in a status or announced for a contract that is there.
pub(crate) fn is_lost(write: &Entry, is_there: impl Fn(&str) -> bool) -> bool {
    let Some(before) = &write.before else { return false };
    let after = write.after.as_ref();
    let is_status = KINDS.contains(&write.id.plural.as_str());
    if is_status && before["status"]["format"] == FORMAT {
        return after.is_some_and(|after| memory(before) != memory(after));
    }
    let is_next = |text: &Value| {
        text.as_str().is_some_and(|text| {
            serde_json::from_str(text).is_ok_and(|announced: Value| announced["format"] == FORMAT)
        })
    };
    let announced = before["data"].as_object().into_iter().flatten();
    let mut of_next =
        announced.filter(|(uid, text)| write.id.name == server::RECORD && is_next(text) && is_there(uid));
    of_next.any(|(uid, text)| after.is_none_or(|after| after["data"][uid] != *text))
}

/// What a status remembers: all that is not shown to whoever waits for it.
fn memory(object: &Value) -> Value {
    let mut status = object["status"].clone();
    if let Some(members) = status.as_object_mut() {
        members.retain(|name, _| !["conditions", "observedGeneration", "fence"].contains(&name.as_str()));
    }
    status
}

/// JSON in another form; whatever is none stays as it is.
fn restated(bytes: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return bytes.clone() };
    change(&mut value);
    let end = if bytes.ends_with(b"\n") { "\n" } else { "" };
    Bytes::from(format!("{value}{end}"))
}

/// What the operator writes, as it is stored.
fn write(parts: &Parts, value: &mut Value) {
    let path = parts.uri.path();
    let is_status = path.ends_with("/status") && KINDS.iter().any(|kind| path.contains(kind));
    if let Some(status) = value.get_mut("status").filter(|_| is_status && parts.method == Method::PUT) {
        put_on_record(status, &STATUS);
    }
    if path.contains("/configmaps") {
        each_announced(value, |announced| put_on_record(announced, &ANNOUNCED));
    }
}

/// What is stored, as the operator reads it: an object, a list of them, or an event of a watch.
fn read(value: &mut Value) {
    if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(read);
        return;
    }
    if let Some(object) = value.get_mut("object") {
        return read(object);
    }
    if let Some(status) = value.get_mut("status") {
        read_record(status, &STATUS);
    }
    each_announced(value, |announced| read_record(announced, &ANNOUNCED));
}

fn each_announced(object: &mut Value, change: impl Fn(&mut Value)) {
    for text in object.get_mut("data").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        let announced = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(mut announced) = announced.filter(Value::is_object) {
            change(&mut announced);
            *text = announced.to_string().into();
        }
    }
}

fn put_on_record(record: &mut Value, names: &[(&str, &str)]) {
    let Some(members) = record.as_object_mut() else { return };
    for (here, there) in names {
        rename(members, here, there);
    }
    members.insert("format".to_owned(), json!(FORMAT));
}

fn read_record(record: &mut Value, names: &[(&str, &str)]) {
    let Some(members) =
        record.as_object_mut().filter(|members| members.get("format") == Some(&json!(FORMAT)))
    else {
        return;
    };
    members.remove("format");
    for (here, there) in names {
        rename(members, there, here);
    }
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_next_version_stores_it_reads_as_it_was_and_this_one_does_not_read() {
        let announced = json!({"account": "https://one", "write": {"digest": "1"}}).to_string();
        let record = json!({"kind": "ConfigMap", "data": {"u": announced}});
        let contract =
            json!({"kind": "BillingContract", "status": {"contractId": "c", "items": [{"key": "k"}]}});
        let namespace = "/api/v1/namespaces/n";
        for (object, path, named) in [
            (record, format!("{namespace}/configmaps/{}", server::RECORD), "sends"),
            (contract, format!("{namespace}/billingcontracts/acme/status"), "heldItems"),
        ] {
            let (parts, ()) = Request::put(path).body(()).unwrap().into_parts();
            let mut stored = object.clone();
            write(&parts, &mut stored);
            let text = stored.to_string();
            assert!(text.contains(named) && text.contains("format"), "{text}");
            for mut shown in [
                stored.clone(),
                json!({"items": [stored.clone()]}),
                json!({"type": "ADDED", "object": stored}),
            ] {
                read(&mut shown);
                assert!(shown.to_string().contains(&object.to_string()), "{shown}");
            }
        }
        let cut = Bytes::from_static(b"{\"type\":\"MODI");
        assert_eq!(restated(&cut, read), cut);
    }
}
