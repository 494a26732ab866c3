#!/usr/bin/env bash
# Shows Countersign at work: contracts in a Git repository, a Kubernetes control plane, the operator, and a billing API
# (billing-sim), all on this machine.
#
#   demo.sh up      runs the demo and leaves everything running
#   demo.sh down    ends it
#
# `make demo` builds what it needs first. TARGET is the folder with the built programs, by default `target`; DEMO the
# folder for everything that the demo makes, by default `$TARGET/demo`.
set -Eeuo pipefail
umask 077

root=$(cd "$(dirname "$0")/../.." && pwd)
target=${TARGET:-$root/target}
mkdir -p "$target" && target=$(cd "$target" && pwd)
demo=${DEMO:-$target/demo}
repository=$demo/git
deployed=$demo/deployed
contract=$repository/zoo/contracts/acme-2026.yaml
# Both kubectl and the operator find the cluster by it, each by its own.
export KUBECONFIG=$demo/cluster/kubeconfig
# Somebody's signing keys and hooks have no place in the demo's commits.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Demo GIT_AUTHOR_EMAIL=demo@example.com GIT_COMMITTER_NAME=Demo GIT_COMMITTER_EMAIL=demo@example.com

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1;36m' dim=$'\e[2m' plain=$'\e[0m'
fi

# --- What the viewer sees ---

chapter=0
chapter() {
    chapter=$((chapter + 1))
    printf '\n%s%s. %s%s\n' "$bold" "$chapter" "$1" "$plain"
}

say() { printf '%s\n' "$1" | fold -s -w 118; }

indented() { sed 's/^/    /'; }

wrapped() { fold -s -w 114 | indented; }

prompt() { printf '%s  $ %s%s\n' "$dim" "$1" "$plain"; }

# Prints a command and what it says; a path below the project is shown from there.
show() {
    prompt "${*//$root\//}"
    "$@" 2>&1 | indented
}

# --- Processes that outlive this script ---

start() {
    local name=$1
    shift
    # Job control gives each its own process group, so that Ctrl-C here does not reach it.
    set -m
    nohup "$@" </dev/null >"$demo/$name.out" 2>"$demo/$name.log" &
    echo $! >"$demo/$name.pid"
    disown
    set +m
}

stop() {
    local name=$1 pid
    pid=$(cat "$demo/$name.pid" 2>/dev/null) || return 0
    if [[ $(ps -ww -o args= -p "$pid" 2>/dev/null) == *"/$name "* ]]; then
        kill "$pid" 2>/dev/null || true
        local tries=0
        while kill -0 "$pid" 2>/dev/null; do
            tries=$((tries + 1))
            [ "$tries" -ne 200 ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.1
        done
    fi
    rm -f "$demo/$name.pid"
}

down() {
    stop countersign
    stop billing-sim
    stop controlplane
}

failed() {
    trap - ERR INT TERM
    printf '\nThe demo stopped at line %s.\n' "$1" >&2
    for log in "$demo"/*.log; do
        [ ! -s "$log" ] || { printf '\nEnd of %s:\n' "$log" && tail -n 5 "$log"; } >&2
    done
    down
    exit 1
}

# Waits until a command succeeds.
until_true() {
    local what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ]; then
            echo "Waited a minute for $what, in vain." >&2
            return 1
        fi
        sleep 0.2
    done
}

# The value of a member of the line that a program prints when it is ready.
ready() { sed -n 's/.*"'"$2"'":"\([^"]*\)".*/\1/p' "$demo/$1.out"; }

# --- What happens in Git and in the cluster ---

commit() {
    git -C "$repository" add --all
    git -C "$repository" commit --quiet --message "$1"
    git -C "$repository" --no-pager show --format='%h %s' --unified=0 -- zoo/contracts |
        grep -E '^([0-9a-f]{7,} |[-+] )' | indented
}

# What Flux or Argo CD does: check the commit out and apply what it says. With the name of a contract, only that one is
# shown of those that exist already.
deploy() {
    git -C "$deployed" checkout --quiet --detach "$(git -C "$repository" rev-parse main)"
    prompt "kubectl apply -k ${deployed#"$root/"}"
    kubectl apply -k "$deployed" 2>&1 |
        sed -E -e '/^The .* is invalid/,$b' -e "/\/${1:-}$|\/${1:-} /b" -e '/ (unchanged|configured)$/d' | wrapped
}

# Waits for the operator to have acted on what was applied last.
settled() {
    kubectl wait "billingcontract/$1" --for="condition=$2" --timeout=60s >/dev/null
}

# The organization's contract, as anyone sees it who asks the billing API.
billed() {
    prompt "curl -H 'Authorization: Bearer …' $sim/orgs/$1/billing/contract"
    curl --silent --fail --header "Authorization: Bearer $(cat "$demo/token")" "$sim/orgs/$1/billing/contract" |
        grep -oE '"(name|status|display_name|unit_price|fixed_fee_amount|commitment_amount)":("[^"]*"|[0-9.]+)' |
        paste -sd ' ' - | wrapped
}

# How often the organization's contract was written.
writes() {
    curl --silent --fail "$sim/_sim/zoo/orgs/$1/contracts" | sed -n 's/.*"writes":\([0-9]*\).*/\1/p'
}

start_everything() {
    say "etcd, the Kubernetes API server and its controllers (the real ones), and billing-sim in place of Zoo:"
    start controlplane "$target/controlplane/controlplane" up --dir "$demo/cluster"
    printf 'demo-%s' "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" >"$demo/token"
    BILLING_SIM_TOKEN=$(cat "$demo/token") start billing-sim \
        "$target/debug/billing-sim" --listen 127.0.0.1:0 --data "$demo/billing"
    until_true "billing-sim" grep -q ready "$demo/billing-sim.out"
    until_true "the control plane" grep -q ready "$demo/controlplane.out"
    sim=$(ready billing-sim url)
    PATH=$(dirname "$(ready controlplane kubectl)"):$PATH
    printf '    cluster  %s\n    billing  %s\n' "$(ready controlplane server)" "$sim"

    say "Countersign, installed as in a real cluster:"
    prompt "kubectl apply --server-side -k manifests"
    kubectl apply --server-side -k "$root/manifests" | sed 's/ serverside-applied$//' | indented
    kubectl wait --for=condition=Established --timeout=60s \
        crd/billingcontracts.billing.countersign.dev crd/billingproviders.billing.countersign.dev \
        crd/clusterbillingproviders.billing.countersign.dev >/dev/null
    show kubectl create namespace billing
    kubectl config set-context --current --namespace billing >/dev/null
    for namespace in billing countersign-system; do
        show kubectl create secret generic zoo-token --namespace "$namespace" --from-file="token=$demo/token"
        show kubectl apply --namespace "$namespace" -k "$root/manifests/tokens"
    done

    say "This cluster has no nodes, so the operator runs beside it, with the ServiceAccount and no rights but its own."
    until_true "the ServiceAccount" kubectl get serviceaccount countersign --namespace countersign-system
    local own=$demo/operator.kubeconfig token admin
    token=$(kubectl create token countersign --namespace countersign-system --duration 720h)
    admin=$(kubectl config view -o jsonpath='{.users[0].name}')
    cp "$KUBECONFIG" "$own"
    kubectl --kubeconfig "$own" config set-credentials countersign --token "$token" >/dev/null
    kubectl --kubeconfig "$own" config set-context --current --user countersign >/dev/null
    kubectl --kubeconfig "$own" config delete-user "$admin" >/dev/null
    KUBECONFIG=$own NO_COLOR=1 start countersign "$target/debug/countersign" run --listen 127.0.0.1:0 \
        --allowed-hosts "$sim"
    until_true "the operator" grep -q watching "$demo/countersign.log"
}

# Zoo's side of the examples: the customers exist, and some have a contract already.
register_customers() {
    local organizations existing path
    organizations=$(sed -n 's/^ *organizationId: \(.*\)/"\1"/p' "$root"/examples/zoo/contracts/*.yaml | paste -sd, -)
    curl --silent --fail --data "{\"ids\": [$organizations]}" "$sim/_sim/zoo/orgs" >/dev/null
    for existing in "$root"/examples/zoo/existing/*/*.json; do
        path=${existing#"$root/examples/zoo/existing/"}
        curl --silent --fail --request PUT --header "Content-Type: application/json" --data-binary "@$existing" \
            "$sim/_sim/zoo/orgs/${path%/*}/contracts/$(basename "$path" .json)" >/dev/null
    done
}

make_repository() {
    mkdir -p "$repository"
    git -C "$repository" init --quiet --initial-branch main
    cp -R "$root/examples/zoo" "$repository/zoo"
    cat >"$repository/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [zoo]
patches:
  - target: {kind: BillingProvider|ClusterBillingProvider}
    patch: |-
      - {op: replace, path: /spec/zoo/baseUrl, value: "$sim"}
END
    git -C "$repository" add --all
    git -C "$repository" commit --quiet --message "Contracts of 2026"
    git -C "$repository" worktree add --quiet --detach "$deployed"
}

up() {
    down
    rm -rf "$demo"
    mkdir -p "$demo"
    trap 'failed $LINENO' ERR
    trap 'failed $LINENO' INT TERM
    local acme before

    chapter "A cluster, a billing API and the operator"
    start_everything
    register_customers

    chapter "Contracts in Git"
    make_repository
    show git -C "$repository" --no-pager log --oneline --stat=90 -- zoo/contracts
    acme=$(sed -n 's/^ *organizationId: //p' "$contract")

    chapter "The commit is applied, and the billing API follows"
    deploy
    kubectl get billingcontracts -o name | grep -v wonka | xargs kubectl wait --for=condition=Ready --timeout=60s >/dev/null
    kubectl wait billingcontract/wonka-2026 --for=jsonpath='{.status.plan.digest}' --timeout=60s >/dev/null
    show kubectl get billingcontracts
    say "wonka-2026 asks for approval first (managementPolicy: Plan). What Acme is billed now:"
    billed "$acme"

    chapter "A price changes in Git"
    sed -i.old 's/unitPrice: "0.42"/unitPrice: "0.40"/' "$contract" && rm "$contract.old"
    commit "Acme: 0.40 from 100,000 minutes on"
    deploy acme-2026
    settled acme-2026 Ready
    show kubectl events --for billingcontract/acme-2026
    billed "$acme"

    chapter "A mistake that Countersign refuses"
    say "Tiers that overlap: 90,000 to 100,000 minutes would have two prices. The schema can't see that, Countersign can:"
    sed -i.old 's/tierStartInclusive: 100000/tierStartInclusive: 90000/' "$contract" && rm "$contract.old"
    commit "Acme: discount from 90,000 minutes on"
    before=$(writes "$acme")
    deploy acme-2026
    settled acme-2026 Stalled
    show kubectl get billingcontract acme-2026
    prompt "kubectl get billingcontract acme-2026 -o jsonpath={.status.conditions[0].message}"
    kubectl get billingcontract acme-2026 -o jsonpath='{.status.conditions[0].message}{"\n"}' | wrapped
    say "Nothing was written: the billing API has counted $before writes of Acme's contract before, and $(writes "$acme") now. Revert:"
    git -C "$repository" revert --no-edit HEAD >/dev/null
    deploy acme-2026
    settled acme-2026 Ready

    chapter "A mistake that Kubernetes refuses"
    say "Money without quotes would be a floating-point number:"
    sed -i.old 's/unitPrice: "0.40"/unitPrice: 0.40/' "$contract" && rm "$contract.old"
    commit "Acme: tidy up"
    if deploy acme-2026; then
        echo "The API server accepted money that is not quoted." >&2
        return 1
    fi
    git -C "$repository" revert --no-edit HEAD >/dev/null
    deploy >/dev/null

    chapter "Where everything stands"
    show kubectl get billingcontracts
    look_on "$acme"
}

look_on() {
    hint() { if [ -n "${2:-}" ]; then printf '  %-84s %s# %s%s\n' "$1" "$dim" "$2" "$plain"; else printf '  %s\n' "$1"; fi; }
    printf '\n%sEverything is still running.%s To look on and to try things:\n\n' "$bold" "$plain"
    hint "export KUBECONFIG=$KUBECONFIG"
    hint "export PATH=$(dirname "$(ready controlplane kubectl)"):\$PATH" "a kubectl that fits"
    printf '\n'
    hint "kubectl get billingcontracts -o wide"
    hint "kubectl describe billingcontract globex-2026"
    hint "kubectl explain billingcontract.spec.zoo.items"
    hint "kubectl get billingcontract wonka-2026 -o jsonpath={.status.plan}" "the plan that waits; to approve it:"
    hint "kubectl annotate billingcontract wonka-2026 billing.countersign.dev/approved-plan=DIGEST"
    printf '\n'
    hint "cd $repository" "change a contract, commit,"
    hint "kubectl apply -k ." "and apply it"
    printf '\n'
    hint "curl $sim/_sim/zoo/contracts" "what is billed, to whom"
    hint "curl $sim/_sim/journal" "every request that came"
    hint "tail -f $demo/countersign.log" "what the operator says"
    printf '\n'
    hint "make demo-down" "ends it"
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) echo "usage: $0 up|down" >&2; exit 2 ;;
esac
