"""Invoices, rates, balances and quantities, as the client reads them."""

from .support import MID_2026, USD, Y2026, Y2027, Case, charge, credit, prepaid, recurring, subscription

RATES = [
    {"product_id": "seat-product", "rate_type": "SUBSCRIPTION", "price": 20, "is_prorated": True,
     "billing_frequency": "MONTHLY", "starting_at": Y2026},
    {"product_id": "calls", "product_tags": ["api"], "rate_type": "TIERED", "starting_at": Y2026,
     "tiers": [{"price": 2, "size": 10}, {"price": 1}], "pricing_group_values": {"region": "eu"},
     "commit_rate": {"rate_type": "FLAT", "price": 1}},
]


class Invoices(Case):
    def setUp(self):
        super().setUp()
        self.sim.control("PUT", "/metronome/rate-cards/card", {"name": "Card"})
        self.sim.control("PUT", "/metronome/rate-cards/card/rates", RATES)

    def invoices(self, **query):
        return list(self.client.v1.customers.invoices.list(customer_id=self.customer, **query))

    def test_commits_charges_and_subscriptions_come_to_invoices(self):
        self.settings(finality="due", future_invoices="draft")
        amount = {"unit_price": 10, "quantity": 2, "credit_type_id": USD}
        contract = self.create(
            rate_card_id="card", net_payment_terms_days=30, custom_fields={},
            commits=[prepaid()], scheduled_charges=[charge(7, name="Setup")], subscriptions=[subscription()],
            recurring_commits=[recurring(invoice_amount=amount)],
        )
        self.create(commits=[prepaid()])
        all_of_it = self.invoices(contract_id=contract, limit=2)
        self.assertEqual(len(all_of_it), 1 + 1 + 3 + 3)
        self.assertEqual({invoice.status for invoice in all_of_it}, {"FINALIZED"})
        totals = sorted(invoice.total for invoice in all_of_it)
        self.assertEqual(totals, [7, 20, 20, 20, 100, 100, 100, 100])
        kinds = {line.type for invoice in all_of_it for line in invoice.line_items}
        self.assertEqual(kinds, {"commit_purchase", "scheduled", "subscription"})
        last = self.invoices(sort="date_desc", limit=1, starting_on="2026-03-01T00:00:00Z", status="FINALIZED")
        self.assertEqual([invoice.issued_at.month for invoice in last], [3, 3])
        self.assertEqual(len(self.invoices(type="USAGE", credit_type_id=USD, ending_before=MID_2026)), 3)
        one = self.client.v1.customers.invoices.retrieve(
            customer_id=self.customer, invoice_id=all_of_it[0].id, skip_zero_qty_line_items=True,
        ).data
        self.assertEqual(one.id, all_of_it[0].id)
        self.refused(
            404, self.client.v1.customers.invoices.retrieve, customer_id=self.customer, invoice_id="nothing"
        )

    def test_invoices_are_voided_and_regenerated(self):
        self.settings(finality="due")
        contract = self.create(commits=[prepaid()])
        [invoice] = self.invoices()
        self.refused(400, self.client.v1.invoices.regenerate, id=invoice.id)
        self.assertEqual(self.client.v1.invoices.void(id=invoice.id).data.id, invoice.id)
        self.refused(400, self.client.v1.invoices.void, id=invoice.id)
        new = self.client.v1.invoices.regenerate(id=invoice.id).data.id
        self.assertNotEqual(new, invoice.id)
        states = {invoice.id: invoice.status for invoice in self.invoices(contract_id=contract)}
        self.assertEqual(states, {invoice.id: "VOID", new: "FINALIZED"})
        self.refused(404, self.client.v1.invoices.void, id="nothing")

    def test_the_rate_schedule_has_overrides(self):
        contract = self.create(rate_card_id="card", overrides=[
            {"starting_at": Y2026, "ending_before": Y2027, "product_id": "seat-product", "multiplier": 0.5},
            {"starting_at": Y2027, "product_id": "seat-product", "type": "OVERWRITE",
             "overwrite_rate": {"rate_type": "SUBSCRIPTION", "price": 3, "quantity": 1, "is_prorated": True}},
        ])

        def schedule(**more):
            ids = {"customer_id": self.customer, "contract_id": contract}
            return self.client.v1.contracts.retrieve_rate_schedule(**ids, **more).data

        seats, calls = schedule()
        self.assertEqual((seats.list_rate.price, seats.override_rate.price), (20, 10))
        self.assertEqual((calls.commit_rate.price, len(calls.list_rate.tiers)), (1, 2))
        [seats] = schedule(at=Y2027, selectors=[{"billing_frequency": "MONTHLY"}], limit=1)
        self.assertEqual(seats.override_rate.price, 3)
        self.assertEqual(schedule(selectors=[{"partial_pricing_group_values": {"region": "us"}}]), [])

    def test_net_balances_and_quantities_are_told(self):
        contract = self.create(
            rate_card_id="card", commits=[prepaid()], credits=[credit()], subscriptions=[subscription()]
        )
        net = self.client.v1.contracts.get_net_balance
        self.assertEqual(net(customer_id=self.customer, invoice_inclusion_mode="FINALIZED").data.balance, 200)
        only = net(customer_id=self.customer, filters=[{"balance_types": ["PREPAID_COMMIT"]}]).data
        self.assertEqual((only.balance, only.credit_type_id), (100, USD))
        self.refused(400, net, customer_id=self.customer, access_type="QUANTITY", credit_type_id=USD)
        seats = self.get(contract).subscriptions[0].id
        history = self.client.v1.contracts.retrieve_subscription_quantity_history(
            customer_id=self.customer, contract_id=contract, subscription_id=seats
        ).data.history
        self.assertEqual([(entry.data[0].quantity, entry.data[0].total) for entry in history], [(5, 100)])
