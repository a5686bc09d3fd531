#!/bin/sh
# The class of an image file. Usage: curl.sh digit.png [http://127.0.0.1:8080] [digits]
# An answer is JSON; `--fail-with-body` turns the protocol's error into an exit code.
set -e
url=${2:-http://127.0.0.1:8080} model=${3:-digits}
curl --silent --fail-with-body "$url/v2/models/$model" # inputs, outputs, releases
echo
curl --silent --fail-with-body --data-binary "@$1" -H "Inference-Header-Content-Length: 0" "$url/v2/models/$model/infer"
echo
