//! The settings of drills.

use std::collections::BTreeMap;

use super::{Reader, parts};
use crate::domain::{
    drill::{DrillHsm, DrillOf, Drills, Targets},
    object::{ObjectId, ObjectKind},
    restore::Pairs,
    source::{Source, SourceName},
};

const VAULTS: &str = "KEYVAULT_BACKUP_DRILL_VAULTS";
const HSMS: &str = "KEYVAULT_BACKUP_DRILL_HSMS";
const ALWAYS: &str = "KEYVAULT_BACKUP_DRILL_ALWAYS";
const TARGETS: &str = "KEYVAULT_BACKUP_DRILL_TARGETS";

/// The settings that say something of sources, each part as `SOURCE=…`.
const OF_SOURCES: [&str; 4] = [VAULTS, HSMS, ALWAYS, TARGETS];

/// A setting as a command reads it that is about named sources alone: what a setting of drills says of others is left out, for it
/// would be a fault there. `None` if it is another setting.
pub(super) fn of_named(name: &str, value: &str, named: &[&SourceName]) -> Option<String> {
    let is_named = |part: &&str| {
        let source = part.split_once('=').and_then(|(source, _)| source.parse::<SourceName>().ok());
        source.is_some_and(|source| named.contains(&&source))
    };
    OF_SOURCES.contains(&name).then(|| parts(value).filter(is_named).collect::<Vec<_>>().join(" "))
}

/// The most minutes of a target: a year.
const MOST_MINUTES: u32 = 366 * 24 * 60;

/// What a drill vault must not be.
#[derive(Clone, Copy)]
pub(super) struct Others<'a> {
    pub(super) vaults: &'a [Source],
    pub(super) hsms: &'a [Source],
    pub(super) pairs: &'a Pairs,
}

impl Others<'_> {
    /// Why a vault cannot be drilled in, by the settings alone.
    fn bars(self, vault: &SourceName) -> Option<String> {
        let is_source = self.vaults.iter().chain(self.hsms).any(|of| of.name() == vault);
        let in_pair = match self.pairs {
            Pairs::Every => false,
            Pairs::Only(pairs) => pairs.iter().any(|(source, target)| source == vault || target == vault),
        };
        match (is_source, in_pair) {
            (true, _) => Some(format!("{vault} is a source, and never a drill vault")),
            (false, true) => {
                Some(format!("{vault} is in KEYVAULT_BACKUP_RESTORE_PAIRS, and never a drill vault"))
            }
            (false, false) => None,
        }
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    /// The settings of drills. Where they `may_be_wrong`, nothing is drilled instead: the app does not drill, and its own work
    /// must not stop for it.
    pub(super) fn drills(&mut self, others: Others<'_>, may_be_wrong: bool) -> Drills {
        let before = self.faults.len();
        let drills = self.drills_as_set(others);
        if may_be_wrong && self.faults.len() > before {
            self.faults.truncate(before);
            return Drills::none();
        }
        drills
    }

    fn drills_as_set(&mut self, others: Others<'_>) -> Drills {
        let none = Drills::none();
        let (mut of, mut hsms) = (self.drill_vaults(others), self.drill_hsms(others));
        self.always_drilled(&mut of);
        self.drill_targets(&mut of, &mut hsms);
        let days = self.number("KEYVAULT_BACKUP_DRILL_INTERVAL_DAYS", 8_u16, 1, 400);
        let hsm_days = self.number("KEYVAULT_BACKUP_DRILL_HSM_INTERVAL_DAYS", 100_u16, 1, 400);
        Drills {
            of,
            hsms,
            hsm_interval: time::Duration::days(hsm_days.into()),
            sample: self.number("KEYVAULT_BACKUP_DRILL_SAMPLE", none.sample, 1, 200),
            older_every: self.number("KEYVAULT_BACKUP_DRILL_OLDER_EVERY", none.older_every, 0, 1000),
            interval: time::Duration::days(days.into()),
        }
    }

    fn drill_vaults(&mut self, others: Others<'_>) -> BTreeMap<SourceName, DrillOf> {
        let mut of = BTreeMap::new();
        for part in self.parts(VAULTS) {
            let split = part
                .split_once('=')
                .map(|(source, vault)| (source.parse::<SourceName>(), Source::vault(vault)));
            let Some((Ok(source), Ok(vault))) = split else {
                self.fault(
                    VAULTS,
                    "expected SOURCE=URL, the name of a vault that is backed up and the URL of a drill vault",
                );
                continue;
            };
            if let Some(why) = others.bars(vault.name()) {
                self.fault(VAULTS, why);
                continue;
            }
            if *vault.name() == source
                || !others.vaults.is_empty() && !others.vaults.iter().any(|of| *of.name() == source)
            {
                self.fault(VAULTS, format_args!("{source} is not one of KEYVAULT_BACKUP_VAULTS"));
                continue;
            }
            let new = DrillOf { vault, always: Vec::new(), targets: Targets::default() };
            if of.insert(source.clone(), new).is_some() {
                self.fault(VAULTS, format_args!("{source} is there twice"));
            }
        }
        of
    }

    fn drill_hsms(&mut self, others: Others<'_>) -> BTreeMap<SourceName, DrillHsm> {
        let mut hsms = BTreeMap::new();
        for part in self.parts(HSMS) {
            let split =
                part.split_once('=').map(|(source, hsm)| (source.parse::<SourceName>(), Source::hsm(hsm)));
            let Some((Ok(source), Ok(hsm))) = split else {
                self.fault(HSMS, "expected SOURCE=URL, the name of an HSM and the URL of its drill HSM");
                continue;
            };
            let name = hsm.name().clone();
            if let Some(why) = others.bars(&name) {
                self.fault(HSMS, why);
            } else if name == source
                || !others.hsms.is_empty() && !others.hsms.iter().any(|of| *of.name() == source)
            {
                self.fault(HSMS, format_args!("{source} is not one of KEYVAULT_BACKUP_HSMS"));
            } else if hsms.insert(source.clone(), DrillHsm { hsm, targets: Targets::default() }).is_some() {
                self.fault(HSMS, format_args!("{source} is there twice"));
            }
        }
        hsms
    }

    fn always_drilled(&mut self, of: &mut BTreeMap<SourceName, DrillOf>) {
        for part in self.parts(ALWAYS) {
            let split = part.split_once('=').and_then(|(source, object)| {
                let (kind, name) = object.split_once('/')?;
                let id = ObjectId::new(kind.parse::<ObjectKind>().ok()?, name.parse().ok()?);
                Some((source.parse::<SourceName>().ok()?, id))
            });
            match split.and_then(|(source, id)| Some((of.get_mut(&source)?, id))) {
                Some((drill, id)) => drill.always.push(id),
                None => self.fault(ALWAYS, format_args!("expected SOURCE=KIND/NAME, of sources in {VAULTS}")),
            }
        }
    }

    fn drill_targets(
        &mut self,
        of: &mut BTreeMap<SourceName, DrillOf>,
        hsms: &mut BTreeMap<SourceName, DrillHsm>,
    ) {
        let seconds = |text: &str| match text {
            "" => Some(None),
            text => {
                let minutes =
                    text.parse::<u32>().ok().filter(|minutes| (1..=MOST_MINUTES).contains(minutes))?;
                Some(Some(minutes * 60))
            }
        };
        for part in self.parts(TARGETS) {
            let split = part.split_once('=').and_then(|(source, targets)| {
                let (rto, rpo) = targets.split_once('/')?;
                let targets = Targets { rto_seconds: seconds(rto)?, rpo_seconds: seconds(rpo)? };
                Some((source.parse::<SourceName>().ok()?, targets))
            });
            let of = split.and_then(|(source, targets)| {
                let of_vault = of.get_mut(&source).map(|of| &mut of.targets);
                Some((of_vault.or_else(|| hsms.get_mut(&source).map(|of| &mut of.targets))?, targets))
            });
            match of {
                Some((drill, targets)) => *drill = targets,
                None => self.fault(
                    TARGETS,
                    format_args!(
                        "expected SOURCE=RTO/RPO, of sources in {VAULTS} or {HSMS}, in minutes; either may be empty"
                    ),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)], may_be_wrong: bool) -> (Drills, Vec<String>) {
        let lookup =
            |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        let mut reader = Reader { lookup, faults: Vec::new() };
        let source = |name: &str| Source::vault(&format!("https://{name}.vault.azure.net")).unwrap();
        let vaults = [source("kv-a"), source("kv-b")];
        let hsms = [Source::hsm("https://hsm-a.managedhsm.azure.net").unwrap()];
        let pairs = Pairs::Only([("kv-a".parse().unwrap(), "kv-new".parse().unwrap())].into());
        let drills = reader.drills(Others { vaults: &vaults, hsms: &hsms, pairs: &pairs }, may_be_wrong);
        (drills, reader.faults)
    }

    #[test]
    fn each_source_has_its_vault_its_names_and_its_targets() {
        let (drills, faults) = read(
            &[
                (VAULTS, "kv-a=https://kv-drill.vault.azure.net, KV-B=https://KV-drill.vault.azure.net/"),
                (ALWAYS, "kv-a=secret/db kv-a=key/Signing"),
                (TARGETS, "kv-a=240/1560 kv-b=/60"),
                ("KEYVAULT_BACKUP_DRILL_SAMPLE", "3"),
            ],
            false,
        );
        assert_eq!((faults, drills.sample, drills.older_every), (Vec::new(), 3, 4));
        let of = |name: &str| &drills.of[&name.parse().unwrap()];
        assert_eq!(of("kv-a").vault, of("kv-b").vault);
        assert_eq!(
            of("kv-a").always.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["secret db", "key Signing"]
        );
        assert_eq!(of("kv-a").targets, Targets { rto_seconds: Some(14_400), rpo_seconds: Some(93_600) });
        assert_eq!(of("kv-b").targets, Targets { rto_seconds: None, rpo_seconds: Some(3600) });
        assert_eq!(read(&[], false), (Drills::none(), Vec::new()));
    }

    #[test]
    fn an_hsm_has_its_drill_hsm_and_its_targets() {
        let settings = [(HSMS, "hsm-a=https://hsm-drill.managedhsm.azure.net"), (TARGETS, "hsm-a=240/")];
        let (drills, faults) = read(&settings, false);
        let of = &drills.hsms[&"hsm-a".parse().unwrap()];
        assert_eq!((faults, of.hsm.name().as_str()), (Vec::new(), "hsm-drill"));
        assert_eq!(of.targets, Targets { rto_seconds: Some(14_400), rpo_seconds: None });
        assert_eq!(drills.hsm_interval, time::Duration::days(100));
    }

    #[test]
    fn a_source_a_target_and_what_is_no_vault_are_never_drilled_in() {
        let good = (VAULTS, "kv-a=https://kv-drill.vault.azure.net");
        for (name, value) in [
            (VAULTS, "kv-a=https://kv-b.vault.azure.net"),
            (VAULTS, "kv-a=https://kv-a.vault.azure.net"),
            (VAULTS, "kv-a=https://hsm-a.vault.azure.net"),
            (VAULTS, "kv-a=https://kv-new.vault.azure.net"),
            (VAULTS, "kv-a=https://hsm-d.managedhsm.azure.net"),
            (VAULTS, "kv-a=kv-drill"),
            (VAULTS, "kv-unknown=https://kv-drill.vault.azure.net"),
            (VAULTS, "https://kv-drill.vault.azure.net"),
            (VAULTS, "kv-a=https://kv-d1.vault.azure.net kv-a=https://kv-d2.vault.azure.net"),
            (ALWAYS, "kv-b=secret/db"),
            (ALWAYS, "kv-a=db"),
            (ALWAYS, "kv-a=secret/a_b"),
            (TARGETS, "kv-a=4h/26h"),
            (TARGETS, "kv-a=0/1"),
            (TARGETS, "kv-a=5"),
            (HSMS, "hsm-a=https://hsm-a.managedhsm.azure.net"),
            (HSMS, "hsm-a=https://kv-a.managedhsm.azure.net"),
            (HSMS, "hsm-a=https://hsm-d.vault.azure.net"),
            (HSMS, "hsm-b=https://hsm-d.managedhsm.azure.net"),
            (HSMS, "hsm-a=https://h1.managedhsm.azure.net hsm-a=https://h2.managedhsm.azure.net"),
            ("KEYVAULT_BACKUP_DRILL_SAMPLE", "0"),
        ] {
            let settings = if name == VAULTS { vec![(name, value)] } else { vec![good, (name, value)] };
            let (drills, faults) = read(&settings, false);
            assert!(faults.iter().any(|fault| fault.starts_with(name)), "{name}={value}: {faults:?}");
            assert!(
                drills.vaults().iter().all(|of| of.name().as_str().starts_with("kv-d")),
                "{name}={value}"
            );
            assert_eq!(
                read(&settings, true),
                (Drills::none(), Vec::new()),
                "the work of another app goes on"
            );
        }
    }
}
