//! What an administrator asks of a broker.

use klamm_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use klamm_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::client::Client;

/// Resource type of a topic.
pub const TOPIC: i8 = 2;
/// Resource type of a broker.
pub const BROKER: i8 = 4;
/// Resource type of a group.
pub const GROUP: i8 = 32;

/// An error code, and words for people.
pub type Told = (i16, String);

/// Creates a topic with these settings.
///
/// # Panics
/// When the broker does not answer.
pub fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Told {
    let configs = configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig { name: (*name).into(), value: Some((*value).into()) });
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    let result = client.call(&request, 7).topics[0].clone();
    (result.error_code, words(result.error_message.as_ref()))
}

/// Sets a setting, or takes it away.
///
/// # Panics
/// When the broker does not answer.
pub fn set(client: &mut Client, kind: i8, name: &str, key: &str, value: Option<&str>) -> Told {
    alter(client, kind, name, &[(key, if value.is_some() { 0 } else { 1 }, value)])
}

/// Alters settings: key, operation, value.
///
/// # Panics
/// When the broker does not answer.
pub fn alter(client: &mut Client, kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> Told {
    let configs = changes.iter().map(|(key, operation, value)| AlterableConfig {
        name: (*key).into(),
        config_operation: *operation,
        value: value.map(Into::into),
    });
    let resource =
        AlterConfigsResource { resource_type: kind, resource_name: name.into(), configs: configs.collect() };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let result = client.call(&request, 1).responses[0].clone();
    (result.error_code, words(result.error_message.as_ref()))
}

/// The settings of a topic or a broker, those that are named or all.
///
/// # Panics
/// When the broker refuses.
pub fn describe(
    client: &mut Client,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> Vec<DescribeConfigsResourceResult> {
    let keys = keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
    let resource =
        DescribeConfigsResource { resource_type: kind, resource_name: name.into(), configuration_keys: keys };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let result = client.call(&request, 4).results[0].clone();
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    result.configs
}

/// A setting's value and who gave it.
///
/// # Panics
/// When the broker does not have it.
pub fn value(client: &mut Client, kind: i8, name: &str, key: &str) -> (String, i8) {
    let entry = describe(client, kind, name, Some(&[key])).pop().expect("a setting that there is");
    (entry.value.expect("a value").to_string(), entry.config_source)
}

fn words(text: Option<&klamm_protocol::ByteString>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}
