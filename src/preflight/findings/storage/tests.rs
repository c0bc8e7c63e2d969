//! Tests of the findings about containers.

use time::macros::datetime;

use super::{
    super::samples::{first, judged, of, refused},
    *,
};

const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const POLICY: Protection = Protection { container: Some(true), versions: None, until: None, locked: None };
const NONE: Protection =
    Protection { container: Some(false), versions: Some(false), until: None, locked: None };

/// A container as it should be.
fn seen(used: Use) -> ContainerSeen {
    ContainerSeen {
        used,
        account: "store".to_owned(),
        container: "c".to_owned(),
        reached: Came::Done,
        read: Came::Done,
        written: (used != Use::Landing).then_some(Came::Done),
        changed: (used == Use::Second).then(|| refused(Cause::Denied)),
        deleted: match used {
            Use::Backups | Use::Second => Some(refused(Cause::Denied)),
            Use::Jobs => Some(Came::Done),
            Use::Landing => None,
        },
        protection: if matches!(used, Use::Backups | Use::Second) { POLICY } else { NONE },
    }
}

fn judge_it(seen: &ContainerSeen) -> (Report, Vec<String>) {
    judged(|report| judge(seen, &of(Role::Backup), NOW, report))
}

/// What is beside the lines of a container that is as it should be.
fn beside(seen: &ContainerSeen, used: Use) -> Vec<String> {
    let sound = judge_it(&self::seen(used)).1;
    judge_it(seen).1.into_iter().filter(|line| !sound.contains(line)).collect()
}

#[test]
fn a_container_as_it_should_be_is_said_to_be() {
    let table = [
        (
            Use::Backups,
            vec![
                "well read: it can",
                "well write: it can",
                "well delete backups: it cannot",
                "well write protection: the container has a policy",
            ],
        ),
        (
            Use::Second,
            vec![
                "well read: it can",
                "well write: it can",
                "well delete backups: it cannot",
                "well change backups: it cannot",
                "well write protection: the container has a policy",
            ],
        ),
        (Use::Jobs, vec!["well read: it can", "well write: it can", "well delete: it can"]),
        (Use::Landing, vec!["well read: it can", "well no write protection: there is none"]),
    ];
    for (used, expected) in table {
        let (report, lines) = judge_it(&seen(used));
        assert_eq!(lines, expected, "{used:?}");
        assert!(report.well.iter().all(|check| check.subject == "store/c"));
    }
}

#[test]
fn a_container_that_is_closed_or_missing_is_one_finding() {
    let table = [
        (Cause::Firewall, "error network-closed", "az network private-endpoint-connection"),
        (Cause::HostUnknown, "error host-unknown", "az storage account show --name store"),
        (
            Cause::NotFound,
            "error container-missing",
            "az storage container create --account-name store --name c",
        ),
    ];
    for (cause, expected, remedy) in table {
        let (report, lines) = judge_it(&ContainerSeen { reached: refused(cause), ..seen(Use::Jobs) });
        assert_eq!(lines, [expected]);
        assert!(first(&report.findings[0].remedy).starts_with(remedy), "{report:?}");
    }
    let denied = ContainerSeen { reached: refused(Cause::Denied), ..seen(Use::Jobs) };
    assert_eq!(
        beside(&denied, Use::Jobs),
        Vec::<String>::new(),
        "properties need a right that nothing else does"
    );
}

#[test]
fn an_app_of_the_page_is_given_no_more_than_reading() {
    for used in [Use::Backups, Use::Jobs, Use::Landing] {
        let unread =
            ContainerSeen { read: refused(Cause::Denied), written: None, deleted: None, ..seen(used) };
        let (report, _) = judged(|report| judge(&unread, &of(Role::Page), NOW, report));
        let found = report.findings.iter().find(|finding| finding.name == "container-unreadable");
        let fix = found.map(|finding| format!("{:?}", finding.remedy)).unwrap_or_default();
        assert!(fix.contains("'Storage Blob Data Reader'"), "{fix}");
    }
}

#[test]
fn a_right_that_is_missing_is_named_with_the_role_of_that_container() {
    let (no, fixed) = (|| Some(refused(Cause::Denied)), || Some(refused(Cause::Immutable)));
    let (jobs, landing, backups) = (|| seen(Use::Jobs), || seen(Use::Landing), || seen(Use::Backups));
    let (contributor, reader) = ("'Storage Blob Data Contributor'", "'Storage Blob Data Reader'");
    let (writer, policy) = ("Key Vault Backup Blob Writer", "immutability-policy show");
    let table = [
        (
            ContainerSeen { read: refused(Cause::Denied), ..landing() },
            "error container-unreadable",
            reader,
            "Without it no pass",
        ),
        (
            ContainerSeen { written: no(), ..backups() },
            "error container-unwritable",
            writer,
            "Without it nothing is stored",
        ),
        (
            ContainerSeen { written: fixed(), ..jobs() },
            "error container-unwritable",
            policy,
            "Without it no run",
        ),
        (
            ContainerSeen { deleted: no(), ..jobs() },
            "error jobs-undeletable",
            contributor,
            "Without it no run",
        ),
        (ContainerSeen { deleted: fixed(), ..jobs() }, "error jobs-undeletable", policy, "Without it no run"),
    ];
    for (seen, expected, remedy, why) in table {
        assert_eq!(beside(&seen, seen.used), [expected]);
        let found = &judge_it(&seen).0.findings[0];
        assert!(found.remedy.to_string().contains(remedy) && found.why.starts_with(why), "{found:?}");
    }
    let late = ContainerSeen { written: Some(Came::Late(25)), ..jobs() };
    assert_eq!(beside(&late, Use::Jobs), ["unknown write: no answer within 25 s"]);
}

#[test]
fn the_right_to_delete_backups_is_a_finding_also_where_protection_stops_it() {
    let other = "unknown delete backups: code: the service's words";
    let table = [
        (Came::Done, "error backups-deletable", "An attacker"),
        (refused(Cause::Immutable), "warning delete-right", "Only write protection"),
        (refused(Cause::Passing), other, ""),
        (Came::Late(25), "unknown delete backups: no answer within 25 s", ""),
    ];
    for (deleted, expected, why) in table {
        let seen = ContainerSeen { deleted: Some(deleted), ..seen(Use::Backups) };
        assert_eq!(beside(&seen, Use::Backups), [expected]);
        assert!(judge_it(&seen).0.findings.iter().all(|found| found.why.starts_with(why)), "{seen:?}");
    }
}

#[test]
fn protection_that_is_not_shown_is_unknown_and_one_that_is_past_is_none() {
    let until = |at, locked| Protection { until: Some(at), locked: Some(locked), ..NONE };
    let (open, past) = (datetime!(2027-11-01 0:00 UTC), datetime!(2026-11-01 0:00 UTC));
    let protected = "well write protection: the probe is protected until 2027-11-01";
    let none = vec!["warning no-write-protection"];
    let not_shown = vec!["unknown write protection: the service does not show it here"];
    let table = [
        (until(open, true), vec![protected]),
        (until(open, false), vec!["info protection-unlocked", protected]),
        (until(past, true), none.clone()),
        (until(NOW, true), none.clone()),
        (Protection { container: Some(true), ..until(past, true) }, vec![]),
        (NONE, none),
        (Protection::default(), not_shown.clone()),
        (Protection { container: Some(false), ..Protection::default() }, not_shown),
    ];
    for (protection, expected) in table {
        let seen = ContainerSeen { protection, ..seen(Use::Backups) };
        assert_eq!(beside(&seen, Use::Backups), expected, "{protection:?}");
        for found in judge_it(&seen).0.findings {
            let (why, remedy) = match found.name {
                "protection-unlocked" => {
                    ("An administrator", "infra/scripts/lock-immutability.sh --account store")
                }
                _ => ("Every identity that can write", "Deploy infra/ with `retention.immutabilityDays`"),
            };
            assert!(found.why.starts_with(why) && first(&found.remedy).starts_with(remedy), "{found:?}");
        }
    }
}

#[test]
fn an_hsm_wants_a_container_without_protection() {
    let not_shown = "unknown no write protection: the service does not show it here";
    let table = [
        (POLICY, vec!["error landing-immutable"]),
        (Protection { versions: Some(true), ..NONE }, vec!["error landing-immutable"]),
        (Protection { versions: Some(true), ..Protection::default() }, vec!["error landing-immutable"]),
        (Protection { versions: None, ..NONE }, vec![]),
        (Protection::default(), vec![not_shown]),
    ];
    for (protection, expected) in table {
        let seen = ContainerSeen { protection, ..seen(Use::Landing) };
        assert_eq!(beside(&seen, Use::Landing), expected, "{protection:?}");
        for found in judge_it(&seen).0.findings {
            let remedy =
                "az storage container immutability-policy show --account-name store --container-name c";
            assert!(
                found.why.starts_with("Managed HSM refuses") && first(&found.remedy).starts_with(remedy),
                "{found:?}"
            );
        }
    }
}

#[test]
fn what_may_be_changed_in_the_second_place_is_told() {
    let taken = || {
        Came::Refused(Cause::Other, crate::domain::outcome::Failure::ours("BlobAlreadyExists", "it is there"))
    };
    for (changed, expected) in [
        (refused(Cause::Denied), vec![]),
        (taken(), vec![]),
        (Came::Done, vec!["error backups-changeable"]),
        (refused(Cause::Immutable), vec!["warning backups-changeable"]),
        (Came::Late(25), vec!["unknown change backups: no answer within 25 s"]),
    ] {
        let seen = ContainerSeen { changed: Some(changed.clone()), ..seen(Use::Second) };
        assert_eq!(beside(&seen, Use::Second), expected, "{changed:?}");
    }
}
