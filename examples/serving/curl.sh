#!/bin/sh
# The class of an image file, PNG or JPEG: curl.sh digit.png [http://127.0.0.1:8080] [digits]
#
# The answer is JSON. A refusal is {"error": "..."} and, by --fail-with-body, exit code 22.
set -e
url=${2:-http://127.0.0.1:8080} model=${3:-digits}
curl --silent --fail-with-body "$url/v2/models/$model" && echo # its inputs, outputs and releases
curl --silent --fail-with-body --data-binary "@$1" "$url/v2/models/$model/infer" && echo
