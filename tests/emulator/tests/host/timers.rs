//! What a timer is sent, its retries, and the live mode.

use std::time::Duration;

use keyvault_backup_emulator::host::{Firing, HostClock, TimerStatus};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::{
    handler::SCRIPT,
    world::{NOW, World, eventually},
};

fn status(envelope: &Value) -> &Value {
    &envelope["Data"]["timer"]["ScheduleStatus"]
}

#[tokio::test]
async fn a_timer_is_sent_an_object_in_pascal_case() {
    let world = World::new();
    let host = world.start().await;
    world.clock.advance(Duration::from_nanos(10_541_900));
    let first = host.fire("Nightly", Firing::at(NOW)).await;
    let sent: Value = serde_json::from_str(first.outputs["seen"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        sent["Data"],
        json!({ "timer": {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": {
                "Last": "0001-01-01T00:00:00+00:00",
                "Next": "2026-08-22T02:00:00+00:00",
                "LastUpdated": "2026-08-22T02:00:00+00:00",
            },
            "IsPastDue": false,
        } })
    );
    assert_eq!(sent["Metadata"]["sys"]["MethodName"], "Nightly");
    assert_eq!(sent["Metadata"]["sys"]["UtcNow"], "2026-08-22T02:00:00.0105419Z");
    let second = host.fire("Nightly", Firing::at(datetime!(2026-08-23 02:00 UTC)).past_due(true)).await;
    assert_eq!(status(&second.request)["Last"], "2026-08-22T02:00:00.0105419+00:00");
    assert_eq!(second.request["Data"]["timer"]["IsPastDue"], true);
}

#[tokio::test]
async fn there_are_three_reasons_for_no_status() {
    let world = World::new().env("SOON", "*/10 * * * * *");
    let timer = |schedule: &str, monitor: bool| json!({ "bindings": [{ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule, "useMonitor": monitor }] });
    world.function("Unmonitored", &timer("0 0 2 * * *", false));
    world.function("Soon", &timer("%SOON%", true));
    let host = world.start().await;
    for (function, firing) in [
        ("Unmonitored", Firing::at(NOW)),
        ("Soon", Firing::at(NOW)),
        ("Nightly", Firing::at(NOW).status(TimerStatus::NoMonitor)),
    ] {
        assert_eq!(status(&host.fire(function, firing).await.request), &Value::Null, "{function}");
    }
    let by_hand = Firing::at(NOW).status(TimerStatus::ByHand { next: datetime!(2026-08-23 02:00 UTC) });
    assert_eq!(status(&host.fire("Nightly", by_hand).await.request)["Next"], "2026-08-23T02:00:00+00:00");
}

#[tokio::test]
async fn retries_are_made_when_asked_for_and_cost_only_the_clocks_time() {
    let world = World::new().env(SCRIPT, "fail");
    let host = world.start().await;
    assert!(!host.fire("Nightly", Firing::at(NOW)).await.succeeded());
    assert_eq!(host.invocations().len(), 1);
    let last = host.fire("Nightly", Firing::at(NOW).retries(true)).await;
    assert!(!last.succeeded());
    assert_eq!(host.invocations().len(), 4);
    assert_eq!(world.clock.now(), NOW + Duration::from_secs(600));
    let context = &last.request["Metadata"]["RetryContext"];
    assert_eq!((&context["RetryCount"], &context["MaxRetryCount"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_retry_that_succeeds_is_the_last() {
    let world = World::new().env(SCRIPT, "fail first firing");
    let host = world.start().await;
    assert!(host.fire("Nightly", Firing::at(NOW).retries(true)).await.succeeded());
    assert_eq!(host.invocations().len(), 2);
}

#[tokio::test]
async fn live_the_clock_fires_timers_and_queues_are_polled() {
    let world = World::new();
    let host = world.start().await;
    world.send(&json!({}));
    let done = async {
        eventually("the message is worked off", || !host.invocations().is_empty()).await;
        world.clock.advance(Duration::from_secs(86_400));
        eventually("the timer fires", || host.invocations().len() == 2).await;
    };
    host.run(done).await;
    let timer = host.invocations().pop().unwrap();
    assert_eq!(timer.function, "Nightly");
    assert_eq!(status(&timer.request)["Next"], "2026-08-23T02:00:00+00:00");
}
