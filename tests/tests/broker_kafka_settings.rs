//! Settings of Kafka's brokers that have no effect here are stored, returned, and kept over a restart.

use klamm_broker::testing::TestBroker;
use klamm_broker::{BrokerConfig, Settings};
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use klamm_tests::admin::{BROKER, set};
use klamm_tests::client::Client;

fn described(client: &mut Client, broker: &str, key: &str) -> Option<DescribeConfigsResourceResult> {
    let resource = DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: broker.into(),
        configuration_keys: None,
        ..DescribeConfigsResource::default()
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
