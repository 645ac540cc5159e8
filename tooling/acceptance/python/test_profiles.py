"""Every method of the demo's ProfileService."""

import time

import grpc
from acme.profiles.v1 import profile_service_pb2 as api
from acme.profiles.v1 import profile_service_pb2_grpc, user_profile_pb2
from google.protobuf import field_mask_pb2, timestamp_pb2

from support import ServerTest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


class ProfileTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.service = profile_service_pb2_grpc.ProfileServiceStub(self.channel)
        self.name = self.id().rsplit(".", 1)[1]

    def create(self, number=1, **fields):
        fields.setdefault("email", f"{self.name}-{number}@acme.example")
        profile = user_profile_pb2.UserProfile(**fields)
        return self.service.CreateUserProfile(api.CreateUserProfileRequest(user_profile=profile))

    def get(self, user_id):
        return self.service.GetUserProfile(api.GetUserProfileRequest(user_id=user_id))

    def assert_gone(self, user_id):
        request = api.GetUserProfileRequest(user_id=user_id)
        self.assert_fails(
            NOT_FOUND, "RECORD_NOT_FOUND", self.service.GetUserProfile, request
        )

    def test_create_and_get(self):
        created = self.create(
            display_name="Ada",
            phone="",
            country_code="GB",
            state=user_profile_pb2.ACCOUNT_STATE_ACTIVE,
            settings=user_profile_pb2.Settings(
                language="en-GB", theme=user_profile_pb2.THEME_DARK, subscriptions=["a", "b"]
            ),
            labels={"tier": "gold", "": "empty"},
            recovery_phrase="correct horse",
            signup_source="friends",
        )
        self.assertEqual(len(created.user_id), 36)
        self.assertNotEqual(created.etag, "")
        self.assertEqual(created.create_time, created.update_time)
        self.assertLess(abs(created.create_time.seconds - time.time()), 60)
        found = self.get(created.user_id)
        self.assertEqual(found, created)
        self.assertEqual(found.recovery_phrase, "")
        self.assertTrue(found.HasField("phone"))
        self.assertEqual(dict(found.labels), {"tier": "gold", "": "empty"})
        self.assertEqual(found.settings.theme, user_profile_pb2.THEME_DARK)

    def test_what_is_not_there(self):
        self.assert_gone("nobody")
        empty = api.GetUserProfileRequest()
        self.assert_fails(
            INVALID, "INVALID_REQUEST", self.service.GetUserProfile, empty, fields=["user_id"]
        )

    def test_an_email_belongs_to_one_account(self):
        created = self.create()
        twice = api.CreateUserProfileRequest(
            user_profile=user_profile_pb2.UserProfile(email=created.email)
        )
        error = self.assert_fails(
            grpc.StatusCode.ALREADY_EXISTS,
            "UNIQUE_VIOLATION",
            self.service.CreateUserProfile,
            twice,
        )
        self.assertIn("email", error.details())
        self.assertNotIn(created.email, error.details())

    def test_create_of_an_existing_key(self):
        created = self.create()
        again = user_profile_pb2.UserProfile(user_id=created.user_id, email="other@acme.example")
        self.assert_fails(
            grpc.StatusCode.ALREADY_EXISTS,
            "RECORD_EXISTS",
            self.service.CreateUserProfile,
            api.CreateUserProfileRequest(user_profile=again),
        )

    def test_a_request_id_makes_create_safe_to_repeat(self):
        profile = user_profile_pb2.UserProfile(email="repeat@acme.example")
        request = api.CreateUserProfileRequest(user_profile=profile, request_id="one")
        first = self.service.CreateUserProfile(request)
        self.assertEqual(self.service.CreateUserProfile(request), first)
        profile.email = "another@acme.example"
        other = api.CreateUserProfileRequest(user_profile=profile, request_id="one")
        self.assert_fails(
            INVALID, "REQUEST_ID_REUSED", self.service.CreateUserProfile, other
        )

    def test_batch_get(self):
        one, two = self.create(1), self.create(2)
        wanted = [two.user_id, "nobody", one.user_id, two.user_id]
        answer = self.service.BatchGetUserProfiles(
            api.BatchGetUserProfilesRequest(user_ids=wanted)
        )
        self.assertEqual(list(answer.user_profiles), [two, one])

    def test_list(self):
        created = [self.create(number, country_code="XL") for number in range(5)]
        request = api.ListUserProfilesRequest(page_size=2, country_code="XL")
        seen = []
        while True:
            page = self.service.ListUserProfiles(request)
            self.assertLessEqual(len(page.user_profiles), 2)
            seen += page.user_profiles
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        self.assertEqual(
            [one.user_id for one in seen], sorted(one.user_id for one in created)
        )
        request.page_token = "x" + request.page_token[1:]
        self.assert_fails(INVALID, "PAGE_TOKEN_INVALID", self.service.ListUserProfiles, request)
        negative = api.ListUserProfilesRequest(page_size=-1)
        self.assert_fails(
            INVALID,
            "INVALID_REQUEST",
            self.service.ListUserProfiles,
            negative,
            fields=["page_size"],
        )

    def test_put_replaces_the_whole_profile(self):
        created = self.create(display_name="Ada", phone="+44", signup_source="friends")
        profile = user_profile_pb2.UserProfile(
            user_id=created.user_id, email=created.email, signup_source="friends"
        )
        put = self.service.PutUserProfile(api.PutUserProfileRequest(user_profile=profile))
        self.assertEqual(put.display_name, "")
        self.assertFalse(put.HasField("phone"))
        self.assertEqual(put.create_time, created.create_time)
        self.assertNotEqual(put.etag, created.etag)
        self.assertEqual(self.get(created.user_id), put)

    def update(self, paths, **fields):
        return api.UpdateUserProfileRequest(
            user_profile=user_profile_pb2.UserProfile(**fields),
            update_mask=field_mask_pb2.FieldMask(paths=paths),
        )

    def test_update_writes_what_the_mask_names(self):
        created = self.create(display_name="Ada", country_code="GB")
        updated = self.service.UpdateUserProfile(
            self.update(["display_name"], user_id=created.user_id, display_name="Countess")
        )
        self.assertEqual(updated.display_name, "Countess")
        self.assertEqual(updated.country_code, "GB")
        self.assertEqual(self.get(created.user_id), updated)

    def test_update_refuses_what_cannot_be_updated(self):
        created = self.create(signup_source="friends")
        for paths, field in [
            (["nothing"], "update_mask.paths[0]"),
            (["display_name", "user_id"], "update_mask.paths[1]"),
        ]:
            request = self.update(paths, user_id=created.user_id)
            self.assert_fails(
                INVALID, "INVALID_REQUEST", self.service.UpdateUserProfile, request, fields=[field]
            )
        without = self.update([], user_id=created.user_id)
        self.assert_fails(INVALID, "INVALID_REQUEST", self.service.UpdateUserProfile, without)
        immutable = self.update(["signup_source"], user_id=created.user_id, signup_source="ads")
        self.assert_fails(INVALID, "INVALID_REQUEST", self.service.UpdateUserProfile, immutable)
        nobody = self.update(["display_name"], user_id="nobody")
        self.assert_fails(NOT_FOUND, "RECORD_NOT_FOUND", self.service.UpdateUserProfile, nobody)

    def test_an_etag_guards_a_write(self):
        created = self.create()
        stale = self.update(["display_name"], user_id=created.user_id, etag="stale")
        self.assert_fails(
            grpc.StatusCode.ABORTED, "ETAG_MISMATCH", self.service.UpdateUserProfile, stale
        )
        fresh = self.update(["display_name"], user_id=created.user_id, etag=created.etag)
        self.service.UpdateUserProfile(fresh)
        delete = api.DeleteUserProfileRequest(user_id=created.user_id, etag=created.etag)
        self.assert_fails(
            grpc.StatusCode.ABORTED, "ETAG_MISMATCH", self.service.DeleteUserProfile, delete
        )

    def test_delete(self):
        created = self.create()
        request = api.DeleteUserProfileRequest(user_id=created.user_id)
        self.service.DeleteUserProfile(request)
        self.assert_gone(created.user_id)
        self.assert_fails(
            NOT_FOUND, "RECORD_NOT_FOUND", self.service.DeleteUserProfile, request
        )
        # Its e-mail is free again.
        self.create(email=created.email)

    def test_an_expired_profile_is_gone(self):
        past = timestamp_pb2.Timestamp(seconds=int(time.time()) - 10)
        created = self.create(expire_time=past)
        self.assert_gone(created.user_id)
