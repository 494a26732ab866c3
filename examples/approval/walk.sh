#!/usr/bin/env bash
# Ann's walk: reads the plan that waits, and approves it (or denies it: DECISION=Deny). Stands on kubectl alone.
#
#   walk.sh CONTRACT [NOTE]
#
# NAMESPACE is the contract's (by default kubectl's own), KUBECTL the command with its options.
set -euo pipefail

contract=${1:?the name of the contract}
note=${2:-}
read -ra kubectl <<<"${KUBECTL:-kubectl}"
[ -z "${NAMESPACE:-}" ] || kubectl+=(--namespace "$NAMESPACE")

digest=$("${kubectl[@]}" get billingcontract "$contract" -o jsonpath='{.status.plan.digest}')
[ -n "$digest" ] || { echo "$contract has no plan that waits" >&2; exit 1; }
"${kubectl[@]}" get billingcontract "$contract" -o jsonpath='{range .status.plan.lines[*]}{@}{"\n"}{end}'

# Whoever runs this, as the API server knows them: it takes no other name.
me=$("${kubectl[@]}" auth whoami -o jsonpath='{.status.userInfo.username}')
# In single quotes YAML takes every character for itself, and two quotes for one.
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }
"${kubectl[@]}" create -f - <<END
apiVersion: billing.countersign.dev/v1alpha1
kind: ContractApproval
metadata:
  generateName: $contract-
spec:
  contractRef: {name: "$contract"}
  planDigest: "$digest"
  decision: ${DECISION:-Approve}
  approvedBy: $(quoted "$me")
  independent: true
  note: $(quoted "$note")
END
