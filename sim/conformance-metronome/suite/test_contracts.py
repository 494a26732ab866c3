"""Contracts from creation to archive."""

from decimal import Decimal

import httpx

from .support import (
    MID_2026, TOKEN, USD, Y2026, Y2027, Y2028,
    Case, access, charge, credit, invoices, prepaid, recurring, subscription, threshold,
)

SCOPE = [{"product_id": "p", "product_tags": ["t"], "pricing_group_values": {"a": "b"},
          "presentation_group_values": {"c": "d"}}]
HIERARCHY = {"child_access": {"type": "CONTRACT_IDS", "contract_ids": ["c1"]}}
ROUNDING = {"decimal_places": 0, "rounding_method": "HALF_UP"}
SEATS = {"subscription_id": "seats", "apply_seat_increase_config": {"is_prorated": True}}


def everything():
    """The terms of a contract in which every list and object is used."""
    prepaid_threshold = threshold(
        recharge_to_amount=9000, custom_credit_type_id="unit",
        discount_configuration={"payment_fraction": 0.85, "cap": {"amount": 1, "spend_tracker_alias": "spend"}},
        threshold_balance_specifiers=[
            {"exclude": [{"custom_field_filters": [{"entity": "Commit", "key": "k", "value": "v"}]}]}
        ],
    )
    prepaid_threshold["commit"] |= {
        "priority": 1, "description": "d", "rate_type": "LIST_RATE", "rollover_fraction": 1, "specifiers": SCOPE,
        "duration": {"unit": "DAYS", "value": 30},
    }
    return {
        "name": "Everything",
        "ending_before": Y2028,
        "net_payment_terms_days": 30,
        "multiplier_override_prioritization": "EXPLICIT",
        "netsuite_sales_order_id": "so",
        "salesforce_opportunity_id": "op",
        "total_contract_value": 1000,
        "scheduled_charges_on_usage_invoices": "ALL",
        "custom_fields": {"k": "contract"},
        "usage_statement_schedule": {"frequency": "QUARTERLY", "day": "CONTRACT_START"},
        "usage_filter": {"group_key": "region", "group_values": ["eu"]},
        "billing_provider_configuration": {
            "billing_provider": "stripe", "delivery_method": "direct_to_billing_provider"
        },
        "revenue_system_configuration": {
            "provider": "netsuite", "delivery_method": "direct_to_billing_provider"
        },
        "commits": [
            prepaid(
                temporary_id="first", custom_fields={"k": "commit"}, description="d", name="n", priority=3,
                hierarchy_configuration=HIERARCHY, netsuite_sales_order_id="so", rate_type="COMMIT_RATE",
                rollover_fraction=0.5, specifiers=SCOPE,
                spend_tracker_attributes={"counts_as_discounted": True},
            ),
            {
                "product_id": "postpaid-product", "type": "POSTPAID", "applicable_product_ids": ["p"],
                "applicable_product_tags": ["t"],
                "access_schedule": access((10, Y2026, Y2027), access_type="SPEND", credit_type_id=USD),
                "invoice_schedule": {
                    "do_not_invoice": False,
                    "recurring_schedule": {
                        "amount_distribution": "DIVIDED_ROUNDED", "frequency": "QUARTERLY", "amount": 10,
                        "starting_at": Y2026, "ending_before": Y2027,
                    },
                },
            },
        ],
        "credits": [credit(custom_fields={"k": "credit"}, specifiers=SCOPE, hierarchy_configuration=HIERARCHY)],
        "overrides": [
            {
                "starting_at": Y2026, "ending_before": Y2027, "type": "MULTIPLIER", "multiplier": 0.9,
                "priority": 1, "entitled": True, "is_commit_specific": True, "target": "COMMIT_RATE",
                "override_specifiers": [{
                    "commit_ids": ["first"], "recurring_commit_ids": ["monthly"], "billing_frequency": "MONTHLY",
                    "any_commit_or_credit_ids": ["first", "monthly"], **SCOPE[0],
                }],
            },
            {
                "starting_at": Y2026, "product_id": "p",
                "overwrite_rate": {
                    "rate_type": "TIERED", "tiers": [{"price": 2, "size": 10}, {"price": 1}],
                    "credit_type_id": USD, "is_prorated": False, "quantity": 1, "custom_rate": {"x": [1, {"y": 2}]},
                },
            },
            {
                "starting_at": Y2026, "applicable_product_tags": ["t"],
                "tiers": [{"multiplier": 0.5, "size": 10}, {"multiplier": 0.4}],
            },
        ],
        "scheduled_charges": [charge(name="n", custom_fields={"k": "charge"}, netsuite_sales_order_id="so")],
        "recurring_commits": [recurring(
            temporary_id="monthly", name="n", description="d", ending_before=Y2027, proration="NONE",
            invoice_amount={"credit_type_id": USD, "quantity": 1, "unit_price": 9}, subscription_config=SEATS,
            proration_rounding={"access": ROUNDING, "invoice": ROUNDING}, rollover_fraction=0.1,
            specifiers=SCOPE, hierarchy_configuration=HIERARCHY, rate_type="COMMIT_RATE",
        )],
        "recurring_credits": [recurring(
            access_amount={"unit_price": 1, "access_type": "QUANTITY", "quantity": 7},
            applicable_product_ids=["p"], proration_rounding={"access": ROUNDING},
        )],
        "subscriptions": [subscription(
            temporary_id="seats", quantity_management_mode="SEAT_BASED", name="n", description="d",
            seat_config={"initial_seat_ids": ["a", "b"], "seat_group_key": "seat", "initial_unassigned_seats": 1},
            proration={"invoice_behavior": "BILL_IMMEDIATELY", "is_prorated": True, "rounding": ROUNDING},
            billing_cycle_config={"invoice_placement": "ON_USAGE_INVOICE"}, custom_fields={"k": "subscription"},
        )],
        "discounts": [charge(name="n", custom_fields={"k": "discount"})],
        "professional_services": [{
            "product_id": "ps", "max_amount": 10, "quantity": 1, "unit_price": 10, "description": "d",
            "custom_fields": {"k": "service"},
        }],
        "reseller_royalties": [{
            "reseller_type": "AWS", "fraction": 0.1, "netsuite_reseller_id": "r", "starting_at": Y2026,
            "ending_before": Y2027, "applicable_product_ids": ["p"], "reseller_contract_value": 5,
            "aws_options": {"aws_account_number": "1", "aws_offer_id": "2", "aws_payer_reference_id": "3"},
        }],
        "spend_trackers": [{
            "alias": "spend", "credit_type_id": USD, "reset_frequency": "BILLING_PERIOD",
            "applicable_spend_specifiers": [{"sources": ["MANUAL"], "spend_type": "COMMIT_PURCHASE"}],
        }],
        "spend_threshold_configuration": threshold(),
        "prepaid_balance_threshold_configuration": prepaid_threshold,
    }


class Contracts(Case):
    def setUp(self):
        super().setUp()
        entities = ["contract", "commit", "contract_credit", "scheduled_charge", "subscription", "discount",
                    "professional_service"]
        for entity in entities:
            self.client.v1.custom_fields.add_key(entity=entity, key="k", enforce_uniqueness=False)
        self.customer = self.client.v1.customers.create(
            name="Acme",
            customer_billing_provider_configurations=[
                {"billing_provider": "stripe", "delivery_method": "direct_to_billing_provider",
                 "configuration": {"stripe_customer_id": "cus_1"}},
            ],
            customer_revenue_system_configurations=[{"provider": "netsuite"}],
        ).data.id

    def test_everything_is_taken_and_read_back_by_v1_and_v2(self):
        created = self.client.v1.contracts.create(
            customer_id=self.customer, starting_at=Y2026, uniqueness_key="key", **everything()
        ).data
        read = self.get(created.id, include_balance=True, include_ledgers=True)
        self.assertEqual(read.name, "Everything")
        self.assertEqual(read.uniqueness_key, "key")
        self.assertEqual(read.transitions, [])
        self.assertEqual([tier.multiplier for tier in read.overrides[2].override_tiers], [0.5, 0.4])
        self.assertEqual(read.overrides[1].type, "OVERWRITE")
        first, monthly = read.commits[0].id, read.recurring_commits[0].id
        self.assertEqual(read.overrides[0].override_specifiers[0].any_commit_or_credit_ids, [first, monthly])
        self.assertEqual(read.recurring_commits[0].subscription_config.subscription_id, read.subscriptions[0].id)
        quarters = read.commits[1].invoice_schedule.schedule_items
        self.assertEqual([item.amount for item in quarters], [3, 3, 3, 1])
        self.assertEqual([item.timestamp.month for item in quarters], [1, 4, 7, 10])
        self.assertEqual(read.subscriptions[0].quantity_schedule[0].quantity, 3)
        self.assertEqual(read.subscriptions[0].billing_periods.current.starting_at.month, 3)
        self.assertEqual(read.reseller_royalties[0].segments[0].aws_offer_id, "2")
        self.assertEqual(read.customer_billing_provider_configuration.billing_provider, "stripe")
        self.assertEqual(read.usage_filter[0].group_values, ["eu"])
        self.assertEqual(read.commits[0].balance, 100)
        self.assertEqual(created.contract.id, created.id)

        v1 = self.client.v1.contracts.retrieve(customer_id=self.customer, contract_id=created.id).data
        self.assertEqual(v1.current.commits[0].id, first)
        self.assertEqual(v1.current.usage_filter.initial.group_key, "region")
        self.assertEqual(v1.current.reseller_royalties[0].fraction, 0.1)
        self.assertEqual(v1.custom_fields, {"k": "contract"})

    def test_what_is_left_out_is_filled_in(self):
        contract = self.get(self.create(commits=[prepaid()], subscriptions=[subscription()]))
        [commit] = contract.commits
        self.assertEqual((commit.priority, commit.rate_type), (100, "LIST_RATE"))
        [item] = commit.invoice_schedule.schedule_items
        self.assertEqual((item.quantity, item.unit_price, item.amount), (1, 100, 100))
        self.assertEqual(commit.access_schedule.credit_type.name, "USD (cents)")
        self.assertEqual(contract.multiplier_override_prioritization, "LOWEST_MULTIPLIER")
        self.assertEqual(contract.usage_statement_schedule.frequency, "MONTHLY")
        self.assertEqual(contract.subscriptions[0].quantity_management_mode, "QUANTITY_ONLY")

    def test_every_digit_survives(self):
        amount = Decimal("79228162514264337593543950335.0000000000000000000000000001")
        contract = self.create()
        body = (
            '{"customer_id": "%s", "contract_id": "%s", "add_credits": [{"product_id": "p", "access_schedule": '
            '{"schedule_items": [{"amount": %s, "starting_at": "%s", "ending_before": "%s"}]}}]}'
        ) % (self.customer, contract, amount, Y2026, Y2027)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("edit", "get"):
            answer = httpx.post(f"{self.sim.url}/v2/contracts/{path}", content=body, headers=headers)
            self.assertIn(f'"amount":{amount},', answer.text)
            body = '{"customer_id": "%s", "contract_id": "%s"}' % (self.customer, contract)
        self.assertIn('"2026-01-01T00:00:00+00:00"', answer.text)

    def test_lists_come_in_pages_of_at_most_twenty(self):
        ids = [self.create(name=str(index)) for index in range(23)]
        for client in (self.client.v2, self.client.v1):
            listed = [contract.id for contract in client.contracts.list(customer_id=self.customer)]
            self.assertEqual(listed, ids)
            page = client.contracts.list(customer_id=self.customer, limit=3)
            self.assertEqual(([c.id for c in page.data], page.has_next_page()), (ids[:3], True))
            self.refused(400, client.contracts.list, customer_id=self.customer, limit=21)

    def test_lists_are_filtered(self):
        early = self.create(ending_before=MID_2026)
        late = self.create(starting_at=Y2027)
        archived = self.create()
        self.client.v1.contracts.archive(customer_id=self.customer, contract_id=archived, void_invoices=False)

        def listed(**filters):
            return [contract.id for contract in self.client.v2.contracts.list(customer_id=self.customer, **filters)]

        self.assertEqual(listed(), [early, late])
        self.assertEqual(listed(include_archived=True), [early, late, archived])
        self.assertEqual(listed(covering_date="2026-02-02T02:02:02Z"), [early])
        self.assertEqual(listed(starting_at=MID_2026), [late])
        self.refused(400, listed, starting_at=Y2026, covering_date=Y2026)

    def test_a_key_is_taken_for_ever(self):
        contract = self.create(uniqueness_key="once")
        self.client.v1.contracts.archive(customer_id=self.customer, contract_id=contract, void_invoices=False)
        other = self.client.v1.customers.create(name="Other").data.id
        for customer in (self.customer, other):
            refusal = self.refused(409, self.create, customer_id=customer, uniqueness_key="once")
            self.assertEqual(refusal, {"message": "This uniqueness key has already been used."})
        self.refused(400, self.create, uniqueness_key="x" * 129)

    def test_an_end_date_cuts_the_terms_short_and_its_removal_does_not_mend_them(self):
        contract = self.create(
            commits=[prepaid(invoice_schedule=invoices((Y2026, 50), ("2026-10-01T00:00:00Z", 50)))],
            subscriptions=[subscription(ending_before=Y2027)],
        )
        update = self.client.v1.contracts.update_end_date
        self.assertEqual(
            update(customer_id=self.customer, contract_id=contract, ending_before=MID_2026).data.id, contract
        )
        update(customer_id=self.customer, contract_id=contract)
        read = self.get(contract)
        self.assertIsNone(read.ending_before)
        self.assertEqual(read.commits[0].access_schedule.schedule_items[0].ending_before.month, 7)
        self.assertEqual(len(read.commits[0].invoice_schedule.schedule_items), 1)
        self.assertEqual(read.subscriptions[0].ending_before.month, 7)
        self.assertEqual([edit.update_contract_end_date is None for edit in self.history(contract)], [False, True])

    def test_usage_filters_follow_each_other(self):
        contract = self.create(usage_filter={"group_key": "region", "group_values": ["eu"]})
        self.client.v1.contracts.set_usage_filter(
            customer_id=self.customer, contract_id=contract, group_key="region", group_values=["us"],
            starting_at=MID_2026,
        )
        first, second = self.get(contract).usage_filter
        self.assertEqual((first.ending_before, second.group_values), (second.starting_at, ["us"]))
        v1 = self.client.v1.contracts.retrieve(customer_id=self.customer, contract_id=contract).data
        self.assertEqual(v1.current.usage_filter.updates[0].group_values, ["us"])
        self.assertEqual(self.history(contract)[0].add_usage_filters[0].group_values, ["us"])

    def test_an_archived_contract_can_be_read_and_not_changed(self):
        contract = self.create(commits=[prepaid()])
        archive = self.client.v1.contracts.archive
        self.assertEqual(
            archive(customer_id=self.customer, contract_id=contract, void_invoices=True).data.id, contract
        )
        read = self.get(contract)
        self.assertIsNotNone(read.archived_at)
        self.assertIsNotNone(read.commits[0].archived_at)
        refusal = self.refused(422, archive, customer_id=self.customer, contract_id=contract, void_invoices=True)
        self.assertEqual(refusal["message"], "already archived")
        self.refused(400, self.edit, contract, update_contract_name="x")

    def test_finalized_invoices_hold_a_contract_back(self):
        contract = self.create(commits=[prepaid()])
        self.sim.control("POST", f"/metronome/contracts/{contract}/invoices", {"state": "finalized"})
        archive = self.client.v1.contracts.archive
        self.refused(400, archive, customer_id=self.customer, contract_id=contract, void_invoices=False)
        archive(customer_id=self.customer, contract_id=contract, void_invoices=True)

    def test_a_renewal_links_both_contracts_and_rolls_over(self):
        old = self.create(commits=[prepaid(rollover_fraction=0.25), prepaid()], ending_before=Y2027)
        new = self.create(
            starting_at=Y2027, ending_before=Y2028,
            transition={"type": "RENEWAL", "from_contract_id": old, "future_invoice_behavior": {"trueup": "AS_IS"}},
        )
        for contract in (old, new):
            [link] = self.get(contract).transitions
            self.assertEqual((link.from_contract_id, link.to_contract_id), (old, new))
        [rolled] = self.get(new).commits
        self.assertEqual(rolled.rolled_over_from.contract_id, old)
        self.assertEqual(rolled.access_schedule.schedule_items[0].amount, 25)
        self.refused(400, self.edit, new, update_commits=[{"commit_id": rolled.id, "name": "x"}])

    def test_a_parent_shows_its_children(self):
        parent = self.create(hierarchy_configuration={"parent_behavior": {"invoice_consolidation_type": "NONE"}})
        child = self.create(hierarchy_configuration={
            "parent": {"contract_id": parent, "customer_id": self.customer},
            "payer": "PARENT", "usage_statement_behavior": "SEPARATE",
        })
        self.assertEqual(self.get(parent).hierarchy_configuration.children[0].contract_id, child)
        self.assertEqual(self.get(child).hierarchy_configuration.parent.contract_id, parent)

    def test_recurring_commits_make_commits_as_time_passes(self):
        contract = self.create(
            ending_before=Y2027,
            recurring_commits=[recurring(invoice_amount={"credit_type_id": USD, "quantity": 2, "unit_price": 4.5})],
            recurring_credits=[recurring(recurrence_frequency="ANNUAL")],
        )
        read = self.get(contract)
        self.assertEqual((len(read.commits), len(read.credits)), (3, 1))
        self.sim.control("PUT", "/clock", {"now": "2028-01-01T00:00:00Z"})
        read = self.get(contract)
        self.assertEqual((len(read.commits), len(read.credits)), (12, 1))
        last = read.commits[-1]
        self.assertEqual(last.recurring_commit_id, read.recurring_commits[0].id)
        self.assertEqual(last.invoice_schedule.schedule_items[0].amount, 9)
        self.assertEqual(last.access_schedule.schedule_items[0].ending_before.year, 2027)

    def test_long_lists_are_cut_off_and_the_rest_found_by_pages(self):
        self.settings(embedded_limit=2)
        contract = self.create(commits=[prepaid(name=str(index)) for index in range(5)], credits=[credit()])
        read = self.get(contract)
        self.assertEqual((len(read.commits), read.has_more.commits, read.has_more.credits), (2, True, False))
        commits = self.client.v1.customers.commits.list(
            customer_id=self.customer, include_contract_commits=True, include_balance=True, limit=2
        )
        self.assertEqual([commit.name for commit in commits], ["0", "1", "2", "3", "4"])
        credits = self.client.v1.customers.credits.list(customer_id=self.customer, include_contract_credits=True)
        self.assertEqual(len(list(credits)), 1)
        balances = self.client.v1.contracts.list_balances(
            customer_id=self.customer, include_contract_balances=True, include_ledgers=True, limit=4
        )
        self.assertEqual(len(list(balances)), 6)
        self.assertEqual(list(self.client.v1.customers.commits.list(customer_id=self.customer)), [])

    def test_the_past_can_be_read(self):
        contract = self.create(name="old")
        self.sim.control("PUT", "/clock", {"now": "2026-04-01T00:00:00Z"})
        self.edit(contract, update_contract_name="new")
        self.assertEqual(self.get(contract, as_of_date="2026-03-31T00:00:00Z").name, "old")
        self.assertEqual(self.get(contract, as_of_date="2026-04-01T00:00:00Z").name, "new")
        self.refused(400, self.get, contract, as_of_date=Y2027, include_ledgers=True)
