"""Every method of KeyValueService, its errors included."""

import time

import grpc
from prism.common import errors_pb2
from prism.keyvalue.v1 import keyvalue_pb2_grpc, types_pb2

from support import ServerTest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
REQUEST = "INVALID_REQUEST"


def items(**values):
    return [types_pb2.Item(key=key.encode(), value=value) for key, value in values.items()]


class KeyValueTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.service = keyvalue_pb2_grpc.KeyValueServiceStub(self.channel)
        # Each test has a namespace of its own.
        self.namespace = self.id().rsplit(".", 1)[1].replace("_", "-")[:63].rstrip("-")

    def put(self, id, token=0, **values):
        return self.service.Put(
            types_pb2.PutRequest(
                namespace=self.namespace,
                id=id,
                items=items(**values),
                item_priority_token=token,
            )
        )

    def get(self, id, **named):
        request = types_pb2.GetRequest(namespace=self.namespace, id=id, **named)
        return self.service.Get(request)

    def values(self, id, **named):
        return {item.key.decode(): item.value for item in self.get(id, **named).items}

    def test_put_and_get(self):
        before = time.time()
        self.assertTrue(self.put("1", b=b"2", a=b"\x00\xff").success)
        answer = self.get("1")
        self.assertEqual([item.key for item in answer.items], [b"a", b"b"])
        self.assertEqual([item.value for item in answer.items], [b"\x00\xff", b"2"])
        self.assertEqual(answer.next_page_token, b"")
        created = answer.items[0].metadata.created_at_millis / 1000
        self.assertGreater(created, before - 60)
        self.assertLess(created, time.time() + 60)

    def test_get_of_nothing_is_empty(self):
        self.assertEqual(self.values("1"), {})

    def test_predicates(self):
        self.put("1", a=b"1", b=b"2", c=b"3", d=b"4")
        keys = types_pb2.KeyPredicate(match_keys=types_pb2.MatchKeys(keys=[b"d", b"a", b"x", b"a"]))
        self.assertEqual(self.values("1", predicate=keys), {"a": b"1", "d": b"4"})
        part = types_pb2.MatchRange(start_key=b"b", end_key=b"d")
        middle = types_pb2.KeyPredicate(match_range=part)
        self.assertEqual(self.values("1", predicate=middle), {"b": b"2", "c": b"3"})
        whole = types_pb2.KeyPredicate(match_all=types_pb2.MatchAll())
        self.assertEqual(len(self.values("1", predicate=whole)), 4)
        request = types_pb2.GetRequest(
            namespace=self.namespace, id="1", predicate=types_pb2.KeyPredicate()
        )
        self.assert_fails(INVALID, REQUEST, self.service.Get, request)

    def test_pages(self):
        self.put("1", **{f"k{number}": b"v" for number in range(5)})
        first = self.get("1", limit=2)
        self.assertEqual(len(first.items), 2)
        self.assertNotEqual(first.next_page_token, b"")
        rest = self.get("1", limit=3, page_token=first.next_page_token)
        self.assertEqual([item.key for item in rest.items], [b"k2", b"k3", b"k4"])
        self.assertEqual(rest.next_page_token, b"")

    def test_page_tokens_are_sealed(self):
        self.put("1", a=b"1", b=b"2")
        token = self.get("1", limit=1).next_page_token
        broken = bytes([token[0] ^ 1]) + token[1:]
        for forged in [broken, token[:-1], b"x"]:
            request = types_pb2.GetRequest(
                namespace=self.namespace, id="1", limit=1, page_token=forged
            )
            self.assert_fails(INVALID, "PAGE_TOKEN_INVALID", self.service.Get, request)
        # Of another request, and of another method.
        other = types_pb2.GetRequest(namespace=self.namespace, id="2", page_token=token)
        self.assert_fails(INVALID, "PAGE_TOKEN_INVALID", self.service.Get, other)
        scan = types_pb2.ScanRequest(namespace=self.namespace, page_token=token)
        self.assert_fails(INVALID, "PAGE_TOKEN_INVALID", self.service.Scan, scan)

    def test_the_larger_token_wins(self):
        now = int(time.time() * 1_000_000)
        self.put("1", token=now, a=b"new")
        self.assertTrue(self.put("1", token=now - 1_000_000, a=b"old").success)
        self.assertEqual(self.values("1"), {"a": b"new"})
        self.put("1", token=now + 1, a=b"newer")
        self.assertEqual(self.values("1"), {"a": b"newer"})

    def test_tokens_out_of_range(self):
        now = int(time.time() * 1_000_000)
        for token in [now + 3_600_000_000, 1]:
            request = types_pb2.PutRequest(
                namespace=self.namespace,
                id="1",
                items=items(a=b"1"),
                item_priority_token=token,
            )
            self.assert_fails(
                INVALID, "PRIORITY_TOKEN_OUT_OF_RANGE", self.service.Put, request
            )

    def test_put_batch(self):
        writes = [
            types_pb2.RecordWrite(id="1", items=items(a=b"1")),
            types_pb2.RecordWrite(id="2", items=[]),
            types_pb2.RecordWrite(id="3", items=items(a=b"3")),
        ]
        answer = self.service.PutBatch(
            types_pb2.PutBatchRequest(namespace=self.namespace, writes=writes)
        )
        self.assertEqual([result.success for result in answer.results], [True, False, True])
        error = answer.results[1].error
        self.assertEqual(error.reason, errors_pb2.ERROR_REASON_INVALID_REQUEST)
        self.assertEqual(error.field, "items")
        self.assertEqual(self.values("3"), {"a": b"3"})
        twice = types_pb2.PutBatchRequest(namespace=self.namespace, writes=[writes[0], writes[0]])
        self.assert_fails(INVALID, REQUEST, self.service.PutBatch, twice)

    def test_delete(self):
        self.put("1", a=b"1", b=b"2", c=b"3")
        some = types_pb2.DeleteRequest(namespace=self.namespace, id="1", keys=[b"a", b"x"])
        answer = self.service.Delete(some)
        self.assertTrue(answer.success)
        self.assertEqual(answer.deleted_count, 1)
        self.assertEqual(self.values("1"), {"b": b"2", "c": b"3"})
        rest = types_pb2.DeleteRequest(
            namespace=self.namespace,
            id="1",
            predicate=types_pb2.KeyPredicate(match_all=types_pb2.MatchAll()),
        )
        self.assertEqual(self.service.Delete(rest).deleted_count, 2)
        self.assertEqual(self.values("1"), {})
        neither = types_pb2.DeleteRequest(namespace=self.namespace, id="1")
        self.assert_fails(INVALID, REQUEST, self.service.Delete, neither)

    def test_a_late_put_does_not_bring_an_item_back(self):
        now = int(time.time() * 1_000_000)
        self.service.Delete(
            types_pb2.DeleteRequest(
                namespace=self.namespace, id="1", keys=[b"a"], item_priority_token=now
            )
        )
        self.put("1", token=now, a=b"late")
        self.assertEqual(self.values("1"), {})

    def test_scan(self):
        for id in ["1", "2", "3"]:
            self.put(id, a=b"1", b=b"2")
        responses = list(self.service.Scan(types_pb2.ScanRequest(namespace=self.namespace)))
        scanned = [(item.id, item.item.key) for one in responses for item in one.items]
        self.assertEqual(len(scanned), 6)
        self.assertEqual(len(set(scanned)), 6)
        self.assertEqual(responses[-1].next_page_token, b"")
        record = types_pb2.ScanRequest(namespace=self.namespace, id="2")
        keys = [item.item.key for one in self.service.Scan(record) for item in one.items]
        self.assertEqual(keys, [b"a", b"b"])

    def test_a_scan_goes_on_where_another_ended(self):
        for id in ["1", "2", "3"]:
            self.put(id, a=b"1", b=b"2")
        limited = types_pb2.ScanRequest(namespace=self.namespace, limit=4)
        first = list(self.service.Scan(limited))
        seen = [(item.id, item.item.key) for one in first for item in one.items]
        self.assertEqual(len(seen), 4)
        token = first[-1].next_page_token
        self.assertNotEqual(token, b"")
        rest = types_pb2.ScanRequest(namespace=self.namespace, page_token=token)
        seen += [(item.id, item.item.key) for one in self.service.Scan(rest) for item in one.items]
        self.assertEqual(len(set(seen)), 6)
        self.assertEqual(len(seen), 6)

    def test_compare_and_swap(self):
        def swap(**named):
            return self.service.CompareAndSwap(
                types_pb2.CompareAndSwapRequest(
                    namespace=self.namespace, id="1", key=b"a", **named
                )
            )

        self.assertTrue(swap(new_value=b"1").success)
        refused = swap(new_value=b"2")
        self.assertFalse(refused.success)
        self.assertEqual(refused.actual_value, b"1")
        wrong = swap(old_value=b"9", new_value=b"2")
        self.assertFalse(wrong.success)
        self.assertTrue(swap(old_value=b"1", new_value=b"2").success)
        self.assertEqual(self.values("1"), {"a": b"2"})
        self.assertTrue(swap(old_value=b"2").success)
        self.assertEqual(self.values("1"), {})
        gone = swap(old_value=b"2", new_value=b"3")
        self.assertFalse(gone.success)
        self.assertFalse(gone.HasField("actual_value"))

    def test_limits_are_field_violations(self):
        def put(namespace=self.namespace, id="1", key=b"a", value=b"1", **named):
            return types_pb2.PutRequest(
                namespace=namespace, id=id, items=[types_pb2.Item(key=key, value=value)], **named
            )

        for request, fields in [
            (put(namespace="Upper"), ["namespace"]),
            (put(namespace=""), ["namespace"]),
            (put(id=""), ["id"]),
        ]:
            self.assert_fails(INVALID, REQUEST, self.service.Put, request, fields=fields)
        for request, fields in [
            (put(id="i" * 513), ["id"]),
            (put(key=bytes(1025)), ["items[0].key"]),
            (put(value=bytes((1 << 20) + 1)), ["items[0].value"]),
        ]:
            self.assert_fails(INVALID, "VALUE_TOO_LARGE", self.service.Put, request, fields=fields)
        self.assertTrue(self.service.Put(put(value=bytes(1 << 20))).success)
        negative = types_pb2.GetRequest(namespace=self.namespace, id="1", limit=-1)
        self.assert_fails(INVALID, REQUEST, self.service.Get, negative, fields=["limit"])
