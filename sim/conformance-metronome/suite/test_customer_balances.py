"""Commits and credits of a customer, beside its contracts."""

from .support import MID_2026, Y2026, Y2027, Case, credit, prepaid


class CustomerBalances(Case):
    def commit(self, contract, **more):
        terms = {"priority": 1, "invoice_contract_id": contract, **prepaid(name="Pool"), **more}
        return self.client.v1.customers.commits.create(customer_id=self.customer, **terms).data.id

    def commits(self, **options):
        return list(self.client.v1.customers.commits.list(customer_id=self.customer, **options))

    def test_a_commit_is_made_once_listed_changed_and_ended(self):
        contract = self.create(commits=[prepaid()])
        key = self.key()
        made = self.commit(contract, uniqueness_key=key, applicable_contract_ids=[contract])
        self.refused(409, self.commit, contract, uniqueness_key=key)
        [commit] = self.commits()
        self.assertEqual((commit.id, commit.uniqueness_key, commit.contract), (made, key, None))
        self.assertEqual(commit.invoice_contract.id, contract)
        self.assertEqual(commit.applicable_contract_ids, [contract])
        self.assertEqual(len(self.commits(include_contract_commits=True)), 2)
        self.assertEqual([commit.id for commit in self.commits(commit_id=made)], [made])
        self.client.v2.contracts.edit_commit(customer_id=self.customer, commit_id=made, name="New")
        self.client.v1.customers.commits.update_end_date(
            customer_id=self.customer, commit_id=made, access_ending_before=MID_2026, invoices_ending_before=MID_2026,
        )
        [commit] = self.commits()
        self.assertEqual(commit.name, "New")
        self.assertEqual(commit.access_schedule.schedule_items[0].ending_before.month, 7)
        self.assertEqual(len(self.get(contract).commits), 1)

    def test_a_credit_is_made_once_listed_changed_and_ended(self):
        key = self.key()
        credits = self.client.v1.customers.credits
        create = lambda: credits.create(customer_id=self.customer, priority=1, uniqueness_key=key, **credit()).data.id
        made = create()
        self.refused(409, create)
        [found] = list(credits.list(customer_id=self.customer))
        self.assertEqual((found.id, found.uniqueness_key), (made, key))
        self.client.v2.contracts.edit_credit(customer_id=self.customer, credit_id=made, priority=7)
        credits.update_end_date(customer_id=self.customer, credit_id=made, access_ending_before=MID_2026)
        [found] = list(credits.list(customer_id=self.customer))
        self.assertEqual((found.priority, found.access_schedule.schedule_items[0].ending_before.month), (7, 7))

    def test_an_end_does_not_come_later(self):
        made = self.commit(self.create())
        end = self.client.v1.customers.commits.update_end_date
        late = {"customer_id": self.customer, "commit_id": made, "access_ending_before": "2028-01-01T00:00:00Z"}
        self.refused(400, end, **late)
        self.refused(400, end, **{**late, "access_ending_before": Y2026})
        self.refused(404, end, **{**late, "commit_id": self.key(), "access_ending_before": Y2027})
