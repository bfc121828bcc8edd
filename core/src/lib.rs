//! Every decision of Wakegate, and nothing else: no I/O, no async, no clock, no log.
//!
//! A filter VM is a [`Worker`]: it looks requests up in a [`RouteTable`], keeps a [`Gate`] for every
//! backend and counts in [`Demand`]. The scaler merges the reports of all workers in a [`Ledger`] and
//! asks [`scale()`] what KEDA is to be told. Time comes in as an argument, always a `Duration` since an
//! epoch that the caller chooses; answers go out as enums that the edge carries out.

mod answer;
mod authority;
mod backend;
mod clock;
mod demand;
mod gate;
mod hash;
mod ledger;
mod link;
mod places;
mod policy;
mod regex;
mod report;
mod reporter;
mod roll;
mod route;
mod scale;
mod table;
mod update;
mod worker;

pub use self::answer::{Answer, Parts, Reason, Rendered, StaticReply};
pub use self::authority::authority;
pub use self::backend::{Backend, BackendId, Key};
pub use self::clock::Clock;
pub use self::demand::{Demand, Totals};
pub use self::gate::{Answered, Gate, GateAction, GateState, Held, Loss, ProbeOutcome, RequestId};
pub use self::ledger::{
    Aged, Applied, InFlight, Ledger, LedgerError, Page, PageCount, PeerId, PeerLoss, Peers, Sample,
};
pub use self::link::{Link, LinkAction};
pub use self::policy::{
    Body, ColdStartHeader, File, NoWake, NoWakeMatch, Placeholder, Policy, RequestMatch,
    StaticAnswer, StaticAnswerError, StaticRoute,
};
pub use self::regex::{Regex, RegexError};
pub use self::report::{Instance, KeyReport, Report};
pub use self::reporter::Reporter;
pub use self::roll::sign_roll;
pub use self::route::{
    HeaderMatch, HostMatch, PathMatch, QueryMatch, Route, RouteId, Target, ValueMatch,
};
pub use self::scale::{
    Alias, Book, BookError, Metric, Push, Question, Reading, Say, Scale, TRIGGER_KINDS, Targets,
    Unknown, View, Workload, active_window, scale,
};
pub use self::table::{Finding, RequestHead, RouteTable, Unreachable};
pub use self::update::TableUpdate;
pub use self::worker::{
    Action, Decision, Limits, Look, Marks, Request, ResponseFlags, Tally, TimeLeft, Worker,
};
