//! Sockets: frames in, answers out, in order.

mod connection;
mod frame;
mod memory;
mod places;
mod send;
mod server;
mod threads;
mod workers;

pub(crate) use server::serve;
pub(crate) use workers::Lane;
