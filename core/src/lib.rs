//! Every decision of Wakegate, and nothing else: no I/O, no async, no clock, no log.
//!
//! A filter VM is a [`Worker`]: it looks requests up in a [`RouteTable`], keeps a [`Gate`] for every
//! backend and counts in [`Demand`]. The scaler merges the reports of all workers in a [`Ledger`] and
//! asks [`scale`] what KEDA is to be told. Time comes in as an argument, always a `Duration` since an
//! epoch that the caller chooses; answers go out as enums that the edge carries out.

mod backend;
mod demand;
mod gate;
mod policy;
mod regex;
mod report;
mod route;
mod table;
mod update;

pub use self::backend::{Backend, BackendId, Key};
pub use self::demand::{Demand, Totals};
pub use self::gate::{
    Answered, Gate, GateAction, GateState, Held, Loss, ProbeOutcome, RequestId,
};
pub use self::policy::{ColdStartHeader, NoWake, NoWakeMatch, Policy};
pub use self::regex::{Regex, RegexError};
pub use self::report::{Instance, KeyReport, Report};
pub use self::route::{
    HeaderMatch, HostMatch, PathMatch, QueryMatch, Route, RouteId, Target, ValueMatch,
};
pub use self::table::{Finding, RequestHead, RouteTable, Unreachable};
pub use self::update::TableUpdate;
