//! Sockets: frames in, answers out, in order.

mod buffer;
mod connection;
mod frame;
mod memory;
mod places;
mod send;
mod server;
mod threads;
mod workers;

pub(crate) use memory::Share;
pub(crate) use server::Server;
pub(crate) use workers::{COMMANDS, Lane};
