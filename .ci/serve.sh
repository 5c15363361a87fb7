#!/usr/bin/env bash
# serve.sh - serves the iris example; prints a curl line once it answers
#
#   .ci/serve.sh VENV FOLDER      FOLDER: where the trained model is
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/say.sh

venv=$1 model=$2
address=${HOST:-127.0.0.1}
port=${PORT:-5001}
url=http://$address:$port

if curl -s -o /dev/null --max-time 2 "$url/"; then
    fail "something serves $url already; try: make serve PORT=5002"
fi

# Waits beside the server, which takes over this process, for its first 200.
tell() {
    until curl -fs -o /dev/null --max-time 2 "$url/"; do
        kill -0 "$1" 2>/dev/null || exit 0
        sleep 0.1
    done
    kill -0 "$1" 2>/dev/null || exit 0
    cat >&2 <<END
==> it answers. Try, in another terminal:

    curl -s $url/score -H 'Content-Type: application/json' -d '{"data": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}'

==> Control-C ends it.
END
}
tell $$ &

say "serving tests/scripts/sklearn_iris/score.py on $url"
export AZUREML_MODEL_DIR=$PWD/$model
exec "$venv/bin/azmlinfsrv" --host "$address" --port "$port" \
    --entry_script tests/scripts/sklearn_iris/score.py
