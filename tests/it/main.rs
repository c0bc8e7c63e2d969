//! Behaviour, through the real binary: the emulated Azure on one side, the player of the Functions host on
//! the other.

#![expect(unreachable_pub, reason = "one crate; nothing outside it sees its items")]

mod world;

mod cli;
mod nightly;
