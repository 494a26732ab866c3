"""A simulator for the tests of a class, and what they share."""

import json
import os
import subprocess
import tempfile
import unittest
import uuid

import httpx
import metronome

TOKEN = "conformance"
Y2026, Y2027, Y2028 = ("%d-01-01T00:00:00Z" % year for year in (2026, 2027, 2028))
MID_2026 = "2026-07-01T00:00:00Z"
USD = "2714e483-4ff1-48e4-9e25-ac732e8f24f2"


class Simulator:
    """A running billing-sim on a folder of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        arguments = ["--listen", "127.0.0.1:0", "--data", self.folder.name, "--token", TOKEN, "--stop-with-stdin"]
        command = [os.environ["BILLING_SIM"], *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.control_client = httpx.Client(base_url=self.url + "/_sim")

    def control(self, method, path, body=None):
        answer = self.control_client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def journal(self):
        return self.control("GET", "/journal")["entries"]

    def stop(self):
        self.control_client.close()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class Case(unittest.TestCase):
    """A test with a simulator, a strict client and a customer. Nothing it sends may be unknown to the simulator."""

    @classmethod
    def setUpClass(cls):
        cls.sim = Simulator()
        cls.addClassCleanup(cls.sim.stop)

    def setUp(self):
        self.sim.control("POST", "/reset")
        self.sim.control("PUT", "/clock", {"now": "2026-03-15T12:00:00Z"})
        self.client = self.new_client()
        self.customer = self.client.v1.customers.create(name="Acme", ingest_aliases=[self.key()]).data.id

    def tearDown(self):
        unknown = [entry for entry in self.sim.journal() if entry["unknown_fields"]]
        self.assertEqual(unknown, [])

    def new_client(self, **options):
        options = {"max_retries": 0, **options}
        client = metronome.Metronome(
            base_url=self.sim.url, bearer_token=TOKEN, _strict_response_validation=True, **options
        )
        self.addCleanup(client.close)
        return client

    @staticmethod
    def key():
        return str(uuid.uuid4())

    def settings(self, **settings):
        self.sim.control("PUT", "/settings", {f"metronome_{name}": value for name, value in settings.items()})

    def create(self, **terms):
        terms = {"customer_id": self.customer, "starting_at": Y2026, **terms}
        return self.client.v1.contracts.create(**terms).data.id

    def get(self, contract, **options):
        return self.client.v2.contracts.retrieve(
            customer_id=self.customer, contract_id=contract, **options
        ).data

    def edit(self, contract, **verbs):
        return self.client.v2.contracts.edit(customer_id=self.customer, contract_id=contract, **verbs).data

    def history(self, contract):
        answer = self.client.v2.contracts.get_edit_history(customer_id=self.customer, contract_id=contract)
        return answer.data

    def refused(self, status, act, *arguments, **options):
        with self.assertRaises(metronome.APIStatusError) as refused:
            act(*arguments, **options)
        self.assertEqual(refused.exception.status_code, status, refused.exception)
        return refused.exception.body


def access(*items, **more):
    """An access schedule of (amount, start, end)."""
    rows = [{"amount": amount, "starting_at": start, "ending_before": end} for amount, start, end in items]
    return {"schedule_items": rows, **more}


def invoices(*items, **more):
    """An invoice schedule of (time, amount)."""
    return {"schedule_items": [{"timestamp": time, "amount": amount} for time, amount in items], **more}


def prepaid(amount=100, **more):
    """A prepaid commit for 2026."""
    return {
        "product_id": "prepaid-product",
        "type": "PREPAID",
        "access_schedule": access((amount, Y2026, Y2027)),
        "invoice_schedule": invoices((Y2026, amount)),
        **more,
    }


def credit(amount=100, **more):
    """A credit for 2026."""
    return {"product_id": "credit-product", "access_schedule": access((amount, Y2026, Y2027)), **more}


def charge(amount=100, **more):
    """A scheduled charge at the start of 2026."""
    return {"product_id": "charge-product", "schedule": invoices((Y2026, amount)), **more}


def recurring(**more):
    """A monthly commit or credit of 10."""
    return {
        "product_id": "recurring-product",
        "priority": 1,
        "starting_at": Y2026,
        "recurrence_frequency": "MONTHLY",
        "access_amount": {"unit_price": 10, "quantity": 1, "credit_type_id": USD},
        "commit_duration": {"value": 1},
        **more,
    }


def subscription(**more):
    """A monthly subscription of 5."""
    return {
        "collection_schedule": "ADVANCE",
        "proration": {"is_prorated": True},
        "subscription_rate": {"billing_frequency": "MONTHLY", "product_id": "seat-product"},
        "initial_quantity": 5,
        **more,
    }


def threshold(**more):
    """A spend threshold."""
    return {
        "commit": {"product_id": "threshold-product", "name": "Recharge"},
        "is_enabled": True,
        "payment_gate_config": {"payment_gate_type": "NONE"},
        "threshold_amount": 5000,
        **more,
    }
