"""Refusals, and what the client does about failures."""

import time

import metronome

from .support import MID_2026, Y2026, Case, prepaid


class Errors(Case):
    def sent(self, path):
        return [entry for entry in self.sim.journal() if entry["path"] == path]

    def test_what_does_not_exist_is_404_in_v1_and_400_with_a_code_in_v2(self):
        contract = self.create()
        v1, v2 = self.client.v1.contracts, self.client.v2.contracts
        strangers = [
            ({"customer_id": "nobody", "contract_id": contract}, "CustomerNotFound"),
            ({"customer_id": self.customer, "contract_id": "nothing"}, "ContractNotFound"),
        ]
        for ids, code in strangers:
            self.refused(404, v1.retrieve, **ids)
            self.refused(404, v1.archive, void_invoices=True, **ids)
            self.refused(404, v1.update_end_date, **ids)
            self.assertEqual(self.refused(400, v2.retrieve, **ids)["code"], code)
            self.assertEqual(self.refused(400, v2.get_edit_history, **ids)["code"], code)
        self.assertEqual(self.refused(404, v2.edit, **strangers[0][0])["code"], "NotFound")
        self.assertEqual(self.refused(400, v2.edit, **strangers[1][0])["code"], "ContractNotFound")
        self.assertEqual(self.refused(400, v2.list, customer_id="nobody")["code"], "CustomerNotFound")
        self.refused(404, v1.list, customer_id="nobody")
        self.refused(404, v1.create, customer_id="nobody", starting_at=Y2026)
        self.refused(404, self.client.v1.packages.retrieve, package_id="nothing")
        found = self.refused(400, self.client.v1.packages.list_contracts_on_package, package_id="nothing")
        self.assertEqual(found["code"], "PackageNotFound")

    def test_a_bad_token_is_401_and_a_lesser_one_403(self):
        stranger = self.new_client().with_options(bearer_token="nobody")
        self.refused(401, stranger.v1.services.list)
        self.sim.control("POST", "/tokens", {"token": "member", "role": "member"})
        self.refused(403, self.client.with_options(bearer_token="member").v1.services.list)

    def test_malformed_requests_name_what_is_wrong(self):
        for terms, path in [
            ({"starting_at": "yesterday"}, "starting_at"),
            ({"starting_at": "2026-01-01T00:30:00Z"}, "hour boundary"),
            ({"ending_before": Y2026}, "ending_before"),
            ({"commits": [{"product_id": "p"}]}, "commits[0].type"),
            ({"commits": [prepaid(type="GIFT")]}, "commits[0].type"),
            ({"commits": [prepaid(rollover_fraction=1.5)]}, "rollover_fraction"),
            ({"commits": [prepaid(specifiers=[], applicable_product_ids=[])]}, "specifiers"),
            ({"net_payment_terms_days": "30"}, "net_payment_terms_days"),
            ({"overrides": [{"starting_at": Y2026, "type": "TIERED"}]}, "tiers"),
            ({"rate_card_id": "a", "rate_card_alias": "b"}, "rate_card_id"),
        ]:
            with self.subTest(terms=terms):
                self.assertIn(path, self.refused(400, self.create, **terms)["message"])
        self.settings(hours="any")
        self.create(starting_at="2026-01-01T00:30:00Z")

    def test_words_are_taken_in_lower_case(self):
        contract = self.create(commits=[prepaid(type="prepaid")], multiplier_override_prioritization="explicit")
        read = self.get(contract)
        self.assertEqual((read.commits[0].type, read.multiplier_override_prioritization), ("PREPAID", "EXPLICIT"))

    def test_fields_of_other_accounts_are_refused(self):
        self.settings(gated_fields="reject")
        refusal = self.refused(400, self.create, netsuite_sales_order_id="so")
        self.assertIn("not enabled", refusal["message"])

    def test_unknown_fields_are_ignored_and_reported(self):
        commit = prepaid(colour="red")
        self.create(commits=[commit], extra_body={"shape": "round"}, extra_query={"size": "5"})
        [entry] = self.sent("/v1/contracts/create?size=5")
        self.assertEqual(entry["unknown_fields"], ["?size", "commits[0].colour", "shape"])
        self.sim.control("DELETE", "/journal")

    def test_a_conflict_says_more_or_less(self):
        contract = self.create(uniqueness_key="once")
        for told, body in [
            ("code", {"code": "Conflict", "message": "This uniqueness key has already been used."}),
            ("id", {"conflicting_id": contract, "message": "This uniqueness key has already been used."}),
        ]:
            self.settings(conflict=told)
            self.assertEqual(self.refused(409, self.create, uniqueness_key="once"), body)
        self.settings(conflict="empty")
        self.refused(409, self.create, uniqueness_key="once")

    def test_replies_and_lists_may_be_terse_and_late(self):
        self.settings(reply="id", list_lag_ms=60_000, contract_keys="prefixed")
        created = self.client.v1.contracts.create(
            customer_id=self.customer, starting_at=Y2026, uniqueness_key="k"
        ).data
        self.assertIsNone(created.contract)
        self.assertIsNone(self.edit(created.id, update_contract_name="n").edit)
        self.assertEqual(list(self.client.v2.contracts.list(customer_id=self.customer)), [])
        self.assertEqual(self.get(created.id).uniqueness_key, "contract:k")

    def test_a_renewal_may_end_the_old_contract(self):
        self.settings(renewal="end_old")
        old = self.create()
        self.create(starting_at=MID_2026, transition={"type": "RENEWAL", "from_contract_id": old})
        self.assertEqual(self.get(old).ending_before.month, 7)
        self.refused(400, self.edit, old, update_contract_name="x")

    def test_the_client_repeats_what_failed_and_no_contract_is_made_twice(self):
        client = self.new_client(max_retries=2)
        for fault in ({"kind": "status", "status": 500}, {"kind": "status", "status": 429}, {"kind": "drop_request"}):
            self.sim.control("POST", "/faults", {**fault, "count": 1, "path": "/v1/contracts/create"})
        with self.assertRaises(metronome.APIConnectionError):
            client.v1.contracts.create(customer_id=self.customer, starting_at=Y2026, uniqueness_key="k")
        self.assertEqual(len(self.sent("/v1/contracts/create")), 3)
        self.sim.control("POST", "/faults", {"kind": "drop_reply", "count": 1, "path": "/v1/contracts/create"})
        with self.assertRaises(metronome.ConflictError):
            client.v1.contracts.create(customer_id=self.customer, starting_at=Y2026, uniqueness_key="k")
        self.assertEqual(len(self.sim.control("GET", "/metronome/contracts")["contracts"]), 1)

    def test_the_client_waits_as_long_as_it_is_told(self):
        client = self.new_client(max_retries=2)
        fault = {"kind": "status", "status": 429, "retry_after_seconds": 1, "count": 1}
        self.sim.control("POST", "/faults", fault)
        start = time.monotonic()
        client.v1.services.list()
        self.assertGreaterEqual(time.monotonic() - start, 1)
