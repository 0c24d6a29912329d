#!/bin/sh
# The folder of `pingxuan secrets` as Secrets, to standard output; nothing is sent anywhere and nothing stays behind.
set -eu
folder=$1
make() { kubectl create secret generic "$@" --namespace pingxuan --dry-run=client -o yaml; echo ---; }
for service in registry voting scoring; do
    files=$(find "$folder/$service" -name '*.key' | sort | sed 's/^/--from-file=/')
    # shellcheck disable=SC2086 # one word a file
    make "pingxuan-$service" $files
    make "pingxuan-$service-env" --from-env-file="$folder/$service/service.env"
done
make valkey-users --from-file="$folder/valkey/users.acl"
# For an operator's Valkey Cluster, which keeps its own list of accounts.
make valkey-passwords --from-file=registry="$folder/keys/valkey_registry.password" \
    --from-file=voting="$folder/keys/valkey_voting.password" --from-file=scoring="$folder/keys/valkey_scoring.password"
# The job that makes roles and databases sets their passwords, and sees nothing else.
# shellcheck disable=SC2046 # one word a file
make pingxuan-databases $(find "$folder/keys" -name 'database_*.password' | sort | sed 's/^/--from-file=/')
