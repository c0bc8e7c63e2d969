//! What people record of an HSM's security domain.

use keyvault_backup_emulator::host::Firing;
use serde_json::{Value, json};
use time::{
    Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description,
};

use crate::{hsm_copies::Copying, hsm_world::HsmWorld, world::BACKUPS};

const ATTEST: [&str; 8] = ["hsm", "attest", "--hsm", "hsm-a", "--quorum", "2/3", "--by", "Ada Lovelace"];

const RECORDS: &str = "attestations/security-domain/hsm-a/";

impl HsmWorld {
    /// The one attestation, as if it had been recorded so many days ago.
    fn made_older(&self, days: i64) {
        let blobs = self.world.backups.blobs(BACKUPS);
        let name = blobs.into_iter().find(|name| name.starts_with(RECORDS)).expect("it is stored");
        let blob = self.world.backups.blob(BACKUPS, &name).expect("it is stored");
        let mut record: Value =
            serde_json::from_str(blob.meta("attestation").expect("a record")).expect("JSON");
        let at = OffsetDateTime::parse(record["at"].as_str().expect("a time"), &Rfc3339).expect("a time");
        let older = self.world.today().replace_nanosecond(0).expect("a time") - Duration::days(days);
        record["at"] = json!(older.format(&Rfc3339).expect("a text"));
        let earlier = (at - older).whole_seconds();
        let countdown: i64 = name[RECORDS.len()..].parse().expect("a number");
        assert!(self.world.backups.delete_blob(BACKUPS, &name));
        let name = format!("{RECORDS}{}", countdown + earlier);
        self.world.backups.put_blob(BACKUPS, &name, "", &[("attestation", &record.to_string())]);
    }

    async fn hsm_status(&mut self) -> Value {
        self.world.ok("/api/status").await["hsms"][0].clone()
    }
}

fn troubles(status: &Value) -> Vec<&str> {
    let types = status["troubles"].as_array().expect("a list").iter();
    types.filter_map(|of| of["type"].as_str()).collect()
}

#[tokio::test]
async fn what_people_checked_is_on_record_and_on_the_trail_and_due_again_after_a_hundred_days() {
    let mut of = HsmWorld::backed_up().await;
    let before = of.hsm_status().await;
    assert_eq!((&before["attested"], troubles(&before)), (&json!("never"), vec!["overdue"]), "{before}");
    let said = of.world.json(&[&ATTEST[..], &["--by", "Grace"]].concat()).await;
    let people = json!(["Ada Lovelace", "Grace"]);
    assert_eq!((&said["quorum"], &said["people"]), (&json!("2/3"), &people), "{said}");

    let trail = of.world.json(&["audit", "list"]).await;
    let told = trail["records"].as_array().expect("a list").last().expect("a record");
    assert_eq!(
        (&told["event"], &told["people"], &told["by"]["via"]),
        (&json!("security-domain-attested"), &people, &json!("terminal")),
        "{told}"
    );
    assert_eq!(of.hsm_status().await["attested"], said["at"]);
    for (days, expected) in [(99, false), (101, true)] {
        of.made_older(days);
        let status = of.hsm_status().await;
        assert_eq!(troubles(&status).contains(&"security-domain-unchecked"), expected, "{status}");
        assert_eq!(status["securityDomain"]["quorum"], said["quorum"], "{status}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_attests_nothing_and_hides_none() {
    let mut of = HsmWorld::backed_up().await;
    let said = of.world.json(&ATTEST).await;
    // By its name it is newer.
    for (name, record) in [("0", None), ("00000000001", Some("{}")), ("00000000002", Some(r#"{"v":99}"#))] {
        let meta: Vec<_> = record.into_iter().map(|record| ("attestation", record)).collect();
        of.world.backups.put_blob(BACKUPS, &format!("{RECORDS}{name}"), "", &meta);
    }
    let stored =
        of.world.backups.blobs(BACKUPS).into_iter().find(|name| name.starts_with(&format!("{RECORDS}9")));
    let blob = of.world.backups.blob(BACKUPS, &stored.expect("it is stored")).expect("it is stored");
    let own = blob.meta("attestation").expect("a record").replace("2/3", "9/10");
    of.world.backups.put_blob(BACKUPS, &format!("{RECORDS}00000000003"), "", &[("attestation", &own)]);
    let status = of.hsm_status().await;
    assert_eq!((&status["attested"], &status["securityDomain"]["quorum"]), (&said["at"], &json!("2/3")));
}

#[tokio::test]
async fn what_is_no_quorum_and_no_name_is_refused_before_anything_is_recorded() {
    let of = HsmWorld::new().await;
    let crowd: Vec<_> = ["--by", "Somebody"].repeat(10);
    for more in
        [&["--quorum", "1/3", "--by", "Ada"][..], &["--quorum", "2/3"], &["--quorum", "2/3", "--by", " "]]
    {
        let args = [&["hsm", "attest", "--hsm", "hsm-a"], more].concat();
        assert!(!of.world.cli(&args).await.status.success(), "{args:?}");
    }
    assert!(!of.world.cli(&[&ATTEST[..], &crowd].concat()).await.status.success());
    let blobs = of.world.backups.blobs(BACKUPS);
    assert!(
        !blobs.iter().any(|name| name.starts_with("attestations/") || name.starts_with("audit/")),
        "{blobs:?}"
    );
}

#[tokio::test]
async fn evidence_of_a_day_has_what_was_recorded_by_its_end() {
    let mut copying = Copying::new().await;
    let said = copying.of.world.json(&ATTEST).await;
    let now = copying.of.world.today();
    for (days, expected) in [(0, None), (1, Some(&said["at"]))] {
        let at = now + Duration::days(days);
        copying.of.world.at(at);
        assert!(copying.keeper.fire("ApplyRetention", Firing::at(at)).await.succeeded());
        let record = record_of(&copying, (at - Duration::DAY).date());
        let hsm = record["sources"].as_array().expect("a list").iter().find(|of| of["kind"] == "hsm");
        let attested = hsm.and_then(|of| of.get("attestation")).map(|of| &of["at"]);
        assert_eq!(attested, expected, "{record}");
    }
    // A report is of days that have ended.
    let (today, ended) = (now.date(), (now - Duration::DAY).date());
    let record = record_of(&copying, today).to_string().replace(&today.to_string(), &ended.to_string());
    copying.of.world.backups.put_blob(BACKUPS, &name_of(ended), record, &[]);
    let path = format!("/api/status/evidence?from={ended}&to={ended}");
    let report = copying.of.world.ok(&path).await;
    let rows = report["sources"].as_array().expect("a list").iter().find(|of| of["kind"] == "hsm");
    assert_eq!(rows.map(|of| &of["securityDomain"]["people"]), Some(&said["people"]), "{report}");
    let page = copying.of.world.call("GET", &format!("{path}&format=html"), &[], "").await;
    assert!(page.text().contains("Ada Lovelace"), "{}", page.text());
}

fn name_of(day: Date) -> String {
    let form = format_description!("evidence/[year]/[month]/[day]");
    day.format(form).expect("a name")
}

fn record_of(copying: &Copying, day: Date) -> Value {
    let blob = copying.of.world.backups.blob(BACKUPS, &name_of(day)).expect("there is a record");
    serde_json::from_slice(&blob.bytes).expect("it is JSON")
}
