"""Customers, custom fields, rate cards, and what only looks around."""

from .support import Case, charge, credit, prepaid, subscription


class Customers(Case):
    def test_customers_are_created_found_renamed_and_archived(self):
        customers = self.client.v1.customers
        customer = customers.create(name="x" * 200, ingest_aliases=["one", "two"]).data
        self.assertEqual(len(customer.name), 160)
        self.assertEqual([found.id for found in customers.list(ingest_alias="two")], [customer.id])
        self.assertEqual([found.id for found in customers.list(customer_ids=[customer.id, "x"])], [customer.id])
        self.assertEqual(list(customers.list(ingest_alias="nobody")), [])
        self.assertEqual(customers.set_name(customer_id=customer.id, name="New").data.name, "New")
        customers.set_ingest_aliases(customer_id=customer.id, ingest_aliases=["three"])
        self.assertEqual(customers.retrieve(customer_id=customer.id).data.ingest_aliases, ["three"])
        self.refused(409, customers.create, name="Thief", ingest_aliases=["three"])
        customers.update_config(customer_id=customer.id, salesforce_account_id="sf")
        self.assertEqual(
            customers.retrieve(customer_id=customer.id).data.customer_config.salesforce_account_id, "sf"
        )
        contract = self.create(customer_id=customer.id)
        customers.archive(id=customer.id)
        self.assertEqual([found.id for found in customers.list(only_archived=True)], [customer.id])
        self.customer = customer.id
        self.assertIsNotNone(self.get(contract).archived_at)
        self.refused(409, customers.create, name="Thief", ingest_aliases=["three"])

    def test_customers_come_in_pages(self):
        for index in range(4):
            self.client.v1.customers.create(name=str(index))
        self.assertEqual(len(list(self.client.v1.customers.list(limit=2))), 5)

    def test_billing_configurations_are_set_and_read(self):
        made = self.client.v1.customers.set_billing_configurations(data=[{
            "customer_id": self.customer, "billing_provider": "aws_marketplace", "delivery_method": "aws_sqs",
            "configuration": {"aws_region": "us-east-1"},
        }]).data
        read = self.client.v1.customers.retrieve_billing_configurations(customer_id=self.customer).data
        self.assertEqual((read[0].id, read[0].billing_provider), (made[0].id, "aws_marketplace"))
        unknown = [{"customer_id": "nobody", "billing_provider": "stripe"}]
        self.refused(500, self.client.v1.customers.set_billing_configurations, data=unknown)
        self.assertTrue(self.client.v1.settings.billing_providers.list().data)

    def test_seeded_ids_are_kept(self):
        self.sim.control("PUT", "/metronome/customers/seeded", {"name": "Seeded", "ingest_aliases": ["s"]})
        self.sim.control("PUT", "/metronome/rate-cards/card", {"name": "Card", "aliases": ["list"]})
        self.sim.control("PUT", "/metronome/products", {"prepaid-product": "Prepaid"})
        configuration = {"billing_provider": "stripe"}
        self.sim.control("PUT", "/metronome/customers/seeded/billing-configurations/config", configuration)
        terms = {"starting_at": "2026-01-01T00:00:00Z", "rate_card_alias": "list", "commits": [prepaid()]}
        self.sim.control("PUT", "/metronome/customers/seeded/contracts/contract", terms)
        self.sim.control("PUT", "/metronome/packages/package", {"name": "Package"})
        self.customer = "seeded"
        read = self.get("contract")
        self.assertEqual((read.rate_card_id, read.commits[0].product.name), ("card", "Prepaid"))
        self.assertEqual(self.client.v1.packages.retrieve(package_id="package").data.name, "Package")
        self.assertEqual(self.client.v1.contracts.rate_cards.retrieve(id="card").data.name, "Card")
        self.assertEqual([card.id for card in self.client.v1.contracts.rate_cards.list(body={})], ["card"])
        [listed] = self.sim.control("GET", "/metronome/contracts")["contracts"]
        self.assertEqual((listed["id"], listed["state"], listed["edits"]), ("contract", "active", 0))
        self.settings(unknown_ids="reject")
        self.refused(400, self.create, rate_card_id="nobody")
        self.refused(400, self.create, commits=[prepaid(product_id="nobody")])

    def test_probes_are_answered(self):
        self.assertEqual(next(iter(self.client.v1.pricing_units.list(limit=1))).name, "USD (cents)")
        self.assertTrue(self.client.v1.services.list().services)

    def test_custom_fields_are_set_merged_and_deleted(self):
        fields = self.client.v1.custom_fields
        entities = ["contract", "commit", "contract_credit", "scheduled_charge", "subscription", "customer"]
        for entity in entities:
            for key in ("a", "b"):
                fields.add_key(entity=entity, key=key, enforce_uniqueness=False)
        contract = self.create(
            custom_fields={"a": "0"}, commits=[prepaid()], credits=[credit()], scheduled_charges=[charge()],
            subscriptions=[subscription()],
        )

        def read():
            view = self.get(contract)
            items = (view, view.commits[0], view.credits[0], view.scheduled_charges[0], view.subscriptions[0])
            customer = self.client.v1.customers.retrieve(customer_id=self.customer).data
            return dict(zip(entities, (*items, customer)))

        for entity, item in read().items():
            fields.set_values(entity=entity, entity_id=item.id, custom_fields={"a": "1"})
            fields.set_values(entity=entity, entity_id=item.id, custom_fields={"b": "2"})
            self.assertEqual(read()[entity].custom_fields, {"a": "1", "b": "2"}, entity)
            fields.delete_values(entity=entity, entity_id=item.id, keys=["a", "nothing"])
            self.assertEqual(read()[entity].custom_fields, {"b": "2"}, entity)
        self.assertEqual(self.history(contract), [])
        self.assertEqual(len(list(fields.list_keys(entities=["contract", "commit"]))), 4)

    def test_custom_fields_need_a_key_and_keep_to_it(self):
        fields = self.client.v1.custom_fields
        contract = self.create()
        self.refused(400, self.create, custom_fields={"k": "v"})
        fields.add_key(entity="contract", key="k", enforce_uniqueness=True)
        refusal = self.refused(400, fields.add_key, entity="contract", key="k", enforce_uniqueness=True)
        self.assertEqual(refusal["message"], "Duplicate custom field key")
        fields.set_values(entity="contract", entity_id=contract, custom_fields={"k": "v"})
        fields.set_values(entity="contract", entity_id=contract, custom_fields={"k": "v"})
        self.refused(400, self.create, custom_fields={"k": "v"})
        fields.delete_values(entity="contract", entity_id=contract, keys=["k"])
        self.create(custom_fields={"k": "v"})
        self.refused(400, fields.set_values, entity="contract", entity_id=contract, custom_fields={"k": "x" * 201})
        self.refused(404, fields.set_values, entity="contract", entity_id="nobody", custom_fields={"k": "w"})
