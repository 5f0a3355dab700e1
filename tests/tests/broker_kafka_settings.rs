//! Settings of Kafka's brokers that have no effect here are stored, returned, and kept over a
//! restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use klamm_broker::testing::TestBroker;
use klamm_broker::{Broker, BrokerConfig, LogLevels, Settings};
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_tests::admin::{BROKER, set, value};
use klamm_tests::client::Client;
use tracing::level_filters::LevelFilter;

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;

fn described(client: &mut Client, broker: &str, key: &str) -> Option<DescribeConfigsResourceResult> {
    let resource = DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: broker.into(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        ..DescribeConfigsRequest::default()
    };
    let results = client.call(&request, 4).results;
    results[0].configs.iter().find(|config| &*config.name == key).cloned()
}

#[test]
fn a_dynamic_setting_without_effect_is_stored_and_returned() {
    let mut broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    assert!(described(&mut client, "", "background.threads").is_none());
    for (name, key, value) in [("", "background.threads", "12"), ("1", "ssl.keystore.password", "secret")] {
        assert_eq!(set(&mut client, BROKER, name, key, Some(value)), (0, String::new()), "{key}");
    }
    broker.restart().unwrap();
    let mut client = Client::connect(broker.running());
    for name in ["", "1"] {
        let threads = described(&mut client, name, "background.threads").unwrap();
        assert_eq!((threads.value.as_deref(), threads.read_only), (Some("12"), false));
    }
    let password = described(&mut client, "1", "ssl.keystore.password").unwrap();
    assert!(password.is_sensitive && password.value.is_none());
    assert!(password.synonyms.iter().all(|synonym| synonym.value.is_none()), "a secret is never returned");
    assert_eq!(set(&mut client, BROKER, "", "background.threads", None), (0, String::new()));
    assert!(described(&mut client, "", "background.threads").is_none());
}

#[test]
fn a_setting_of_the_file_is_returned_with_its_default() {
    let settings = Settings::default().flag("num.replica.fetchers", "4");
    let given = settings.resolve().unwrap().without_effect;
    let config = BrokerConfig { without_effect: given, ..BrokerConfig::for_test() };
    let broker = TestBroker::start_with(config).unwrap();
    let fetchers = described(&mut Client::connect(broker.running()), "1", "num.replica.fetchers").unwrap();
    assert_eq!(fetchers.value.as_deref(), Some("4"));
    let synonyms = fetchers.synonyms.iter().map(|synonym| synonym.value.as_deref());
    assert_eq!(synonyms.collect::<Vec<_>>(), [Some("4"), Some("1")]);
}

#[test]
fn a_subscription_to_client_metrics_is_stored_listed_and_removed() {
    let mut broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    let subscriptions = |client: &mut Client| {
        let request = ListConfigResourcesRequest { resource_types: vec![CLIENT_METRICS] };
        let found = client.call(&request, 1).config_resources;
        found.into_iter().map(|resource| resource.resource_name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(set(&mut client, CLIENT_METRICS, "mine", "interval.ms", Some("60000")), (0, String::new()));
    assert_eq!(set(&mut client, CLIENT_METRICS, "mine", "interval.ms", Some("1")).0, 40);
    assert_eq!(set(&mut client, CLIENT_METRICS, "", "interval.ms", Some("60000")).0, 42);
    broker.restart().unwrap();
    let mut client = Client::connect(broker.running());
    assert_eq!(subscriptions(&mut client), ["mine"]);
    assert_eq!(value(&mut client, CLIENT_METRICS, "mine", "interval.ms"), ("60000".to_owned(), 7));
    assert_eq!(value(&mut client, CLIENT_METRICS, "mine", "metrics"), (String::new(), 5));
    assert_eq!(set(&mut client, CLIENT_METRICS, "mine", "interval.ms", None), (0, String::new()));
    assert!(subscriptions(&mut client).is_empty());
}

#[test]
fn levels_of_the_log_change_while_the_broker_runs() {
    let applied = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&applied);
    let levels = LogLevels::new(LevelFilter::INFO, move |levels| *seen.lock().unwrap() = levels.clone());
    let broker = Broker::start_with_log_levels(BrokerConfig::for_test(), levels).unwrap();
    let mut client = Client::connect(&broker);
    let level = |client: &mut Client| value(client, BROKER_LOGGER, "1", "klamm_broker.groups").0;
    assert_eq!(level(&mut client), "INFO");
    assert_eq!(set(&mut client, BROKER_LOGGER, "1", "klamm_broker", Some("DEBUG")), (0, String::new()));
    assert_eq!(level(&mut client), "DEBUG");
    assert_eq!(applied.lock().unwrap().get("klamm_broker"), Some(&LevelFilter::DEBUG));
    let unknown = set(&mut client, BROKER_LOGGER, "1", "kafka", Some("DEBUG"));
    assert_eq!(unknown, (40, "Logger kafka does not exist!".to_owned()));
    assert_eq!(set(&mut client, BROKER_LOGGER, "2", "root", Some("DEBUG")).0, 42);
    let fixed = TestBroker::start().unwrap();
    assert_eq!(set(&mut Client::connect(fixed.running()), BROKER_LOGGER, "1", "root", Some("WARN")).0, 42);
}
