"""Calls that go on while the proxy replaces their connections."""

import threading
import time
import unittest

import grpc
from prism.keyvalue.v1 import keyvalue_pb2_grpc, types_pb2

from support import ADDRESS

SECONDS = 6
CALLERS = 4


class Connections(unittest.TestCase):
    def test_no_call_is_lost(self):
        errors = []
        made = [0] * CALLERS

        def call(caller, kv, end):
            while time.monotonic() < end:
                id = f"{caller}-{made[caller]}"
                item = types_pb2.Item(key=b"k", value=id.encode())
                try:
                    kv.Put(types_pb2.PutRequest(namespace="aging", id=id, items=[item]), timeout=20)
                    answer = kv.Get(types_pb2.GetRequest(namespace="aging", id=id), timeout=20)
                    if [item.value for item in answer.items] != [id.encode()]:
                        errors.append(f"{id}: {answer}")
                except grpc.RpcError as error:
                    errors.append(f"{id}: {error}")
                made[caller] += 1

        with grpc.insecure_channel(ADDRESS) as channel:
            kv = keyvalue_pb2_grpc.KeyValueServiceStub(channel)
            end = time.monotonic() + SECONDS
            threads = [threading.Thread(target=call, args=(n, kv, end)) for n in range(CALLERS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(errors, [])
        self.assertTrue(all(made), made)


if __name__ == "__main__":
    unittest.main()
