"""Packages, and contracts made from them."""

from .support import MID_2026, USD, Y2026, Y2027, Case, threshold


def span(value, unit="MONTHS"):
    return {"unit": unit, "value": value}


SCOPE = [{"product_id": "p", "product_tags": ["t"], "pricing_group_values": {"a": "b"}}]


def everything():
    """The terms of a package in which every list and object is used."""
    rows = {"schedule_items": [{"amount": 10, "starting_at_offset": span(1), "duration": span(1, "YEARS")}]}
    dated = {"schedule_items": [{"date_offset": span(0, "DAYS"), "quantity": 2, "unit_price": 5}]}
    recurring = {
        "product_id": "p", "priority": 1, "starting_at_offset": span(1), "duration": span(6),
        "commit_duration": {"value": 1}, "recurrence_frequency": "MONTHLY", "name": "n",
        "access_amount": {"unit_price": 10, "quantity": 1, "credit_type_id": USD},
    }
    return {
        "name": "Gold",
        "contract_name": "Gold contract",
        "aliases": [{"name": "gold"}],
        "duration": span(1, "YEARS"),
        "net_payment_terms_days": 30,
        "multiplier_override_prioritization": "EXPLICIT",
        "scheduled_charges_on_usage_invoices": "ALL",
        "billing_provider": "stripe",
        "delivery_method": "direct_to_billing_provider",
        "usage_statement_schedule": {
            "frequency": "MONTHLY", "day": "CONTRACT_START", "invoice_generation_starting_at_offset": span(1)
        },
        "commits": [{
            "product_id": "p", "type": "PREPAID", "temporary_id": "first", "access_schedule": rows,
            "invoice_schedule": dated, "name": "n", "description": "d", "priority": 2, "rollover_fraction": 0.5,
            "specifiers": SCOPE, "custom_fields": {"k": "v"}, "rate_type": "LIST_RATE",
        }],
        "credits": [{"product_id": "p", "access_schedule": rows, "custom_fields": {"k": "v"}}],
        "overrides": [{
            "starting_at_offset": span(2), "duration": span(3), "type": "TIERED", "is_commit_specific": True,
            "tiers": [{"multiplier": 0.5, "size": 1}, {"multiplier": 0.25}],
            "override_specifiers": [{"commit_ids": ["first"], "recurring_commit_ids": ["monthly"]}],
        }],
        "recurring_commits": [{
            **recurring, "temporary_id": "monthly",
            "invoice_amount": {"credit_type_id": USD, "quantity": 1, "unit_price": 9},
            "subscription_config": {
                "subscription_id": "seats", "apply_seat_increase_config": {"is_prorated": True}
            },
        }],
        "recurring_credits": [recurring],
        "scheduled_charges": [{
            "product_id": "p", "schedule": dated, "name": "n", "custom_fields": {"k": "v"},
        }],
        "subscriptions": [{
            "temporary_id": "seats", "collection_schedule": "ADVANCE", "proration": {"is_prorated": True},
            "subscription_rate": {"billing_frequency": "MONTHLY", "product_id": "p"}, "name": "n",
            "quantity_management_mode": "SEAT_BASED", "starting_at_offset": span(1), "duration": span(2),
            "seat_config": {"seat_group_key": "seat", "initial_unassigned_seats": 3},
            "billing_cycle_config": {"invoice_placement": "ON_USAGE_INVOICE"}, "custom_fields": {"k": "v"},
        }],
        "spend_trackers": [{
            "alias": "spend", "credit_type_id": USD, "reset_frequency": "BILLING_PERIOD",
            "applicable_spend_specifiers": [{"sources": ["MANUAL"], "spend_type": "COMMIT_PURCHASE"}],
        }],
        "spend_threshold_configuration": threshold(),
        "prepaid_balance_threshold_configuration": threshold(recharge_to_amount=9000),
    }


class Packages(Case):
    def setUp(self):
        super().setUp()
        for entity in ("package_commit", "package_credit", "package_subscription", "package_scheduled_charge"):
            self.client.v1.custom_fields.add_key(entity=entity, key="k", enforce_uniqueness=False)

    def package(self, **terms):
        return self.client.v1.packages.create(**{"name": "Package", **terms}).data.id

    def read(self, package):
        return self.client.v1.packages.retrieve(package_id=package).data

    def billed(self):
        self.client.v1.customers.set_billing_configurations(data=[{
            "customer_id": self.customer, "billing_provider": "stripe",
            "delivery_method": "direct_to_billing_provider", "configuration": {"stripe_customer_id": "cus_1"},
        }])

    def test_everything_is_taken_and_read_back(self):
        package = self.package(uniqueness_key="key", **everything())
        read = self.read(package)
        self.assertEqual(read.uniqueness_key, "package:key")
        self.assertEqual(read.overrides[0].override_specifiers[0].commit_template_ids, [read.commits[0].id])
        self.assertEqual(
            read.recurring_commits[0].subscription_config.subscription_template_id, read.subscriptions[0].id
        )
        self.assertEqual(read.commits[0].access_schedule.schedule_items[0].starting_at_offset.value, 1)
        self.assertEqual([tier.multiplier for tier in read.overrides[0].override_tiers], [0.5, 0.25])
        self.client.v1.custom_fields.set_values(
            entity="package_commit", entity_id=read.commits[0].id, custom_fields={"k": "w"}
        )
        self.assertEqual(self.read(package).commits[0].custom_fields, {"k": "w"})

    def test_a_contract_from_a_package_has_its_terms_counted_from_its_start(self):
        package = self.package(**everything())
        self.refused(400, self.create, package_id=package)
        self.billed()
        read = self.get(self.create(starting_at="2026-01-31T00:00:00Z", package_id=package, uniqueness_key="k"))
        self.assertEqual(read.name, "Gold contract")
        self.assertEqual(read.ending_before.isoformat(), "2027-01-31T00:00:00+00:00")
        [row] = read.commits[0].access_schedule.schedule_items
        self.assertEqual(row.starting_at.isoformat(), "2026-02-28T00:00:00+00:00")
        self.assertEqual(row.ending_before.isoformat(), "2027-02-28T00:00:00+00:00")
        self.assertEqual(read.commits[0].invoice_schedule.schedule_items[0].amount, 10)
        self.assertEqual(read.overrides[0].override_specifiers[0].commit_ids, [read.commits[0].id])
        self.assertEqual(read.subscriptions[0].quantity_schedule[0].quantity, 3)
        self.assertEqual(read.subscriptions[0].ending_before.isoformat(), "2026-04-28T00:00:00+00:00")
        self.assertEqual(read.customer_billing_provider_configuration.billing_provider, "stripe")
        self.assertEqual(read.to_dict()["package_id"], package)
        v1 = self.client.v1.contracts.retrieve(customer_id=self.customer, contract_id=read.id).data
        self.assertEqual(v1.package_id, package)
        self.billed()
        refusal = self.refused(400, self.create, package_id=package)
        self.assertIn("exactly one billing", refusal["message"])

    def test_a_package_allows_no_further_terms(self):
        package = self.package()
        self.refused(400, self.create, package_id=package, name="x")
        self.refused(400, self.create, package_id=package, package_alias="x")
        self.client.v1.custom_fields.add_key(entity="contract", key="k", enforce_uniqueness=False)
        old = self.create()
        self.create(
            package_id=package, custom_fields={"k": "v"}, uniqueness_key="k",
            transition={"type": "RENEWAL", "from_contract_id": old},
        )

    def test_an_alias_moves_from_package_to_package(self):
        old = self.package(aliases=[{"name": "gold"}], contract_name="old")
        new = self.package(aliases=[{"name": "gold", "starting_at": MID_2026}], contract_name="new")
        self.assertEqual(self.read(old).aliases[0].ending_before, self.read(new).aliases[0].starting_at)
        self.assertEqual(self.get(self.create(package_alias="gold")).name, "old")
        self.assertEqual(self.get(self.create(package_alias="gold", starting_at=Y2027)).name, "new")
        refusal = self.refused(400, self.create, package_alias="silver")
        self.assertEqual(refusal["code"], "PackageNotFound")

    def test_an_archived_package_makes_no_more_contracts(self):
        package = self.package()
        contract = self.create(package_id=package)
        self.assertEqual(self.client.v1.packages.archive(package_id=package).data.id, package)
        refusal = self.refused(422, self.client.v1.packages.archive, package_id=package)
        self.assertEqual(refusal["message"], "already archived")
        self.refused(400, self.create, package_id=package)
        self.assertIsNone(self.get(contract).archived_at)

    def test_packages_are_listed_in_pages_and_by_state(self):
        packages = [self.package(uniqueness_key=str(index)) for index in range(12)]
        self.client.v1.packages.archive(package_id=packages[0])

        def listed(**options):
            return [package.id for package in self.client.v1.packages.list(**options)]

        self.assertEqual(listed(), packages[1:])
        self.assertEqual(listed(archive_filter="ALL", limit=5), packages)
        self.assertEqual(listed(archive_filter="ARCHIVED"), packages[:1])
        self.refused(409, self.package, uniqueness_key="0")

    def test_the_contracts_of_a_package_are_listed(self):
        package = self.package()
        contracts = [self.create(package_id=package) for _ in range(3)]
        self.client.v1.contracts.archive(
            customer_id=self.customer, contract_id=contracts[0], void_invoices=False
        )

        def listed(**options):
            found = self.client.v1.packages.list_contracts_on_package(package_id=package, **options)
            return [contract.contract_id for contract in found]

        self.assertEqual(listed(), contracts[1:])
        self.assertEqual(listed(include_archived=True, limit=2), contracts)
        self.assertEqual(listed(covering_date=Y2026), contracts[1:])
        self.assertEqual(listed(starting_at=MID_2026), [])

    def test_offsets_may_come_back_as_text(self):
        package = self.package(duration=span(1))
        self.settings(offset_values="text", package_keys="plain")
        answer = self.client.v1.packages.with_raw_response.retrieve(package_id=package)
        self.assertEqual(answer.http_response.json()["data"]["duration"], {"unit": "MONTHS", "value": "1"})
