"""What every gRPC server offers: health, reflection, and errors of the protocol itself."""

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from support import ServerTest

SERVICE = "prism.keyvalue.v1.KeyValueService"


class HealthTest(ServerTest):
    def test_the_server_and_its_services_are_serving(self):
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ["", SERVICE]:
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_an_unknown_service_is_not_found(self):
        health = health_pb2_grpc.HealthStub(self.channel)
        with self.assertRaises(grpc.RpcError) as caught:
            health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_watch_tells_the_present_state_first(self):
        health = health_pb2_grpc.HealthStub(self.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()


class ReflectionTest(ServerTest):
    def test_services_and_their_messages_can_be_read(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertIn(SERVICE, database.get_services())
        pool = DescriptorPool(database)
        service = pool.FindServiceByName(SERVICE)
        methods = [method.name for method in service.methods]
        self.assertEqual(
            methods, ["Put", "PutBatch", "Get", "Delete", "Scan", "CompareAndSwap"]
        )
        self.assertEqual(pool.FindExtensionByName("prism.method").number, 77476)
        for detail in ["ErrorInfo", "BadRequest", "RetryInfo"]:
            self.assertTrue(pool.FindMessageTypeByName(f"google.rpc.{detail}").fields)


class ProtocolErrorTest(ServerTest):
    def raw(self, method):
        return self.channel.unary_unary(f"/{SERVICE}/{method}", lambda it: it, lambda it: it)

    def test_an_unknown_method_is_unimplemented(self):
        for path in [f"/{SERVICE}/Nothing", "/no.such.Service/Nothing"]:
            call = self.channel.unary_unary(path, lambda it: it, lambda it: it)
            self.assert_fails(
                grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNIMPLEMENTED", call, b""
            )

    def test_a_message_that_cannot_be_decoded_is_invalid(self):
        self.assert_fails(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", self.raw("Get"), b"\x0a\xff"
        )

    def test_a_string_that_is_not_utf8_is_invalid(self):
        self.assert_fails(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", self.raw("Get"), b"\x0a\x01\xff"
        )

    def test_an_unknown_field_is_refused(self):
        # Field 99 of a GetRequest, then field 99 of its predicate.
        for request in [b"\x98\x06\x01", b"\x1a\x03\x98\x06\x01"]:
            self.assert_fails(
                grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_FIELD", self.raw("Get"), request
            )

    def test_a_message_over_the_limit_is_refused(self):
        self.assert_fails(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "VALUE_TOO_LARGE",
            self.raw("Put"),
            bytes(5 << 20),
        )
