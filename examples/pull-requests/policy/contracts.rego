# What this company lets be merged, asked of a plan (`countersign plan --output json`, schemas/plan.json) by conftest:
#
#   countersign plan --base origin/main --output json contracts > plan.json || [ $? -eq 3 ]
#   conftest test --policy policy plan.json
#
# `deny` fails the check, `warn` is told. Amounts are text with exact digits; `to_number` is good enough to compare them.
package main

import rego.v1

# Most that all changes together may add to what customers are committed to, in whole units of each currency.
most_committed := 500000

# Most contracts that one change may touch.
most_changed := 50

plans contains resource if {
	some resource in input.resources
	"does" in resource.parts
}

label(resource) := sprintf("%s %s (%s)", [resource.kind, resource.name, resource.file])

# Metronome counts US dollars in cents.
whole(unit, amount) := to_number(amount) / 100 if unit.pricingUnit.id == "2714e483-4ff1-48e4-9e25-ac732e8f24f2"

else := to_number(amount)

currency(unit) := unit.currency

currency(unit) := "USD" if unit.pricingUnit.id == "2714e483-4ff1-48e4-9e25-ac732e8f24f2"

deny contains message if {
	input.counts.refused > 0
	message := sprintf("%d resources are refused: correct them first", [input.counts.refused])
}

deny contains message if {
	count(plans) > most_changed
	message := sprintf("%d resources change at once, and %d may: split the change", [count(plans), most_changed])
}

rises(row) := whole(row.unit, row.after) - whole(row.unit, row.before)

deny contains message if {
	some unit in {currency(row.unit) | some row in input.total}
	more := sum([rises(row) |
		some row in input.total
		row.kind == "commitment"
		currency(row.unit) == unit
	])
	more > most_committed
	message := sprintf("commitments rise by %v %s in all, and %v may be: ask the chief financial officer", [more, unit, most_committed])
}

# A price that falls to zero or changes its sign is a mistake until somebody says otherwise.
deny contains message if {
	some resource in plans
	some alert in resource.alerts
	alert.why in {"free", "sign"}
	message := sprintf("%s: %s goes from %s to %s", [label(resource), alert.path, alert.before, alert.after])
}

# The plan of a pull request tells what it does; a live one also what somebody did in the console.
warn contains message if {
	some resource in input.resources
	"undone" in resource.parts
	message := sprintf("%s: somebody changed it in billing, and merging undoes that", [label(resource)])
}

warn contains message if {
	some resource in plans
	resource.fileIs == "gone"
	message := sprintf("%s: its file is gone, and the contract ends", [label(resource)])
}
