//! How much is measured.

/// Numbers of objects and repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Objects of a run that is measured for speed.
    pub speed: usize,
    /// Pairs of runs, product and bare client; the median pair counts.
    pub pairs: usize,
    /// The same where nothing waits: who else uses the processors shows most there.
    pub busy_pairs: usize,
    /// Objects of the vault that does not change.
    pub night: usize,
    /// Objects of the vault with a limit.
    pub pace: usize,
    /// Objects of the small and of the large vault.
    pub memory: [usize; 2],
    /// Objects of a restore that is measured for speed.
    pub restore: usize,
    /// Secrets of a restore that is measured for its pace.
    pub restore_pace: usize,
    /// Secrets, keys and certificates of a vault that is restored at the pace of each.
    pub restore_mix: [usize; 3],
    /// Secrets, keys and certificates of a vault that is drilled.
    pub drill: [usize; 3],
    /// Objects of the small and of the large restore.
    pub restore_memory: [usize; 2],
    /// Starts of the program.
    pub starts: usize,
    /// Vaults of an installation, and objects of each.
    pub status: [usize; 2],
    /// Requests for its status.
    pub statuses: usize,
    /// Vaults of an installation of which a page tells, and objects of each.
    pub told: [usize; 2],
    /// Nights of a vault, and its objects.
    pub retention: [usize; 2],
    /// Nights of a vault that is verified, and its objects.
    pub verification: [usize; 2],
    /// Nights of a vault that is copied, and its objects.
    pub second: [usize; 2],
}

impl Size {
    /// What docs/performance.md holds.
    pub const FULL: Self = Self {
        speed: 4000,
        pairs: 5,
        busy_pairs: 9,
        night: 5000,
        pace: 6000,
        memory: [1000, 25_000],
        restore: 5000,
        restore_pace: 900,
        restore_mix: [1000, 100, 100],
        drill: [800, 120, 80],
        restore_memory: [500, 5000],
        starts: 20,
        status: [100, 1000],
        told: [200, 500],
        statuses: 5,
        retention: [1095, 25_000],
        verification: [90, 25_000],
        second: [90, 25_000],
    };

    /// A minute's worth.
    pub const QUICK: Self = Self {
        speed: 400,
        pairs: 1,
        busy_pairs: 1,
        night: 1000,
        pace: 800,
        memory: [250, 1000],
        restore: 500,
        restore_pace: 150,
        restore_mix: [150, 15, 15],
        drill: [80, 12, 8],
        restore_memory: [250, 1000],
        starts: 5,
        status: [10, 200],
        told: [10, 100],
        statuses: 1,
        retention: [100, 1000],
        verification: [30, 1000],
        second: [30, 1000],
    };
}
