//! What a broker takes that has nothing to do, beside Kafka.

use crate::beside;
use crate::load::Client;
use crate::node::Node;

const CONNECTIONS: usize = 1000;

pub(crate) fn run(nodes: &mut [Node]) {
    println!(
        "\n| memory | Klamm | Kafka | ratio | Klamm, with 1,000 partitions | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    for node in nodes.iter() {
        Client::connect(node.address).create("many", 1000);
    }
    // Memory that connections have left is used again: only the first round tells.
    beside("an idle connection, KiB; the process, MiB", ["", ""], nodes, 1, |node| {
        let before = node.resident();
        let clients: Vec<Client> = (0..CONNECTIONS)
            .map(|_| {
                let mut client = Client::connect(node.address);
                client.send(&crate::load::fetch_frame("many", 0, 1, 0));
                client.receive();
                client
            })
            .collect();
        let each = (node.resident() - before) / CONNECTIONS as f64;
        drop(clients);
        [each, before / 1024.0]
    });
    for node in nodes.iter() {
        println!("{:?}: ready after {:.0} ms", node.which, node.ready.as_secs_f64() * 1e3);
    }
}
