//! `grpc.reflection`, v1 and v1alpha.
//! <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>

use prost::Message;
use prost_types::FileDescriptorSet;
use tonic_reflection::server::Builder;

use super::Foreign;
use super::listener::StartError;

/// The names of the services themselves.
pub(super) const NAMES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Where tonic's descriptors of `google.rpc` have their files, and where everybody else has them.
const FILES: [(&str, &str); 2] = [
    ("error_details.proto", "google/rpc/error_details.proto"),
    ("status.proto", "google/rpc/status.proto"),
];

/// Both versions, over all descriptor sets, and over the messages that errors carry as details,
/// which clients look up by name to show them. A file that is in several is taken once. `served`
/// are the services that are listed: descriptors may hold others, which nobody answers.
pub(super) fn services(
    sets: &[&'static [u8]],
    served: &[&str],
) -> Result<[Foreign; 2], StartError> {
    let details = error_details()?;
    let builder = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(
                tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            )
            .register_file_descriptor_set(details.clone())
            .include_reflection_service(false);
        let builder = sets
            .iter()
            .fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set));
        let names = served.iter().chain(&NAMES);
        names.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let wrong = |error| StartError::new(format!("the descriptors cannot be reflected: {error}"));
    let method = |service: &str| format!("/{service}/ServerReflectionInfo");
    Ok([
        Foreign::new(method(NAMES[0]), builder().build_v1().map_err(wrong)?),
        Foreign::new(method(NAMES[1]), builder().build_v1alpha().map_err(wrong)?),
    ])
}

/// The files of `google.rpc`, under the names that a schema imports them by: where it does, its
/// own are served.
fn error_details() -> Result<FileDescriptorSet, StartError> {
    let mut set = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .map_err(|error| StartError::new(format!("the descriptors of google.rpc: {error}")))?;
    for file in &mut set.file {
        if let Some((_, name)) = FILES.iter().find(|(name, _)| *name == file.name()) {
            file.name = Some((*name).to_owned());
        }
    }
    Ok(set)
}
