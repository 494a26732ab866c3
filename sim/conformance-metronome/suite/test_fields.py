"""The simulator's tables of request fields say what the client's types say: names, required or not, words."""

import datetime
import importlib
import pathlib
import types
import typing
import unittest

from typing_extensions import Annotated, Required, is_typeddict

FIELDS = pathlib.Path(__file__).parents[2] / "src" / "metronome" / "fields"

CALLS = {
    "POST /v1/contracts/create": "v1.contract_create_params.ContractCreateParams",
    "POST /v1/contracts/get": "v1.contract_retrieve_params.ContractRetrieveParams",
    "POST /v2/contracts/get": "v2.contract_retrieve_params.ContractRetrieveParams",
    "POST /v1/contracts/list": "v1.contract_list_params.ContractListParams",
    "POST /v2/contracts/list": "v2.contract_list_params.ContractListParams",
    "POST /v2/contracts/edit": "v2.contract_edit_params.ContractEditParams",
    "POST /v2/contracts/commits/edit": "v2.contract_edit_commit_params.ContractEditCommitParams",
    "POST /v2/contracts/credits/edit": "v2.contract_edit_credit_params.ContractEditCreditParams",
    "POST /v2/contracts/getEditHistory": "v2.contract_get_edit_history_params.ContractGetEditHistoryParams",
    "POST /v1/contracts/getSubscriptionSeatsHistory":
        "v1.contract_get_subscription_seats_history_params.ContractGetSubscriptionSeatsHistoryParams",
    "POST /v1/contracts/getSubscriptionQuantityHistory":
        "v1.contract_retrieve_subscription_quantity_history_params.ContractRetrieveSubscriptionQuantityHistoryParams",
    "POST /v1/contracts/getContractRateSchedule":
        "v1.contract_retrieve_rate_schedule_params.ContractRetrieveRateScheduleParams",
    "POST /v1/contracts/customerBalances/getNetBalance":
        "v1.contract_get_net_balance_params.ContractGetNetBalanceParams",
    "POST /v1/contracts/updateEndDate": "v1.contract_update_end_date_params.ContractUpdateEndDateParams",
    "POST /v1/contracts/archive": "v1.contract_archive_params.ContractArchiveParams",
    "POST /v1/contracts/setUsageFilter": "v1.contract_set_usage_filter_params.ContractSetUsageFilterParams",
    "POST /v1/contracts/customerBalances/list": "v1.contract_list_balances_params.ContractListBalancesParams",
    "POST /v1/contracts/customerCommits/list": "v1.customers.commit_list_params.CommitListParams",
    "POST /v1/contracts/customerCredits/list": "v1.customers.credit_list_params.CreditListParams",
    "POST /v1/packages/create": "v1.package_create_params.PackageCreateParams",
    "POST /v1/packages/get": "v1.package_retrieve_params.PackageRetrieveParams",
    "POST /v1/packages/list": "v1.package_list_params.PackageListParams",
    "POST /v1/packages/archive": "v1.package_archive_params.PackageArchiveParams",
    "POST /v1/packages/listContractsOnPackage":
        "v1.package_list_contracts_on_package_params.PackageListContractsOnPackageParams",
    "POST /v1/customers": "v1.customer_create_params.CustomerCreateParams",
    "GET /v1/customers": "v1.customer_list_params.CustomerListParams",
    "POST /v1/customers/archive": "v1.customer_archive_params.CustomerArchiveParams",
    "POST /v1/customers/{customer_id}/setIngestAliases":
        "v1.customer_set_ingest_aliases_params.CustomerSetIngestAliasesParams",
    "POST /v1/customers/{customer_id}/setName": "v1.customer_set_name_params.CustomerSetNameParams",
    "POST /v1/customers/{customer_id}/updateConfig": "v1.customer_update_config_params.CustomerUpdateConfigParams",
    "POST /v1/getCustomerBillingProviderConfigurations":
        "v1.customer_retrieve_billing_configurations_params.CustomerRetrieveBillingConfigurationsParams",
    "POST /v1/setCustomerBillingProviderConfigurations":
        "v1.customer_set_billing_configurations_params.CustomerSetBillingConfigurationsParams",
    "GET /v1/customers/{customer_id}/invoices": "v1.customers.invoice_list_params.InvoiceListParams",
    "GET /v1/customers/{customer_id}/invoices/{invoice_id}":
        "v1.customers.invoice_retrieve_params.InvoiceRetrieveParams",
    "POST /v1/invoices/void": "v1.invoice_void_params.InvoiceVoidParams",
    "POST /v1/invoices/regenerate": "v1.invoice_regenerate_params.InvoiceRegenerateParams",
    "POST /v1/contract-pricing/rate-cards/list": "v1.contracts.rate_card_list_params.RateCardListParams",
    "POST /v1/contract-pricing/rate-cards/get": "v1.contracts.rate_card_retrieve_params.RateCardRetrieveParams",
    "POST /v1/customFields/addKey": "v1.custom_field_add_key_params.CustomFieldAddKeyParams",
    "POST /v1/customFields/setValues": "v1.custom_field_set_values_params.CustomFieldSetValuesParams",
    "POST /v1/customFields/deleteValues": "v1.custom_field_delete_values_params.CustomFieldDeleteValuesParams",
    "POST /v1/customFields/listKeys": "v1.custom_field_list_keys_params.CustomFieldListKeysParams",
    "GET /v1/credit-types/list": "v1.pricing_unit_list_params.PricingUnitListParams",
}

# Known to other published clients, and not to this one.
ONLY_IN_TABLE = {"POST /v1/packages/create": {"billing_anchor_date"}}
# Free text in the table, a list of Amazon's regions in the client.
FREE = {"POST /v1/customers": {"billing_config.aws_region"}}
# Part of the path, or the body as a whole.
NOT_FIELDS = {"/v1/customers/{customer_id}/": "customer_id", "rate-cards/list": "body",
              "/invoices/{invoice_id}": "invoice_id"}

KINDS = {str: "string", float: "number", int: "integer", bool: "boolean", datetime.datetime: "time"}


class Field(typing.NamedTuple):
    required: bool
    nullable: bool
    list: bool
    kind: str
    words: frozenset


def tables():
    """Each call's fields by path."""
    calls, fields, path = {}, None, []
    names = ("calls", "contract_create", "contract_edit", "contract_edit_add", "package_create")
    for line in "".join((FIELDS / f"{name}.txt").read_text() for name in names).splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        if level == 0:
            fields = calls[line] = {}
            continue
        name, _, kind = line.strip().partition(" ")
        path[level - 1:] = [name.rstrip("*")]
        if name.startswith("?"):
            fields[name[1:]] = None
            continue
        bare = kind.rstrip("?").strip("[]").replace("hour", "time")
        words = frozenset()
        if bare not in {*KINDS.values(), "{string}", "{any}", "object"}:
            bare, words = "string", frozenset(bare.split("|"))
        fields[".".join(path)] = Field(name.endswith("*"), kind.endswith("?"), kind.startswith("["), bare, words)
    return calls


def walk(params, prefix, found):
    """Every field of a type by path, once for each variant that has it."""
    for name, hint in typing.get_type_hints(params, include_extras=True).items():
        path = prefix + name
        required = nullable = many = False
        kinds, words, pending = set(), set(), [hint]
        while pending:
            hint = pending.pop()
            origin, arguments = typing.get_origin(hint), typing.get_args(hint)
            if origin is Required:
                required, pending = True, pending + [arguments[0]]
            elif origin is Annotated:
                pending.append(arguments[0])
            elif origin in (typing.Union, types.UnionType):
                pending += arguments
            elif origin is typing.Literal:
                kinds.add("string")
                words.update(arguments)
            elif origin is dict:
                kinds.add("{string}" if arguments[1] is str else "{any}")
            elif origin is not None:
                many, pending = True, pending + [arguments[0]]
            elif hint is type(None):
                nullable = True
            elif is_typeddict(hint):
                kinds.add("object")
                walk(hint, path + ".", found)
            else:
                kinds.add(KINDS.get(hint, "{any}"))
        kind = "time" if "time" in kinds else "/".join(sorted(kinds))
        found.setdefault(path, []).append(Field(required, nullable, many, kind, frozenset(words)))
    return found


def client_fields(name):
    """A type's fields by path. What only some variants of an object have is not required."""
    module, _, name = name.rpartition(".")
    found = walk(getattr(importlib.import_module("metronome.types." + module), name), "", {})
    fields = {}
    for path, said in found.items():
        variants = len(found[path.replace("contract_ids", "type")]) if "child_access." in path else len(said)
        fields[path] = said[0]._replace(
            required=len(said) == variants and all(field.required for field in said),
            words=frozenset().union(*(field.words for field in said)),
        )
    return fields


class Fields(unittest.TestCase):
    maxDiff = None

    def test_every_table_says_what_the_client_says(self):
        known = tables()
        count = 0
        for call, name in CALLS.items():
            with self.subTest(call=call):
                table, client = dict(known[call]), client_fields(name)
                for path in ONLY_IN_TABLE.get(call, ()):
                    del table[path]
                for path in FREE.get(call, ()):
                    client[path] = client[path]._replace(words=frozenset())
                for part, path in NOT_FIELDS.items():
                    if part in call:
                        del client[path]
                for path, field in table.items():
                    # A parameter of the query is text, whatever it means.
                    client[path] = client[path] if field else None
                self.assertEqual(table, client)
                count += len(table)
        print(f"{count} fields of {len(CALLS)} calls agree")
