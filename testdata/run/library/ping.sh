#!/bin/sh
# WANT_JSON
echo '{"msg": "not the built-in one"}'
