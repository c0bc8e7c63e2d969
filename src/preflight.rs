//! The preflight: tries everything that backups and restores need, with the app's own identity.
//!
//! All tries run concurrently, each with a time limit. The preflight has clients of its own, which send a request at
//! most twice and compare clocks. [`findings`] judges the observations, and says what is wrong and how
//! to fix it.
//!
//! Safe to run at any time, and twice: the tries name objects that cannot exist, backups are taken and dropped, and the
//! one blob a day that is written among the backups is written create-only. [`fix`] makes containers, and only if it is
//! asked to.

mod drills;
pub mod findings;
pub mod fix;
mod hsms;
pub mod recent;
mod sources;
mod storage;
mod vaults;

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures::future::OptionFuture;
use tokio::{sync::Semaphore, time::timeout};

use self::findings::{
    Identity, Installation, Report, drills as judge_drills,
    guards::{self as judge_guards, GuardsSeen},
    hsms as judge_hsms, queues as judge_queues,
    rest::{self, SettingsSeen},
    sources as judge_sources, storage as judge_storage, vaults as judge_vaults,
};
use crate::{
    app::App,
    azure::{Connection, cause, credential, dates::Dates, error::ServiceError},
    clock::Clock,
    config::Config,
    domain::{
        bound::AtBound, cause::Came, night::Timer, object::ObjectName, restore::Pairs, retention::LastPass,
        schedule::Timetable, source::SourceName,
    },
    query::{callers, keeper, passes},
};

/// The time limit of one try.
const TRY: Duration = Duration::from_secs(25);

/// Sources that are tried concurrently.
const AT_ONCE: usize = 8;

/// The parts that all tries share.
struct Context<'a> {
    app: &'a App,
    config: &'a Config,
    connection: Connection,
    clock: &'a Clock,
}

/// What a preflight checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everything, in a process that answers HTTP.
    App,
    /// Everything, at a terminal.
    Terminal,
    /// The sources of the settings, and nothing that they share.
    Sources,
    /// One source of the settings, and nothing that it shares with others.
    Source(&'a SourceName),
}

impl Scope<'_> {
    /// The settings with the sources of the scope.
    fn of(self, config: &Config) -> Cow<'_, Config> {
        let Self::Source(name) = self else { return Cow::Borrowed(config) };
        let mut config = config.clone();
        config.vaults.retain(|vault| vault.name() == name);
        config.hsm.hsms.retain(|hsm| hsm.name() == name);
        config.hsm.keys.retain(|(hsm, _)| hsm == name);
        Cow::Owned(config)
    }
}

/// Runs the preflight.
pub async fn check(app: &App, scope: Scope<'_>, clock: &Clock) -> Report {
    let dates = Dates::new(*clock);
    let connection = app.connection().for_preflight(Arc::clone(&dates));
    let config = scope.of(app.config());
    let context = Context { app, config: &config, connection, clock };
    let (vaults, drills, hsms, sources, shared) = futures::join!(
        vaults::observe(&context),
        OptionFuture::from((!matches!(scope, Scope::Source(_))).then(|| drills::observe(&context))),
        hsms::observe(&context),
        sources::observe(&context),
        OptionFuture::from(matches!(scope, Scope::App | Scope::Terminal).then(|| observe_shared(&context)))
    );
    let mut report = Report::default();
    let tried = vaults.iter().flat_map(judge_vaults::VaultSeen::all);
    let of = installation(context.config, tried);
    for seen in &vaults {
        judge_vaults::judge(seen, &of, &mut report);
    }
    for seen in drills.iter().flatten() {
        judge_drills::judge(seen, &of, &mut report);
    }
    for seen in &hsms {
        judge_hsms::judge(seen, &of, clock.now(), &mut report);
    }
    for seen in &sources {
        judge_sources::judge(seen, clock.now(), &mut report);
    }
    if let Some(shared) = shared {
        rest::judge_settings(&settings(context.config, scope == Scope::App), &mut report);
        shared.judge(&of, clock, &mut report);
        rest::judge_clocks(&dates.ahead(), &mut report);
    }
    report.sorted()
}

/// The observations of what all sources share.
struct Shared {
    containers: Vec<judge_storage::ContainerSeen>,
    queues: Vec<judge_queues::QueueSeen>,
    callers: Result<Vec<AtBound>, String>,
    refusing: Result<Vec<String>, String>,
    retention: Result<LastPass, String>,
}

async fn observe_shared(context: &Context<'_>) -> Shared {
    let (containers, queues, callers, refusing, retention) = futures::join!(
        storage::containers(context),
        storage::queues(context),
        known(callers::at_bound(context.app)),
        known(passes::refusing_callers(context.app, context.clock.now())),
        known(keeper::applied(context.app, context.clock.now()))
    );
    Shared { containers, queues, callers, refusing, retention }
}

/// What a query of the catalogue or the jobs answers in time. The error says why that is not known.
async fn known<T>(query: impl Future<Output = crate::error::Result<T>>) -> Result<T, String> {
    match timeout(TRY, query).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TRY.as_secs())),
    }
}

impl Shared {
    fn judge(&self, of: &Installation, clock: &Clock, report: &mut Report) {
        for seen in &self.containers {
            judge_storage::judge(seen, of, clock.now(), report);
        }
        for seen in &self.queues {
            judge_queues::judge(seen, of, report);
        }
        rest::judge_callers(&self.callers, report);
        judge_guards::judge_refusing(&self.refusing, report);
        rest::judge_retention(&self.retention, report);
    }
}

fn installation<'a>(config: &Config, tried: impl Iterator<Item = &'a Came>) -> Installation {
    let (client, signed_in) = match &config.identity {
        credential::Identity::Managed { client_id } | credential::Identity::Workload { client_id } => {
            (client_id.clone(), false)
        }
        credential::Identity::Cli => (None, true),
    };
    let mut identity = Identity { client, signed_in, object: None };
    for (_, failure) in tried.filter_map(Came::refusal) {
        identity.learn(failure);
    }
    Installation { role: config.role, identity }
}

fn settings(config: &Config, served: bool) -> SettingsSeen {
    let vault = |name: &str| config.vaults.iter().any(|vault| vault.name().as_str() == name);
    let hsms = config.hsm.hsms.iter().map(|hsm| hsm.name().to_string());
    let landing = config.hsm.landing.as_ref().map(|landing| landing.container().clone());
    let containers = [
        ("KEYVAULT_BACKUP_CONTAINER", &config.container),
        ("KEYVAULT_BACKUP_JOBS_CONTAINER", &config.jobs_container),
        ("KEYVAULT_BACKUP_HSM_CONTAINER", &landing),
    ];
    let same = |a: &Option<url::Url>, b: &Option<url::Url>| {
        let place =
            |url: &url::Url| (url.host_str().map(str::to_owned), url.path().trim_matches('/').to_owned());
        a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| place(a) == place(b))
    };
    let pairs = [(1, 0), (2, 0), (2, 1)];
    let shared = pairs.into_iter().filter(|(a, b)| same(containers[*a].1, containers[*b].1));
    SettingsSeen {
        sas: config.hsm.sas_settings(),
        twice: hsms.filter(|name| vault(name)).collect(),
        shared: shared.map(|(a, b)| (containers[a].0, containers[b].0)).collect(),
        unclear: unclear(config),
        untellable: config.notify.faults.clone(),
        guards: if served { guards(config) } else { GuardsSeen::default() },
    }
}

fn guards(config: &Config) -> GuardsSeen {
    GuardsSeen {
        platform_auth: Some(config.platform_auth),
        authentication_unset: config.authentication.is_none(),
        open_targets: open_targets(config),
    }
}

/// The vaults and HSMs of an app that restores, if every source may go into each.
fn open_targets(config: &Config) -> Vec<String> {
    if !config.role.restores() || config.pairs != Pairs::Every {
        return Vec::new();
    }
    config.vaults.iter().chain(&config.hsm.hsms).map(|target| target.name().to_string()).collect()
}

/// The schedules of nights that this app begins whose occurrences are not known, with the reason.
fn unclear(config: &Config) -> Vec<(&'static str, String)> {
    if !config.role.backs_up() {
        return Vec::new();
    }
    let why = |(timer, name, table): (Timer, &'static str, &Timetable)| {
        let begins = match timer {
            Timer::Vaults => !config.vaults.is_empty(),
            Timer::Hsms => !config.hsm.hsms.is_empty(),
        };
        match table {
            Timetable::Unclear(why) if begins => Some((name, why.to_string())),
            _ => None,
        }
    };
    config.schedules.each().into_iter().filter_map(why).collect()
}

/// Runs a try within its time limit.
async fn within<T>(tried: impl Future<Output = Result<T, ServiceError>>) -> Result<T, Came> {
    match timeout(TRY, tried).await {
        Ok(came) => came.map_err(cause::refused),
        Err(_) => Err(Came::Late(TRY.as_secs())),
    }
}

/// Runs a try within its time limit and drops its value.
async fn tried<T>(tried: impl Future<Output = Result<T, ServiceError>>) -> Came {
    within(tried).await.map_or_else(|came| came, |_| Came::Done)
}

/// Runs `ask` for each item, a few at a time.
async fn each<T, F: Future>(of: impl IntoIterator<Item = T>, ask: impl Fn(T) -> F) -> Vec<F::Output> {
    let (gate, ask) = (Semaphore::new(AT_ONCE), &ask);
    let all = of.into_iter().map(|item| {
        let gate = &gate;
        async move {
            let _turn = gate.acquire().await;
            ask(item).await
        }
    });
    futures::future::join_all(all).await
}

/// A random name that no object has.
fn absent_name() -> Option<ObjectName> {
    format!("preflight-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)).parse().ok()
}
