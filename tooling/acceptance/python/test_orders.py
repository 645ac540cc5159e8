"""Every method of the demo's OrderService."""

import grpc
from acme.orders.v1 import order_pb2, order_service_pb2_grpc
from acme.orders.v1 import order_service_pb2 as api
from google.protobuf import field_mask_pb2

from support import ServerTest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


class OrderTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.service = order_service_pb2_grpc.OrderServiceStub(self.channel)
        # Each test is a customer of its own.
        self.customer = self.id().rsplit(".", 1)[1]

    def create(self, **fields):
        order = order_pb2.Order(customer_id=self.customer, **fields)
        return self.service.CreateOrder(api.CreateOrderRequest(order=order))

    def key(self, order):
        return {"customer_id": order.customer_id, "order_id": order.order_id}

    def get(self, order, **named):
        return self.service.GetOrder(api.GetOrderRequest(**self.key(order), **named))

    def test_create_and_get(self):
        created = self.create(
            status=order_pb2.Order.STATUS_PLACED,
            line_items=[
                order_pb2.LineItem(
                    sku="tea",
                    quantity=2**32 - 1,
                    unit_price=order_pb2.Money(currency_code="EUR", cents=-(2**63)),
                )
            ],
            total=order_pb2.Money(currency_code="EUR", cents=995),
            shipping_address=order_pb2.Address(recipient="Ada", lines=["1 Square", ""]),
            card=order_pb2.Order.Card(last_four="4242", provider_token="t"),
            external_reference="r-1",
        )
        self.assertEqual(len(created.order_id), 36)
        self.assertEqual(created.WhichOneof("payment"), "card")
        self.assertFalse(created.HasField("note"))
        self.assertEqual(self.get(created), created)

    def test_both_parts_of_the_key_are_needed(self):
        created = self.create()
        for key, field in [
            ({"customer_id": self.customer}, "order_id"),
            ({"order_id": created.order_id}, "customer_id"),
        ]:
            request = api.GetOrderRequest(**key)
            self.assert_fails(
                INVALID, "INVALID_REQUEST", self.service.GetOrder, request, fields=[field]
            )
        other = api.GetOrderRequest(customer_id="somebody else", order_id=created.order_id)
        self.assert_fails(NOT_FOUND, "RECORD_NOT_FOUND", self.service.GetOrder, other)

    def test_batch_get(self):
        one, two = self.create(), self.create()
        keys = [api.OrderKey(**self.key(order)) for order in [two, one, two]]
        keys.insert(1, api.OrderKey(customer_id=self.customer, order_id="nothing"))
        answer = self.service.BatchGetOrders(api.BatchGetOrdersRequest(keys=keys))
        self.assertEqual(list(answer.orders), [two, one])

    def list(self, **named):
        request = api.ListOrdersRequest(customer_id=self.customer, **named)
        orders = []
        while True:
            page = self.service.ListOrders(request)
            orders += page.orders
            if not page.next_page_token:
                return orders
            request.page_token = page.next_page_token

    def test_list(self):
        placed, paid = order_pb2.Order.STATUS_PLACED, order_pb2.Order.STATUS_PAID
        created = [self.create(status=status) for status in [placed, paid, placed, paid, placed]]
        self.assertEqual(self.list(page_size=2), created)
        self.assertEqual(self.list(page_size=1, status=paid), [created[1], created[3]])
        newest = self.list(page_size=2, order_by="create_time desc")
        self.assertEqual(newest, created[::-1])
        since = self.list(created_since=created[2].create_time)
        self.assertEqual(sorted(order.order_id for order in since),
                         sorted(order.order_id for order in created[2:]))
        request = api.ListOrdersRequest(customer_id=self.customer, order_by="note")
        self.assert_fails(
            INVALID, "INVALID_REQUEST", self.service.ListOrders, request, fields=["order_by"]
        )

    def test_put(self):
        order = order_pb2.Order(
            customer_id=self.customer, order_id="mine", invoice_email="a@acme.example", note="n"
        )
        first = self.service.PutOrder(api.PutOrderRequest(order=order))
        self.assertEqual(first.WhichOneof("payment"), "invoice_email")
        order.voucher_code = "v"
        order.ClearField("note")
        second = self.service.PutOrder(api.PutOrderRequest(order=order))
        self.assertEqual(second.WhichOneof("payment"), "voucher_code")
        self.assertFalse(second.HasField("note"))
        self.assertEqual(second.create_time, first.create_time)
        self.assertEqual(self.get(second), second)
        without_key = api.PutOrderRequest(order=order_pb2.Order(customer_id=self.customer))
        self.assert_fails(INVALID, "INVALID_REQUEST", self.service.PutOrder, without_key)

    def update(self, paths, allow_missing=False, **fields):
        order = order_pb2.Order(customer_id=self.customer, **fields)
        mask = field_mask_pb2.FieldMask(paths=paths)
        return self.service.UpdateOrder(
            api.UpdateOrderRequest(order=order, update_mask=mask, allow_missing=allow_missing)
        )

    def test_update(self):
        created = self.create(note="n", card=order_pb2.Order.Card(last_four="4242"))
        updated = self.update(["voucher_code"], order_id=created.order_id, voucher_code="v")
        # One member of a oneof clears its siblings.
        self.assertEqual(updated.WhichOneof("payment"), "voucher_code")
        self.assertEqual(updated.note, "n")
        self.assertEqual(self.get(created), updated)
        whole = self.update(["*"], order_id=created.order_id, note="all")
        self.assertIsNone(whole.WhichOneof("payment"))

    def test_update_of_a_missing_order_can_create_it(self):
        made = self.update(["note"], allow_missing=True, order_id="new", note="n")
        self.assertEqual(self.get(made), made)

    def test_delete_and_undelete(self):
        created = self.create(external_reference="r-9")
        self.service.DeleteOrder(api.DeleteOrderRequest(**self.key(created)))
        hidden = api.GetOrderRequest(**self.key(created))
        self.assert_fails(NOT_FOUND, "RECORD_NOT_FOUND", self.service.GetOrder, hidden)
        self.assertEqual(self.list(), [])
        kept = self.get(created, show_deleted=True)
        self.assertTrue(kept.HasField("delete_time"))
        self.assertEqual(self.list(show_deleted=True), [kept])
        again = api.DeleteOrderRequest(**self.key(created))
        self.assert_fails(NOT_FOUND, "RECORD_NOT_FOUND", self.service.DeleteOrder, again)
        self.service.DeleteOrder(api.DeleteOrderRequest(**self.key(created), allow_missing=True))
        back = self.service.UndeleteOrder(api.UndeleteOrderRequest(**self.key(created)))
        self.assertFalse(back.HasField("delete_time"))
        self.assertEqual(self.get(created), back)
        live = api.UndeleteOrderRequest(**self.key(created))
        self.assert_fails(
            grpc.StatusCode.ALREADY_EXISTS, "RECORD_EXISTS", self.service.UndeleteOrder, live
        )

    def test_a_stale_etag_deletes_nothing(self):
        created = self.create()
        stale = api.DeleteOrderRequest(**self.key(created), etag="stale")
        self.assert_fails(
            grpc.StatusCode.ABORTED, "ETAG_MISMATCH", self.service.DeleteOrder, stale
        )
        self.assertEqual(self.get(created), created)

    def test_a_custom_method_is_left_to_a_service_of_ones_own(self):
        request = api.CancelOrderRequest(customer_id=self.customer, order_id="1")
        self.assert_fails(
            grpc.StatusCode.UNIMPLEMENTED,
            "METHOD_UNIMPLEMENTED",
            self.service.CancelOrder,
            request,
        )
