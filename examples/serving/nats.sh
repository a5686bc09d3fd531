#!/bin/sh
# The class of an image file over NATS: nats.sh digit.png [nats://127.0.0.1:4222] [digits]
#
# A model that `kn serve digits --bus nats://...` serves is a service: NATS' own command lists it and sends it requests.
set -e
server=${2:-nats://127.0.0.1:4222} model=${3:-digits}
nats --server "$server" service list
image=$(base64 <"$1" | tr -d '\n')
nats --server "$server" request --raw "kn.v1.infer.$model" \
  "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"$image\"]}],\"outputs\":[{\"name\":\"class\"}]}"
