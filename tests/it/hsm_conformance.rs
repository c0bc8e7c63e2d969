//! The emulated Managed HSM against the service: every recorded exchange that it can repeat is repeated, and
//! its answer held against the recorded one.

mod compare;
mod prepare;

use std::collections::BTreeMap;

use keyvault_backup_emulator::{Azure, HsmHandle};
use keyvault_backup_needs::needs;
use reqwest::Method;

use crate::{conformance::Answer, recorded::Exchange, wire::Wire};

/// Why an exchange is not repeated.
fn beyond(exchange: &Exchange) -> Option<&'static str> {
    let mentions = |text: &str| exchange.body.contains(text) || exchange.request.contains(text);
    let path = exchange.url.path();
    let is_poll = path.ends_with("/pending");
    let reasons = [
        (path.contains("/providers/"), "local roles"),
        (path.contains("rotationpolicy"), "rotation"),
        (mentions("release_policy") || mentions("\"exportable\":true"), "keys that can be released"),
        (mentions("\"exportable\": true") || mentions("Release policy"), "keys that can be released"),
        (exchange.method == "PUT" && exchange.segments().len() == 2, "import"),
        (is_poll && exchange.status == 400, "a poll that was refused in place of its job, in 2021 only"),
        (exchange.status == 500, "a failure of the service"),
        (exchange.status == 200 && path.ends_with("/keys/restore"), "a backup of the service's own"),
        (exchange.body.starts_with("<!DOCTYPE"), "a vault under the name of an HSM"),
        (
            exchange.header("www-authenticate").is_some_and(|of| of.contains("-int")),
            "a cloud of the service's own",
        ),
        (exchange.body.contains("\"exp\""), "a key that was changed before"),
    ];
    reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}

async fn repeat(
    azure: &Azure,
    wire: &Wire,
    hsm: &HsmHandle,
    exchange: &Exchange,
    asked: prepare::Asked,
) -> Answer {
    let query = exchange.url.query().unwrap_or("api-version=7.4");
    let url = format!("{}{}?{query}", hsm.url(), asked.path);
    let method: Method = exchange.method.parse().expect("it is a method");
    let mut request = wire.http.request(method, url);
    if exchange.status != 401 {
        request = request.bearer_auth(azure.identity().issue("https://managedhsm.azure.net", None));
    }
    let request = request.header("content-type", "application/json").body(asked.body);
    let answer = wire.http.execute(request.build().expect("it is a request")).await;
    let answer = answer.expect("the emulator answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.text().await.expect("the answer is whole") }
}

#[needs(recordings)]
#[tokio::test]
async fn the_emulated_hsm_answers_as_the_service_does() {
    let all = Exchange::of_hsms();
    let azure = Azure::start().await.expect("the emulator starts");
    let wire = Wire::new(&azure, []);
    let (mut compared, mut left_out) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    let mut deviations = BTreeMap::<_, usize>::new();
    for (number, exchange) in all.iter().enumerate() {
        if let Some(reason) = beyond(exchange) {
            *left_out.entry(reason).or_default() += 1;
            continue;
        }
        let hsm = azure.hsm(&format!("h{number}"));
        let asked = prepare::prepare(&azure, &wire, &hsm, exchange).await;
        let answer = repeat(&azure, &wire, &hsm, exchange, asked).await;
        let operation = format!("{} {}", exchange.operation(), exchange.status);
        for deviation in compare::deviations(exchange, &answer) {
            *deviations.entry(format!("{operation}: {deviation}")).or_default() += 1;
        }
        *compared.entry(operation).or_default() += 1;
    }
    let count = compared.values().sum::<usize>();
    eprintln!("compared: {count} exchanges: {compared:#?}\nleft out: {left_out:#?}");
    assert!(deviations.is_empty(), "{deviations:#?}");
    for expected in EXPECTED {
        assert!(compared.contains_key(expected), "{expected} is recorded and was not compared");
    }
}

const EXPECTED: [&str; 22] = [
    "POST /backup 202",
    "POST /backup 400",
    "POST /backup 401",
    "POST /prebackup 202",
    "GET /backup/{n}/pending 200",
    "PUT /restore 202",
    "PUT /restore 400",
    "PUT /prerestore 202",
    "PUT /keys/{n}/restore 202",
    "GET /restore/{n}/pending 200",
    "GET /keys 200",
    "GET /keys/{n} 200",
    "GET /keys/{n} 404",
    "GET /keys/{n}/versions 200",
    "POST /keys/{n}/create 200",
    "POST /keys/{n}/backup 200",
    "POST /keys/{n} 400",
    "DELETE /keys/{n} 200",
    "DELETE /keys/{n} 409",
    "GET /deletedkeys/{n} 200",
    "POST /deletedkeys/{n}/recover 200",
    "DELETE /deletedkeys/{n} 204",
];
