"""What the tests share: a channel to the server, and a failed call's details."""

import os
import unittest

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

ADDRESS = os.environ["PRISM_ADDRESS"]


class ServerTest(unittest.TestCase):
    """A test with a channel of its own."""

    def setUp(self):
        self.channel = grpc.insecure_channel(ADDRESS)
        self.addCleanup(self.channel.close)

    def assert_fails(self, code, reason, call, *arguments, fields=None, **named):
        """Asserts that a call fails with this code, reason and, if given, violated fields."""
        with self.assertRaises(grpc.RpcError) as caught:
            answer = call(*arguments, **named)
            if hasattr(answer, "__next__"):
                list(answer)
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        status = rpc_status.from_call(error)
        self.assertIsNotNone(status, "the status has no details")
        details = {detail.TypeName(): detail for detail in status.details}
        info = error_details_pb2.ErrorInfo()
        self.assertTrue(details["google.rpc.ErrorInfo"].Unpack(info))
        self.assertEqual((info.domain, info.reason), ("prism", reason), error.details())
        if fields is not None:
            request = error_details_pb2.BadRequest()
            self.assertTrue(details["google.rpc.BadRequest"].Unpack(request))
            found = [violation.field for violation in request.field_violations]
            self.assertEqual(found, fields)
        return error
