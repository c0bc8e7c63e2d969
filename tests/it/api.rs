//! The HTTP API, as a caller of the function app sees it.

mod at_once;
mod backups;
pub mod framework;
mod guard;
mod hsm;
mod lists;
mod nouns;
mod restores;
mod stage;
mod start;
mod status;

use keyvault_backup_emulator::host::HttpAnswer;
use serde_json::Value;

use crate::world::World;

impl World {
    /// Asks with the function's key.
    pub async fn get(&mut self, path: &str) -> HttpAnswer {
        self.call("GET", path, &[], "").await
    }

    /// Asks and expects an answer.
    pub async fn ok(&mut self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        answer.json()
    }

    /// Posts JSON with the function's key.
    pub async fn post(&mut self, path: &str, body: Value) -> HttpAnswer {
        self.call("POST", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    /// Calls with the function's key and more headers.
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HttpAnswer {
        let host = self.host().await;
        let function = match path {
            path if path.starts_with("/api/status") => "Status",
            path if path.starts_with("/api/restores") => "Restores",
            _ => "Backups",
        };
        let key = host.key(function);
        let mut all = vec![("x-functions-key", key.as_str())];
        all.extend_from_slice(headers);
        host.http(method, path, &all, body).await
    }
}

/// Checks that an answer is a whole problem of that status and name, and returns its detail.
pub fn problem(answer: &HttpAnswer, status: u16, name: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = answer.json();
    assert_eq!(body["type"], format!("urn:keyvault-backup:problem:{name}"), "{body}");
    assert_eq!(body["status"], status);
    for text in ["title", "detail", "next"] {
        assert!(body[text].as_str().is_some_and(|text| !text.is_empty()), "{text} in {body}");
    }
    let passes = [429, 503].contains(&status) || name == "target-taken";
    assert_eq!(answer.header("retry-after").is_some(), passes, "{body}");
    body["detail"].as_str().unwrap_or_default().to_owned()
}
