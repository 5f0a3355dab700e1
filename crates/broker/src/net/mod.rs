//! Sockets: frames in, answers out, in order.

mod connection;
mod frame;
mod places;
mod send;
mod server;
mod workers;

pub(crate) use server::serve;
pub(crate) use workers::Workers;
