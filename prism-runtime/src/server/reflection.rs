//! `grpc.reflection`, v1 and v1alpha.
//! <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>

use tonic_reflection::server::Builder;

use super::Foreign;
use super::listener::StartError;

/// Both versions, over all descriptor sets. A file that is in several is taken once.
pub(super) fn services(sets: &[&'static [u8]]) -> Result<[(&'static str, Foreign); 2], StartError> {
    let builder = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(
                tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            )
            .include_reflection_service(false);
        sets.iter().fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set))
    };
    let wrong = |error| StartError::new(format!("the descriptors cannot be reflected: {error}"));
    Ok([
        ("grpc.reflection.v1.ServerReflection", Foreign::new(builder().build_v1().map_err(wrong)?)),
        (
            "grpc.reflection.v1alpha.ServerReflection",
            Foreign::new(builder().build_v1alpha().map_err(wrong)?),
        ),
    ])
}
