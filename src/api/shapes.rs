//! The wire forms: requests as they are decoded, and answers as they are encoded.
//!
//! Shapes stand apart from the stored formats, so that neither binds the other. They import the domain, the results
//! of use cases and errors, and no handler.

pub mod actor;
pub mod approval;
pub mod backup;
pub mod backup_request;
pub mod drill;
pub mod evidence;
pub mod failure;
pub mod field;
pub mod hsm;
pub mod job;
pub mod links;
pub mod location;
pub mod loss;
pub mod named;
pub mod notices;
pub mod object;
pub mod page;
pub mod plan;
pub mod plan_request;
pub mod preflight;
pub mod problem;
pub mod restore;
pub mod retention;
pub mod run;
pub mod source;
pub mod state;
pub mod status;
pub mod terminal;
pub mod wait;
