"""Every verb of an edit, the history, and what edits refuse."""

from .support import (
    MID_2026, USD, Y2026, Y2027, Y2028, Case, access, charge, credit, invoices, prepaid, recurring, subscription,
    threshold,
)


class Edits(Case):
    def test_items_are_added_and_their_ids_answered(self):
        contract = self.create()
        specifiers = [{"any_commit_or_credit_ids": ["first"]}]
        royalty = {"reseller_type": "GCP", "fraction": 0.2, "netsuite_reseller_id": "r", "starting_at": Y2026}
        tracker = {
            "alias": "spend", "credit_type_id": USD, "reset_frequency": "BILLING_PERIOD",
            "applicable_spend_specifiers": [{"sources": ["MANUAL"], "spend_type": "COMMIT_PURCHASE"}],
        }
        edit = self.edit(
            contract,
            add_commits=[prepaid(temporary_id="first", payment_gate_config={"payment_gate_type": "NONE"})],
            add_credits=[credit()],
            add_overrides=[{"starting_at": Y2026, "multiplier": 0.5, "override_specifiers": specifiers}],
            add_scheduled_charges=[charge()],
            add_recurring_commits=[recurring(starting_at=Y2027)],
            add_recurring_credits=[recurring(starting_at=Y2027)],
            add_subscriptions=[subscription()],
            add_discounts=[charge()],
            add_professional_services=[{"product_id": "p", "max_amount": 1, "quantity": 1, "unit_price": 1}],
            add_reseller_royalties=[royalty],
            add_spend_trackers=[tracker],
            add_spend_threshold_configuration=threshold(),
            add_prepaid_balance_threshold_configuration=threshold(recharge_to_amount=9000),
            uniqueness_key="edit",
        )
        read = self.get(contract)
        self.assertEqual(edit.edit.add_commits[0].id, read.commits[0].id)
        self.assertEqual(edit.edit.add_overrides[0].id, read.overrides[0].id)
        self.assertEqual(read.overrides[0].override_specifiers[0].any_commit_or_credit_ids, [read.commits[0].id])
        for field in ("credits", "scheduled_charges", "recurring_commits", "recurring_credits", "subscriptions",
                      "discounts", "professional_services", "reseller_royalties", "spend_trackers"):
            self.assertEqual(len(getattr(read, field)), 1, field)
        [entry] = self.history(contract)
        self.assertEqual((entry.id, entry.uniqueness_key), (edit.id, "edit"))
        self.assertEqual(entry.add_pro_services[0].id, read.professional_services[0].id)
        self.refused(409, self.edit, contract, update_contract_name="x", uniqueness_key="edit")

    def test_items_are_archived_and_removed(self):
        contract = self.create(
            commits=[prepaid()], credits=[credit()], scheduled_charges=[charge()],
            overrides=[{"starting_at": Y2026, "multiplier": 0.5}, {"starting_at": Y2026, "multiplier": 0.6}],
        )
        before = self.get(contract)
        self.edit(
            contract,
            archive_commits=[{"id": before.commits[0].id}],
            archive_credits=[{"id": before.credits[0].id}],
            archive_scheduled_charges=[{"id": before.scheduled_charges[0].id}],
            remove_overrides=[{"id": before.overrides[0].id}],
        )
        after = self.get(contract)
        for items in (after.commits, after.credits, after.scheduled_charges):
            self.assertIsNotNone(items[0].archived_at)
        self.assertEqual([override.multiplier for override in after.overrides], [0.6])
        self.assertEqual(self.history(contract)[0].archive_commits[0].id, before.commits[0].id)
        self.settings(archived_items="hidden")
        self.assertEqual(self.get(contract).commits, [])
        update = [{"commit_id": before.commits[0].id, "name": "x"}]
        self.refused(400, self.edit, contract, update_commits=update)
        self.refused(400, self.edit, contract, remove_overrides=[{"id": before.overrides[0].id}])

    def test_commits_and_credits_are_updated_item_by_item(self):
        contract = self.create(commits=[prepaid(name="old", applicable_product_ids=["a"])], credits=[credit()])
        before = self.get(contract)
        commit, balance = before.commits[0], before.credits[0]
        item = commit.access_schedule.schedule_items[0].id
        invoice = commit.invoice_schedule.schedule_items[0].id
        self.edit(
            contract,
            update_commits=[{
                "commit_id": commit.id, "name": "new", "description": "d", "priority": 7, "product_id": "other",
                "rate_type": "COMMIT_RATE", "rollover_fraction": 0.5, "applicable_product_ids": None,
                "hierarchy_configuration": {"child_access": {"type": "ALL"}}, "netsuite_sales_order_id": "so",
                "access_schedule": {
                    "update_schedule_items": [{"id": item, "amount": 150}],
                    "add_schedule_items": access((20, Y2027, Y2028))["schedule_items"],
                },
                "invoice_schedule": {
                    "update_schedule_items": [{"id": invoice, "quantity": 2, "unit_price": 75}],
                    "add_schedule_items": invoices((Y2027, 20))["schedule_items"],
                },
            }],
            update_credits=[{
                "credit_id": balance.id,
                "access_schedule": {
                    "remove_schedule_items": [{"id": balance.access_schedule.schedule_items[0].id}],
                    "add_schedule_items": access((5, Y2026, Y2027))["schedule_items"],
                },
            }],
        )
        after = self.get(contract)
        [commit] = after.commits
        self.assertEqual((commit.name, commit.priority, commit.product.id), ("new", 7, "other"))
        self.assertIsNone(commit.applicable_product_ids)
        self.assertEqual([item.amount for item in commit.access_schedule.schedule_items], [150, 20])
        self.assertEqual(commit.access_schedule.schedule_items[0].id, item)
        self.assertEqual([item.amount for item in commit.invoice_schedule.schedule_items], [150, 20])
        self.assertEqual([item.amount for item in after.credits[0].access_schedule.schedule_items], [5])
        self.assertEqual(self.history(contract)[0].update_commits[0].id, commit.id)

    def test_specifiers_change_through_calls_of_their_own(self):
        contract = self.create(commits=[prepaid()], credits=[credit()])
        read = self.get(contract)
        commit, balance = read.commits[0].id, read.credits[0].id
        scope = {"specifiers": [{"product_id": "p"}], "priority": 4}
        answer = self.client.v2.contracts.edit_commit(
            customer_id=self.customer, commit_id=commit, invoice_contract_id=contract, **scope
        )
        self.assertEqual(answer.data.id, commit)
        self.client.v2.contracts.edit_credit(customer_id=self.customer, credit_id=balance, **scope)
        read = self.get(contract)
        for item in (read.commits[0], read.credits[0]):
            self.assertEqual((item.specifiers[0].product_id, item.priority), ("p", 4))
        self.assertEqual(len(self.history(contract)), 2)
        unknown = self.refused(
            404, self.client.v2.contracts.edit_commit, customer_id=self.customer, commit_id="nobody", name="x"
        )
        self.assertEqual(unknown["code"], "NotFound")

    def test_recurring_items_change_for_what_is_to_come(self):
        contract = self.create(recurring_commits=[recurring(ending_before=Y2027)], recurring_credits=[recurring()])
        read = self.get(contract)
        self.edit(
            contract,
            update_recurring_commits=[{
                "recurring_commit_id": read.recurring_commits[0].id, "access_amount": {"unit_price": 20},
                "ending_before": None, "rate_type": "COMMIT_RATE",
                "proration_rounding": {"access": {"decimal_places": 0, "rounding_method": "FLOOR"}},
            }],
            update_recurring_credits=[{
                "recurring_credit_id": read.recurring_credits[0].id, "ending_before": MID_2026,
            }],
        )
        self.sim.control("PUT", "/clock", {"now": "2026-12-15T00:00:00Z"})
        read = self.get(contract)
        amounts = [commit.access_schedule.schedule_items[0].amount for commit in read.commits]
        self.assertEqual(amounts, [10] * 3 + [20] * 9)
        self.assertEqual(len(read.credits), 6)
        self.assertIsNone(read.recurring_commits[0].ending_before)

    def test_subscriptions_change_quantity_and_seats(self):
        seats = {"initial_seat_ids": ["a"], "seat_group_key": "seat", "initial_unassigned_seats": 1}
        contract = self.create(subscriptions=[
            subscription(),
            subscription(quantity_management_mode="SEAT_BASED", seat_config=seats),
        ])
        plain, seated = (item.id for item in self.get(contract).subscriptions)
        april, may = "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"
        self.edit(contract, update_subscriptions=[
            {
                "subscription_id": plain, "name": "n", "ending_before": Y2027,
                "quantity_updates": [
                    {"starting_at": april, "quantity": 12}, {"starting_at": may, "quantity_delta": -1}
                ],
                "proration_rounding": {"decimal_places": 0, "rounding_method": "CEILING"},
            },
            {
                "subscription_id": seated,
                "seat_updates": {
                    "add_seat_ids": [{"seat_ids": ["b", "c"], "starting_at": april}],
                    "remove_seat_ids": [{"seat_ids": ["a"], "starting_at": may}],
                },
            },
        ])
        first, second = self.get(contract).subscriptions
        self.assertEqual([segment.quantity for segment in first.quantity_schedule], [5, 12, 11])
        self.assertEqual([segment.quantity for segment in second.quantity_schedule], [2, 3, 2])
        history = self.client.v1.contracts.get_subscription_seats_history(
            contract_id=contract, customer_id=self.customer, subscription_id=seated,
        )
        told = [(period.assigned_seat_ids, period.total_quantity) for period in history.data]
        self.assertEqual(told, [(["b", "c"], 2), (["a", "b", "c"], 3), (["a"], 2)])
        self.assertEqual(history.data[1].ending_before, history.data[0].starting_at)
        self.assertEqual(first.proration.rounding.rounding_method, "CEILING")
        self.refused(400, self.edit, contract, update_subscriptions=[
            {"subscription_id": seated, "quantity_updates": [{"starting_at": may, "quantity": 1}]}
        ])
        mode = {"quantity_management_mode": "SEAT_BASED", "seat_config": {"seat_group_key": "seat"}}
        self.edit(contract, update_subscriptions=[
            {"subscription_id": plain, "quantity_management_mode_update": mode}
        ])
        self.assertEqual(self.get(contract).subscriptions[0].seat_config.seat_group_key, "seat")

    def test_thresholds_are_added_once_and_then_changed(self):
        contract = self.create()
        update = {"is_enabled": False, "threshold_amount": 1, "discount_configuration": {"payment_fraction": 0.5}}
        self.refused(400, self.edit, contract, update_spend_threshold_configuration=update)
        self.edit(contract, add_spend_threshold_configuration=threshold())
        self.refused(400, self.edit, contract, add_spend_threshold_configuration=threshold())
        self.edit(contract, update_spend_threshold_configuration={**update, "commit": {"name": "n"}})
        read = self.get(contract).spend_threshold_configuration
        self.assertEqual((read.is_enabled, read.threshold_amount, read.commit.name), (False, 1, "n"))
        self.assertEqual(read.commit.product_id, "threshold-product")
        self.edit(contract, update_spend_threshold_configuration={"discount_configuration": None, "is_enabled": True})
        self.assertIsNone(self.get(contract).spend_threshold_configuration.discount_configuration)
        self.sim.control("POST", f"/metronome/contracts/{contract}/disable-thresholds")
        self.assertFalse(self.get(contract).spend_threshold_configuration.is_enabled)

    def test_name_terms_and_end_change_and_null_clears_them(self):
        contract = self.create(name="old", net_payment_terms_days=30, ending_before=Y2028)
        self.edit(contract, update_contract_name="new", update_net_payment_terms_days=45.5)
        read = self.get(contract)
        self.assertEqual((read.name, read.net_payment_terms_days), ("new", 45.5))
        self.edit(contract, update_contract_name=None, update_net_payment_terms_days=None,
                  update_contract_end_date=None)
        read = self.get(contract)
        self.assertEqual((read.name, read.net_payment_terms_days, read.ending_before), (None, None, None))
        self.assertEqual(len(self.history(contract)), 2)

    def test_spend_trackers_are_archived_by_alias(self):
        tracker = {
            "alias": "spend", "credit_type_id": USD, "reset_frequency": "BILLING_PERIOD",
            "applicable_spend_specifiers": [{"sources": ["MANUAL"], "spend_type": "COMMIT_PURCHASE"}],
        }
        contract = self.create(spend_trackers=[tracker])
        self.refused(400, self.edit, contract, add_spend_trackers=[tracker])
        self.edit(contract, archive_spend_trackers=["spend"])
        self.assertEqual(self.get(contract).spend_trackers, [])

    def test_billing_and_revenue_systems_follow_each_other(self):
        customer = self.client.v1.customers.create(
            name="Billed",
            customer_billing_provider_configurations=[
                {"billing_provider": "stripe", "delivery_method": "direct_to_billing_provider"},
                {"billing_provider": "aws_marketplace", "delivery_method": "aws_sqs"},
            ],
            customer_revenue_system_configurations=[{"provider": "netsuite"}],
        ).data.id
        self.customer = customer
        contract = self.create()

        def move(provider, when):
            update = {
                "billing_provider_configuration": {"billing_provider": provider},
                "schedule": {"effective_at": when},
            }
            return self.edit(contract, add_billing_provider_configuration_update=update)

        move("stripe", "START_OF_CURRENT_PERIOD")
        self.refused(409, move, "stripe", "START_OF_NEXT_PERIOD")
        self.refused(400, move, "aws_marketplace", "START_OF_CURRENT_PERIOD")
        move("aws_marketplace", "START_OF_NEXT_PERIOD")
        first, second = self.get(contract).billing_provider_configuration_schedule
        self.assertEqual((first.effective_at.month, first.effective_until), (3, second.effective_at))
        revenue = {
            "revenue_system_configuration": {"provider": "netsuite"},
            "schedule": {"effective_at": "START_OF_CURRENT_PERIOD"},
        }
        self.edit(contract, add_revenue_system_configuration_update=revenue)
        self.refused(400, self.edit, contract, add_revenue_system_configuration_update=revenue)
        self.assertEqual(
            self.get(contract).revenue_system_configuration_schedule[0].revenue_system_configuration.provider,
            "netsuite",
        )

    def test_what_is_on_an_invoice_stays(self):
        contract = self.create(commits=[prepaid()], scheduled_charges=[charge()])
        read = self.get(contract)
        commit, item = read.commits[0].id, read.commits[0].invoice_schedule.schedule_items[0].id
        charged = read.scheduled_charges[0]
        row = charged.schedule.schedule_items[0].id
        marks = f"/metronome/contracts/{contract}/invoices"

        def on_commit(**change):
            self.edit(contract, update_commits=[{"commit_id": commit, "invoice_schedule": change}])

        def on_charge(**change):
            self.edit(contract, update_scheduled_charges=[
                {"scheduled_charge_id": charged.id, "invoice_schedule": change}
            ])

        self.sim.control("POST", marks, {"items": [item, row], "state": "finalized"})
        self.assertIsNotNone(self.get(contract).commits[0].invoice_schedule.schedule_items[0].invoice_id)
        self.refused(400, on_commit, update_schedule_items=[{"id": item, "amount": 1}])
        self.refused(400, on_commit, remove_schedule_items=[{"id": item}])
        self.refused(400, on_charge, update_schedule_items=[{"id": row, "amount": 1}])
        self.refused(400, self.edit, contract, archive_commits=[{"id": commit}])
        self.refused(
            400, self.edit, contract, update_contract_end_date="2025-12-31T00:00:00Z",
            allow_contract_ending_before_finalized_invoice=False,
        )
        self.sim.control("POST", marks, {"items": [item, row], "state": "voided"})
        on_commit(update_schedule_items=[{"id": item, "amount": 1}])
        self.refused(400, on_commit, remove_schedule_items=[{"id": item}])
        on_charge(add_schedule_items=invoices((Y2027, 7))["schedule_items"])
        self.assertEqual(len(self.get(contract).scheduled_charges[0].schedule.schedule_items), 2)
        self.edit(contract, archive_commits=[{"id": commit}])

    def test_an_edit_is_all_or_nothing(self):
        contract = self.create(name="old")
        self.refused(400, self.edit, contract, update_contract_name="new", archive_commits=[{"id": "nobody"}])
        self.assertEqual(self.get(contract).name, "old")
        self.assertEqual(self.history(contract), [])

    def test_an_account_may_not_be_allowed_to_edit(self):
        contract = self.create()
        for answer, status in (("off403", 403), ("off400", 400)):
            self.settings(editing=answer)
            refusal = self.refused(status, self.edit, contract, update_contract_name="x")
            self.assertIn("not enabled", refusal["message"])
        self.settings(editing="enabled", empty_edit="accept")
        self.edit(contract)
        self.settings(empty_edit="reject")
        self.refused(400, self.edit, contract)
